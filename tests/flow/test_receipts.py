"""Receipts that get lost, frames that come twice and out of order, kiosks nobody has declared yet: nothing is lost."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.agent_loop import AgentLoop
from edge_agent.delivery import DeliveryPace
from edge_agent.outbox import Outbox
from motcua import system
from motcua.roles import RoleThreads
from telemetry import wiring
from telemetry.core.calendar.windows import Window
from telemetry.core.figures.completeness import compute_completeness
from telemetry.core.protocol import codec
from telemetry.core.protocol.events import TicketIssued
from telemetry.ingest.service import Ingest
from telemetry.ingest.worker import ingest_link, run_ingest
from telemetry.mqtt.address import BrokerAddress, parse_broker_url
from telemetry.mqtt.embedded_broker import EmbeddedBroker
from telemetry.mqtt.link import Link, LinkSettings, Message
from telemetry.store import SERVER_OUTBOX_IDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.link import LinkListener
    from telemetry.store import Store
    from tests.flow.device import Until

pytestmark = [pytest.mark.flow, pytest.mark.chaos]
CENTRE = "vn83-83"
KIOSKS = (f"{CENTRE}-kiosk1", f"{CENTRE}-kiosk2", f"{CENTRE}-gateway1")
ROWS = 1_200
PACE = DeliveryPace(resend_ms=400, rows_per_frame=12)
HOUR_MS = 3_600_000


class Clock:
    """A monotonic clock that a test may put forward."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return system.monotonic_ms() + self.ahead


class Lossy(Link):
    """Loses every tenth message it is to send, by a seeded chance."""

    def __init__(self, where: BrokerAddress, settings: LinkSettings, listener: LinkListener) -> None:
        super().__init__(where, settings, listener)
        self.chance, self.lost = random.Random(5), 0

    def publish_many(self, messages: Iterable[tuple[str, bytes]]) -> None:
        told = list(messages)
        kept = [one for one in told if self.chance.random() >= 0.1]
        self.lost += len(told) - len(kept)
        super().publish_many(kept)


class Mixing(Ingest):
    """Is given every message twice, in any order, and some once more much later."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int]) -> None:
        super().__init__(store, inventory, clock)
        self.chance, self.old = random.Random(6), tuple[Message, ...]()

    def accept(self, message: Message) -> None:
        copies = [message, msgspec.structs.replace(message, qos=0)]
        if self.old and self.chance.random() < 0.3:
            copies.insert(0, msgspec.structs.replace(self.chance.choice(self.old), qos=0))
        self.old = (*self.old[-40:], message)
        for copy in copies:
            super().accept(copy)
        self._mix()

    def _mix(self) -> None:
        """Shuffle what is judged; the messages stay as they came, since MQTT wants acknowledgements in order."""
        self.chance.shuffle(self._results)


class Desk:
    """A broker, one ingest and agents, in this process."""

    def __init__(self, folder: Path, parts: RoleThreads, broker: BrokerAddress, world: Inventory) -> None:
        self.folder, self.parts, self.broker, self.world = folder, parts, broker, world
        self.clock = Clock()
        self.fleet = AgentLoop(self.clock)
        self.store = wiring.open_store(f"sqlite:///{folder}/store.db")
        parts.on_exit(self.store.close)

    def serve(self, kind: type[Ingest] = Ingest, link: type[Link] = Link) -> Link:
        ingest = kind(self.store, lambda: self.world, system.wall_ms)
        plain = ingest_link(self.broker, "1", shared=False, ingest=ingest)
        used = link(plain._broker, plain._settings, plain._listener)
        self.parts.start("ingest", lambda: run_ingest(ingest, used, self.parts.stop))
        return used

    def agent(self, device: str) -> Agent:
        outbox = Outbox(self.folder / f"{device}.db", system.new_id)
        chance = random.Random(device).random
        around = Environment(system.wall_ms, self.clock, chance, system.new_id)
        agent = Agent(AgentSettings(device, CENTRE, self.broker, linger_ms=10, pace=PACE), outbox, around)
        self.fleet.add(agent)
        return agent

    def run(self) -> None:
        self.parts.start("fleet", self.fleet.run)


@pytest.fixture
def desk(tmp_path: Path, free_port: int, world: Inventory) -> Iterator[Desk]:
    with EmbeddedBroker("127.0.0.1", free_port) as broker:
        parts = RoleThreads()
        desk = Desk(tmp_path, parts, parse_broker_url(broker.url), world)
        try:
            yield desk
        finally:
            desk.fleet.stop()
            parts.shutdown()


def issue(agent: Agent, count: int) -> set[tuple[str, str, int]]:
    """Append tickets a few at a time; returns the names of what was produced."""
    for first in range(0, count, 50):
        numbers = range(first, min(first + 50, count))
        now = system.wall_ms()
        agent.outbox.append([TicketIssued(n=1, t=now, ticket=f"t{i}", queue="land", service="land") for i in numbers])
    return {(agent.settings.device, agent.outbox.outbox_id, n) for n in range(1, count + 1)}


def stored(store: Store) -> list[tuple[str, str, int]]:
    now = system.wall_ms()
    said = store.events(CENTRE, Window(now - HOUR_MS, now + HOUR_MS))
    return [(s.device, s.outbox_id, s.event.n) for s in said if s.outbox_id not in SERVER_OUTBOX_IDS]


def settle(agents: list[Agent], until: Until) -> None:
    until(lambda: all(agent.all_receipted() for agent in agents), "every row has its receipt")


def exactly_once(store: Store, produced: set[tuple[str, str, int]]) -> None:
    found = stored(store)
    assert len(found) == len(set(found)) == store.count_events()
    assert set(found) == produced
    assert compute_completeness(store.row_ranges()).ratio == 1.0


def test_losing_every_tenth_receipt_loses_and_doubles_no_event(desk: Desk, until: Until) -> None:
    link = desk.serve(link=Lossy)
    agents = [desk.agent(device) for device in KIOSKS]
    desk.run()
    produced = {name for agent in agents for name in issue(agent, ROWS)}
    settle(agents, until)
    assert isinstance(link, Lossy)
    assert link.lost > 0
    exactly_once(desk.store, produced)


def test_frames_that_come_twice_and_out_of_order_are_stored_exactly_once(desk: Desk, until: Until) -> None:
    desk.serve(Mixing)
    agents = [desk.agent(device) for device in KIOSKS]
    desk.run()
    produced = {name for agent in agents for name in issue(agent, ROWS)}
    settle(agents, until)
    exactly_once(desk.store, produced)


def test_lost_receipts_repeats_and_disorder_together_change_nothing(desk: Desk, until: Until) -> None:
    desk.serve(Mixing, Lossy)
    agents = [desk.agent(device) for device in KIOSKS]
    desk.run()
    produced = {name for agent in agents for name in issue(agent, ROWS)}
    settle(agents, until)
    exactly_once(desk.store, produced)


def test_a_kiosk_nobody_has_declared_is_put_off_and_arrives_in_full_once_it_is(desk: Desk, until: Until) -> None:
    declared, new = desk.world, KIOSKS[1]
    desk.world = replace(declared, devices={k: v for k, v in declared.devices.items() if k != new})
    desk.serve()
    known, unknown = desk.agent(KIOSKS[0]), desk.agent(new)
    desk.run()
    produced = issue(known, 100) | issue(unknown, 200)
    settle([known], until)
    until(lambda: desk.store.dead_letter_counts().get("unknown_device", 0) >= 200, "the unknown kiosk is put off")
    assert unknown.outbox.pending_count() == 200
    assert {device for device, _, _ in stored(desk.store)} == {KIOSKS[0]}
    desk.world = declared

    def an_hour_later() -> bool:
        desk.clock.ahead += HOUR_MS
        return unknown.all_receipted()

    until(an_hour_later, "every row has its receipt")
    exactly_once(desk.store, produced)


class Refusing(Link):
    """Stands and sends; what the broker says comes from the test."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent.settings.broker, agent.link._settings, agent)
        self.is_connected = True
        self.frames = 0

    def fileno(self) -> int:
        return 0

    def publish(self, *_: object, **__: object) -> int:
        self.frames += 1
        return self.frames


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[Agent, Clock]]:
    clock = Clock()
    outbox = Outbox(tmp_path / "outbox.db", system.new_id)
    around = Environment(system.wall_ms, clock, lambda: 0.0, system.new_id)
    agent = Agent(AgentSettings(KIOSKS[0], CENTRE, BrokerAddress(), linger_ms=0, pace=PACE), outbox, around)
    yield agent, clock
    outbox.close()


@pytest.mark.parametrize("code", [0x10, 0x80, 0x87, 0x97, 0x99], ids=hex)
def test_a_refusal_by_the_broker_keeps_the_event_and_sends_it_again(code: int, alone: tuple[Agent, Clock]) -> None:
    agent, clock = alone
    link = Refusing(agent)
    agent.link = link
    issue(agent, 1)
    agent.on_rows_appended(clock())
    agent.step()
    assert link.frames == 1
    agent.on_puback(1, code)
    agent.step()
    assert (link.frames, agent.outbox.pending_count()) == (1, 1)
    clock.ahead += 10 * PACE.resend_ms
    agent.step()
    assert (link.frames, agent.outbox.pending_count()) == (2, 1)
    receipt = codec.DeliveryReceipt(spool=agent.outbox.outbox_id, ranges=[(1, 1)])
    agent.on_message(Message("", codec.encode_receipt(receipt)))
    agent.step()
    assert agent.all_receipted()


def test_another_outboxs_receipt_forgets_nothing(alone: tuple[Agent, Clock]) -> None:
    agent, _ = alone
    issue(agent, 1)
    agent.on_message(Message("", codec.encode_receipt(codec.DeliveryReceipt(spool="another", ranges=[(1, 1)]))))
    agent.step()
    assert agent.outbox.pending_count() == 1
