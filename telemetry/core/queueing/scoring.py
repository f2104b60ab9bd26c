"""Scores of predicted waits against actual ones: error, bias, pinball loss, promises kept; it must not predict.

All values are seconds; a score is None without a prediction to score.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

P50, P90 = 0.5, 0.9


@dataclass(frozen=True, slots=True)
class ScoredWait:
    """An actual wait and the median and 90 % bound that were predicted for it, s."""

    p50_s: float
    p90_s: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class WaitScores:
    """Scores of a set of predictions: mean absolute error, bias, pinball loss at 0.9, share of waits ≤ p90."""

    count: int
    mae_s: float
    bias_s: float
    pinball_s: float
    share_within: float


def score_waits(predictions: Sequence[ScoredWait]) -> WaitScores | None:
    """Return the scores; `share_within` is the promise kept, the share of waits within the shown 90 % bound."""
    count = len(predictions)
    if not count:
        return None
    return WaitScores(
        count=count,
        mae_s=sum(abs(p.wait_s - p.p50_s) for p in predictions) / count,
        bias_s=sum(p.p50_s - p.wait_s for p in predictions) / count,
        pinball_s=sum(pinball_loss(p.wait_s, p.p90_s, P90) for p in predictions) / count,
        share_within=sum(p.wait_s <= p.p90_s for p in predictions) / count,
    )


def pinball_loss(actual: float, predicted: float, share: float) -> float:
    """Return the quantile loss (Koenker and Bassett 1978): `share` × error below, (1 − share) × error above."""
    error = actual - predicted
    return share * error if error >= 0 else (share - 1) * error


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank quantile of ordered values; None without any."""
    return ordered[max(ceil(share * len(ordered)) - 1, 0)] if ordered else None
