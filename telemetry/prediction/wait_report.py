"""Compares tested wait predictions with simple estimators; it must not predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.queueing.scoring import P50, P90, ScoredWait, quantile, score_waits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.queueing.scoring import WaitScores
    from telemetry.prediction.wait_backtest import TestedTicket

PREDICTION, CONSTANT = "prediction", "constant"


@dataclass(frozen=True, slots=True)
class MethodScore:
    """The scores of one method over the called tickets that queued; `has_p90` tells whether it gives a 90 % bound."""

    method: str
    scores: WaitScores
    has_p90: bool


def compare_methods(tickets: Sequence[TestedTicket], trained_waits: Sequence[float]) -> list[MethodScore]:
    """Return the scores of the prediction, of the training waits' median and p90, and of each simple estimator.

    An estimator without a figure for a ticket is given the training median.
    """
    served = [(ticket, ticket.wait_s) for ticket in tickets if ticket.wait_s is not None]
    ordered = sorted(trained_waits)
    median, high = quantile(ordered, P50), quantile(ordered, P90)
    if not served or median is None or high is None:
        return []
    predicted = [ScoredWait(t.predicted.p50_s, t.predicted.p90_s, wait) for t, wait in served]
    compared = [(PREDICTION, predicted, True), (CONSTANT, [ScoredWait(median, high, wait) for _, wait in served], True)]
    for name in served[0][0].estimates:
        estimates = [(median if (s := t.estimates[name]) is None else s, wait) for t, wait in served]
        compared.append((name, [ScoredWait(s, s, wait) for s, wait in estimates], False))
    return [
        MethodScore(name, scores, has_p90)
        for name, waits, has_p90 in compared
        if (scores := score_waits(waits)) is not None
    ]
