"""`motcua demo`: the whole data path for the sample province in one process, with simulated past days.

Simulated data pass through the same agents, broker, ingest and rollup as real data, and are labelled as simulated.
"""

from __future__ import annotations

import contextlib
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.loading import LoadingState
from edge_agent.agent import Agent, AgentSettings
from edge_agent.agent_loop import AgentLoop
from edge_agent.outbox import Outbox
from edge_agent.sources import simulation
from edge_agent.sources.host import HostSource
from edge_agent.sources.probe import Probe, ProbeSource
from edge_agent.sources.simulation import EventFeed
from motcua import system, web
from motcua.local_cloud.control import CloudControl, control_folder
from motcua.local_cloud.probes import DEMO_PROBE_EVERY_S, LocalProbe, local_probes, probe_all
from motcua.local_cloud.servers import LocalCloud
from motcua.replay import free_port
from motcua.roles import RoleThreads, start_ingest, start_rollup
from telemetry import wiring
from telemetry.core.calendar.calendar_values import END_OF_TIME_MS
from telemetry.core.calendar.windows import MINUTE, Window, day_window, floor
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.hosted.derived_systems import CLOSED_PATH, PEER
from telemetry.core.inventory import Centre, Device, Inventory, System, local_date
from telemetry.core.protocol.events import DeviceContact, Event, ProbeResult
from telemetry.ingest.service import Ingest
from telemetry.mqtt.address import BrokerAddress, parse_broker_url
from telemetry.mqtt.embedded_broker import EmbeddedBroker
from telemetry.rollup.service import Rollup
from telemetry.store import CONTACT_OUTBOX_ID, Batch, ChangeRecord, Store, StoredEvent

HOST_SYSTEM = "vn83-motcua"
DELIVERY_TIMEOUT_S = 120.0
FOLD_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The demo's options; `centres` 0 means all, `keep_real_time` keeps real time even when all centres are closed."""

    days: int = 2
    speed: float = 1.0
    seed: int = 2021
    port: int = 8080
    data: Path | None = None
    centres: int = 12
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
    broker: BrokerAddress
    store: Store
    store_url: str
    url: str
    loading: LoadingState
    """Until it is finished, the web server answers with the loading page."""
    hosted: tuple[LocalProbe, ...] = ()
    """The probes of the loopback servers that stand for the hosted systems."""


def demo_inventory(inventory: Inventory, options: DemoOptions) -> Inventory:
    """Return the sample province with this host as a device and this API as a system, with the chosen centres."""
    ordered = sorted(inventory.centres.values(), key=lambda c: (_LEVEL_RANK[c.level], c.id))
    own = [c for c in ordered if not c.imported]
    chosen = {c.id: c for c in own[: options.centres or len(own)]}
    first = own[0].id
    # Nobody stands for outside parties here, and no network forbids a path: who only watches those has no agent.
    watched = [s for s in inventory.systems.values() if s.kind not in {PEER, CLOSED_PATH}]
    watching = {vantage for system in watched for vantage in system.vantage}
    inside = [d for d in inventory.devices.values() if d.centre not in inventory.centres and d.id in watching]
    devices = {d.id: d for d in (*(d for d in inventory.devices.values() if d.centre in chosen), *inside)}
    host = Device(f"{first}-host1", first, "host", every_ms=15_000, critical=False)
    devices[host.id] = host
    own_systems = [replace(s, vantage=tuple(v for v in s.vantage if v in devices)) for s in watched]
    systems = {s.id: replace(s, quorum=min(s.quorum, len(s.vantage))) for s in own_systems if s.vantage}
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
    """Return now when the first centre is open, else 09:30 of its last opening day, so that a demo shows activity."""
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
    """Raise the limit of open files to `count`; an agent needs three."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


@contextlib.contextmanager
def run_environment(
    inventory: Inventory, options: DemoOptions, stop: threading.Event | None = None
) -> Iterator[DemoEnvironment]:
    """Start everything, and stop it at the end; `stop` ends its threads earlier, and is set at the end.

    The web server answers first, with the loading page until `loading` is finished. Raises ConfigError when its port
    is taken.
    """
    raise_file_limit(8192)
    start = start_time(inventory, system.wall_ms(), keep_real_time=options.keep_real_time)
    clock = system.DemoClock(start, options.speed, system.monotonic_ms())
    threads = RoleThreads(stop or threading.Event())
    with contextlib.ExitStack() as stack:
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="motcua-demo-")))
        stack.callback(threads.shutdown)
        store_url, loading = f"sqlite:///{folder / 'store.db'}", LoadingState()
        sock = web.bind_socket(("127.0.0.1", options.port), "--port")
        url = web.start_api(threads, store_url, lambda: inventory, clock, sock, loading)
        broker = EmbeddedBroker("127.0.0.1", free_port())
        threads.on_exit(broker.stop)
        broker_address = parse_broker_url(broker.url)
        store = stack.enter_context(contextlib.closing(wiring.open_store(store_url)))
        Rollup(store, lambda: inventory, clock).fold_outdated()  # before the events come: only a mark
        ingest = start_ingest(threads, partial(wiring.open_store, store_url), broker_address, lambda: inventory, clock)
        fleet = AgentLoop(system.monotonic_ms)
        agents = _build_agents(inventory, folder, broker_address, clock)
        for agent in agents.values():
            fleet.add(agent)
        threads.start("agents", fleet.run)
        stack.callback(fleet.stop)
        hosted = _start_local_cloud(inventory, options, threads, clock, url)
        yield DemoEnvironment(
            inventory, clock, threads, fleet, agents, ingest, broker_address, store, store_url, url, loading, hosted
        )


def _start_local_cloud(
    inventory: Inventory, options: DemoOptions, threads: RoleThreads, clock: Callable[[], int], url: str
) -> tuple[LocalProbe, ...]:
    """Start a loopback server per component of the hosted systems, if there are any; returns the probes of them."""
    if not inventory.cloud.systems:
        return ()
    cloud, control = LocalCloud(inventory.cloud, clock), CloudControl(control_folder(options.data))
    control.open_as_server(url, cloud.servers)
    threads.on_exit(control.close)
    threads.start("local-cloud", partial(cloud.run, control, threads.stop))
    probes = local_probes(inventory, cloud.servers, clock, options.speed)
    return tuple(probe for probe in probes if probe.system != HOST_SYSTEM)  # its own API is probed


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


def simulated_days(demo: DemoEnvironment, options: DemoOptions) -> list[date]:
    """Return the last opening days of the first centre, and today."""
    centre = next(iter(demo.inventory.centres.values()))
    today = local_date(demo.clock(), demo.inventory.zone)
    back = (today - timedelta(days=n) for n in range(1, 30 + 2 * options.days))
    opening = (day for day in back if centre.open_windows(day_window(day, centre.zone)))
    return [*reversed(list(islice(opening, options.days))), today]


def feed_history(demo: DemoEnvironment, options: DemoOptions, console: Console) -> dict[str, EventFeed]:
    """Append the events so far to the agents' outboxes; returns today's remaining events by device."""
    remaining: dict[str, EventFeed] = {}
    days = simulated_days(demo, options)
    with _progress_bar(console) as bar:
        parts = [(day, centre) for day in days for centre in demo.inventory.centres.values()]
        for number, (day, centre) in enumerate(bar.track(parts, description="simulated days")):
            demo.loading.report("simulating", number, len(parts))
            today, past = _feed_day(demo, options, centre, day)
            remaining |= today
            store_contacts(demo, centre, past)
    return remaining


def store_contacts(demo: DemoEnvironment, centre: Centre, past: Mapping[str, list[Event]]) -> None:
    """Store when each device was received, as if its past events had arrived at once.

    A contact is the minute in which a frame arrives; the past days arrive now, and would count as without a link.
    """
    contacts = [
        StoredEvent(centre.id, device, CONTACT_OUTBOX_ID, DeviceContact(n=minute // MINUTE, t=minute))
        for device, events in past.items()
        for minute in sorted({floor(event.t, MINUTE) for event in events})
    ]
    now = demo.clock() * 1000
    changes = [ChangeRecord(*window, now) for window in dirty_hours((s.centre, s.event) for s in contacts)]
    if contacts:
        demo.store.append(Batch(now, contacts, changes))


def _feed_day(
    demo: DemoEnvironment, options: DemoOptions, centre: Centre, day: date
) -> tuple[dict[str, EventFeed], dict[str, list[Event]]]:
    """Append the day's past events to the outboxes; returns the feeds of the rest, and the past events, by device."""
    remaining: dict[str, EventFeed] = {}
    past_by_device: dict[str, list[Event]] = {}
    for device, events in simulated_day(demo.inventory, centre, day, options.seed).items():
        feed = simulation.EventFeed(events)
        past = feed.take_due(demo.clock())
        if past:
            demo.agents[device].outbox.append(past)
            past_by_device[device] = past
        remaining[device] = _without_hosted(demo, feed)
    return remaining, past_by_device


def _without_hosted(demo: DemoEnvironment, feed: EventFeed) -> EventFeed:
    """Return the rest of a day's feed without probes of hosted systems: from now on their servers are probed."""
    hosted = {probe.system for probe in demo.hosted}
    rest = feed.take_due(END_OF_TIME_MS)
    return EventFeed([e for e in rest if not (isinstance(e, ProbeResult) and e.system in hosted)])


def simulated_day(inventory: Inventory, centre: Centre, day: date, seed: int) -> Mapping[str, list[Event]]:
    """Return one centre's simulated day, by device."""
    devices = [d for d in inventory.devices_of(centre.id) if d.kind not in {"replay", "host"}]
    systems = [s for s in inventory.systems.values() if s.id != HOST_SYSTEM]
    events: Mapping[str, list[Event]] = simulation.simulate_day(centre, devices, systems, day, seed)
    return events


def _progress_bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def wait_ready(demo: DemoEnvironment, console: Console) -> None:
    """Open the pages once every event so far is delivered and folded; objectives follow at the next quarter minute.

    Rollup starts after the delivery: while the past days arrive it would fold the same hours again and again.
    """
    wait_delivered(demo, console)
    demo.loading.report("folding")
    delivered_at = demo.clock() * 1000
    start_rollup(
        demo.threads, partial(wiring.open_store, demo.store_url), demo.broker, lambda: demo.inventory, demo.clock
    )
    with contextlib.closing(wiring.open_store(demo.store_url)) as reader, console.status("computing the figures"):
        first = _wait_passed(demo, reader, delivered_at)
        _wait_passed(demo, reader, first)  # a pass ends with the objectives, after its cursor is written
    demo.loading.finish()


def _wait_passed(demo: DemoEnvironment, reader: Store, since: int) -> int:
    """Wait until the end of a pass of rollup that began after `since`, Unix µs; returns when it began."""
    limit = time.monotonic() + FOLD_TIMEOUT_S
    while (cursor := reader.cursor()) <= since and time.monotonic() < limit and not demo.threads.stop.is_set():
        time.sleep(0.05)
    return cursor


def wait_delivered(demo: DemoEnvironment, console: Console) -> None:
    """Wait, with a bar, until every row has its receipt and is folded."""
    total = sum(agent.outbox.highest_n for agent in demo.agents.values())
    with _progress_bar(console) as bar:
        task = bar.add_task("delivered", total=total)
        quiet_since, last = time.monotonic(), -1
        while pending := sum(agent.outbox.pending_count() for agent in demo.agents.values() if not agent.link_disabled):
            total = sum(agent.outbox.highest_n for agent in demo.agents.values())
            done = total - pending
            bar.update(task, completed=done, total=total)
            demo.loading.report("delivering", done, total)
            if done != last:
                quiet_since, last = time.monotonic(), done
            if time.monotonic() - quiet_since > DELIVERY_TIMEOUT_S or demo.threads.stop.is_set():
                return
            time.sleep(0.1)
        bar.update(task, completed=total, total=total)


def feed_live(demo: DemoEnvironment, options: DemoOptions, remaining: dict[str, EventFeed]) -> None:
    """Append events as they become due, until stopped; each new day is simulated at its start."""
    today = local_date(demo.clock(), demo.inventory.zone)
    losses_by_centre = _link_losses(demo, options, today)
    while not demo.threads.stop.wait(0.25):
        now = demo.clock()
        for device, feed in remaining.items():
            due = feed.take_due(now)
            if due:
                demo.agents[device].outbox.append(due)
        day = local_date(now, demo.inventory.zone)
        if day != today:
            today = day
            losses_by_centre = _link_losses(demo, options, day)
            for centre in demo.inventory.centres.values():
                remaining |= _feed_day(demo, options, centre, day)[0]
        for agent in demo.agents.values():
            losses = losses_by_centre.get(agent.settings.centre, ())
            agent.link_disabled = any(loss.start <= now < loss.end for loss in losses)


def _link_losses(demo: DemoEnvironment, options: DemoOptions, day: date) -> dict[str, list[Window]]:
    centres = demo.inventory.centres.values()
    return {centre.id: simulation.link_losses(centre, day, options.seed) for centre in centres}


def covered_window(demo: DemoEnvironment, options: DemoOptions) -> Window:
    """Return the time the demo covers so far."""
    days = simulated_days(demo, options)
    return Window(day_window(days[0], demo.inventory.zone).start, demo.clock())


def start_host_sources(demo: DemoEnvironment) -> None:
    """Report this host's metrics and probe this API, as one more device; probe the hosted systems' servers."""
    agent, sources = _host_agent_and_sources(demo)
    for source in sources:
        demo.threads.start(source.name, partial(source.run, agent.outbox, demo.threads.stop))
    if demo.hosted:
        demo.threads.start("hosted", partial(watch_hosted_systems, demo))


def report_host_once(demo: DemoEnvironment) -> None:
    """Append one heartbeat of this host, one probe of this API, and one of each hosted system."""
    agent, (host, probe) = _host_agent_and_sources(demo)
    agent.outbox.append([host.build_heartbeat(agent.outbox), probe.probe_once()])
    _report_hosted(demo)


def watch_hosted_systems(demo: DemoEnvironment) -> None:
    """Probe the loopback servers of the hosted systems until stopped."""
    while not demo.threads.stop.is_set():
        due = time.monotonic() + DEMO_PROBE_EVERY_S
        _report_hosted(demo)
        demo.threads.stop.wait(max(due - time.monotonic(), 0))


def _report_hosted(demo: DemoEnvironment) -> None:
    for device, events in probe_all(demo.hosted).items():
        demo.agents[device].outbox.append(events)


def _host_agent_and_sources(demo: DemoEnvironment) -> tuple[Agent, tuple[HostSource, ProbeSource]]:
    device = next(d for d in demo.inventory.devices.values() if d.kind == "host")
    probe = Probe(HOST_SYSTEM, "http", f"{demo.url}/healthz")
    sources = (
        HostSource(demo.clock, device.every_ms),
        ProbeSource(probe, demo.clock, demo.inventory.systems[HOST_SYSTEM].every_ms),
    )
    return demo.agents[device.id], sources
