"""Serves each centre's wait model: expected waits for live rows, and what became of those shown; it must not fit.

What was shown when a ticket entered is remembered until its call; then it is stored as an event, from which the fold
counts the promises made and kept.  What this process did not see is no promise: after a start none are pending.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from telemetry.core.calendar.windows import DAY, MINUTE, Window
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.protocol import events as ev
from telemetry.core.queueing.expected_wait import ServedModel, expected_waits, learn_from, promises_by_service
from telemetry.core.queueing.wait_model_file import HASH_DIGITS, InvalidModel, decode_model, model_hash
from telemetry.core.queueing.waiting_line import TicketKind
from telemetry.store import PROMISE_OUTBOX_ID, WAIT_MODELS_CHECKPOINT, Batch, ChangeRecord, StoredEvent, wait_model_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.fold.live_row_types import ExpectedWait
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.store import Store

_log = structlog.get_logger()
COMPUTED_FOR_MS = 10_000
"""An expected wait is computed again after this time, ms."""
SHOWN_FOR_MS = 5 * MINUTE
"""What was shown longer ago than this is no promise to a ticket that enters now, ms."""
LOOK_FOR_MODELS_MS = MINUTE
LEARN_FROM_MS = 3 * DAY
"""From so far back the recalibration is learned again after a start or a refit, ms."""
MAX_PENDING_MS = 4 * 60 * MINUTE
PROMISE_TYPES = frozenset({"queue.promise"})


@dataclass(frozen=True, slots=True)
class _Shown:
    """What was shown from `at` on, Unix ms, by service."""

    at: int
    waits: dict[str, ExpectedWait]


@dataclass(frozen=True, slots=True)
class _Pending:
    """What was shown to a ticket that entered at `entered`, Unix ms."""

    kind: TicketKind
    entered: int
    expected: ExpectedWait


@dataclass(slots=True)
class _CentreWaits:
    """One centre's present model, what was shown last, and the tickets whose wait has not ended."""

    model: ServedModel | None = None
    shown: _Shown = field(default_factory=lambda: _Shown(0, {}))
    before: _Shown = field(default_factory=lambda: _Shown(0, {}))
    seen_until: int = 0
    pending: dict[str, _Pending] = field(default_factory=dict)


class ExpectedWaits:
    """The expected waits of all centres; times are Unix ms."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._centres: dict[str, _CentreWaits] = {}
        self._models_at, self._looked_at = -1, 0
        self._outcomes: list[StoredEvent] = []

    def waits_of(
        self, centre: str, events: Sequence[SourcedEvent], services: Iterable[str], at: int
    ) -> dict[str, ExpectedWait]:
        """Return each service's expected wait at `at`; `events` are the centre's of the day, by t."""
        self._look_for_models(at)
        state = self._centres.get(centre)
        if state is None:
            state = self._centres[centre] = _CentreWaits(self._load_model(centre, at), seen_until=at)
        self._follow_tickets(centre, state, events, at)
        if not 0 <= at - state.shown.at < COMPUTED_FOR_MS:
            tickets = (s.event for s in events if not isinstance(s.event, ev.SERVER_EVENTS))
            state.before = state.shown
            state.shown = _Shown(at, expected_waits(tickets, services, at, state.model))
        return state.shown.waits

    def _look_for_models(self, at: int) -> None:
        """Forget the models when others were stored: each is read again when its centre's row is built."""
        if 0 <= at - self._looked_at < LOOK_FOR_MODELS_MS:
            return
        self._looked_at = at
        stored_at = self._store.checkpoint(WAIT_MODELS_CHECKPOINT)
        if stored_at != self._models_at:
            self._models_at = stored_at
            for centre, state in self._centres.items():
                state.model = self._load_model(centre, at)

    def _load_model(self, centre: str, at: int) -> ServedModel | None:
        body = self._store.document(wait_model_name(centre))
        if body is None:
            return None
        try:
            stored = decode_model(body)
        except InvalidModel as error:
            _log.warning("wait_model_unreadable", centre=centre, error=str(error), remedy="the next refit replaces it")
            return None
        recent = self._store.events(centre, Window(max(at - LEARN_FROM_MS, stored.fitted_at), at), PROMISE_TYPES)
        promises = [s.event for s in recent if isinstance(s.event, ev.WaitPromised) and s.event.method == stored.method]
        recalibrated = learn_from(((TicketKind(p.service), p) for p in promises), stored.recalibration())
        name = model_hash(body)[:HASH_DIGITS]
        return ServedModel(name, stored.method, stored.predictor(), recalibrated)

    def _follow_tickets(self, centre: str, state: _CentreWaits, events: Sequence[SourcedEvent], at: int) -> None:
        """Remember what tickets that entered were shown, and record what became of those that were called."""
        for s in events:
            event = s.event
            if isinstance(event, ev.TicketIssued) and state.seen_until <= event.t < at:
                shown = next((w for w in (state.shown, state.before) if w.at and w.at <= event.t), None)
                expected = promises_by_service(shown.waits, event.service) if shown else None
                if shown is not None and expected is not None and event.t - shown.at <= SHOWN_FOR_MS:
                    kind = TicketKind(event.service, event.priority)
                    state.pending[event.ticket] = _Pending(kind, event.t, expected)
            elif state.pending and isinstance(event, ev.TicketCalled) and event.ticket in state.pending:
                self._record(centre, state, state.pending.pop(event.ticket), event)
        state.seen_until = max(state.seen_until, at)
        for ticket in [t for t, p in state.pending.items() if p.entered < at - MAX_PENDING_MS]:
            del state.pending[ticket]

    def _record(self, centre: str, state: _CentreWaits, pending: _Pending, call: ev.TicketCalled) -> None:
        expected, wait_ms = pending.expected, call.t - pending.entered
        if wait_ms < 0 or expected.p50_ms is None or expected.p90_ms is None or expected.method is None:
            return
        key = f"{call.ticket} {pending.entered}".encode()
        promise = ev.WaitPromised(
            n=1 + int.from_bytes(hashlib.blake2b(key, digest_size=6).digest()), t=call.t, service=pending.kind.service,
            wait_ms=wait_ms, p50_ms=expected.p50_ms, p90_ms=expected.p90_ms, method=expected.method,
        )  # fmt: skip
        self._outcomes.append(StoredEvent(centre, centre, PROMISE_OUTBOX_ID, promise))
        if state.model is not None and wait_ms > 0 and expected.method == state.model.method:
            learned = learn_from([(pending.kind, promise)], state.model.recalibrated)
            state.model = replace(state.model, recalibrated=learned)

    def store_outcomes(self, at: int) -> list[ChangeRecord]:
        """Store what became of promises since the last call; returns the changes that were written with it."""
        if not self._outcomes:
            return []
        windows = dirty_hours((s.centre, s.event) for s in self._outcomes)
        changes = [ChangeRecord(*window, at * 1000) for window in windows]
        self._store.append(Batch(at * 1000, self._outcomes, changes))
        self._outcomes = []
        return changes
