"""Signed commitments of units and agencies with what they measured; it computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import Field

from api.schemas.envelope import ApiModel
from api.schemas.kpis import PERCENTAGE_POINTS, ApiLevel, IndicatorMeta, MeasuredValue
from api.times import rfc3339
from telemetry.core.kpi.commitments import CommitmentState
from telemetry.core.kpi.indicators import IndicatorUnit

if TYPE_CHECKING:
    from datetime import date
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.queries.commitments import CommitmentReading


class CommittedMonth(MeasuredValue):
    """The newest month with a value of the committer's own figures."""

    from_: str = Field(serialization_alias="from")
    to: str


class CommitmentRow(ApiModel):
    """What a unit or an agency has signed, and where it stands."""

    committer: str = Field(description="name of the unit or agency that has signed")
    unit_code: str | None = Field(description="code of the unit; null of an agency")
    kpi: str = Field(description="id of the indicator")
    name_vi: str
    name_en: str
    level: ApiLevel | None = Field(description="the level of the indicator; null: over all levels")
    unit: IndicatorUnit = Field(description="the unit of the values")
    committed: float = Field(description="the value that was signed", ge=0)
    by: str
    signed: str | None = Field(description="day of the signature, YYYY-MM-DD; null when not declared")
    document: str = Field(description="the document; may be empty")
    sample: bool = Field(description="whether it is a made-up example")
    status: CommitmentState = Field(
        description="fulfilled; on_track: the present pace reaches the value by its day; off_track; missed: its day "
        "has passed; no_pace: one month was measured; no_source: none was"
    )
    measured: float | None = Field(description="the newest value until its day; null without one", ge=0)
    measured_on: str | None = Field(description="the day of that value, YYYY-MM-DD; null without one")
    month: CommittedMonth | None = Field(description="the month of that value with its parts; null without one")
    gap: float | None = Field(
        description="measured − committed, in the indicator's unit; may be negative; null without a value"
    )
    gap_points: float | None = Field(
        description="the gap of a ratio in percentage points; may be negative; null of others"
    )
    reached_on: str | None = Field(
        description="the day on which the present pace reaches the value, YYYY-MM-DD; null when not foreseeable"
    )

    @classmethod
    def from_reading(cls, reading: CommitmentReading, zone: ZoneInfo) -> Self:
        """Return a commitment."""
        status, indicator, one = reading.status, reading.indicator, reading.status.commitment
        month = None
        if reading.value is not None and reading.window is not None:
            ends = {"from_": rfc3339(reading.window.start, zone), "to": rfc3339(reading.window.end, zone)}
            month = CommittedMonth.from_value(reading.value, **ends)
        is_ratio = indicator.unit == "ratio" and status.gap is not None
        return cls(
            committer=reading.committer, unit_code=one.unit or None, kpi=indicator.id, name_vi=indicator.name_vi,
            name_en=indicator.name_en, level=cast("ApiLevel | None", one.level or None),
            unit=indicator.unit, committed=one.value,
            by=one.by.isoformat(), signed=_day(one.signed), document=one.document,
            sample=one.sample, status=status.state, month=month, gap=status.gap,
            measured=None if status.measured is None else status.measured.value,
            measured_on=None if status.measured is None else status.measured.day.isoformat(),
            gap_points=round((status.gap or 0.0) * PERCENTAGE_POINTS, 6) if is_ratio else None,
            reached_on=_day(status.reached_on),
        )  # fmt: skip


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


class CommitmentEnvelope(ApiModel):
    """Signed commitments."""

    data: list[CommitmentRow]
    meta: IndicatorMeta
    next: str | None = None
