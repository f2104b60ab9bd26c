"""Runs each source in a thread of its own and carries out what supervision decides; it must not decide itself."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.log import Log
from edge_agent.sources.liveness import Gate, Pulse, ShutOut
from edge_agent.sources.restart_policy import Fault, Limits, Order, Seen, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.sources import Sink, Source

_log = Log(__name__)
GOODBYE_S = 5.0
"""How long sources may take to end; one in the middle of something slow is left behind."""


class SourceHung(RuntimeError):
    """A source's own process went silent and was ended."""


@dataclass(slots=True)
class _Run:
    """One thread of a source."""

    thread: threading.Thread
    pulse: Pulse
    gate: Gate
    fault: Fault | None = None


@dataclass(slots=True)
class _Supervised:
    name: str
    build: Callable[[], Source]
    watch: Watch
    run: _Run | None = None
    faults: int = 0
    stuck: list[threading.Thread] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)


class Supervisor:
    """All sources of one device. Methods may be called by any thread and never wait for a source, but for `end`."""

    def __init__(
        self, outbox: Sink, told: Callable[[Fault, str], None], monotonic: Callable[[], int],
        chance: Callable[[], float], limits: Limits | None = None,
    ) -> None:  # fmt: skip
        """`told` hears of the first fault in a row, with the source's name; `monotonic` gives ms, `chance` [0, 1)."""
        self._outbox, self._told = outbox, told
        self._monotonic, self._chance = monotonic, chance
        self._limits = limits or Limits()
        self._lock = threading.RLock()
        self._all: dict[str, _Supervised] = {}

    def add(self, name: str, build: Callable[[], Source]) -> None:
        """Start a source at the next `step`; `build` makes one for every run. One of the same name ends first."""
        with self._lock:
            one = self._all.get(name)
            if one is None:
                self._all[name] = _Supervised(name, build, Watch(self._limits))
            else:
                one.build = build
                self.restart(name)

    def remove(self, name: str) -> bool:
        """End a source for good; tells whether there was one."""
        with self._lock:
            one = self._all.pop(name, None)
        if one is not None and one.run is not None:
            one.run.pulse.end()
            one.run.gate.shut()
        return one is not None

    def restart(self, name: str) -> bool:
        """Have a source end and begin afresh; one that does not end is left behind. Tells whether there is one."""
        with self._lock:
            one = self._all.get(name)
            if one is None:
                return False
            one.watch.restart(self._monotonic())
            if one.run is not None:
                one.run.pulse.end()
        return True

    def step(self) -> None:
        """Look at every source and do what is due; call it about once a second."""
        now = self._monotonic()
        with self._lock:
            orders = [(one, one.watch.look(_seen(one), now, self._chance())) for one in self._all.values()]
            for one, order in orders:
                self._carry_out(one, order)
        for one, order in orders:
            if order.alarm is not None:
                self._told(order.alarm, one.name)

    def names(self) -> list[str]:
        """Return the sources' names."""
        with self._lock:
            return sorted(self._all)

    def faults(self) -> dict[str, int]:
        """Return how often each source failed or hung since it was added."""
        with self._lock:
            return {name: one.faults for name, one in sorted(self._all.items())}

    def failing(self) -> frozenset[str]:
        """Return the names of sources that do not run, or failed lately."""
        with self._lock:
            return frozenset(name for name, one in self._all.items() if not one.watch.healthy())

    def end(self, within_s: float = GOODBYE_S) -> None:
        """Tell all sources to end and wait for them; none can write any more when this returns."""
        with self._lock:
            runs = [one.run for one in self._all.values() if one.run is not None]
            self._all.clear()
        for run in runs:
            run.pulse.end()
        deadline = time.monotonic() + within_s
        for run in runs:
            run.thread.join(max(0.0, deadline - time.monotonic()))
            run.gate.shut()

    def _carry_out(self, one: _Supervised, order: Order) -> None:
        if order.fault is not None:
            one.faults += 1
        if order.give_up and one.run is not None:
            one.run.pulse.end()
            one.run.gate.shut()
            one.stuck.append(one.run.thread)
            _log.error("source_given_up", source=one.name, stuck=len(one.stuck))
        if order.start:
            one.run = self._start(one)

    def _start(self, one: _Supervised) -> _Run:
        pulse = Pulse(self._monotonic)
        run = _Run(threading.Thread(), pulse, Gate(self._outbox, pulse, one.lock))
        run.thread = threading.Thread(target=_live, args=(one.name, one.build, run), name=one.name, daemon=True)
        run.thread.start()
        return run


def subject_of(name: str) -> str:
    """Return a source's name as an event may carry it.

    >>> subject_of("file:till.jsonl")
    'file-till-jsonl'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63] or "source"


def _seen(one: _Supervised) -> Seen:
    one.stuck = [thread for thread in one.stuck if thread.is_alive()]
    run = one.run
    if run is None:
        return Seen(alive=False, idle=True, beat_at=0, stuck=len(one.stuck))
    alive = run.thread.is_alive()  # first: what the thread leaves behind is complete when it has ended
    idle = run.pulse.waiting or run.gate.busy
    return Seen(alive, idle, run.pulse.beat_at, run.fault, len(one.stuck))


def _live(name: str, build: Callable[[], Source], run: _Run) -> None:
    """Run the source once; why it ended is left in `run.fault`."""
    try:
        build().run(run.gate, run.pulse)
    except ShutOut:
        _log.info("source_shut_out", source=name)
    except SourceHung as error:
        run.fault = "source_hung"
        _log.error("source_hung", source=name, error=str(error))
    except Exception as error:  # noqa: BLE001
        run.fault = "source_failed"
        _log.exception("source_fault", source=name, error=type(error).__name__)
