"""Runs each source in a thread of its own and carries out what supervision decides; it must not decide itself."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.log import Logger
from edge_agent.sources.liveness import GuardedSink, SourceHeartbeat, SourceReplaced
from edge_agent.sources.restart_policy import RestartLimits, RestartPolicy, SourceAction, SourceFault, SourceObservation

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.sources import Sink, Source

_log = Logger(__name__)
STOP_TIMEOUT_S = 5.0
"""How long sources may take to end; one in the middle of something slow is left behind."""


class SourceHung(RuntimeError):
    """A source's own process went silent and was ended."""


@dataclass(slots=True)
class _SourceRun:
    """One thread of a source."""

    thread: threading.Thread
    heartbeat: SourceHeartbeat
    sink: GuardedSink
    fault: SourceFault | None = None


@dataclass(slots=True)
class _SupervisedSource:
    name: str
    build: Callable[[], Source]
    policy: RestartPolicy
    run: _SourceRun | None = None
    fault_count: int = 0
    stuck_threads: list[threading.Thread] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)


class Supervisor:
    """All sources of one device. Methods may be called by any thread and never wait for a source, but for `end`."""

    def __init__(
        self, outbox: Sink, on_fault: Callable[[SourceFault, str], None], monotonic: Callable[[], int],
        chance: Callable[[], float], limits: RestartLimits | None = None,
    ) -> None:  # fmt: skip
        """`told` hears of the first fault in a row, with the source's name; `monotonic` gives ms, `chance` [0, 1)."""
        self._outbox, self._on_fault = outbox, on_fault
        self._monotonic, self._chance = monotonic, chance
        self._limits = limits or RestartLimits()
        self._lock = threading.RLock()
        self._sources: dict[str, _SupervisedSource] = {}

    def add(self, name: str, build: Callable[[], Source]) -> None:
        """Start a source at the next `step`; `build` makes one for every run. One of the same name ends first."""
        with self._lock:
            source = self._sources.get(name)
            if source is None:
                self._sources[name] = _SupervisedSource(name, build, RestartPolicy(self._limits))
            else:
                source.build = build
                self.restart(name)

    def remove(self, name: str) -> bool:
        """End a source for good; tells whether there was one."""
        with self._lock:
            source = self._sources.pop(name, None)
        if source is not None and source.run is not None:
            source.run.heartbeat.request_stop()
            source.run.sink.close()
        return source is not None

    def restart(self, name: str) -> bool:
        """Have a source end and begin afresh; one that does not end is left behind. Tells whether there is one."""
        with self._lock:
            source = self._sources.get(name)
            if source is None:
                return False
            source.policy.request_restart(self._monotonic())
            if source.run is not None:
                source.run.heartbeat.request_stop()
        return True

    def step(self) -> None:
        """Look at every source and do what is due; call it about once a second."""
        now = self._monotonic()
        with self._lock:
            actions = [
                (source, source.policy.decide(_observe(source), now, self._chance()))
                for source in self._sources.values()
            ]
            for source, action in actions:
                self._execute(source, action)
        for source, action in actions:
            if action.alarm is not None:
                self._on_fault(action.alarm, source.name)

    def source_names(self) -> list[str]:
        """Return the sources' names."""
        with self._lock:
            return sorted(self._sources)

    def fault_counts(self) -> dict[str, int]:
        """Return how often each source failed or hung since it was added."""
        with self._lock:
            return {name: source.fault_count for name, source in sorted(self._sources.items())}

    def failing_sources(self) -> frozenset[str]:
        """Return the names of sources that do not run, or failed lately."""
        with self._lock:
            return frozenset(name for name, source in self._sources.items() if not source.policy.is_healthy())

    def stop_all(self, within_s: float = STOP_TIMEOUT_S) -> None:
        """Tell all sources to end and wait for them; none can write any more when this returns."""
        with self._lock:
            runs = [source.run for source in self._sources.values() if source.run is not None]
            self._sources.clear()
        for run in runs:
            run.heartbeat.request_stop()
        deadline = time.monotonic() + within_s
        for run in runs:
            run.thread.join(max(0.0, deadline - time.monotonic()))
            run.sink.close()

    def _execute(self, source: _SupervisedSource, action: SourceAction) -> None:
        if action.fault is not None:
            source.fault_count += 1
        if action.give_up and source.run is not None:
            source.run.heartbeat.request_stop()
            source.run.sink.close()
            source.stuck_threads.append(source.run.thread)
            _log.error("source_given_up", source=source.name, stuck=len(source.stuck_threads))
        if action.start:
            source.run = self._start_run(source)

    def _start_run(self, source: _SupervisedSource) -> _SourceRun:
        heartbeat = SourceHeartbeat(self._monotonic)
        run = _SourceRun(threading.Thread(), heartbeat, GuardedSink(self._outbox, heartbeat, source.lock))
        run.thread = threading.Thread(
            target=_run_source, args=(source.name, source.build, run), name=source.name, daemon=True
        )
        run.thread.start()
        return run


def event_subject(name: str) -> str:
    """Return a source's name as an event may carry it.

    >>> subject_of("file:till.jsonl")
    'file-till-jsonl'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63] or "source"


def _observe(source: _SupervisedSource) -> SourceObservation:
    source.stuck_threads = [thread for thread in source.stuck_threads if thread.is_alive()]
    run = source.run
    if run is None:
        return SourceObservation(alive=False, idle=True, last_beat_at=0, stuck_threads=len(source.stuck_threads))
    alive = run.thread.is_alive()  # first: what the thread leaves behind is complete when it has ended
    idle = run.heartbeat.is_waiting or run.sink.is_committing
    return SourceObservation(alive, idle, run.heartbeat.last_beat_at, run.fault, len(source.stuck_threads))


def _run_source(name: str, build: Callable[[], Source], run: _SourceRun) -> None:
    """Run the source once; why it ended is left in `run.fault`."""
    try:
        build().run(run.sink, run.heartbeat)
    except SourceReplaced:
        _log.info("source_shut_out", source=name)
    except SourceHung as error:
        run.fault = "source_hung"
        _log.error("source_hung", source=name, error=str(error))
    except Exception as error:  # noqa: BLE001
        run.fault = "source_failed"
        _log.exception("source_fault", source=name, error=type(error).__name__)
