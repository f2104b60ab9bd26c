"""A stored row that a power cut changed is set aside with an alarm; all others are sent, and their times repaired."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.clock import ClockStamp
from edge_agent.outbox import Outbox, UnsureTimestamps
from telemetry.core.protocol import codec, events as ev
from telemetry.mqtt.address import BrokerAddress
from tests.unit.edge_agent.test_receipts_obeyed import AcceptingLink

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BAD_BODIES: dict[str, object] = {
    "NULs": bytes(60), "a torn body": b'{"type":"payment.result","n":3,"t"', "empty": b"", "text": "x", "a number": 7,
    "1e300": 1e300, "no UTF-8": b'{"type":"payment.result","n":3,"t":9,"outcome":"\xff"}',
    "another row's": b'{"type":"payment.result","n":99,"t":9,"outcome":"ok"}',
    "two rows": b'{"type":"payment.result","n":3,"t":9,"outcome":"ok"},{"type":"payment.result","n":4,"t":9}',
    "a list": b"[3]", "deep": b"[" * 100_000, "no type": b'{"n":3,"t":9}',
}  # fmt: skip
OTHER_VERSION = b'{"type":"payment.refund","n":3,"t":9,"new":{"a":[1]}}'
"""An event of a later version, which the server may know."""


class FramesLink(AcceptingLink):
    """Keeps the frames that are sent."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent)
        self.frames: list[codec.DecodedFrame] = []

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False,
                content_type: str = "", user: Mapping[str, str] | None = None) -> int | None:  # fmt: skip
        if topic.endswith("/up"):
            self.frames.append(codec.decode_frame(payload, content_type, 1 << 50))
        return super().publish(topic, payload, qos=qos, retain=retain, content_type=content_type, user=user)


class Restarted:
    """An agent over an outbox of five rows that another process left, one of them changed meanwhile."""

    def __init__(self, path: Path, bad: object, column: str = "body") -> None:
        self.now = 1_000
        outbox = Outbox(path, lambda: "spool")
        outbox.append([ev.PaymentResult(n=1, t=9, outcome="ok")] * 5)
        outbox.close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(f"UPDATE rows SET {column} = ? WHERE n = 3", [bad])
            db.commit()
        self.outbox = Outbox(path, lambda: "spool")
        settings = AgentSettings("c1-kiosk1", "c1", BrokerAddress(port=1), alarms_enabled=True)
        self.agent = Agent(
            settings, self.outbox, Environment(lambda: 1_009, lambda: self.now, lambda: 0.0, lambda: "id")
        )
        self.link = FramesLink(self.agent)
        self.agent.link = self.link

    def drain(self) -> list[int]:
        """Connect and send everything; returns the numbers of the rows sent."""
        self.agent.on_connected(session_present=False)
        for _ in range(50):
            self.now += 1_000
            self.agent.on_rows_appended(self.now)
            self.agent.step()
        decoded = self.link.frames
        assert not [n for frame in decoded for n, _ in frame.rejected]
        return sorted({n for frame in decoded for n in (*(e.n for e in frame.events), *(n for n, _ in frame.deferred))})


@pytest.mark.parametrize("bad", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_an_unreadable_row_is_set_aside_with_an_alarm_and_all_others_are_sent(tmp_path: Path, bad: object) -> None:
    kiosk = Restarted(tmp_path / "o.db", bad)
    assert kiosk.agent.oldest_row_age_ms() == 1_000
    sent = kiosk.drain()
    assert [n for n in sent if n <= 5] == [1, 2, 4, 5]
    assert [row.n for row in kiosk.outbox.refused_rows("unreadable")] == [3]
    own = [codec.decode_event(row.body) for row in kiosk.outbox.rows_after(5, 9)]
    assert [(e.row, e.reason) for e in own if isinstance(e, ev.OutboxRefused)] == [(3, "unreadable")]
    assert [(e.alarm, e.subject) for e in own if isinstance(e, ev.AgentAlarm)] == [("outbox_corrupt", "row")]
    assert kiosk.agent.counters.refused_rows == 1
    kiosk.outbox.close()


def test_an_event_of_another_version_is_sent_for_the_server_to_decide(tmp_path: Path) -> None:
    kiosk = Restarted(tmp_path / "o.db", OTHER_VERSION)
    assert [n for n in kiosk.drain() if n <= 5] == [1, 2, 3, 4, 5]
    assert kiosk.outbox.refused_count() == 0
    kiosk.outbox.close()


@pytest.mark.parametrize("column", ["size", "class", "boot", "mono", "wall", "doubtful"])
@pytest.mark.parametrize(
    "bad", [b"\x00", "x", -7, 1e300, (1 << 63) - 1], ids=["bytes", "text", "negative", "1e300", "huge"]
)
def test_garbage_beside_a_body_keeps_no_row_from_being_sent(tmp_path: Path, column: str, bad: object) -> None:
    kiosk = Restarted(tmp_path / "o.db", bad, column)
    assert [n for n in kiosk.drain() if n <= 5 and n != 3] == [1, 2, 4, 5]
    kiosk.outbox.close()


def test_the_oldest_row_is_the_oldest_readable_one(tmp_path: Path) -> None:
    kiosk = Restarted(tmp_path / "o.db", b"{")
    kiosk.outbox.file.commit(lambda db: db.execute("UPDATE rows SET body = x'00'"))
    assert kiosk.agent.oldest_row_age_ms() == 0
    kiosk.outbox.close()


@pytest.mark.parametrize(("column", "bad"), [("body", "x"), ("body", 7), ("body", b"\x00\xff"),
                                             ("mono", None), ("mono", "x"), ("wall", b"x")])  # fmt: skip
def test_times_are_repaired_beside_a_row_that_cannot_be(tmp_path: Path, column: str, bad: object) -> None:
    stamp = ClockStamp(wall=5_000, mono=4_000, boot="b", time_unsure=True)
    outbox = Outbox(tmp_path / "o.db", lambda: "spool", stamp=lambda: stamp)
    outbox.append([ev.PaymentResult(n=1, t=4_500, outcome="ok")] * 3)
    sql = f"UPDATE rows SET {column} = ? WHERE n = 2"
    outbox.file.commit(lambda db: db.execute(sql, [bad]))
    unsure = UnsureTimestamps(outbox, "b")
    assert unsure.repair(offset=101_000) == 3
    assert unsure.repair(offset=101_000) == 0
    repaired = [codec.decode_event(row.body).t for row in outbox.rows_after(0, 9) if row.n != 2]
    assert repaired == [104_500, 104_500]
    outbox.close()
