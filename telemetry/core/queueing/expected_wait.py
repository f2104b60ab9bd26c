"""The wait that a newcomer may expect in each queue of a centre now, or why none is given; it must not read stores.

Sources, in this order: the centre's fitted model; else the head of the line, scaled as it would have had to be for the
last hour's calls (Ibrahim and Whitt 2009 for the estimator, its refinement by the last hour after their 2011 paper).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR
from telemetry.core.fold.live_row_types import ExpectedWait, WaitMethod
from telemetry.core.protocol import events as ev
from telemetry.core.queueing.drain import Newcomer
from telemetry.core.queueing.estimators import estimate_head_of_line
from telemetry.core.queueing.line_tracker import LineTracker, order_of
from telemetry.core.queueing.predicted_wait import PredictedWait
from telemetry.core.queueing.queue_profile import QueueProfile
from telemetry.core.queueing.scoring import P50, P90, quantile
from telemetry.core.queueing.waiting_line import LineState, TicketKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.queueing.recalibration import RecalibratedWaits
    from telemetry.core.queueing.wait_model import WaitPredictor

MIN_RECENT_CALLS = 5
"""Nothing is published with fewer calls in the last hour (Webex's guard, domain.md 4.2)."""
MAX_SHOWN_S = 86_400.0
"""No expected wait is longer than a day, s."""
RATIO_OFFSET_S = 30.0
"""Added to a wait and to the head of the line before they are compared: short ones say little."""
_NO_PROFILE = QueueProfile()


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A centre's model in use: its name (the first digits of its hash), how it predicts, its present recalibration."""

    name: str
    method: WaitMethod
    predictor: WaitPredictor
    recalibrated: RecalibratedWaits


def expected_waits(
    events: Iterable[ev.Event], services: Iterable[str], now: int, model: ServedModel | None
) -> dict[str, ExpectedWait]:
    """Return the expected wait of a newcomer without priority in each service; `events` are the day's, before `now`."""
    tracker, ratios, calls = LineTracker(), defaultdict[str, list[float]](list), Counter[str]()
    heads: dict[str, float] = {}
    for event in sorted((event for event in events if event.t < now), key=order_of):
        if isinstance(event, ev.TicketIssued):
            heads[event.ticket] = _head_of_line_s(tracker, event.service, event.t)
        wait = tracker.apply(event).wait
        if wait is not None and wait.is_served and wait.ended > now - HOUR:
            calls[wait.kind.service] += 1
            head = heads.pop(getattr(event, "ticket", ""), None)
            if head is not None:
                ratios[wait.kind.service].append((wait.wait_s + RATIO_OFFSET_S) / (head + RATIO_OFFSET_S))
    line = tracker.state(now)
    return {name: _expected_wait(line, name, calls[name], ratios[name], model) for name in sorted(set(services))}


def _head_of_line_s(tracker: LineTracker, service: str, at: int) -> float:
    entered = (ticket.entered for ticket in tracker.waiting if ticket.kind.service == service)
    return max(at - min(entered, default=at), 0) / 1000


def _expected_wait(
    line: LineState, service: str, calls: int, ratios: Sequence[float], model: ServedModel | None
) -> ExpectedWait:
    if calls < MIN_RECENT_CALLS:
        return ExpectedWait(reason="too_few_calls")
    newcomer = Newcomer(TicketKind(service), line.at)
    if model is not None:
        if not line.busy and not line.idle:
            return ExpectedWait(reason="no_counter")
        predicted = model.predictor.predict_row(model.predictor.features_of(line, newcomer))
        return _to_expected(model.recalibrated.apply(newcomer.kind, predicted), model.method, model.name)
    head = (estimate_head_of_line(line, newcomer, _NO_PROFILE) or 0.0) + RATIO_OFFSET_S
    ordered = sorted(ratios)
    low, high = quantile(ordered, P50), quantile(ordered, P90)
    if low is None or high is None:
        return ExpectedWait(reason="too_few_calls")
    scaled = PredictedWait(max(head * low - RATIO_OFFSET_S, 0.0), max(head * high - RATIO_OFFSET_S, 0.0))
    return _to_expected(scaled, "head_of_line", "")


def _to_expected(predicted: PredictedWait, method: WaitMethod, model: str) -> ExpectedWait:
    p50_ms, p90_ms = (round(min(s, MAX_SHOWN_S) * 1000) for s in (predicted.p50_s, predicted.p90_s))
    return ExpectedWait(p50_ms=p50_ms, p90_ms=p90_ms, method=method, model=model)


def learn_from(promises: Iterable[tuple[TicketKind, ev.WaitPromised]], start: RecalibratedWaits) -> RecalibratedWaits:
    """Return the recalibration after waits that ended, each beside what had been shown for it."""
    for kind, promise in promises:
        shown = PredictedWait(promise.p50_ms / 1000, promise.p90_ms / 1000)
        start = start.learn(kind, shown, promise.wait_ms / 1000)
    return start


def promises_by_service(shown: Mapping[str, ExpectedWait], service: str) -> ExpectedWait | None:
    """Return what was shown for a service; None when nothing was."""
    expected = shown.get(service)
    return None if expected is None or expected.p90_ms is None else expected
