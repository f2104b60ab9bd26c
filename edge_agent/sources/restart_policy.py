"""Decides when a source is started, started again or given up as hung. Pure: it is told what is seen and the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from telemetry.core.backoff import STABLE_MS, full_jitter

Fault = Literal["source_hung", "source_failed"]
State = Literal["resting", "running", "ending", "done"]
FIRST_WAIT_MS = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient supervision is, ms; `stuck` is how many given-up threads one source may leave behind."""

    hang_ms: int = 90_000
    end_ms: int = 5_000
    longest_wait_ms: int = 60_000
    stuck: int = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of a source's newest run.

    `idle`: it waits for its next turn, or for the outbox; `fault`: why it ended, None for of its own will;
    `stuck`: given-up threads that still have not ended.
    """

    alive: bool
    idle: bool
    beat_at: int
    fault: Fault | None = None
    stuck: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What to do now: shut the present run out, start a new one; `fault` has just been found, `alarm` is for ops."""

    give_up: bool = False
    start: bool = False
    fault: Fault | None = None
    alarm: Fault | None = None


NOTHING = Order()


@dataclass(slots=True)
class Watch:
    """One source's life; times are ms of a monotonic clock."""

    limits: Limits = field(default_factory=Limits)
    state: State = "resting"
    due: int = 0
    began: int = 0
    _asked: int = 0
    _attempt: int = 0
    _faults: dict[Fault, int] = field(default_factory=dict)

    def restart(self, now: int) -> None:
        """Have the source end and begin again; the caller tells its run to end."""
        if self.state == "running":
            self.state, self._asked = "ending", now
        elif self.state in {"resting", "done"}:
            self.state, self.due = "resting", now

    def look(self, seen: Seen, now: int, chance: float) -> Order:
        """Return what to do; call it about once a second. `chance` in [0, 1) is jitter."""
        if self.state == "running":
            return self._running(seen, now, chance)
        if self.state == "ending":
            return self._ending(seen, now)
        if self.state == "resting" and now >= self.due and seen.stuck < self.limits.stuck:
            return self._started(now)
        return NOTHING

    def healthy(self) -> bool:
        """Tell whether the source runs and has not failed lately, or has ended of its own will."""
        return self.state in {"running", "done"} and not self._faults

    def _started(self, now: int, *, give_up: bool = False) -> Order:
        self.state, self.began = "running", now
        return Order(start=True, give_up=give_up)

    def _running(self, seen: Seen, now: int, chance: float) -> Order:
        if not seen.alive:
            if seen.fault is None:
                self.state = "done"
                return NOTHING
            return self._rest(seen.fault, now, chance)
        if not seen.idle and now - seen.beat_at > self.limits.hang_ms:
            order = self._rest("source_hung", now, chance)
            return Order(give_up=True, fault=order.fault, alarm=order.alarm)
        if now - self.began > STABLE_MS + self.limits.hang_ms:
            self._attempt = 0
            self._faults.clear()
        return NOTHING

    def _ending(self, seen: Seen, now: int) -> Order:
        if not seen.alive:
            return self._started(now)
        if now - self._asked > self.limits.end_ms and seen.stuck < self.limits.stuck:
            return self._started(now, give_up=True)
        return NOTHING

    def _rest(self, fault: Fault, now: int, chance: float) -> Order:
        """Wait before the next start, longer each time; ops are told at the first fault of its kind in a row."""
        if now - self.began > STABLE_MS + self.limits.hang_ms:
            self._attempt = 0
        wait = FIRST_WAIT_MS + full_jitter(self._attempt, chance, cap_ms=self.limits.longest_wait_ms)
        self.state, self.due = "resting", now + wait
        self._attempt += 1
        self._faults[fault] = self._faults.get(fault, 0) + 1
        return Order(fault=fault, alarm=fault if self._faults[fault] == 1 else None)
