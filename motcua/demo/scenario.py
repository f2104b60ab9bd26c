"""`motcua demo`: the whole path for the sample province in one process, with simulated days behind it.

Simulated data go through the same agents, broker, ingest and rollup as real ones, and are labelled so.
"""

from __future__ import annotations

import contextlib
import resource
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edge_agent.agent import Agent, AgentSettings
from edge_agent.fleet import Fleet
from edge_agent.outbox import Outbox
from edge_agent.sources import simulation
from edge_agent.sources.host import HostSource
from edge_agent.sources.probe import Probe, ProbeSource
from motcua import system, web
from motcua.replay import free_port
from motcua.threads import Parts, serve
from telemetry import wiring
from telemetry.core.calendar.windows import Window, day_window
from telemetry.core.inventory import Device, System, local_day
from telemetry.mqtt.embedded_broker import EmbeddedBroker
from telemetry.mqtt.link import address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from rich.console import Console

    from edge_agent.sources.simulation import Feed
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.core.protocol.events import Event
    from telemetry.ingest.service import Ingest
    from telemetry.mqtt.link import BrokerAddress

HOST_SYSTEM = "vn83-motcua"
QUIET_S = 120.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What may be turned; `centres` 0 means all, `live_now` keeps the real time even when all is closed."""

    days: int = 2
    speed: float = 1.0
    seed: int = 2021
    port: int = 8080
    data: Path | None = None
    centres: int = 0
    live_now: bool = False


@dataclass(slots=True)
class Town:
    """The running demo."""

    inventory: Inventory
    clock: system.WorldClock
    parts: Parts
    fleet: Fleet
    agents: dict[str, Agent]
    ingest: Ingest
    store_url: str
    url: str


def world(inventory: Inventory, knobs: Knobs) -> Inventory:
    """Return the sample province with this host as a device and this API as a system; fewer centres on request."""
    wanted = sorted(inventory.centres.values(), key=lambda c: (_RANK[c.level], c.id))
    own = [c for c in wanted if not c.imported]
    kept = {c.id: c for c in own[: knobs.centres or len(own)]}
    first = own[0].id
    devices = {d.id: d for d in inventory.devices.values() if d.centre in kept}
    host = Device(f"{first}-host1", first, "host", every_ms=15_000, critical=False)
    devices[host.id] = host
    systems = {
        s.id: replace(s, vantage=tuple(v for v in s.vantage if v in devices)) for s in inventory.systems.values()
    }
    systems = {s.id: replace(s, quorum=min(s.quorum, len(s.vantage))) for s in systems.values() if s.vantage}
    systems[HOST_SYSTEM] = System(
        HOST_SYSTEM, "API Motcua (máy này)", "Motcua API (this host)", "api", "http", "", 15_000, 1, (host.id,)
    )
    return replace(
        inventory,
        centres=MappingProxyType(kept),
        devices=MappingProxyType(devices),
        systems=MappingProxyType(systems),
        simulated=True,
    )


_RANK = {"province": 0, "district": 1, "commune": 2}


def start_time(inventory: Inventory, real: int, *, live_now: bool) -> int:
    """Return now when the first centre is open, else 09:30 of its last opening day: a demo shows a working hall."""
    centre = next(iter(inventory.centres.values()))
    if live_now or centre.is_open(real):
        return real
    day = local_day(real, centre.zone)
    for back in range(15):
        whole = day_window(day - timedelta(days=back), centre.zone)
        moment = whole.start + 9 * 3_600_000 + 1_800_000
        if moment <= real and centre.is_open(moment):
            return moment
    return real


def open_files(wanted: int) -> None:
    """Ask for enough descriptors: three per agent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


@contextlib.contextmanager
def running(inventory: Inventory, knobs: Knobs) -> Iterator[Town]:
    """Start everything; stop it all at the end."""
    open_files(8192)
    start = start_time(inventory, system.wall_ms(), live_now=knobs.live_now)
    clock = system.WorldClock(start, knobs.speed, system.monotonic_ms())
    parts = Parts()
    with contextlib.ExitStack() as stack:
        folder = knobs.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="motcua-demo-")))
        stack.callback(parts.end)
        broker = EmbeddedBroker("127.0.0.1", free_port())
        parts.at_end(broker.stop)
        store_url = f"sqlite:///{folder / 'store.db'}"
        where = address(broker.url)
        ingest = serve(parts, partial(wiring.open_store, store_url), where, lambda: inventory, clock)
        url = web.serve(parts, store_url, lambda: inventory, clock, ("127.0.0.1", knobs.port))
        fleet = Fleet(system.monotonic_ms)
        agents = _agents(inventory, folder, where, clock)
        for agent in agents.values():
            fleet.add(agent)
        parts.run("fleet", fleet.run)
        stack.callback(fleet.stop)
        yield Town(inventory, clock, parts, fleet, agents, ingest, store_url, url)


def _agents(inventory: Inventory, folder: Path, where: BrokerAddress, clock: Callable[[], int]) -> dict[str, Agent]:
    agents: dict[str, Agent] = {}
    for device in inventory.devices.values():
        if device.kind == "replay":
            continue
        outbox = Outbox(folder / "outbox" / f"{device.id}.db", system.new_id)
        settings = AgentSettings(device.id, device.centre, where)
        agents[device.id] = Agent(settings, outbox, system.surroundings(clock))
    return agents


def days_behind(town: Town, knobs: Knobs) -> list[date]:
    """Return the last opening days of the first centre, and today."""
    centre = next(iter(town.inventory.centres.values()))
    today = local_day(town.clock(), town.inventory.zone)
    back = (today - timedelta(days=n) for n in range(1, 30 + 2 * knobs.days))
    opening = (day for day in back if centre.open_windows(day_window(day, centre.zone)))
    return [*reversed(list(islice(opening, knobs.days))), today]


def feed_history(town: Town, knobs: Knobs, console: Console) -> dict[str, Feed]:
    """Append the days so far to the agents' outboxes; returns what is still to come today, per device."""
    rest: dict[str, Feed] = {}
    days = days_behind(town, knobs)
    with _bar(console) as bar:
        task = bar.add_task("simulated days", total=len(days) * len(town.inventory.centres))
        for day in days:
            for centre in town.inventory.centres.values():
                rest |= _feed_day(town, knobs, centre, day)
                bar.advance(task)
    return rest


def _feed_day(town: Town, knobs: Knobs, centre: Centre, day: date) -> dict[str, Feed]:
    rest: dict[str, Feed] = {}
    for device, events in simulated_day(town.inventory, centre, day, knobs.seed).items():
        feed = simulation.Feed(events)
        past = feed.due(town.clock())
        if past:
            town.agents[device].outbox.append(past)
        rest[device] = feed
    return rest


def simulated_day(inventory: Inventory, centre: Centre, day: date, seed: int) -> Mapping[str, list[Event]]:
    """Return one centre's plausible day, per device."""
    devices = [d for d in inventory.devices_of(centre.id) if d.kind not in {"replay", "host"}]
    systems = [s for s in inventory.systems.values() if s.id != HOST_SYSTEM]
    made: Mapping[str, list[Event]] = simulation.day_events(centre, devices, systems, day, seed)
    return made


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


def deliver(town: Town, console: Console) -> None:
    """Wait, with a bar, until every row has its receipt and is folded."""
    total = sum(agent.outbox.highest for agent in town.agents.values())
    with _bar(console) as bar:
        task = bar.add_task("delivered", total=total)
        quiet, last = time.monotonic(), -1
        while pending := sum(agent.outbox.pending() for agent in town.agents.values() if not agent.cut):
            total = sum(agent.outbox.highest for agent in town.agents.values())
            done = total - pending
            bar.update(task, completed=done, total=total)
            if done != last:
                quiet, last = time.monotonic(), done
            if time.monotonic() - quiet > QUIET_S or town.parts.stop.is_set():
                return
            time.sleep(0.1)
        bar.update(task, completed=total, total=total)


def live(town: Town, knobs: Knobs, rest: dict[str, Feed]) -> None:
    """Append what becomes due, until stopped; a new day is simulated when it comes."""
    today = local_day(town.clock(), town.inventory.zone)
    losses = _losses(town, knobs, today)
    while not town.parts.stop.wait(0.25):
        now = town.clock()
        for device, feed in rest.items():
            due = feed.due(now)
            if due:
                town.agents[device].outbox.append(due)
        day = local_day(now, town.inventory.zone)
        if day != today:
            today = day
            losses = _losses(town, knobs, day)
            for centre in town.inventory.centres.values():
                rest |= _feed_day(town, knobs, centre, day)
        for agent in town.agents.values():
            agent.cut = any(loss.start <= now < loss.end for loss in losses.get(agent.settings.centre, ()))


def _losses(town: Town, knobs: Knobs, day: date) -> dict[str, list[Window]]:
    centres = town.inventory.centres.values()
    return {centre.id: simulation.link_losses(centre, day, knobs.seed) for centre in centres}


def whole_window(town: Town, knobs: Knobs) -> Window:
    """Return the time the demo covers so far."""
    days = days_behind(town, knobs)
    return Window(day_window(days[0], town.inventory.zone).start, town.clock())


def host_sources(town: Town) -> None:
    """Report this host's real metrics and probe this API for real, as one more device."""
    agent, sources = _host(town)
    for source in sources:
        town.parts.run(source.name, partial(source.run, agent.outbox, town.parts.stop))


def host_once(town: Town) -> None:
    """Report this host and one real probe, and no more."""
    agent, (host, probe) = _host(town)
    agent.outbox.append([host.beat(agent.outbox), probe.once()])


def _host(town: Town) -> tuple[Agent, tuple[HostSource, ProbeSource]]:
    device = next(d for d in town.inventory.devices.values() if d.kind == "host")
    probe = Probe(HOST_SYSTEM, "http", f"{town.url}/healthz")
    sources = (
        HostSource(town.clock, device.every_ms),
        ProbeSource(probe, town.clock, town.inventory.systems[HOST_SYSTEM].every_ms),
    )
    return town.agents[device.id], sources
