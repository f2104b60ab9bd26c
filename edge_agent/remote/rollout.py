"""Decides whether a remote configuration is rejected, tried, committed or rolled back. Pure.

A change is saved before it takes effect; a process that ends during a trial therefore rolls back at its next start.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import msgspec
from msgspec import Struct

from edge_agent.remote.settings import ConfigDocument, ConfigRejected, RemoteSettings, parse_document
from telemetry.core.protocol.events import ConfigOutcome

MAX_VERSION_LEAP = 1_000_000
"""How far a version may be ahead of the last; one near the highest number would leave none for later."""
GATE_MS = 60_000
SOAK_MS = 10_000
"""A trial lasts at least this long: a source that fails with the settings does so soon, but not at once."""


class ConfigAnswer(Struct, frozen=True):
    """The answer about a version, sent to operators."""

    version: int
    outcome: ConfigOutcome
    reason: str | None = None


class RolloutState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state that survives a restart.

    `seen`: the highest version that was committed or rolled back; `refused`: digest of the last rejected document, so
    that a retained one is answered once; `answer` is the answer number `answers`.
    """

    v: Literal[1] = 1
    committed: ConfigDocument | None = None
    trial: ConfigDocument | None = None
    seen: int = 0
    refused: str = ""
    answers: int = 0
    answer: ConfigAnswer | None = None

    @property
    def committed_settings(self) -> RemoteSettings:
        """Return the settings that a roll-back restores."""
        return self.committed.settings if self.committed else RemoteSettings()

    def with_answer(self, answer: ConfigAnswer, **changes: object) -> RolloutState:
        """Return this state with changes and a new answer to be sent."""
        return msgspec.structs.replace(self, answer=answer, answers=self.answers + 1, **changes)


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What a document is checked against: Unix ms, the sources' names, the outbox's size in MB."""

    wall: int
    sources: frozenset[str]
    outbox_size_mb: int
    signature_refusal: str = ""
    """Why the document's signature is refused, as a slug; empty when it is not."""


@dataclass(frozen=True, slots=True)
class TrialHealth:
    """Observations of a trial; `receipted`: an event appended after applying was stored and has its receipt."""

    connected: bool
    receipted: bool
    failing_sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Transition:
    """The state to save first, and then the settings to apply, if any."""

    state: RolloutState
    new_settings: RemoteSettings | None = None


@dataclass(slots=True)
class Rollout:
    """One agent's configuration. A returned `Transition` takes effect here by `commit`, once it is saved."""

    state: RolloutState
    gate_ms: int = GATE_MS
    soak_ms: int = SOAK_MS
    _trial_started_at: int = 0
    _failing_before_trial: frozenset[str] = frozenset()

    def commit(self, transition: Transition) -> None:
        """Adopt a transition that is on disk."""
        self.state = transition.state

    def is_on_trial(self) -> bool:
        """Return whether a configuration is on trial."""
        return self.state.trial is not None

    def recover(self) -> Transition | None:
        """At the process's start: return the roll-back of a trial that the last process did not finish."""
        return self.roll_back("restarted") if self.state.trial else None

    def on_offer(self, payload: bytes, facts: DeviceFacts) -> Transition | None:
        """Return what to do with a document; None for an old or empty one, or during a trial."""
        if not payload or self.is_on_trial():
            return None
        try:
            document = parse_document(payload)
            if document.version <= self.state.seen:
                return None
            _check_applicable(document, facts, self.state.seen)
        except ConfigRejected as error:
            return self._reject(payload, error)
        return Transition(msgspec.structs.replace(self.state, trial=document), document.settings)

    def start_trial(self, now: int, failing_sources: frozenset[str]) -> None:
        """Start the trial's time; `failing_sources` failed already before. `now` is monotonic ms."""
        self._trial_started_at, self._failing_before_trial = now, failing_sources

    def evaluate_trial(self, health: TrialHealth, now: int) -> Transition | None:
        """Return the commit or roll-back, None while the trial is undecided."""
        trial = self.state.trial
        if trial is None or now - self._trial_started_at < self.soak_ms:
            return None
        reason = self._trial_failure(health)
        if reason is None:
            answer = ConfigAnswer(trial.version, "applied")
            return Transition(self.state.with_answer(answer, committed=trial, trial=None, seen=trial.version))
        return self.roll_back(reason) if now - self._trial_started_at >= self.gate_ms else None

    def roll_back(self, reason: str) -> Transition | None:
        """Return the roll-back of the trial, None without one."""
        trial = self.state.trial
        if trial is None:
            return None
        answer = ConfigAnswer(trial.version, "rolled_back", reason)
        state = self.state.with_answer(answer, trial=None, seen=trial.version)
        return Transition(state, state.committed_settings)

    def check_expiry(self, wall: int) -> Transition | None:
        """Return the change back to `agent.toml` when the committed configuration has expired."""
        committed = self.state.committed
        if committed is None or committed.valid_until is None or wall < committed.valid_until or self.is_on_trial():
            return None
        state = self.state.with_answer(ConfigAnswer(committed.version, "rolled_back", "lapsed"), committed=None)
        return Transition(state, RemoteSettings())

    def _trial_failure(self, health: TrialHealth) -> str | None:
        if not health.connected:
            return "no-link"
        if health.failing_sources - self._failing_before_trial:
            return "source-failing"
        return None if health.receipted else "no-receipt"

    def _reject(self, payload: bytes, error: ConfigRejected) -> Transition | None:
        digest = blake2b(payload, digest_size=8).hexdigest()
        if digest == self.state.refused:
            return None
        return Transition(self.state.with_answer(ConfigAnswer(error.version, "rejected", error.reason), refused=digest))


def _check_applicable(document: ConfigDocument, facts: DeviceFacts, last_version: int) -> None:
    """Reject a valid document that cannot apply to this device. Raises ConfigRejected."""
    version, settings = document.version, document.settings
    if facts.signature_refusal:
        raise ConfigRejected(version, facts.signature_refusal, "the signature is refused")
    if version > last_version + MAX_VERSION_LEAP:
        detail = f"more than {MAX_VERSION_LEAP} ahead of {last_version}: it would use up the later ones"
        raise ConfigRejected(version, "version-too-far-ahead", detail)
    if document.valid_until is not None and document.valid_until <= facts.wall:
        raise ConfigRejected(version, "expired", "valid_until has passed")
    unknown = sorted(settings.sources.keys() - facts.sources)
    if unknown:
        raise ConfigRejected(version, "no-such-source", f"no source named {', '.join(unknown)}")
    if settings.cap_mb is not None and settings.cap_mb < facts.outbox_size_mb:
        detail = f"the outbox holds {facts.outbox_size_mb} MB: events would be dropped"
        raise ConfigRejected(version, "cap-below-outbox", detail)
