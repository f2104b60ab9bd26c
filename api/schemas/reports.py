"""Monthly reports: which there are, and one with what changed since its publication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from pydantic import Field

from api.schemas.envelope import ApiModel
from api.times import rfc3339_or_none

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.queries.monthly_reports import ListedMonth, ReportAnswer

ReportStage = Literal["provisional", "settled", "published"]


class ReportSummary(ApiModel):
    """A month of which there is a report."""

    month: str = Field(description="the local month, 2026-10")
    stage: ReportStage = Field(description="provisional: late data may still come; settled; published")
    revision: int = Field(description="the number of the newest publication, 0 before the first", ge=0)
    published_at: str | None = Field(description="when the newest revision was published; null before the first")

    @classmethod
    def from_month(cls, listed: ListedMonth, zone: ZoneInfo) -> Self:
        """Return a month of the list."""
        return cls.build(listed, published_at=rfc3339_or_none(listed.published_at, zone))


class ReportChangeResponse(ApiModel):
    """A count of the report that later data have changed."""

    scope: str = Field(description="the scope, or `indicator:ID`")
    figure: str = Field(description="the count; `present` where the scope is in one of the two reports only")
    before: int = Field(description="the count as it was published", ge=0)
    after: int = Field(description="the count that the totals give now", ge=0)


class ReportResponse(ApiModel):
    """A month's report; `changes` is empty before its publication."""

    month: str = Field(description="the local month, 2026-10")
    stage: ReportStage = Field(description="provisional: late data may still come; settled; published")
    revision: int = Field(description="the number of the publication, 0 before the first", ge=0)
    changes: list[ReportChangeResponse] = Field(description="what data since the publication have changed")
    report: dict[str, Any] = Field(
        description="the report as its document of the inventory has it; seconds are whole, durations end in _ms, and "
        "counts of 0 and values without data are left out"
    )

    @classmethod
    def from_answer(cls, answer: ReportAnswer) -> Self:
        """Return a report."""
        changes = [ReportChangeResponse.build(change) for change in answer.changes]
        document = msgspec.to_builtins(answer.report)
        return cls.build(
            answer, month=answer.report.month, revision=answer.report.revision, changes=changes, report=document
        )
