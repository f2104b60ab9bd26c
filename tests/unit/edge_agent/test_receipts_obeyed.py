"""A receipt counts only for rows that were handed out and wait for one; what cannot be true is dropped and counted."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from edge_agent import agent, refusal_log
from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.outbox import Outbox
from telemetry.core.protocol import codec, events as ev
from telemetry.mqtt.address import BrokerAddress
from telemetry.mqtt.link import Link, Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANY = 1 << 53


class AcceptingLink(Link):
    """Accepts every message while it is connected."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent.settings.broker, agent.link._settings, agent)
        self.is_connected, self.sent = True, 0

    def fileno(self) -> int:
        return 0 if self.is_connected else -1

    def connect(self, will: tuple[str, bytes] | None = None) -> None:
        pass

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False,
                content_type: str = "", user: Mapping[str, str] | None = None) -> int | None:  # fmt: skip
        del topic, payload, qos, retain, content_type, user
        self.sent += 1
        return self.sent

    def disconnect(self) -> None:
        pass


class Kiosk:
    """An agent in virtual time with an outbox of its own."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000
        self.outbox = Outbox(folder / "o.db", lambda: "spool")
        around = Environment(lambda: 9, lambda: self.now, lambda: 0.0, lambda: "id")
        settings = AgentSettings("c1-kiosk1", "c1", BrokerAddress(port=1), alarms_enabled=True)
        self.agent = Agent(settings, self.outbox, around)
        self.agent.link = AcceptingLink(self.agent)
        self.agent.on_connected(session_present=False)

    def append(self, count: int) -> None:
        self.outbox.append([ev.PaymentResult(n=1, t=9, outcome="ok")] * count)

    def hand_out(self) -> None:
        self.agent.on_rows_appended(self.now)
        self.step(300)

    def step(self, later: int = 0) -> None:
        self.now += later
        self.agent.step()

    def receive(self, body: object) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.agent.on_message(Message("motcua/v1/c1/c1-kiosk1/receipt", payload))
        self.step()

    def numbers(self) -> list[int]:
        rows = self.outbox.rows_after(0, 9_999)
        return [
            row.n for row in rows if not isinstance(codec.decode_event(row.body), (ev.AgentAlarm, ev.OutboxRefused))
        ]

    def alarms(self) -> list[str]:
        events = [codec.decode_event(row.body) for row in self.outbox.rows_after(0, 9_999)]
        return [event.alarm for event in events if isinstance(event, ev.AgentAlarm)]


@pytest.fixture
def kiosk(tmp_path: Path) -> Kiosk:
    return Kiosk(tmp_path)


def receipt(*ranges: object, **more: object) -> dict[str, object]:
    return {"spool": "spool", "ranges": list(ranges), "at": 0, **more}


@pytest.mark.parametrize(
    "body",
    [
        receipt([1, MANY]), receipt([1, 5_000]), receipt([3, 1]), receipt([-3, 3]), receipt([0, 3]), receipt([1.5, 3]),
        receipt([1, True]), receipt([1, None]), receipt(["1", "3"]), receipt([1]), receipt([1, 2, 3]), receipt(1),
        receipt(rejected=[[MANY, "malformed"]]), receipt(rejected=[[1, "x" * 64]]), receipt(rejected=[[1, "no good"]]),
        receipt(deferred=[[77, "future"]]), receipt(*[[1, 1]] * 10_001), {"spool": "spool"}, [], None,
        b'{"spool":"spool","ranges":[[1,' + b"9" * 5_000 + b"]]}", b"\xff", b"[" * 100_000, b"",
        b'{"spool":"spool","ranges":[[1,1e400]]}',
    ],
    ids=lambda body: str(body)[:50],
)  # fmt: skip
def test_a_receipt_that_cannot_be_true_deletes_nothing_is_counted_and_is_an_alarm(kiosk: Kiosk, body: object) -> None:
    kiosk.append(5)
    kiosk.hand_out()
    for _ in range(3):
        kiosk.receive(body)
    assert kiosk.numbers() == [1, 2, 3, 4, 5]
    assert kiosk.agent.counters.receipts_invalid == 3
    assert kiosk.alarms() == ["receipt_invalid"]
    kiosk.receive(receipt([1, 5]))
    assert kiosk.numbers() == []


def test_rows_that_were_never_handed_out_stay_whatever_a_receipt_says(kiosk: Kiosk) -> None:
    kiosk.append(3)
    kiosk.hand_out()
    kiosk.append(4)
    kiosk.receive(receipt([1, 7], [2, 6], rejected=[[5, "malformed"]], deferred=[[6, "future"], [7, "unknown_device"]]))
    assert kiosk.numbers() == [4, 5, 6, 7]
    assert (kiosk.agent.counters.receipted_rows, kiosk.agent.counters.deferred_rows) == (3, 0)
    assert kiosk.outbox.refused_count() == 0
    kiosk.hand_out()
    kiosk.receive(receipt([4, 7]))
    assert kiosk.numbers() == []


def test_another_outboxs_receipt_says_nothing_about_this_one(kiosk: Kiosk) -> None:
    kiosk.append(3)
    kiosk.hand_out()
    kiosk.receive({"spool": "other", "ranges": [[1, 3]], "at": 0})
    assert kiosk.numbers() == [1, 2, 3]
    assert kiosk.agent.counters.receipts_invalid == 0


def test_a_repeated_receipt_changes_nothing_and_is_no_fault(kiosk: Kiosk) -> None:
    kiosk.append(3)
    kiosk.hand_out()
    for _ in range(2):
        kiosk.receive(receipt([1, 2], rejected=[[3, "malformed"], [3, "malformed"]]))
    assert kiosk.numbers() == []
    assert (kiosk.agent.counters.receipts_invalid, kiosk.agent.counters.receipted_rows) == (0, 2)
    assert kiosk.outbox.refused_count() == 1


def test_a_row_in_all_three_lists_was_stored(kiosk: Kiosk) -> None:
    kiosk.append(2)
    kiosk.hand_out()
    kiosk.receive(
        receipt([1, 1], rejected=[[1, "malformed"], [2, "malformed"]], deferred=[[1, "future"], [2, "future"]])
    )
    assert kiosk.numbers() == []
    assert (kiosk.outbox.refused_count(), kiosk.agent.counters.deferred_rows) == (1, 0)


def test_deferred_rows_still_wait_for_their_receipt(kiosk: Kiosk) -> None:
    kiosk.append(2)
    kiosk.hand_out()
    kiosk.receive(receipt(deferred=[[1, "unknown_device"], [2, "unknown_device"]]))
    assert kiosk.agent.counters.deferred_rows == 2
    kiosk.receive(receipt([2, 2]))
    assert kiosk.numbers() == [1]


def test_what_was_handed_out_before_a_stop_is_deleted_by_a_receipt_after_it(kiosk: Kiosk, tmp_path: Path) -> None:
    kiosk.append(3)
    kiosk.hand_out()
    kiosk.append(2)
    kiosk.agent.close()
    again = Kiosk(tmp_path)
    again.receive(receipt([1, 5]))
    assert again.numbers() == [4, 5]


def test_a_stored_note_of_what_was_handed_out_that_cannot_be_read_is_none(kiosk: Kiosk) -> None:
    for text in ("nonsense", "[[0,1]]", '{"a":1}'):
        kiosk.outbox.append([], source="delivery:handed_out", cursor=text)
        assert kiosk.outbox.handed_out() == ()
    kiosk.outbox.append([], source="delivery:handed_out", cursor="[[5,1],[2,3],[4,4]]")
    assert kiosk.outbox.handed_out() == ((2, 4),)


def test_a_receipt_that_cannot_be_applied_is_dropped_and_not_tried_again(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk.append(1)
    kiosk.hand_out()
    tries: list[object] = []

    def fail(ranges: object) -> None:
        tries.append(ranges)
        raise OverflowError("too large")

    monkeypatch.setattr(kiosk.outbox, "delete_receipted", fail)
    kiosk.receive(receipt([1, 1]))
    for _ in range(50):
        kiosk.step(20)
    assert len(tries) == 1
    assert kiosk.agent.counters.receipts_invalid == 1
    assert kiosk.numbers() == [1]


def test_rows_go_exactly_when_handed_out_and_named_whatever_the_receipts(kiosk: Kiosk) -> None:
    chance = random.Random(23)
    waiting, unsent = set[int](), set[int]()
    for _ in range(60):
        before = kiosk.outbox.highest_n
        kiosk.append(chance.randrange(1, 30))
        unsent |= set(range(before + 1, kiosk.outbox.highest_n + 1))
        if chance.random() < 0.7:
            kiosk.hand_out()
            waiting, unsent = waiting | unsent, set[int]()
        top = kiosk.outbox.highest_n
        ranges = [sorted(chance.sample(range(1, top + 1), 2)) for _ in range(3)] if top > 1 else []
        kiosk.receive(receipt(*ranges))
        waiting -= {n for low, high in ranges for n in range(low, high + 1)}
        assert kiosk.numbers() == sorted(waiting | unsent)


def test_a_storm_of_receipts_is_bounded_and_logged_once_a_minute(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[str, int]] = []
    log = SimpleNamespace(warning=lambda name, **more: lines.append((name, more["rows"])))
    monkeypatch.setattr(refusal_log, "_log", log)
    kiosk.append(3)
    kiosk.hand_out()
    body = json.dumps(receipt(deferred=[[2, "unknown_device"]])).encode()
    for _ in range(20_000):
        kiosk.agent.on_message(Message("motcua/v1/c1/c1-kiosk1/receipt", body))
    assert len(kiosk.agent._pending_receipts) == agent.MAX_PENDING_RECEIPTS
    kiosk.step()
    for _ in range(5):
        kiosk.receive(receipt(deferred=[[3, "unknown_device"]]))
    assert lines == [("rows_deferred", agent.MAX_PENDING_RECEIPTS)]
    kiosk.step(refusal_log.INTERVAL_MS)
    kiosk.receive(receipt([1, 1], deferred=[[2, "unknown_device"]]))
    assert lines[1:] == [("rows_deferred", 6)]
    assert kiosk.numbers() == [2, 3]
