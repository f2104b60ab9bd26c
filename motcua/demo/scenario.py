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
from edge_agent.fleet import AgentLoop
from edge_agent.outbox import Outbox
from edge_agent.sources import simulation
from edge_agent.sources.host import HostSource
from edge_agent.sources.probe import Probe, ProbeSource
from motcua import system, web
from motcua.replay import free_port
from motcua.threads import RoleThreads, start_server_roles
from telemetry import wiring
from telemetry.core.calendar.windows import Window, day_window
from telemetry.core.inventory import Device, System, local_date
from telemetry.mqtt.address import parse_broker_url
from telemetry.mqtt.embedded_broker import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from rich.console import Console

    from edge_agent.sources.simulation import EventFeed
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.core.protocol.events import Event
    from telemetry.ingest.service import Ingest
    from telemetry.mqtt.address import BrokerAddress

HOST_SYSTEM = "vn83-motcua"
DELIVERY_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What may be turned; `centres` 0 means all, `live_now` keeps the real time even when all is closed."""

    days: int = 2
    speed: float = 1.0
    seed: int = 2021
    port: int = 8080
    data: Path | None = None
    centres: int = 0
    keep_real_time: bool = False


@dataclass(slots=True)
class DemoEnvironment:
    """The running demo."""

    inventory: Inventory
    clock: system.DemoClock
    threads: RoleThreads
    fleet: AgentLoop
    agents: dict[str, Agent]
    ingest: Ingest
    store_url: str
    url: str


def demo_inventory(inventory: Inventory, options: DemoOptions) -> Inventory:
    """Return the sample province with this host as a device and this API as a system; fewer centres on request."""
    ordered = sorted(inventory.centres.values(), key=lambda c: (_LEVEL_RANK[c.level], c.id))
    own = [c for c in ordered if not c.imported]
    chosen = {c.id: c for c in own[: options.centres or len(own)]}
    first = own[0].id
    devices = {d.id: d for d in inventory.devices.values() if d.centre in chosen}
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
        centres=MappingProxyType(chosen),
        devices=MappingProxyType(devices),
        systems=MappingProxyType(systems),
        simulated=True,
    )


_LEVEL_RANK = {"province": 0, "district": 1, "commune": 2}


def start_time(inventory: Inventory, real: int, *, keep_real_time: bool) -> int:
    """Return now when the first centre is open, else 09:30 of its last opening day: a demo shows a working hall."""
    centre = next(iter(inventory.centres.values()))
    if keep_real_time or centre.is_open(real):
        return real
    day = local_date(real, centre.zone)
    for back in range(15):
        bounds = day_window(day - timedelta(days=back), centre.zone)
        candidate = bounds.start + 9 * 3_600_000 + 1_800_000
        if candidate <= real and centre.is_open(candidate):
            return candidate
    return real


def raise_file_limit(count: int) -> None:
    """Ask for enough descriptors: three per agent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


@contextlib.contextmanager
def run_environment(inventory: Inventory, options: DemoOptions) -> Iterator[DemoEnvironment]:
    """Start everything; stop it all at the end."""
    raise_file_limit(8192)
    start = start_time(inventory, system.wall_ms(), keep_real_time=options.keep_real_time)
    clock = system.DemoClock(start, options.speed, system.monotonic_ms())
    threads = RoleThreads()
    with contextlib.ExitStack() as stack:
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="motcua-demo-")))
        stack.callback(threads.shutdown)
        broker = EmbeddedBroker("127.0.0.1", free_port())
        threads.on_exit(broker.stop)
        store_url = f"sqlite:///{folder / 'store.db'}"
        broker_address = parse_broker_url(broker.url)
        ingest = start_server_roles(
            threads, partial(wiring.open_store, store_url), broker_address, lambda: inventory, clock
        )
        url = web.start_api(threads, store_url, lambda: inventory, clock, ("127.0.0.1", options.port))
        fleet = AgentLoop(system.monotonic_ms)
        agents = _build_agents(inventory, folder, broker_address, clock)
        for agent in agents.values():
            fleet.add(agent)
        threads.start("fleet", fleet.run)
        stack.callback(fleet.stop)
        yield DemoEnvironment(inventory, clock, threads, fleet, agents, ingest, store_url, url)


def _build_agents(
    inventory: Inventory, folder: Path, broker_address: BrokerAddress, clock: Callable[[], int]
) -> dict[str, Agent]:
    agents: dict[str, Agent] = {}
    for device in inventory.devices.values():
        if device.kind == "replay":
            continue
        outbox = Outbox(folder / "outbox" / f"{device.id}.db", system.new_id)
        settings = AgentSettings(device.id, device.centre, broker_address)
        agents[device.id] = Agent(settings, outbox, system.agent_environment(clock))
    return agents


def simulated_days(environment: DemoEnvironment, options: DemoOptions) -> list[date]:
    """Return the last opening days of the first centre, and today."""
    centre = next(iter(environment.inventory.centres.values()))
    today = local_date(environment.clock(), environment.inventory.zone)
    back = (today - timedelta(days=n) for n in range(1, 30 + 2 * options.days))
    opening = (day for day in back if centre.open_windows(day_window(day, centre.zone)))
    return [*reversed(list(islice(opening, options.days))), today]


def feed_history(environment: DemoEnvironment, options: DemoOptions, console: Console) -> dict[str, EventFeed]:
    """Append the days so far to the agents' outboxes; returns what is still to come today, per device."""
    remaining: dict[str, EventFeed] = {}
    days = simulated_days(environment, options)
    with _progress_bar(console) as bar:
        task = bar.add_task("simulated days", total=len(days) * len(environment.inventory.centres))
        for day in days:
            for centre in environment.inventory.centres.values():
                remaining |= _feed_day(environment, options, centre, day)
                bar.advance(task)
    return remaining


def _feed_day(environment: DemoEnvironment, options: DemoOptions, centre: Centre, day: date) -> dict[str, EventFeed]:
    remaining: dict[str, EventFeed] = {}
    for device, events in simulated_day(environment.inventory, centre, day, options.seed).items():
        feed = simulation.EventFeed(events)
        past = feed.take_due(environment.clock())
        if past:
            environment.agents[device].outbox.append(past)
        remaining[device] = feed
    return remaining


def simulated_day(inventory: Inventory, centre: Centre, day: date, seed: int) -> Mapping[str, list[Event]]:
    """Return one centre's plausible day, per device."""
    devices = [d for d in inventory.devices_of(centre.id) if d.kind not in {"replay", "host"}]
    systems = [s for s in inventory.systems.values() if s.id != HOST_SYSTEM]
    events: Mapping[str, list[Event]] = simulation.simulate_day(centre, devices, systems, day, seed)
    return events


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


def wait_delivered(environment: DemoEnvironment, console: Console) -> None:
    """Wait, with a bar, until every row has its receipt and is folded."""
    total = sum(agent.outbox.highest_n for agent in environment.agents.values())
    with _progress_bar(console) as bar:
        task = bar.add_task("delivered", total=total)
        quiet_since, last = time.monotonic(), -1
        while pending := sum(
            agent.outbox.pending_count() for agent in environment.agents.values() if not agent.link_disabled
        ):
            total = sum(agent.outbox.highest_n for agent in environment.agents.values())
            done = total - pending
            bar.update(task, completed=done, total=total)
            if done != last:
                quiet_since, last = time.monotonic(), done
            if time.monotonic() - quiet_since > DELIVERY_TIMEOUT_S or environment.threads.stop.is_set():
                return
            time.sleep(0.1)
        bar.update(task, completed=total, total=total)


def feed_live(environment: DemoEnvironment, options: DemoOptions, remaining: dict[str, EventFeed]) -> None:
    """Append what becomes due, until stopped; a new day is simulated when it comes."""
    today = local_date(environment.clock(), environment.inventory.zone)
    losses_by_centre = _link_losses(environment, options, today)
    while not environment.threads.stop.wait(0.25):
        now = environment.clock()
        for device, feed in remaining.items():
            due = feed.take_due(now)
            if due:
                environment.agents[device].outbox.append(due)
        day = local_date(now, environment.inventory.zone)
        if day != today:
            today = day
            losses_by_centre = _link_losses(environment, options, day)
            for centre in environment.inventory.centres.values():
                remaining |= _feed_day(environment, options, centre, day)
        for agent in environment.agents.values():
            agent.link_disabled = any(
                loss.start <= now < loss.end for loss in losses_by_centre.get(agent.settings.centre, ())
            )


def _link_losses(environment: DemoEnvironment, options: DemoOptions, day: date) -> dict[str, list[Window]]:
    centres = environment.inventory.centres.values()
    return {centre.id: simulation.link_losses(centre, day, options.seed) for centre in centres}


def covered_window(environment: DemoEnvironment, options: DemoOptions) -> Window:
    """Return the time the demo covers so far."""
    days = simulated_days(environment, options)
    return Window(day_window(days[0], environment.inventory.zone).start, environment.clock())


def start_host_sources(environment: DemoEnvironment) -> None:
    """Report this host's real metrics and probe this API for real, as one more device."""
    agent, sources = _host_agent_and_sources(environment)
    for source in sources:
        environment.threads.start(source.name, partial(source.run, agent.outbox, environment.threads.stop))


def report_host_once(environment: DemoEnvironment) -> None:
    """Report this host and one real probe, and no more."""
    agent, (host, probe) = _host_agent_and_sources(environment)
    agent.outbox.append([host.build_heartbeat(agent.outbox), probe.probe_once()])


def _host_agent_and_sources(environment: DemoEnvironment) -> tuple[Agent, tuple[HostSource, ProbeSource]]:
    device = next(d for d in environment.inventory.devices.values() if d.kind == "host")
    probe = Probe(HOST_SYSTEM, "http", f"{environment.url}/healthz")
    sources = (
        HostSource(environment.clock, device.every_ms),
        ProbeSource(probe, environment.clock, environment.inventory.systems[HOST_SYSTEM].every_ms),
    )
    return environment.agents[device.id], sources
