"""A scope's time over one bucket, with its published figures: whole seconds, ratios from 0 to 1 or null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel, window_fields
from telemetry.core.figures.accounting import TimeByState

if TYPE_CHECKING:
    from typing import Self

    from telemetry.core.figures.accounting import CoveredRatio
    from telemetry.core.inventory import PublishedFigures
    from telemetry.queries.availability import AvailabilityResult


class SecondsByState(ApiModel):
    """open = up + down + unknown; `open` is the time in scope on the requested clock."""

    open: int
    up: int
    down: int
    unknown: int
    excluded: int
    not_in_service: int = Field(default=0, description="part of excluded: before it was in service, or after; seconds")

    @classmethod
    def from_account(cls, account: TimeByState) -> Self:
        """Return an account's seconds."""
        return cls.build(account)


class SecondsDifference(SecondsByState):
    """What late data changed of the seconds by state; each may be negative."""


def account_fields(account: TimeByState, ratio: CoveredRatio) -> dict[str, object]:
    """Return an account's seconds, its availability and what judges it, by field."""
    return {
        "seconds": SecondsByState.from_account(account),
        "availability": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "coverage": ratio.coverage,
        "coverage_sufficient": ratio.coverage_sufficient,
    }


class WindowCapacity(ApiModel):
    """The share of its counters that a centre had: unknown ones down, and up."""

    low: float
    high: float


class PublishedAvailability(ApiModel):
    """A month as it was published; late data never change it."""

    month: str
    seconds: SecondsByState
    availability: float | None
    low: float | None
    high: float | None
    coverage: float | None
    coverage_sufficient: bool | None

    @classmethod
    def from_figures(cls, published: PublishedFigures, result: AvailabilityResult) -> Self:
        """Return a published month with its ratios."""
        account = TimeByState(published.up, published.down, published.unknown, published.excluded)
        return cls.build(month=published.month, **account_fields(account, result.ratio_of(account)))


class AvailabilityRow(ApiModel):
    """A scope's time over one bucket.

    `correction` is what late data have changed since the month was published: the row's seconds minus the published
    ones, null when there is no difference.
    """

    scope: str
    from_: str = Field(serialization_alias="from")
    to: str
    state: Literal["provisional", "settled", "published"]
    seconds: SecondsByState
    availability: float | None
    low: float | None
    high: float | None
    coverage: float | None
    coverage_sufficient: bool | None
    capacity: WindowCapacity | None = None
    published: PublishedAvailability | None = None
    correction: SecondsDifference | None = None

    @classmethod
    def from_result(cls, result: AvailabilityResult) -> list[Self]:
        """Return one row per bucket of a scope."""
        return [
            cls.build(
                scope=result.scope,
                state=note.stage,
                capacity=note.capacity and WindowCapacity(low=note.capacity[0], high=note.capacity[1]),
                published=note.published and PublishedAvailability.from_figures(note.published, result),
                correction=note.correction and SecondsDifference.build(note.correction.difference),
                **window_fields(window, result.zone),
                **account_fields(account, result.ratio_of(account)),
            )
            for (window, account), note in zip(result.rows, result.notes, strict=True)
        ]
