"""The stored forecast of a centre: expected arrivals of coming days, what they rest on, flagged half hours. Pure.

Rollup writes one a night as the live row `forecast:CENTRE`; API and pages only read it.  Days are those of
the centre's zone, half hours are numbered 0–47 from local midnight.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from telemetry.core.queueing.anomalies import AnomalyCause, AnomalyMeasure, HalfHourReference
from telemetry.core.queueing.arrivals import SLOTS, ModelName

FORECAST_ROW_PREFIX = "forecast:"
HalfHourNumber = Annotated[int, Meta(ge=0, le=47)]
Amount = Annotated[float, Meta(ge=0, le=1e12)]
Sum = Annotated[int, Meta(ge=0, le=10**15)]


class DayForecastNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Expected tickets of one open day by half hour, from the half hour `first` on, in all and by service.

    Empty: too little data for a day of this weekday.
    """

    day: date
    first: HalfHourNumber = 0
    expected: Annotated[tuple[Amount, ...], Meta(max_length=48)] = ()
    services: dict[str, tuple[Amount, ...]] = {}

    def __post_init__(self) -> None:
        """Refuse half hours after midnight, and services with others than the day has; raises ValueError."""
        lengths = {len(self.expected), *map(len, self.services.values())}
        if self.first + len(self.expected) > SLOTS or len(lengths) > 1:
            msg = f"{self.day}: half hours do not fit"
            raise ValueError(msg)


class DeviationNow(Struct, frozen=True, kw_only=True):
    """A measure of a flagged half hour, see `anomalies.Deviation`."""

    measure: AnomalyMeasure
    actual: Amount
    expected: Amount
    low: Amount
    high: Amount
    deviations: float


class FlagNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A flagged half hour; `live`: judged by the days before it alone, else by other days of the history too."""

    day: date
    slot: HalfHourNumber
    cause: AnomalyCause
    deviations: tuple[DeviationNow, ...]
    live: bool = True


class BacktestNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sums behind the errors of both models on the newest days: WAPE is absolute ÷ actual."""

    days: Sum = 0
    actual: Sum = 0
    profile_absolute: Amount = 0.0
    same_slot_absolute: Amount = 0.0


class QueueSumsNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Additive sums of the history, from which core computes mean service time and patience."""

    issued: Sum = 0
    called: Sum = 0
    abandoned: Sum = 0
    wait_sum_ms: Sum = 0
    service_count: Sum = 0
    service_sum_ms: Sum = 0


class CentreForecast(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A centre's forecast made at `at` (Unix ms) from open days before `origin`; `profile` adds arrivals by half hour.

    `judged_from` is the first day whose half hours were judged; flags are of that day and later ones before `origin`.
    """

    centre: str
    at: Sum
    origin: date
    history_from: date | None = None
    history_days: Sum = 0
    model: ModelName = "profile"
    dispersion: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    backtest: BacktestNow = BacktestNow()
    sums: QueueSumsNow = QueueSumsNow()
    profile: Annotated[tuple[Sum, ...], Meta(max_length=48)] = ()
    days: tuple[DayForecastNow, ...] = ()
    judged_from: date | None = None
    flags: tuple[FlagNow, ...] = ()
    references: Annotated[tuple[HalfHourReference, ...], Meta(max_length=48)] = ()
    """What the half hours of `origin` itself are judged by as they end: 48, or none where its history is too short."""

    def __post_init__(self) -> None:
        """Refuse references of some half hours only; raises ValueError."""
        if len(self.references) not in {0, SLOTS}:
            msg = f"{len(self.references)} references, not {SLOTS}"
            raise ValueError(msg)


_DECODER = msgspec.json.Decoder(CentreForecast)


def decode_forecast(body: bytes) -> CentreForecast:
    """Return the forecast of a row; raises msgspec.DecodeError for another shape or range."""
    return _DECODER.decode(body)
