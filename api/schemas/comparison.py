"""Figures of two sides with their differences and verdicts; it must not decide what is a real difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from api.schemas.envelope import ApiModel, ResponseMeta, window_fields
from telemetry.core.figures.comparison import FigureName, Judgement, Verdict

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.comparison import FigureComparison
    from telemetry.queries.comparison import ComparisonSide


class ComparisonSideResponse(ApiModel):
    """One side of a comparison and what its figures are made of; times cover whole hours."""

    centre: str | None = Field(description="the centre, null for all declared centres of the province together")
    service: str | None = Field(description="the only service that counts, null for all")
    from_: str = Field(serialization_alias="from")
    to: str
    open_days: int = Field(description="local days on which a centre of the side was open or had tickets", ge=0)
    issued: int
    wait_count: int = Field(description="calls in the window, over which waits are taken", ge=0)
    service_count: int = Field(description="tickets served in the window, over which service times are taken", ge=0)
    coverage: float | None

    @classmethod
    def from_side(cls, side: ComparisonSide, zone: ZoneInfo) -> Self:
        """Return one side."""
        figures, availability = side.figures, side.period.availability
        return cls(
            centre=side.subject.centre, service=side.subject.service, **window_fields(side.subject.window, zone),
            open_days=side.period.open_days, issued=figures.issued, wait_count=figures.wait.count,
            service_count=figures.service_time.count, coverage=availability.coverage if availability else None,
        )  # fmt: skip


class FigureComparisonResponse(ApiModel):
    """One figure of both sides: durations in s, shares and availability from 0 to 1, the others as numbers."""

    name: FigureName = Field(description="what is compared")
    judgement: Judgement = Field(description="whether a lower or a higher value is better, neither, or not judged")
    first: float | None = Field(description="value of the side asked for; null without data", ge=0)
    second: float | None = Field(description="value of the other side; null without data", ge=0)
    difference: float | None = Field(description="first − second, may be negative; null when either is")
    margin: float | None = Field(
        description="half width of the 95 % interval of the difference, from how days vary; null without one",
        ge=0,
    )
    verdict: Verdict | None = Field(
        description="the first side against the second; `same`: within the margin or too small to notice; `too_few`: "
        "fewer than 3 days or 20 cases on a side, or too little time known; null for plain counts"
    )

    @classmethod
    def from_comparison(cls, comparison: FigureComparison) -> Self:
        """Return one figure."""
        return cls.build(comparison)


class ComparisonResponse(ApiModel):
    """Two sides and their figures."""

    first: ComparisonSideResponse = Field(description="the side that is judged")
    second: ComparisonSideResponse = Field(description="the side that it is compared with")
    figures: list[FigureComparisonResponse] = Field(description="figures in the order of the page")


class ComparisonEnvelope(ApiModel):
    """A comparison with its origin."""

    data: ComparisonResponse
    meta: ResponseMeta
    next: str | None = None
