"""A wrong clock: rows wait, are put right once the clock is known, and are frozen when they are sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.clock import EARLIEST_VALID_MS, HOLD_MS, ClockStamp, ClockSync, ClockWatch, repair_event_times
from edge_agent.outbox import Outbox
from telemetry.core.protocol import codec, events as ev
from telemetry.mqtt.address import BrokerAddress
from telemetry.mqtt.link import Link, Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TRUE_BOOT = 1_790_000_000_000
"""When the machine was really switched on, Unix ms."""


@dataclass
class Machine:
    """A machine whose clock is `wrong` ms off until somebody sets it."""

    mono: int = 1_000
    wrong: int = -3_600_000
    synced: bool = False

    def wall(self) -> int:
        return TRUE_BOOT + self.mono + self.wrong

    def watch(self, boot: str = "boot1", hold_ms: int = HOLD_MS) -> ClockWatch:
        said = lambda: ClockSync(self.synced, 12.0 if self.synced else None)  # noqa: E731
        return ClockWatch(self.wall, lambda: self.mono, said, boot, hold_ms)

    def synchronise(self) -> None:
        self.wrong, self.synced = 0, True


class Wire(Link):
    """Stands and takes frames."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent.settings.broker, agent.link._settings, agent)
        self.frames = list[bytes]()

    def fileno(self) -> int:
        return 0

    def keep_alive(self) -> None:
        pass

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False,
                content_type: str = "", user: Mapping[str, str] | None = None) -> int | None:  # fmt: skip
        del topic, qos, retain, content_type
        if user:
            self.frames.append(payload)
        return len(self.frames)

    def told(self) -> list[tuple[int, int]]:
        """(n, t) of every row sent."""
        frames = [codec.decode_frame(frame, codec.CONTENT_TYPE, 1 << 53) for frame in self.frames]
        return [(event.n, event.t) for frame in frames for event in frame.events]


class Box:
    """An agent on a machine, driven step by step."""

    def __init__(self, folder: Path, machine: Machine, boot: str = "boot1") -> None:
        self.machine, self.clock = machine, machine.watch(boot)
        self.outbox = Outbox(folder / "o.db", lambda: "spool", stamp=self.clock.stamp)
        around = Environment(machine.wall, lambda: machine.mono, lambda: 0.0, lambda: "id", self.clock)
        self.agent = Agent(
            AgentSettings("c1-kiosk1", "c1", BrokerAddress(), linger_ms=0, compress=False), self.outbox, around
        )
        self.wire = Wire(self.agent)
        self.agent.link = self.wire

    def issue(self, after: int = 0, **more: int) -> int:
        self.machine.mono += after
        now = self.machine.wall()
        event = ev.TicketCalled(
            n=1, t=now, ticket="k", queue="q", service="s", counter="c", entered=more.get("entered", now), call=1
        )
        first, _ = self.outbox.append([event])
        self.agent.on_rows_appended(self.machine.mono)
        return first

    def steps(self, after: int = 0) -> None:
        """Let so much time pass, and do what is due."""
        self.machine.mono += after
        self.agent.tick()
        for _ in range(6):
            self.agent.step()

    def link(self) -> None:
        self.wire.is_connected = True
        self.agent.on_connected(session_present=False)

    def receipt(self, **said: object) -> None:
        plain = codec.DeliveryReceipt(spool="spool", ranges=[])
        self.agent.on_message(Message("x/receipt", codec.encode_receipt(replace_struct(plain, said))))


def replace_struct(receipt: codec.DeliveryReceipt, said: dict[str, object]) -> codec.DeliveryReceipt:
    import msgspec

    return msgspec.structs.replace(receipt, **said)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path, Machine())


def test_rows_of_an_unsynchronised_clock_wait_and_are_put_right_at_the_synchronisation(box: Box) -> None:
    box.issue()
    box.link()
    box.steps()
    box.issue(after=5_000)
    box.steps()
    assert box.wire.told() == []
    box.machine.synchronise()
    box.steps(after=60_000)
    assert sorted(box.wire.told())[:2] == [(1, TRUE_BOOT + 1_000), (2, TRUE_BOOT + 6_000)]


def test_a_clock_that_is_never_synchronised_holds_rows_only_so_long_and_the_frame_says_so(box: Box) -> None:
    box.issue()
    box.link()
    box.steps(after=HOLD_MS - 2_000)
    assert box.wire.frames == []
    box.steps(after=2_000)
    assert b'"clock":{"synced":false,"error_ms":null}' in box.wire.frames[0]
    assert box.wire.told() == [(1, TRUE_BOOT + 1_000 - 3_600_000)]


def test_after_a_long_time_alone_the_time_server_gets_its_chance_too(box: Box) -> None:
    box.issue()
    box.steps(after=5 * HOLD_MS)
    box.link()
    box.steps(after=1_000)
    assert box.wire.frames == []
    box.machine.synchronise()
    box.steps(after=1_000)
    assert (1, TRUE_BOOT + 1_000) in box.wire.told()


def test_a_time_is_frozen_once_it_was_sent(box: Box) -> None:
    box.machine.mono = HOLD_MS
    sent = box.issue()
    box.link()
    box.steps()
    wrong = box.wire.told()
    box.wire.is_connected = False
    unsent = box.issue(after=1_000)
    box.machine.synchronise()
    box.steps(after=10)
    box.link()
    box.agent.flush()
    box.steps(after=60_000)
    assert set(box.wire.told()) >= {*wrong, (unsent, TRUE_BOOT + HOLD_MS + 1_000)}
    assert {t for n, t in box.wire.told() if n == sent} == {wrong[0][1]}


def test_once_synchronised_a_clock_is_trusted_until_the_next_boot(box: Box) -> None:
    box.machine.synchronise()
    box.steps()
    box.machine.synced = False
    box.link()
    box.issue()
    box.steps(after=1_000)
    assert box.wire.frames


def test_rows_of_an_earlier_boot_are_sent_as_they_are(tmp_path: Path) -> None:
    before = Box(tmp_path, Machine())
    before.issue()
    wrong = before.machine.wall()
    before.outbox.close()
    after = Box(tmp_path, Machine(mono=500, wrong=0, synced=True), boot="boot2")
    after.link()
    after.steps()
    assert after.wire.told() == [(1, wrong)]


def test_a_restart_within_the_boot_still_puts_rows_right(tmp_path: Path) -> None:
    before = Box(tmp_path, Machine())
    before.issue()
    before.outbox.close()
    after = Box(tmp_path, Machine(mono=90_000, wrong=0, synced=True))
    after.link()
    after.steps()
    assert after.wire.told() == [(1, TRUE_BOOT + 1_000)]


def test_a_row_put_off_as_future_is_put_right_and_others_are_not(tmp_path: Path) -> None:
    box = Box(tmp_path, Machine(mono=HOLD_MS, wrong=7_200_000))
    future, unknown = box.issue(), box.issue()
    box.link()
    box.steps()
    wrong = dict(box.wire.told())
    box.receipt(deferred=[(future, "future"), (unknown, "unsupported_type")])
    box.steps()
    box.wire.frames.clear()
    box.machine.synchronise()
    box.steps()
    box.steps(after=4_000_000)
    again = dict(box.wire.told())
    assert again[future] == TRUE_BOOT + HOLD_MS
    assert again[unknown] == wrong[unknown]


def test_a_step_of_the_clock_is_an_event(box: Box) -> None:
    box.machine.synchronise()
    box.steps()
    box.machine.wrong = 501
    box.steps()
    box.machine.wrong = 1_001
    box.steps()
    steps = [codec.decode_event(row.body) for row in box.outbox.rows_after(0, 9)]
    assert [(e.step_ms, e.synced) for e in steps if isinstance(e, ev.ClockStep)] == [(3_600_000, True), (501, True)]


def test_a_clock_before_its_time_is_not_synchronised_whatever_the_kernel_says() -> None:
    machine = Machine(wrong=EARLIEST_VALID_MS - TRUE_BOOT - 10_000, synced=True)
    watch = machine.watch()
    assert (watch.sync.synced, watch.trusted) == (False, False)


KEPT = ClockStamp(wall=1_000_000, mono=400_000, boot="b", time_unsure=True)
OFFSET = 9_000_000


def called(t: int, entered: int) -> bytes:
    return codec.encode_event(
        ev.TicketCalled(n=7, t=t, ticket="k", queue="q", service="s", counter="c", entered=entered, call=1)
    )


@pytest.mark.parametrize(
    ("t", "entered", "expected"),
    [
        (1_000_000, 900_000, (9_400_000, 9_300_000)),
        (1_000_000, 500_000, (9_400_000, 500_000)),
        (590_000, 580_000, (590_000, 580_000)),
        (9_000_000, 8_000_000, (9_000_000, 8_000_000)),
    ],
    ids=["both of this boot", "entered before the boot", "an older file's line", "another machine's clock"],
)
def test_only_times_of_this_boots_clock_are_moved(t: int, entered: int, expected: tuple[int, int]) -> None:
    found = codec.decode_event(repair_event_times(called(t, entered), KEPT, OFFSET))
    assert isinstance(found, ev.TicketCalled)
    assert (found.t, found.entered) == expected


@pytest.mark.parametrize("offset", [OFFSET, KEPT.wall - KEPT.mono], ids=["clock set since", "clock right all the time"])
def test_what_would_have_happened_after_it_was_kept_happened_when_it_was_kept(offset: int) -> None:
    """A program whose clock ran an hour ahead told it; ingest puts such a row off for as long as it lies ahead."""
    ahead = KEPT.mono + offset + 3_600_000
    found = codec.decode_event(repair_event_times(called(ahead, 500_000), KEPT, offset))
    assert isinstance(found, ev.TicketCalled)
    assert (found.t, found.entered) == (KEPT.mono + offset, 500_000)


def test_a_clock_that_was_right_changes_nothing_nor_does_a_body_that_is_no_event() -> None:
    body = called(1_000_000, 900_000)
    assert repair_event_times(body, KEPT, KEPT.wall - KEPT.mono) == body
    assert repair_event_times(b"{}", replace(KEPT), OFFSET) == b"{}"


def test_many_rows_are_put_right_in_several_goes(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.outbox.timestamp_repair.REPAIR_BATCH_ROWS", 2)
    for _ in range(5):
        box.issue(after=1)
    box.machine.synchronise()
    box.link()
    box.steps(after=1)
    assert sorted(box.wire.told())[:5] == [(n, TRUE_BOOT + 1_000 + n) for n in range(1, 6)]
    assert box.outbox.size_bytes == sum(len(row.body) for row in box.outbox.rows_after(0, 99))
