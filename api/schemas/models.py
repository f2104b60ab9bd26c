"""Cards of the models that predict waits; their figures come from the model's file and from daily totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel
from api.schemas.queues import PromiseFigures
from api.times import rfc3339, rfc3339_or_none

if TYPE_CHECKING:
    from typing import Self

    from telemetry.core.queueing.wait_model_file import BacktestScore
    from telemetry.queries.wait_models import PromiseDay, WaitModelCard


class BacktestFigures(ApiModel):
    """One method's scores on tickets that none of the methods had seen."""

    method: str = Field(description="`learned`, `drain`, `champion` (the model in use), or a simple estimator")
    count: int = Field(description="called tickets that queued", ge=0)
    mae_s: float = Field(description="mean absolute error of the median, seconds", ge=0)
    bias_s: float = Field(description="mean of predicted − actual, seconds", ge=-1e9, le=1e9)
    pinball_s: float | None = Field(description="pinball loss at 0.9, seconds; null for a method of one figure", ge=0)
    share_within: float | None = Field(description="waits within the 90 % bound ÷ count; null as above", ge=0, le=1)

    @classmethod
    def from_score(cls, score: BacktestScore) -> Self:
        """Return one line of a back-test."""
        return cls.build(score)


class DayPromise(ApiModel):
    """The promise of one local day."""

    day: str = Field(description="local date")
    promise: PromiseFigures = Field(description="the promises to tickets called that day")

    @classmethod
    def from_day(cls, day: PromiseDay, card: WaitModelCard) -> Self:
        """Return one day."""
        return cls(day=rfc3339(day.start, card.centre.zone)[:10], promise=PromiseFigures.build(day.promise))


class WaitModelResponse(ApiModel):
    """The wait model of one centre."""

    centre: str
    model: str | None = Field(description="first 12 digits of the SHA-256; null: none, the head of the line stands in")
    sha256: str | None = Field(description="SHA-256 of the model's file")
    size_bytes: int = Field(description="size of the model's file", ge=0)
    method: Literal["learned", "drain", "head_of_line"] = Field(description="how waits are predicted now")
    fitted_at: str | None = Field(description="when it was fitted")
    trained_from: str | None = Field(description="entry of the first ticket it was fitted on")
    trained_until: str | None = Field(description="end of the days that it has seen")
    rows: int = Field(description="called tickets that queued, which it was fitted on", ge=0)
    backtest: list[BacktestFigures] = Field(description="the back-test that chose it")
    newest_backtest_at: str | None = Field(description="when a challenger was last tested against it")
    newest_backtest_winner: str | None = Field(description="`champion`: the model in use stayed; empty: none won")
    newest_backtest: list[BacktestFigures] = Field(description="the newest back-test")
    days: list[DayPromise] = Field(description="the promise kept by day, of the last 14 days with promises")

    @classmethod
    def from_card(cls, card: WaitModelCard) -> Self:
        """Return a card."""
        model, report, zone = card.model, card.newest_backtest, card.centre.zone
        return cls(
            centre=card.centre.id,
            model=card.name or None,
            sha256=card.sha256 or None,
            size_bytes=card.size,
            method="head_of_line" if model is None else model.method,
            fitted_at=rfc3339_or_none(model.fitted_at if model else None, zone),
            trained_from=rfc3339_or_none(model.trained_from if model else None, zone),
            trained_until=rfc3339_or_none(model.trained_until if model else None, zone),
            rows=model.rows if model else 0,
            backtest=[BacktestFigures.from_score(score) for score in (model.backtest if model else ())],
            newest_backtest_at=rfc3339_or_none(report.at if report else None, zone),
            newest_backtest_winner=report.winner if report else None,
            newest_backtest=[BacktestFigures.from_score(score) for score in (report.scores if report else ())],
            days=[DayPromise.from_day(day, card) for day in card.days],
        )
