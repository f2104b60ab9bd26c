"""Today by half hour beside the usual day, and past weeks by weekday and half hour; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel, ResponseMeta, window_fields
from api.schemas.forecasts import STATUS_TEXT, ForecastModel
from api.times import rfc3339
from telemetry.queries.forecasts import ForecastStatus

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.histograms import DurationSum
    from telemetry.core.figures.week_profile import ProfileCell
    from telemetry.core.queueing.anomalies import UsualWait
    from telemetry.core.queueing.day_so_far import DaySoFar
    from telemetry.queries.centre_days import DayAgainstUsual, HalfHourToday, PastHalfHours
    from telemetry.queries.service import Queries

TODAY_FORMULA = (
    "expected, p10, p90: as in queues/forecast; so_far: tickets of the half hours that ended two minutes ago, p10 and "
    "p90 of a negative binomial, mean M = Σ expected, variance M + dispersion × M²; usual_wait: e^(middle ± 1.28 × "
    "spread) − 30 s, from the logarithms of mean waits + 30 s of this and the neighbouring half hours on like weekdays"
)
PROFILE_FORMULA = (
    "issued_per_day = issued ÷ days; wait: of the calls in the half hour; days: those on which the centre was open and "
    "in service then, or tickets came nevertheless; today is not among them"
)
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class HalfHourWaits(ApiModel):
    """Waits of the tickets that were called in the half hour."""

    count: int = Field(description="calls", ge=0)
    sum_s: float = Field(description="sum of their waits, s", ge=0)
    mean_s: float | None = Field(description="mean wait, s; null without calls", ge=0)

    @classmethod
    def from_sum(cls, wait: DurationSum) -> Self:
        """Return the waits of one half hour."""
        return cls.build(wait)


class UsualWaitFigures(ApiModel):
    """What the mean wait of the half hour usually is."""

    middle_s: float = Field(description="median, s", ge=0)
    p10_s: float = Field(description="not reached on one of ten such days, s", ge=0)
    p90_s: float = Field(description="not exceeded on nine of ten such days, s", ge=0)

    @classmethod
    def from_usual(cls, usual: UsualWait) -> Self:
        """Return a usual wait."""
        return cls.build(usual, p10_s=usual.low_s, p90_s=usual.high_s)


class HalfHourOfToday(ApiModel):
    """One half hour of today at a centre, beside what is usual."""

    centre: str
    from_: str = Field(serialization_alias="from")
    to: str
    open: bool = Field(description="whether the centre has opening hours in it")
    issued: int | None = Field(description="tickets issued so far; null before the half hour begins", ge=0)
    expected: float | None = Field(description="expected tickets; null without a forecast", ge=0)
    p10: int | None = Field(description="tickets that are not reached in one of ten such half hours", ge=0)
    p90: int | None = Field(description="tickets that are not exceeded in nine of ten such half hours", ge=0)
    wait: HalfHourWaits
    usual_wait: UsualWaitFigures | None = Field(description="null with too few earlier days")

    @classmethod
    def from_row(cls, row: HalfHourToday, centre: str, zone: ZoneInfo) -> Self:
        """Return one half hour."""
        expected = row.expected
        return cls.build(
            row, centre=centre, open=row.is_open, expected=expected and expected.expected,
            p10=expected and expected.low, p90=expected and expected.high, wait=HalfHourWaits.from_sum(row.wait),
            usual_wait=None if row.usual_wait is None else UsualWaitFigures.from_usual(row.usual_wait),
            **window_fields(row.window, zone),
        )  # fmt: skip


class DaySoFarFigures(ApiModel):
    """The day until a time, beside the usual day."""

    until: str = Field(description="the end of the last half hour that counts, RFC 3339 with offset")
    issued: int = Field(description="tickets issued until then", ge=0)
    expected: float = Field(description="expected tickets until then", ge=0)
    p10: int = Field(description="tickets that are not reached on one of ten such days", ge=0)
    p90: int = Field(description="tickets that are not exceeded on nine of ten such days", ge=0)
    comparison: Literal["fewer", "usual", "more"] = Field(description="`fewer` than p10, `more` than p90, else `usual`")

    @classmethod
    def from_day(cls, day: DaySoFar, zone: ZoneInfo) -> Self:
        """Return a day so far."""
        return cls.build(day, until=rfc3339(day.until, zone), p10=day.low, p90=day.high)


class TodayMeta(ResponseMeta):
    """The day, how it compares, and what it is compared with."""

    date: str = Field(description="today in the centre's zone")
    status: ForecastStatus = Field(description=STATUS_TEXT)
    so_far: DaySoFarFigures | None = Field(description="null before the first half hour has ended, or no forecast")
    formula: str = Field(description="how the figures are computed")
    model: ForecastModel | None = Field(description="what the forecast rests on; null when none was made")

    @classmethod
    def for_day(cls, queries: Queries, day: DayAgainstUsual) -> Self:
        """Return the meta of a day."""
        zone, forecast = day.centre.zone, queries.snapshot().forecasts.get(day.centre.id)
        return cls.current(
            queries, zone, day.centre, date=day.day.isoformat(), status=day.status, formula=TODAY_FORMULA,
            so_far=None if day.so_far is None else DaySoFarFigures.from_day(day.so_far, zone),
            model=None if forecast is None else ForecastModel.from_forecast(forecast, zone),
        )  # fmt: skip


class TodayEnvelope(ApiModel):
    """Today by half hour."""

    data: list[HalfHourOfToday]
    meta: TodayMeta
    next: str | None = None


class WeekProfileRow(ApiModel):
    """One half hour of one weekday over the past four weeks."""

    centre: str
    weekday: Weekday = Field(description="the local weekday")
    time_of_day: str = Field(description="when the half hour begins, HH:MM in the centre's zone")
    dates: list[str] = Field(description="the days that count, oldest first")
    issued: int = Field(description="tickets of these days", ge=0)
    issued_per_day: float = Field(description="issued ÷ number of days", ge=0)
    wait: HalfHourWaits

    @classmethod
    def from_cell(cls, cell: ProfileCell, centre: str) -> Self:
        """Return one cell."""
        return cls.build(
            cell, centre=centre, weekday=WEEKDAYS[cell.weekday],
            time_of_day=f"{cell.slot // 2:02d}:{cell.slot % 2 * 30:02d}", dates=[day.isoformat() for day in cell.days],
            wait=HalfHourWaits.from_sum(cell.wait),
        )  # fmt: skip


class WeekProfileMeta(ResponseMeta):
    """The window and the formula of a profile."""

    from_: str = Field(serialization_alias="from")
    to: str
    formula: str = Field(description="how the figures are computed")

    @classmethod
    def for_past(cls, queries: Queries, past: PastHalfHours) -> Self:
        """Return the meta of past half hours."""
        zone = past.centre.zone
        return cls.current(queries, zone, past.centre, formula=PROFILE_FORMULA, **window_fields(past.window, zone))


class WeekProfileEnvelope(ApiModel):
    """A profile by weekday and half hour."""

    data: list[WeekProfileRow]
    meta: WeekProfileMeta
    next: str | None = None
