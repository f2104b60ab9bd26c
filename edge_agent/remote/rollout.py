"""Decides what becomes of a remote configuration: offered, on trial, committed or rolled back. Pure.

A change is kept on disk before it takes effect; a process that ends during a trial therefore rolls back at its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import msgspec
from msgspec import Struct

from edge_agent.remote.settings import Document, Refused, Settings, document_of
from telemetry.core.protocol.agent_events import ConfigOutcome

GATE_MS = 60_000
SOAK_MS = 10_000
"""A trial lasts at least so long: a source that cannot live with its settings fails soon, but not at once."""


class Answer(Struct, frozen=True):
    """What ops are told of a version."""

    version: int
    outcome: ConfigOutcome
    reason: str | None = None


class Standing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What survives a restart.

    `seen`: the highest version that was committed or rolled back; `refused`: digest of the last document refused, so
    that a retained one is answered once; `answer` is the answer number `answers`.
    """

    v: Literal[1] = 1
    committed: Document | None = None
    trial: Document | None = None
    seen: int = 0
    refused: str = ""
    answers: int = 0
    answer: Answer | None = None

    @property
    def settings(self) -> Settings:
        """Return the settings to fall back to."""
        return self.committed.settings if self.committed else Settings()

    def answered(self, answer: Answer, **changes: object) -> Standing:
        """Return this with changes and an answer that is owed."""
        return msgspec.structs.replace(self, answer=answer, answers=self.answers + 1, **changes)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a document is checked against: Unix ms, the sources' names, the outbox's size in MB."""

    wall: int
    sources: frozenset[str]
    used_mb: int


@dataclass(frozen=True, slots=True)
class Health:
    """What is seen during a trial; `receipted`: an event written after applying was stored and answered."""

    linked: bool
    receipted: bool
    failing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """What to keep first, and then which settings to put in force, if any."""

    standing: Standing
    apply: Settings | None = None


@dataclass(slots=True)
class Rollout:
    """One agent's configuration. Every `Change` returned takes effect here through `take`, once it is kept."""

    standing: Standing
    gate_ms: int = GATE_MS
    soak_ms: int = SOAK_MS
    _began: int = 0
    _failing: frozenset[str] = frozenset()

    def take(self, change: Change) -> None:
        """Note that the change is on disk."""
        self.standing = change.standing

    def on_trial(self) -> bool:
        """Tell whether a configuration waits for the gate's verdict."""
        return self.standing.trial is not None

    def begin(self) -> Change | None:
        """At the process's start: return the way back from a trial that it did not survive."""
        return self.back("restarted") if self.standing.trial else None

    def offered(self, payload: bytes, facts: Facts) -> Change | None:
        """Return what to do with a document, None for an old or empty one; not while one is on trial."""
        if not payload or self.on_trial():
            return None
        try:
            document = document_of(payload)
            if document.version <= self.standing.seen:
                return None
            _check(document, facts)
        except Refused as error:
            return self._refused(payload, error)
        return Change(msgspec.structs.replace(self.standing, trial=document), document.settings)

    def applied(self, now: int, failing: frozenset[str]) -> None:
        """Start the gate's clock; `failing` are the sources that failed already before. `now` is monotonic ms."""
        self._began, self._failing = now, failing

    def judge(self, health: Health, now: int) -> Change | None:
        """Return commit or roll back, None while the verdict is open."""
        trial = self.standing.trial
        if trial is None or now - self._began < self.soak_ms:
            return None
        reason = self._unhealthy(health)
        if reason is None:
            answer = Answer(trial.version, "applied")
            return Change(self.standing.answered(answer, committed=trial, trial=None, seen=trial.version))
        return self.back(reason) if now - self._began >= self.gate_ms else None

    def back(self, reason: str) -> Change | None:
        """Return the way back from the trial."""
        trial = self.standing.trial
        if trial is None:
            return None
        answer = Answer(trial.version, "rolled_back", reason)
        standing = self.standing.answered(answer, trial=None, seen=trial.version)
        return Change(standing, standing.settings)

    def lapsed(self, wall: int) -> Change | None:
        """Return the way back to `agent.toml` when the committed configuration's time is over."""
        old = self.standing.committed
        if old is None or old.valid_until is None or wall < old.valid_until or self.on_trial():
            return None
        standing = self.standing.answered(Answer(old.version, "rolled_back", "lapsed"), committed=None)
        return Change(standing, Settings())

    def _unhealthy(self, health: Health) -> str | None:
        if not health.linked:
            return "no-link"
        if health.failing - self._failing:
            return "source-failing"
        return None if health.receipted else "no-receipt"

    def _refused(self, payload: bytes, error: Refused) -> Change | None:
        digest = blake2b(payload, digest_size=8).hexdigest()
        if digest == self.standing.refused:
            return None
        return Change(self.standing.answered(Answer(error.version, "rejected", error.reason), refused=digest))


def _check(document: Document, facts: Facts) -> None:
    """Refuse what is well-formed but cannot be. Raises Refused."""
    version, settings = document.version, document.settings
    if document.valid_until is not None and document.valid_until <= facts.wall:
        raise Refused(version, "expired", "valid_until is over")
    unknown = sorted(settings.sources.keys() - facts.sources)
    if unknown:
        raise Refused(version, "no-such-source", f"no source named {', '.join(unknown)}")
    if settings.cap_mb is not None and settings.cap_mb < facts.used_mb:
        raise Refused(version, "cap-below-outbox", f"the outbox holds {facts.used_mb} MB: events would be given up")
