"""Decides when a source is started, restarted or abandoned as hung. Pure: observation and time are arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from telemetry.core.backoff import STABLE_CONNECTION_MS, full_jitter_ms

SourceFault = Literal["source_hung", "source_failed"]
RunState = Literal["resting", "running", "ending", "done"]
FIRST_WAIT_MS = 200


@dataclass(frozen=True, slots=True)
class RestartLimits:
    """Limits of supervision, ms; `max_stuck_threads`: how many abandoned threads one source may have."""

    hang_timeout_ms: int = 90_000
    stop_timeout_ms: int = 5_000
    max_wait_ms: int = 60_000
    max_stuck_threads: int = 3


@dataclass(frozen=True, slots=True)
class SourceObservation:
    """The state of a source's latest run.

    `idle`: it waits for its next poll, or for the outbox; `fault`: why it ended, None when it returned normally;
    `stuck_threads`: abandoned threads that have not ended yet.
    """

    alive: bool
    idle: bool
    last_beat_at: int
    fault: SourceFault | None = None
    stuck_threads: int = 0


@dataclass(frozen=True, slots=True)
class SourceAction:
    """What to do now: abandon the current run, start a new one; `fault` is new, `alarm` is to be reported."""

    give_up: bool = False
    start: bool = False
    fault: SourceFault | None = None
    alarm: SourceFault | None = None


NO_ACTION = SourceAction()


@dataclass(slots=True)
class RestartPolicy:
    """The state of one source's supervision; times are ms of a monotonic clock."""

    limits: RestartLimits = field(default_factory=RestartLimits)
    state: RunState = "resting"
    start_due_at: int = 0
    started_at: int = 0
    _stop_requested_at: int = 0
    _attempt: int = 0
    _faults: dict[SourceFault, int] = field(default_factory=dict)

    def request_restart(self, now: int) -> None:
        """Restart the source; the caller requests its run to stop."""
        if self.state == "running":
            self.state, self._stop_requested_at = "ending", now
        elif self.state in {"resting", "done"}:
            self.state, self.start_due_at = "resting", now

    def decide(self, observation: SourceObservation, now: int, chance: float) -> SourceAction:
        """Return what to do; call it about once a second. `chance` in [0, 1) is jitter."""
        if self.state == "running":
            return self._decide_running(observation, now, chance)
        if self.state == "ending":
            return self._decide_ending(observation, now)
        if (
            self.state == "resting"
            and now >= self.start_due_at
            and observation.stuck_threads < self.limits.max_stuck_threads
        ):
            return self._start(now)
        return NO_ACTION

    def is_healthy(self) -> bool:
        """Return whether the source runs without a recent failure, or has ended normally."""
        return self.state in {"running", "done"} and not self._faults

    def _start(self, now: int, *, give_up: bool = False) -> SourceAction:
        self.state, self.started_at = "running", now
        return SourceAction(start=True, give_up=give_up)

    def _decide_running(self, observation: SourceObservation, now: int, chance: float) -> SourceAction:
        if not observation.alive:
            if observation.fault is None:
                self.state = "done"
                return NO_ACTION
            return self._schedule_restart(observation.fault, now, chance)
        if not observation.idle and now - observation.last_beat_at > self.limits.hang_timeout_ms:
            action = self._schedule_restart("source_hung", now, chance)
            return SourceAction(give_up=True, fault=action.fault, alarm=action.alarm)
        if now - self.started_at > STABLE_CONNECTION_MS + self.limits.hang_timeout_ms:
            self._attempt = 0
            self._faults.clear()
        return NO_ACTION

    def _decide_ending(self, observation: SourceObservation, now: int) -> SourceAction:
        if not observation.alive:
            return self._start(now)
        if (
            now - self._stop_requested_at > self.limits.stop_timeout_ms
            and observation.stuck_threads < self.limits.max_stuck_threads
        ):
            return self._start(now, give_up=True)
        return NO_ACTION

    def _schedule_restart(self, fault: SourceFault, now: int, chance: float) -> SourceAction:
        """Wait before the next start, longer each time; the first fault of its kind in a row raises an alarm."""
        if now - self.started_at > STABLE_CONNECTION_MS + self.limits.hang_timeout_ms:
            self._attempt = 0
        wait = FIRST_WAIT_MS + full_jitter_ms(self._attempt, chance, cap_ms=self.limits.max_wait_ms)
        self.state, self.start_due_at = "resting", now + wait
        self._attempt += 1
        self._faults[fault] = self._faults.get(fault, 0) + 1
        return SourceAction(fault=fault, alarm=fault if self._faults[fault] == 1 else None)
