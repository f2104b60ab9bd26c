"""A real mosquitto with one option of its own: every row is stored, whatever the broker restricts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.agent_loop import AgentLoop
from edge_agent.outbox import Outbox
from edge_agent.sender import TOO_LARGE
from motcua import system
from motcua.roles import RoleThreads
from telemetry import wiring
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.protocol import events as ev
from telemetry.ingest.service import Ingest
from telemetry.ingest.worker import ingest_link, run_ingest
from telemetry.mqtt.address import parse_broker_url
from tests.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from telemetry.core.inventory import Inventory
    from tests.flow.device import Until

pytestmark = [pytest.mark.flow, pytest.mark.slow]
CENTRE, DEVICE = "vn83-83", "vn83-83-kiosk1"
ROWS = 300


class Hall:
    """A mosquitto with further options, one ingest and one agent, in this process."""

    def __init__(self, folder: Path, program: str, world: Inventory) -> None:
        self.parts, self.fleet = RoleThreads(), AgentLoop(system.monotonic_ms)
        self.broker = Mosquitto(program, folder / "broker")
        self._plain = self.broker.conf.read_text()
        self.address = parse_broker_url(self.broker.url)
        self.store = wiring.open_store(f"sqlite:///{folder}/store.db")
        self.parts.on_exit(self.store.close)
        self.ingest = Ingest(self.store, lambda: world, system.wall_ms)
        around = Environment(system.wall_ms, system.monotonic_ms, random.Random(1).random, system.new_id)
        settings = AgentSettings(DEVICE, CENTRE, self.address, linger_ms=10, first_retry_ms=50, alarms_enabled=True)
        self.agent = Agent(settings, Outbox(folder / "o.db", system.new_id), around)

    def restrict(self, *options: str) -> None:
        """Start the broker again with these options in place of its own."""
        names = {option.split()[0] for option in options}
        kept = [line for line in self._plain.splitlines() if line.split(" ")[0] not in names]
        self.broker.end()
        self.broker.conf.write_text("\n".join([*kept, *options, ""]))
        self.broker.start_again()

    def run(self) -> None:
        link = ingest_link(self.address, "1", shared=False, ingest=self.ingest)
        self.parts.start("ingest", lambda: run_ingest(self.ingest, link, self.parts.stop))
        self.fleet.add(self.agent)
        self.parts.start("fleet", self.fleet.run)

    def stored(self, kind: type[ev.Event]) -> list[ev.Event]:
        now = system.wall_ms()
        around = Window(now - DAY, now + DAY)
        return [s.event for s in self.store.events(CENTRE, around) if isinstance(s.event, kind)]


@pytest.fixture
def hall(tmp_path: Path, require: Callable[[str], str], world: Inventory) -> Iterator[Hall]:
    hall = Hall(tmp_path, require("mosquitto"), world)
    try:
        yield hall
    finally:
        hall.fleet.stop()
        hall.parts.shutdown()
        hall.broker.end()


def payments(count: int) -> list[ev.Event]:
    now, chance = system.wall_ms(), random.Random(2)
    return [
        ev.PaymentResult(n=1, t=now - i, outcome="ok", provider=f"p{chance.getrandbits(64):x}") for i in range(count)
    ]


def large_row() -> ev.Event:
    """Return a heartbeat of about 9 kB that compresses badly."""
    chance = random.Random(3)
    counters = [ev.CounterNow(counter=f"c{chance.getrandbits(200):x}", state="open") for _ in range(100)]
    return ev.DeviceHeartbeat(n=1, t=system.wall_ms(), counters=tuple(counters))


@pytest.mark.parametrize(
    "options",
    [
        ("max_packet_size 2000",), ("max_packet_size 600",), ("max_inflight_messages 1",), ("max_inflight_messages 2",),
        ("max_qos 0",), ("max_qos 1",), ("retain_available false",), ("max_keepalive 10",), ("max_topic_alias 0",),
        ("max_packet_size 900", "max_qos 0", "retain_available false", "max_inflight_messages 1"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_row_is_stored_over_one_connection(hall: Hall, until: Until, options: tuple[str, ...]) -> None:
    hall.restrict(*options)
    hall.run()
    hall.agent.outbox.append(payments(ROWS))
    until(hall.agent.all_receipted, "every row has its receipt")
    assert len(hall.stored(ev.PaymentResult)) == ROWS
    refused_wills = sum(option in {"max_qos 0", "retain_available false"} for option in options)
    assert hall.agent.counters.connections == 1
    assert hall.broker.text().count(f"as {DEVICE} ") <= 1 + refused_wills


@pytest.mark.parametrize("option", ["max_packet_size 2000", "message_size_limit 2000"])
def test_a_row_too_large_is_set_aside_reported_and_sent_to_a_larger_broker(
    hall: Hall, until: Until, option: str
) -> None:
    hall.restrict(option)
    hall.run()
    hall.agent.outbox.append([*payments(20), large_row(), *payments(20)])
    until(lambda: hall.agent.all_receipted() and hall.agent.outbox.refused_count(), "all but one have a receipt", 40)
    assert len(hall.stored(ev.PaymentResult)) == 40
    assert [row.n for row in hall.agent.outbox.refused_rows(TOO_LARGE)] == [21]
    refusals = [e for e in hall.stored(ev.OutboxRefused) if isinstance(e, ev.OutboxRefused)]
    assert [(e.row, e.reason) for e in refusals] == [(21, "too-large-for-broker")]
    alarms = [e for e in hall.stored(ev.AgentAlarm) if isinstance(e, ev.AgentAlarm)]
    assert [(e.alarm, e.subject, e.count) for e in alarms if e.alarm == "packet_too_large"] == [
        ("packet_too_large", "row", 1)
    ]
    if option.startswith("max_packet_size"):
        hall.restrict("max_packet_size 100000")
        until(lambda: len(hall.stored(ev.DeviceHeartbeat)) == 1, "the large row is stored")
        until(hall.agent.all_receipted, "it has its receipt")
        assert hall.agent.outbox.refused_count() == 0


def test_a_broker_that_carries_no_row_gets_none_and_loses_none(hall: Hall, until: Until) -> None:
    hall.restrict("max_packet_size 300")
    hall.run()
    hall.agent.outbox.append(payments(ROWS))
    until(lambda: hall.agent.sender.is_blocked, "the agent knows")
    assert (hall.agent.sender.frames_sent, hall.agent.outbox.refused_count()) == (0, 0)
    hall.restrict("max_packet_size 2000")
    until(hall.agent.all_receipted, "every row has its receipt")
    assert len(hall.stored(ev.PaymentResult)) == ROWS
