"""Runs each source in its own thread, guarded, and executes what the restart policy decides; it decides nothing."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.log import Logger
from edge_agent.sources.restart_policy import RestartLimits, RestartPolicy, SourceAction, SourceFault, SourceObservation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_agent.outbox import PostKey, PostResult
    from edge_agent.sources import Sink, Source
    from telemetry.core.protocol.events import Event

_log = Logger(__name__)
STOP_TIMEOUT_S = 5.0
"""How long sources may take to end; a slower one is abandoned."""


class SourceHung(RuntimeError):
    """A source's own process showed no sign of life and was killed."""


class SourceReplaced(RuntimeError):
    """The source was abandoned as hung and another run has replaced it: its events would be stored twice."""


class SourceHeartbeat:
    """One source's stop signal; each use of it counts as a heartbeat. `monotonic` returns ms."""

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._stop_requested = threading.Event()
        self.last_beat_at = monotonic()
        self.is_waiting = False
        """Set while the source waits for its next poll, when no heartbeat is expected."""

    def record_beat(self) -> None:
        """Record that the source is alive."""
        self.last_beat_at = self._monotonic()

    def is_set(self) -> bool:
        """Return whether the source must end."""
        self.record_beat()
        return self._stop_requested.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait `timeout` seconds or until the stop is requested; returns whether the source must end."""
        self.is_waiting = True
        try:
            return self._stop_requested.wait(timeout)
        finally:
            self.record_beat()
            self.is_waiting = False

    def request_stop(self) -> None:
        """Request the source to stop."""
        self._stop_requested.set()


class GuardedSink:
    """The outbox as one run of a source uses it, until that run is replaced.

    All runs of a source share `lock`: a new run reads its cursor only after the old run's last commit.
    """

    def __init__(self, outbox: Sink, heartbeat: SourceHeartbeat, lock: threading.RLock) -> None:
        self._outbox = outbox
        self._heartbeat = heartbeat
        self._lock = lock
        self._closed = False
        self.is_committing = False
        """Set during a commit: a slow disk is no fault of the source."""

    def close(self) -> None:
        """Refuse further commits; one in progress still completes."""
        self._closed = True

    @contextmanager
    def _commit_guard(self) -> Iterator[None]:
        self.is_committing = True
        try:
            with self._lock:
                if self._closed:
                    raise SourceReplaced
                yield
        finally:
            self._heartbeat.record_beat()
            self.is_committing = False

    def append(self, events: Sequence[Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Append events with their cursor in one commit. Raises SourceReplaced."""
        with self._commit_guard():
            return self._outbox.append(events, source=source, cursor=cursor)

    def append_idempotent(self, events: Sequence[Event], post: PostKey, now: int) -> PostResult:
        """Append a POST's events unless its key is a repeat. Raises SourceReplaced."""
        with self._commit_guard():
            return self._outbox.append_idempotent(events, post, now)

    def cursor(self, source: str) -> str:
        """Return the source's cursor. Raises SourceReplaced."""
        with self._commit_guard():
            return self._outbox.cursor(source)

    def pending_count(self) -> int:
        """Return how many rows wait for a receipt."""
        return self._outbox.pending_count()

    @property
    def dropped_count(self) -> int:
        """Return how many rows were dropped since the start."""
        return self._outbox.dropped_count


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
    """All sources of one device. Any thread may call a method; only `stop_all` waits for sources."""

    def __init__(
        self, outbox: Sink, on_fault: Callable[[SourceFault, str], None], monotonic: Callable[[], int],
        chance: Callable[[], float], limits: RestartLimits | None = None,
    ) -> None:  # fmt: skip
        """`on_fault` gets the first fault in a row with the source's name; `monotonic` returns ms, `chance` [0, 1)."""
        self._outbox, self._on_fault = outbox, on_fault
        self._monotonic, self._chance = monotonic, chance
        self._limits = limits or RestartLimits()
        self._lock = threading.RLock()
        self._sources: dict[str, _SupervisedSource] = {}

    def add(self, name: str, build: Callable[[], Source]) -> None:
        """Start a source at the next `step`; `build` makes one for every run. A source of the same name ends first."""
        with self._lock:
            source = self._sources.get(name)
            if source is None:
                self._sources[name] = _SupervisedSource(name, build, RestartPolicy(self._limits))
            else:
                source.build = build
                self.restart(name)

    def remove(self, name: str) -> bool:
        """End a source for good; returns whether it existed."""
        with self._lock:
            source = self._sources.pop(name, None)
        if source is not None and source.run is not None:
            source.run.heartbeat.request_stop()
            source.run.sink.close()
        return source is not None

    def restart(self, name: str) -> bool:
        """End and restart a source; a run that does not end is abandoned. Returns whether the source exists."""
        with self._lock:
            source = self._sources.get(name)
            if source is None:
                return False
            source.policy.request_restart(self._monotonic())
            if source.run is not None:
                source.run.heartbeat.request_stop()
        return True

    def step(self) -> None:
        """Check every source and do what is due; call it about once a second."""
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
        """Return the names of sources that do not run or failed recently."""
        with self._lock:
            return frozenset(name for name, source in self._sources.items() if not source.policy.is_healthy())

    def stop_all(self, within_s: float = STOP_TIMEOUT_S) -> None:
        """Request all sources to stop and wait up to `within_s`; when this returns, none can append."""
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

    >>> event_subject("file:till.jsonl")
    'file-till-jsonl'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63] or "source"


def _observe(source: _SupervisedSource) -> SourceObservation:
    source.stuck_threads = [thread for thread in source.stuck_threads if thread.is_alive()]
    run = source.run
    if run is None:
        return SourceObservation(alive=False, idle=True, last_beat_at=0, stuck_threads=len(source.stuck_threads))
    alive = run.thread.is_alive()  # first: `fault` is final once the thread has ended
    idle = run.heartbeat.is_waiting or run.sink.is_committing
    return SourceObservation(alive, idle, run.heartbeat.last_beat_at, run.fault, len(source.stuck_threads))


def _run_source(name: str, build: Callable[[], Source], run: _SourceRun) -> None:
    """Run the source once; the reason of its end is stored in `run.fault`."""
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
