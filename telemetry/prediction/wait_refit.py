"""Fits a centre's wait model again and decides whether it replaces the present one; it must not predict live.

The challenger is fitted on what is before the last day or days, and scored on these beside the champion, which has not
seen them either, and simple estimators.  It replaces the champion only when it wins; then it is fitted on everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from telemetry.core.calendar.windows import DAY, Window, day_window
from telemetry.core.inventory import local_date
from telemetry.core.protocol import events as ev
from telemetry.core.queueing.recalibration import RecalibratedWaits
from telemetry.core.queueing.scoring import ScoredWait, WaitScores, score_waits
from telemetry.core.queueing.wait_features import FEATURES
from telemetry.core.queueing.wait_model import WaitPredictor
from telemetry.core.queueing.wait_model_file import (
    MIN_MODEL_ROWS,
    BacktestReport,
    BacktestScore,
    WaitModelFile,
    kind_values,
    profile_file,
)
from telemetry.prediction.wait_backtest import WaitBacktest
from telemetry.prediction.wait_rows import PredictedRows, fit_nothing, predict_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.queueing.wait_model import FittedQuantiles
    from telemetry.core.queueing.wait_model_file import BacktestWinner
    from telemetry.prediction.wait_rows import FitQuantiles, WaitRow

MIN_SCORED = 60
"""A back-test with fewer tickets decides nothing."""
LEARNED: Final = "learned"
DRAIN: Final = "drain"
CHAMPION: Final = "champion"
_SIMPLE = {
    "head_of_line": FEATURES.index("head_of_line_s"),
    "last_to_enter_service": FEATURES.index("last_wait_s"),
    "moving_average": FEATURES.index("mean_of_20_waits_s"),
    "mean": FEATURES.index("typical_wait_s"),
}
"""The simple estimators that a row has."""


@dataclass(frozen=True, slots=True)
class RefitTask:
    """A centre to fit: its zone, the end of what is known (Unix ms), the present model, and the most rows to use."""

    centre: str
    zone: ZoneInfo
    now: int
    champion: WaitModelFile | None = None
    max_rows: int = 4_000


@dataclass(frozen=True, slots=True)
class _Contest:
    """What was scored after the cut: each candidate's predictions, and what the winner is fitted from."""

    learned: PredictedRows | None
    drained: PredictedRows
    champion: PredictedRows | None
    simple: dict[str, WaitScores]


@dataclass(frozen=True, slots=True)
class RefitResult:
    """The newest back-test, and the model that replaces the present one; None: that one stays."""

    report: BacktestReport
    model: WaitModelFile | None = None


def refit_waits(task: RefitTask, events: Iterable[ev.Event], fit: FitQuantiles) -> RefitResult | None:
    """Return what the back-test says and the model that won it; None when too little is known to test anything."""
    known = list(events)
    walked = WaitBacktest(
        task.zone, Window(task.now, task.now), fit_nothing, rows_from=_rows_from(known, task.max_rows)
    )
    walked.run(known)
    rows = tuple(walked.rows)
    cut = _cut(rows, task)
    if len(rows) < MIN_MODEL_ROWS or cut is None:
        return None
    contest = _hold_contest(rows, cut, task.champion, fit)
    winner = _choose(contest)
    report = BacktestReport(task.now, winner, _table(contest))
    won = {LEARNED: contest.learned, DRAIN: contest.drained}.get(winner)
    if won is None:
        return RefitResult(report)
    quantiles = fit(rows) if winner == LEARNED else None
    model = WaitModelFile(
        centre=task.centre, fitted_at=task.now, trained_from=min(row.entered for row in rows),
        trained_until=day_window(local_date(task.now, task.zone), task.zone).start, rows=len(rows),
        profile=profile_file(walked.walk.collector.profile()), backtest=report.scores,
    )  # fmt: skip
    return RefitResult(report, _with_numbers(model, quantiles, won.recalibrated))


def _with_numbers(
    model: WaitModelFile, quantiles: FittedQuantiles | None, recalibrated: RecalibratedWaits
) -> WaitModelFile:
    return msgspec.structs.replace(
        model,
        p50=quantiles.p50 if quantiles else None,
        p90=quantiles.p90 if quantiles else None,
        log_factor_p50=recalibrated.p50.log_factor,
        log_factor_p90=recalibrated.p90.log_factor,
        kind_log_factors=kind_values({kind: part.log_factor for kind, part in recalibrated.kinds.items()}),
    )


def _rows_from(events: Sequence[ev.Event], max_rows: int) -> int:
    """Return from when tickets are used, so that about the last `max_rows` queued and called ones are."""
    entered = sorted(e.entered for e in events if isinstance(e, ev.TicketCalled) and e.t > e.entered)
    return entered[-max_rows] if len(entered) > max_rows else 0


def _cut(rows: Sequence[WaitRow], task: RefitTask) -> int | None:
    """Return the last local midnight after which enough waits are known, not before the champion's training ended."""
    earliest = task.champion.trained_until if task.champion else 0
    cut = day_window(local_date(task.now, task.zone), task.zone).start
    while cut >= earliest and rows and cut > rows[0].entered:
        if sum(row.entered >= cut for row in rows) >= MIN_SCORED:
            return cut
        cut = day_window(local_date(cut - DAY // 2, task.zone), task.zone).start
    return None


def _hold_contest(rows: Sequence[WaitRow], cut: int, champion: WaitModelFile | None, fit: FitQuantiles) -> _Contest:
    before, after = [r for r in rows if r.known_at < cut], [r for r in rows if r.entered >= cut]
    fitted = fit(before)
    learned = None if fitted is None else predict_rows(after, fitted.predict, RecalibratedWaits())
    drained = predict_rows(after, WaitPredictor.predict_drained, RecalibratedWaits())
    present = None
    if champion is not None:
        present = predict_rows(after, champion.predictor().predict_row, champion.recalibration())
    return _Contest(learned, drained, present, _simple_scores(after))


def _simple_scores(rows: Sequence[WaitRow]) -> dict[str, WaitScores]:
    estimates = {
        name: [ScoredWait(max(row.features[i], 0.0), max(row.features[i], 0.0), row.wait_s) for row in rows]
        for name, i in _SIMPLE.items()
    }
    return {name: scores for name, waits in estimates.items() if (scores := score_waits(waits)) is not None}


def _loss(predicted: PredictedRows | None) -> float:
    """Return the sum of the pinball losses at 0.5 and 0.9, s."""
    scores = score_waits(predicted.scored) if predicted else None
    return float("inf") if scores is None else scores.mae_s / 2 + scores.pinball_s


def _choose(contest: _Contest) -> BacktestWinner:
    """Return which candidate is shipped; empty when a simple estimator has the smallest error."""
    candidates: dict[BacktestWinner, PredictedRows | None] = {
        CHAMPION: contest.champion,
        DRAIN: contest.drained,
        LEARNED: contest.learned,
    }
    best = min(candidates, key=lambda name: _loss(candidates[name]))
    scores = score_waits(candidates[best].scored) if candidates[best] else None  # type: ignore[union-attr]
    simple = min((s.mae_s for s in contest.simple.values()), default=float("inf"))
    return best if scores is not None and scores.mae_s <= simple else ""


def _table(contest: _Contest) -> tuple[BacktestScore, ...]:
    table: list[BacktestScore] = []
    for name, predicted in ((LEARNED, contest.learned), (DRAIN, contest.drained), (CHAMPION, contest.champion)):
        scores = score_waits(predicted.scored) if predicted else None
        if scores is not None:
            figures = (scores.count, scores.mae_s, scores.bias_s, scores.pinball_s, scores.share_within)
            table.append(BacktestScore(name, *figures))
    table += [BacktestScore(name, s.count, s.mae_s, s.bias_s) for name, s in contest.simple.items()]
    return tuple(table)
