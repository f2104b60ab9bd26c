"""`motcua replay`: sends a historical log through a real agent and broker; a repeated replay changes nothing."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import time as clock_time
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edge_agent.agent import Agent, AgentSettings
from edge_agent.agent_loop import AgentLoop
from edge_agent.delivery import DeliveryPace
from edge_agent.mapping import document, importer
from edge_agent.mapping.ticket_ledger import EarlierEvent, EarlierEvents
from edge_agent.outbox import Outbox
from edge_agent.sources import Stop
from motcua import system
from motcua.replay_report import ReplayResult
from motcua.roles import RoleThreads, start_server_roles
from telemetry import wiring
from telemetry.core.calendar.windows import Window
from telemetry.core.figures.dossiers import DossierFigures, dossier_figures
from telemetry.core.fold.live_row_types import CentreNow
from telemetry.core.fold.totals import Total, add_sums
from telemetry.core.inventory import Centre, Inventory, OpeningHours
from telemetry.core.protocol.events import SYSTEM_TYPES, Event
from telemetry.core.queueing.forecast_rows import FORECAST_ROW_PREFIX
from telemetry.core.scope import Scope
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.mqtt.address import BrokerAddress, parse_broker_url
from telemetry.mqtt.embedded_broker import EmbeddedBroker
from telemetry.queries.network import read_hours
from telemetry.rollup.fold_faults import FoldFaults
from telemetry.rollup.forecasts import FORECAST_PART, ForecastJob
from telemetry.store import BACKLOG_HOURS_CHECKPOINT, STALE_HOURS_CHECKPOINT, Store, StoredEvent

CHUNK_EVENTS = 500
MAX_PENDING_ROWS = 20_000
READ_CHUNK_MS = 7 * 86_400_000
"""How much stored time is read at once."""


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """What to replay, into which store and broker, how fast (`speed` None: as fast as possible)."""

    file: Path
    mapping: document.ReplayMapping
    centre: str
    store: str
    broker: BrokerAddress | None
    speed: float | None
    resend_ms: int = 20_000
    receipt_timeout_s: float = 600.0
    token: str = field(default="", repr=False)

    def open_store(self) -> Store:
        """Return a new connection to the target."""
        return wiring.open_store(self.store, self.token)


@dataclass(slots=True)
class ReplaySource:
    """Appends `events` with their own row numbers in chunks, `speed` times real time (None: as fast as possible)."""

    events: Iterator[Event]
    speed: float | None = None
    max_pending: int = MAX_PENDING_ROWS
    fed_count: int = 0

    def run(self, outbox: Outbox, stop: Stop) -> None:
        """Append all events, or until stopped; waits while more than `max_pending` rows have no receipt."""
        for chunk in self._timed_chunks(stop):
            while outbox.pending_count() > self.max_pending and not stop.wait(0.05):
                pass
            outbox.append_numbered(chunk)
            self.fed_count += len(chunk)

    def _timed_chunks(self, stop: Stop) -> Iterator[list[Event]]:
        """Yield events in chunks; at a chosen speed, none before its time."""
        chunk: list[Event] = []
        first: int | None = None
        started = time.monotonic()
        for event in self.events:
            if self.speed is not None:
                first = event.t if first is None else first
                wait_s = (event.t - first) / 1000 / self.speed - (time.monotonic() - started)
                if wait_s > 0.05:
                    if chunk:
                        yield chunk
                        chunk = []
                    stop.wait(wait_s)
            if stop.is_set():
                return
            chunk.append(event)
            if len(chunk) >= CHUNK_EVENTS:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


class _FeedState:
    """The feeding thread's state, for the progress bar."""

    def __init__(self, agent: Agent, source: ReplaySource) -> None:
        self.agent, self.source = agent, source
        self.finished = threading.Event()
        self.fault: BaseException | None = None


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def check_file(job: ReplayJob, console: Console) -> importer.ImportedLog:
    """Read the whole file and count what it has; the log has its faults. Raises MappingError when it cannot be read."""
    with _share_bar(console, f"check {job.file.name}") as on_progress:
        return importer.check_log(job.mapping, job.file, now=system.wall_ms(), on_progress=on_progress)


def run_replay(
    job: ReplayJob, inventory: Callable[[], Inventory], console: Console, log: importer.ImportedLog | None = None
) -> ReplayResult:
    """Run the job to its end; `log` is the checked file. Raises MotcuaError, MappingError."""
    log = log or check_file(job, console)
    log.raise_faults()
    store = job.open_store()
    try:
        _check_retention(store, log)
        with console.status("reading what is stored of earlier imports"):
            earlier = read_earlier_events(store, job)
        with _share_bar(console, f"compare {job.file.name}") as on_progress:
            log = log.compare_with(earlier, on_progress)
        result = _run_job(job, log, store, inventory, console)
        if job.broker is None:
            with console.status("forecasting"):
                _refresh_forecast(job, store, inventory)
        return result
    finally:
        store.close()


def _refresh_forecast(job: ReplayJob, store: Store, inventory: Callable[[], Inventory]) -> None:
    """Make the forecast of the imported centre; its own rollup has ended, and would have waited until all is quiet."""
    centre = inventory().centres.get(job.centre)
    if centre is not None:
        faults = FoldFaults(store, system.wall_ms)
        with faults.guard(f"{FORECAST_ROW_PREFIX}{centre.id}", FORECAST_PART):
            store.put_live_rows(ForecastJob(store, inventory, faults).rows_of(centre, system.wall_ms()))


def _check_retention(store: Store, log: importer.ImportedLog) -> None:
    retention_ms = store.raw_retention_ms()
    if retention_ms is not None and log.first_t is not None and log.first_t < system.wall_ms() - retention_ms:
        msg = "the file is older than the target keeps raw events; give the bucket a longer retention, or another store"
        raise MotcuaError(msg)


def read_earlier_events(store: Store, job: ReplayJob) -> EarlierEvents:
    """Return the events that earlier imports through this mapping stored for the job's device.

    An outbox that an earlier version filled does not say through which mapping: it counts as this one's.
    """
    types = {str(rule.event_type.__struct_config__.tag) for rule in job.mapping.rules}
    device, own_mark = importer.replay_device_id(job.centre), importer.mapping_mark(job.mapping)
    belongs: dict[str, bool] = {}
    events: list[EarlierEvent] = []
    for stored in _stored_events(store, job.centre, types):
        if stored.device != device:
            continue
        outbox = stored.outbox_id
        if outbox not in belongs:
            belongs[outbox] = store.checkpoint(_import_key(outbox)) in {0, own_mark}
        if belongs[outbox]:
            events.append(EarlierEvent(outbox, stored.event))
    return EarlierEvents(events)


def _stored_events(store: Store, centre: str, types: set[str]) -> Iterator[StoredEvent]:
    """Yield the stored events of these types: the centre's, and those of systems when a type is about systems."""
    for entity, windows in store.days_with_events().items():
        if entity == centre or types & SYSTEM_TYPES:
            for window in windows:
                for start in range(window.start, window.end, READ_CHUNK_MS):
                    yield from store.events(entity, Window(start, min(start + READ_CHUNK_MS, window.end)), types)


def _import_key(outbox_id: str) -> str:
    """Return the checkpoint that says through which mapping an outbox was filled."""
    return f"import:{outbox_id}"


def own_centre(job: ReplayJob, log: importer.ImportedLog) -> Centre | None:
    """Return the centre that the mapping declares, None when the job names another.

    Hours derived from this log are joined with those derived from earlier ones.
    """
    if job.centre != importer.import_centre(job.mapping).id:
        return None
    derived = log.check.derive_hours()
    store = job.open_store()
    try:
        rows = [row for row in store.live_rows() if row.entity == job.centre]
    finally:
        store.close()
    for row in rows:
        facts = msgspec.json.decode(row.body, type=CentreNow).import_facts
        if facts is not None and facts.derived_hours:
            derived = join_hours(derived, read_hours(facts))
    return importer.import_centre(job.mapping, derived)


def join_hours(*tables: tuple[OpeningHours, ...]) -> tuple[OpeningHours, ...]:
    """Return for each weekday one interval that has those of all tables."""
    days = [[interval for table in tables if table for interval in table[day]] for day in range(7)]
    return tuple(
        ((min(start for start, _ in day), max((end for _, end in day), key=_end_minute)),) if day else ()
        for day in days
    )


def _end_minute(end: clock_time) -> int:
    """Return the minute of the day at which an interval ends; 00:00 is the next midnight."""
    return end.hour * 60 + end.minute or 1440


def _run_job(
    job: ReplayJob, log: importer.ImportedLog, store: Store, inventory: Callable[[], Inventory], console: Console
) -> ReplayResult:
    threads, loop = RoleThreads(), AgentLoop(system.monotonic_ms)
    began = time.monotonic()
    if log.new_count:
        store.set_checkpoint(_import_key(log.outbox_id), importer.mapping_mark(job.mapping))
    with tempfile.TemporaryDirectory(prefix="motcua-replay-") as folder:
        try:
            agent = _build_agent(job, log, Path(folder), _start_broker(job, threads, inventory))
            feed = _FeedState(agent, ReplaySource(log.events(), job.speed))
            loop.add(agent)
            threads.start("feed", lambda: _feed_events(feed, threads.stop))
            threads.start("agents", loop.run)
            _wait_delivered(job, log, feed, console)
            _wait_folded(job, store, console)
            refused = agent.outbox.refused_count()
        finally:
            loop.stop()
            threads.shutdown()
    centre = inventory().centres.get(job.centre)
    totals = _totals_by_service(store, centre, log) if centre else {}
    dossiers = _dossiers_of(store, centre, log) if centre else None
    return ReplayResult(job.file.name, job.centre, log, refused, round(time.monotonic() - began, 2), totals, dossiers)


def _start_broker(job: ReplayJob, threads: RoleThreads, inventory: Callable[[], Inventory]) -> BrokerAddress:
    """Return the given broker, or start an embedded one with ingest and rollup."""
    if job.broker is not None:
        return job.broker
    own = EmbeddedBroker("127.0.0.1", free_port())
    threads.on_exit(own.stop)
    broker_address = parse_broker_url(own.url)
    start_server_roles(threads, job.open_store, broker_address, inventory, system.wall_ms)
    return broker_address


def _build_agent(job: ReplayJob, log: importer.ImportedLog, folder: Path, broker: BrokerAddress) -> Agent:
    outbox = Outbox(folder / "outbox.db", lambda: log.outbox_id)
    pace = DeliveryPace(resend_ms=job.resend_ms, max_unreceipted=64)
    device = importer.replay_device_id(job.centre)
    settings = AgentSettings(device, job.centre, broker, linger_ms=20, compress=False, pace=pace)
    return Agent(settings, outbox, system.agent_environment())


def _feed_events(feed: _FeedState, stop: threading.Event) -> None:
    try:
        feed.source.run(feed.agent.outbox, stop)
    except BaseException as error:
        feed.fault = error
        raise
    finally:
        feed.finished.set()


def _wait_delivered(job: ReplayJob, log: importer.ImportedLog, feed: _FeedState, console: Console) -> None:
    """Show progress until every row has its receipt; no receipt for `receipt_timeout_s` is a failure."""
    quiet_since, last = time.monotonic(), -1
    with _progress_bar(console) as bar:
        task = bar.add_task(f"replay {job.file.name}", total=log.new_count)
        while not (feed.finished.is_set() and feed.agent.all_receipted()) and feed.fault is None:
            if feed.agent.counters.receipted_rows != last:
                quiet_since, last = time.monotonic(), feed.agent.counters.receipted_rows
            if time.monotonic() - quiet_since > job.receipt_timeout_s:
                msg = f"no receipt for {job.receipt_timeout_s:.0f} s; are broker and ingest running"
                raise MotcuaError(f"{msg}, is {job.centre} declared?")
            if deferred := feed.agent.counters.deferred_rows:
                msg = f"ingest deferred {deferred} rows: declare {job.centre} in the inventory of that ingest"
                raise MotcuaError(f"{msg} (or is its clock more than 5 minutes slow?), then replay the file again")
            bar.update(task, completed=last)
            time.sleep(0.05)
        bar.update(task, completed=log.new_count)
    if feed.fault is not None:
        raise feed.fault
    if feed.source.fed_count < log.new_count:
        msg = f"only {feed.source.fed_count} of {log.new_count} events were fed; replay the file again"
        raise MotcuaError(msg)


def _progress_bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=not sys.stderr.isatty())


@contextmanager
def _share_bar(console: Console, text: str) -> Iterator[Callable[[float], None]]:
    """Show how much of a file was read; yields the function to call with the share."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(text, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _wait_folded(job: ReplayJob, store: Store, console: Console) -> None:
    """Show progress until rollup has folded all changes up to now, and the hours whose service period they changed.

    A rollup that folds nothing for `receipt_timeout_s` is a failure.
    """
    goal = max(system.wall_ms() * 1000, *(c.written_at for c in store.changes_since(store.cursor())), 0)
    progressed_at, last, most = time.monotonic(), (-1, -1), 0
    with _progress_bar(console) as bar:
        task = bar.add_task("fold hours", total=None)
        while True:
            cursor = store.cursor()
            waiting = sum(store.checkpoint(name) for name in (BACKLOG_HOURS_CHECKPOINT, STALE_HOURS_CHECKPOINT))
            if cursor > goal and not waiting:
                break
            if (cursor, waiting) != last:
                progressed_at, last = time.monotonic(), (cursor, waiting)
            if time.monotonic() - progressed_at > job.receipt_timeout_s:
                msg = "the changes are not folded; is `motcua rollup` running on this store?"
                raise MotcuaError(msg)
            most = max(most, waiting)
            bar.update(task, total=most or None, completed=most - waiting)
            time.sleep(0.1)
        bar.update(task, total=most, completed=most)


def _totals_by_service(store: Store, centre: Centre, log: importer.ImportedLog) -> dict[str, dict[str, int]]:
    """Return the store's totals for the log's days, per service."""
    rows = _stored_days(store, centre, log, "desk")
    names = ("issued", "called", "served", "abandoned", "no_show")
    services: dict[str, dict[str, int]] = {}
    for scope in sorted({row.scope for row in rows}):
        sums = add_sums(row.sums for row in rows if row.scope == scope)
        services[Scope(scope).service] = {name: sums.get(name, 0) for name in names}
    return services


def _dossiers_of(store: Store, centre: Centre, log: importer.ImportedLog) -> DossierFigures | None:
    """Return the dossiers of the log's days, None when the centre has none."""
    figures = dossier_figures(add_sums(row.sums for row in _stored_days(store, centre, log, "administration")))
    return figures if figures.received_count or figures.resolved else None


def _stored_days(store: Store, centre: Centre, log: importer.ImportedLog, kind: str) -> list[Total]:
    """Return the store's totals of one kind for the log's days."""
    if log.first_t is None or log.last_t is None:
        return []
    day = 86_400_000
    return store.totals([centre.id], "1d", Window(max(log.first_t - day, 0), log.last_t + day), kind)


def parse_job(file: Path, name: str, centre: str, target: tuple[str, str | None], speed: str) -> ReplayJob:
    """Check the command's arguments. Raises ConfigError, MappingError."""
    faults = []
    if not file.is_file():
        faults.append(Fault(str(file), 0, "FILE", "no such file", "give an existing CSV, JSON lines or .xlsx file"))
    pace: float | None = None
    if speed != "max":
        try:
            pace = float(speed)
        except ValueError:
            pace = 0.0
        if not pace or pace <= 0:
            faults.append(
                Fault("command line", 0, "--speed", f"not a speed: {speed!r}", "write a number above 0, or max")
            )
    if faults:
        raise ConfigError(faults)
    log_mapping = document.load_mapping(name)
    ident = centre or importer.import_centre(log_mapping).id
    store, mqtt = target
    return ReplayJob(file, log_mapping, ident, store, parse_broker_url(mqtt) if mqtt else None, pace)


def check_centre(job: ReplayJob, inventory: Inventory) -> None:
    """Refuse a centre that is not declared: its rows would be deferred for ever. Raises ConfigError."""
    if job.centre not in inventory.centres:
        remedy = "add it to the inventory, or omit --centre to use the mapping's own"
        raise ConfigError([Fault("command line", 0, "--centre", f"no such centre: {job.centre!r}", remedy)])
