"""Completeness and quality of the data, health and the build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel, ResponseMeta
from api.times import rfc3339_or_none

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.queries.data_quality import QualityIssue

ApiQualityIssueKind = Literal[
    "unreadable", "folding_behind", "missing_rows", "silent_device", "stale_system", "silent_vantage", "dropped_rows",
    "rejected", "refused_rows", "deferred", "clock_ahead", "waiting_upload", "undeclared_service",
]  # fmt: skip


class RowCounts(ApiModel):
    """Rows stored, refused and dropped, of the highest row number."""

    stored: int
    refused: int
    dropped: int
    missing: int
    highest: int
    ratio: float | None


class CompletenessMeta(ResponseMeta):
    """The sums over all devices."""

    totals: RowCounts


class CompletenessRow(RowCounts):
    """One device's rows over all its outboxes."""

    device: str
    spools: int


class CompletenessEnvelope(ApiModel):
    """Completeness by device, with the sums in `meta`."""

    data: list[CompletenessRow]
    meta: CompletenessMeta
    next: str | None = None


class QualityIssueRow(ApiModel):
    """One thing that is wrong with the data."""

    kind: ApiQualityIssueKind = Field(description="what is wrong; the list begins with the worst kind")
    scope: str = Field(description="centre:ID, device:ID or system:ID; empty for the whole store")
    centre: str = Field(description="id of the centre, empty without one")
    district: str = Field(description="code of the district, empty without one")
    amount: float | None = Field(
        description="how much, in `unit`; null when no report ever arrived, or none today", ge=0
    )
    unit: Literal["rows", "hours", "seconds", "tickets"] = Field(description="what `amount` counts")
    at: str | None = Field(
        description="since when, or when the last report arrived, RFC 3339 with offset; null when not known"
    )
    detail: str = Field(
        description="reason of rejected and deferred rows, id of the service, device or objective that it is about, "
        "`never` or `today` of a silent device: since when no report arrived; else empty"
    )

    @classmethod
    def from_issue(cls, issue: QualityIssue, zone: ZoneInfo) -> Self:
        """Return an issue with its time in the zone."""
        return cls.build(issue, at=rfc3339_or_none(issue.at, zone))


class QualityMeta(ResponseMeta):
    """How many issues there are of each kind, however the list is narrowed, and how far late data are counted."""

    counts: dict[str, int] = Field(description="issues by kind, over the whole store, zeros included")
    totals: RowCounts
    current_until: str | None = Field(
        description="changes of recent hours written before this time are in the figures, RFC 3339 with offset"
    )
    backlog_hours: int
    unmeasured: list[str] = Field(
        description="what the store does not hold: `clock_error` (see the agent's metrics), `late_share` (ingest's "
        "metrics), `rejected_by_device` (dead letters are counted by reason alone)"
    )


class QualityEnvelope(ApiModel):
    """What is wrong with the data, worst first."""

    data: list[QualityIssueRow]
    meta: QualityMeta
    next: str | None = None


class HealthResponse(ApiModel):
    """Alive or ready; `live_age_s` is the age of the newest live row, `rollup_age_s` that of the present figures.

    `backlog_hours` is how many older hours wait to be folded; no present figure waits for them.
    """

    status: str
    store: str | None = None
    live_age_s: int | None = None
    rollup_age_s: int | None = None
    backlog_hours: int | None = None


class VersionResponse(ApiModel):
    """The build and the inventory."""

    version: str
    inventory_version: str
