"""Tests wait predictions on past days as they would have been made then, refitted nightly; it must not look ahead."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, day_window
from telemetry.core.inventory import local_date
from telemetry.core.queueing.estimators import SIMPLE_ESTIMATORS
from telemetry.core.queueing.recalibration import RecalibratedWaits
from telemetry.core.queueing.wait_model import WaitPredictor
from telemetry.prediction.wait_rows import WaitRow, settle_recalibration
from telemetry.prediction.wait_walk import Entries, WaitWalk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window
    from telemetry.core.protocol.events import Event
    from telemetry.core.queueing.predicted_wait import PredictedWait
    from telemetry.core.queueing.waiting_line import TicketKind
    from telemetry.prediction.wait_rows import FitQuantiles
    from telemetry.prediction.wait_walk import EndedTicket, QueuedTicket

MAX_ROWS = 8_000
"""A model is fitted on so many of the last waits."""
MIN_PROFILE_WAITS = 50
"""No prediction is made before so many queued waits were seen."""


@dataclass(frozen=True, slots=True)
class TestedTicket:
    """A queued ticket of the tested time and what was predicted when it entered; no `wait_s`: it was never called."""

    ticket: str
    kind: TicketKind
    entered: int
    predicted: PredictedWait
    estimates: Mapping[str, float | None]
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class _OpenRow:
    """What is remembered of a queued ticket until its wait ends; `index` is its place among the tested tickets."""

    features: tuple[float, ...]
    entered: int
    predicted: PredictedWait
    index: int | None = None


@dataclass(slots=True)
class WaitBacktest:
    """One test: fitted on what is before `tested`, then predicting and refitting at each local midnight within it."""

    zone: ZoneInfo
    tested: Window
    fit: FitQuantiles
    rows_from: int = 0
    """Tickets that entered before this are not predicted nor fitted on, Unix ms."""
    walk: WaitWalk = field(default_factory=WaitWalk)
    tickets: list[TestedTicket] = field(default_factory=list)
    trained_waits: list[float] = field(default_factory=list)
    """The waits that were known before the tested time, s."""
    _predictor: WaitPredictor | None = None
    _recalibrated: RecalibratedWaits = field(default_factory=RecalibratedWaits)
    rows: deque[WaitRow] = field(default_factory=lambda: deque(maxlen=MAX_ROWS))
    """The last tickets with a known wait, in order of its end."""
    _open: dict[str, _OpenRow] = field(default_factory=dict)
    _refresh_at: int = 0
    _is_settled: bool = False

    def run(self, events: Iterable[Event]) -> list[TestedTicket]:
        """Return the tested tickets in order of entry; `events` are all of the centre's up to the end of the test."""
        for step in self.walk.steps(events):
            if not isinstance(step, Entries):
                self._end(step)
                continue
            if step.line.at >= self.tested.end:
                break
            if step.line.at >= self._refresh_at:
                self._refresh(step.line.at)
            for queued in step.tickets:
                self._enter(step, queued)
        return self.tickets

    def _refresh(self, at: int) -> None:
        """Take what was seen before `at`: the profile on every local day, the fit within the tested time."""
        midnight = day_window(local_date(at, self.zone), self.zone).end
        self._refresh_at = self.tested.start if at < self.tested.start < midnight else midnight
        if self.walk.collector.count_waits() < MIN_PROFILE_WAITS:
            self._refresh_at = at + HOUR
            return
        quantiles = None
        if at >= self.tested.start:
            if not self._is_settled:
                self._is_settled = True
                self._recalibrated = settle_recalibration(tuple(self.rows), self.fit)
            quantiles = self.fit(tuple(self.rows))
        self._predictor = WaitPredictor(self.walk.collector.profile(), quantiles)

    def _enter(self, step: Entries, queued: QueuedTicket) -> None:
        predictor, newcomer = self._predictor, queued.newcomer
        if predictor is None or newcomer.at < self.rows_from:
            return
        features = predictor.features_of(step.line, newcomer)
        predicted = predictor.predict_row(features)
        index = None
        if newcomer.at >= self.tested.start:
            predicted, index = self._recalibrated.apply(newcomer.kind, predicted), len(self.tickets)
            estimates = {
                name: estimate(step.line, newcomer, predictor.profile) for name, estimate in SIMPLE_ESTIMATORS.items()
            }
            estimates["drain"] = predictor.predict_drained(features).p50_s
            self.tickets.append(TestedTicket(queued.ticket, newcomer.kind, newcomer.at, predicted, estimates))
        self._open[queued.ticket] = _OpenRow(features, newcomer.at, predicted, index)

    def _end(self, end: EndedTicket) -> None:
        row, wait = self._open.pop(end.queued.ticket, None), end.wait
        if not wait.is_served or not wait.is_queued:
            return
        if wait.ended < self.tested.start:
            self.trained_waits.append(wait.wait_s)
        if row is None:
            return
        self.rows.append(WaitRow(row.features, wait.wait_s, wait.kind, row.entered, wait.ended))
        if row.index is not None:
            self._recalibrated = self._recalibrated.learn(wait.kind, row.predicted, wait.wait_s)
            self.tickets[row.index] = replace(self.tickets[row.index], wait_s=wait.wait_s)
