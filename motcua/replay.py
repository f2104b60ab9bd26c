"""`motcua replay`: a historical log through a real agent and broker, exact and repeatable."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from edge_agent import mapping
from edge_agent.agent import Agent, AgentSettings
from edge_agent.delivery import Pace
from edge_agent.fleet import Fleet
from edge_agent.outbox import Outbox
from edge_agent.sources.replay import ReplaySource
from motcua import system
from motcua.threads import Parts, serve
from telemetry import wiring
from telemetry.core.calendar.windows import Window
from telemetry.core.fold.totals import add
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.mqtt.embedded_broker import EmbeddedBroker
from telemetry.mqtt.link import BrokerAddress, address

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store


@dataclass(frozen=True, slots=True)
class Job:
    """What to replay, where to, how fast (`speed` None: as fast as possible)."""

    file: Path
    mapping: mapping.Mapping
    centre: str
    store: str
    broker: BrokerAddress | None
    speed: float | None
    resend_ms: int = 20_000
    patience_s: float = 600.0
    token: str = field(default="", repr=False)

    def open_store(self) -> Store:
        """Return a new connection to the target."""
        return wiring.open_store(self.store, self.token)


class _Counting:
    """Keeps what the progress bar and the report need."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.fed = threading.Event()
        self.fault: BaseException | None = None


def free_port() -> int:
    """Return a port nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def replay(job: Job, inventory: Callable[[], Inventory], console: Console) -> dict[str, object]:
    """Run the job to its end; returns the report. Raises MotcuaError, MappingError."""
    log = mapping.read(job.mapping, job.file)
    store = job.open_store()
    try:
        _check_age(store, log)
        return _run(job, log, store, inventory, console)
    finally:
        store.close()


def _check_age(store: Store, log: mapping.Log) -> None:
    kept = store.retention()
    if kept is not None and log.first_t is not None and log.first_t < system.wall_ms() - kept:
        msg = "the file is older than the target keeps raw events; give the bucket a longer retention, or another store"
        raise MotcuaError(msg)


def _run(
    job: Job, log: mapping.Log, store: Store, inventory: Callable[[], Inventory], console: Console
) -> dict[str, object]:
    parts, fleet = Parts(), Fleet(system.monotonic_ms)
    before = store.count()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="motcua-replay-") as folder:
        try:
            agent = _agent(job, log, Path(folder), _broker(job, parts, inventory))
            work = _Counting(agent)
            fleet.add(agent)
            parts.run("feed", lambda: _feed(job, log, work, parts.stop))
            parts.run("fleet", fleet.run)
            _watch(job, log, work, console)
            _wait_folded(job, store, console)
            refused = agent.outbox.refused()
        finally:
            fleet.stop()
            parts.end()
    return _report(job, log, store, inventory(), (store.count() - before, refused, time.monotonic() - began))


def _broker(job: Job, parts: Parts, inventory: Callable[[], Inventory]) -> BrokerAddress:
    """Return the named broker, or bring our own with ingest and rollup."""
    if job.broker is not None:
        return job.broker
    own = EmbeddedBroker("127.0.0.1", free_port())
    parts.at_end(own.stop)
    where = address(own.url)
    serve(parts, job.open_store, where, inventory, system.wall_ms)
    return where


def _agent(job: Job, log: mapping.Log, folder: Path, broker: BrokerAddress) -> Agent:
    outbox = Outbox(folder / "outbox.db", lambda: log.spool)
    pace = Pace(resend_ms=job.resend_ms, waiting=64)
    settings = AgentSettings(mapping.device_of(job.centre), job.centre, broker, linger_ms=20, compress=False, pace=pace)
    return Agent(settings, outbox, system.surroundings())


def _feed(job: Job, log: mapping.Log, work: _Counting, stop: threading.Event) -> None:
    try:
        ReplaySource(log.events(), job.speed).run(work.agent.outbox, stop)
    except BaseException as error:
        work.fault = error
        raise
    finally:
        work.fed.set()


def _watch(job: Job, log: mapping.Log, work: _Counting, console: Console) -> None:
    """Show progress until every row has its receipt; no receipt for `patience_s` is a failure."""
    quiet_since, last = time.monotonic(), -1
    with _bar(console) as bar:
        task = bar.add_task(f"replay {job.file.name}", total=log.count)
        while not (work.fed.is_set() and work.agent.settled()) and work.fault is None:
            if work.agent.receipted != last:
                quiet_since, last = time.monotonic(), work.agent.receipted
            if time.monotonic() - quiet_since > job.patience_s:
                msg = f"no receipt for {job.patience_s:.0f} s; are broker and ingest running, is {job.centre} declared?"
                raise MotcuaError(msg)
            bar.update(task, completed=last)
            time.sleep(0.05)
        bar.update(task, completed=log.count)
    if work.fault is not None:
        raise work.fault
    if work.agent.outbox.highest < log.count:
        msg = f"only {work.agent.outbox.highest} of {log.count} events were fed; replay the file again"
        raise MotcuaError(msg)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=not sys.stderr.isatty())


def _wait_folded(job: Job, store: Store, console: Console) -> None:
    """Wait until rollup has read past this moment and so past everything receipted before it."""
    goal = max(system.wall_ms() * 1000, *(c.written_at for c in store.changes(store.cursor())), 0)
    began = time.monotonic()
    with console.status("folding"):
        while store.cursor() <= goal:
            if time.monotonic() - began > job.patience_s:
                msg = "the changes are not folded; is `motcua rollup` running on this store?"
                raise MotcuaError(msg)
            time.sleep(0.1)


def _report(
    job: Job, log: mapping.Log, store: Store, inventory: Inventory, figures: tuple[int, int, float]
) -> dict[str, object]:
    new, refused, seconds = figures
    skipped = Counter(log.skipped)
    centre = inventory.centres.get(job.centre)
    return {
        "file": job.file.name,
        "mapping": job.mapping.name,
        "centre": job.centre,
        "rows": log.rows,
        "skipped": dict(skipped),
        "events": log.count,
        "new": new,
        "repeated": log.count - new - refused,
        "refused": refused,
        "seconds": round(seconds, 2),
        "totals": _totals(store, centre, log) if centre else {},
    }


def _totals(store: Store, centre: Centre, log: mapping.Log) -> dict[str, dict[str, int]]:
    """Return what the store now holds for the log's days, per service."""
    if log.first_t is None or log.last_t is None:
        return {}
    day = 86_400_000
    rows = store.totals([centre.id], "1d", Window(max(log.first_t - day, 0), log.last_t + day), "desk")
    names = ("issued", "called", "served", "abandoned", "no_show")
    services: dict[str, dict[str, int]] = {}
    for scope in sorted({row.scope for row in rows}):
        sums = add(row.sums for row in rows if row.scope == scope)
        services[scope.rsplit(":", 1)[1]] = {name: sums.get(name, 0) for name in names}
    return services


def job_of(file: Path, name: str, centre: str, where: tuple[str, str | None], speed: str) -> Job:
    """Check the command's words. Raises ConfigError, MappingError."""
    faults = []
    if not file.is_file():
        faults.append(Fault(str(file), 0, "FILE", "no such file", "name an existing CSV or TSV file"))
    pace: float | None = None
    if speed != "max":
        try:
            pace = float(speed)
        except ValueError:
            pace = 0.0
        if not pace or pace <= 0:
            faults.append(Fault("command line", 0, "--speed", f"not a speed: {speed!r}", "a number above 0, or max"))
    if faults:
        raise ConfigError(faults)
    found = mapping.load_mapping(name)
    ident = centre or mapping.centre_of(found).id
    store, mqtt = where
    return Job(file, found, ident, store, address(mqtt) if mqtt else None, pace)


def write_json(path: Path, report: dict[str, object]) -> None:
    """Write a report as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def check_centre(job: Job, inventory: Inventory) -> None:
    """Refuse a centre that nobody has declared: its rows would be put off for ever. Raises ConfigError."""
    if job.centre not in inventory.centres:
        remedy = "add it to the inventory, or leave --centre out to use the mapping's own"
        raise ConfigError([Fault("command line", 0, "--centre", f"no such centre: {job.centre!r}", remedy)])
