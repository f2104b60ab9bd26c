"""A centre's days: when it is open, why, and what is left out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.envelope import ApiModel


class Interval(ApiModel):
    """A half-open window."""

    from_: str = Field(serialization_alias="from")
    to: str


class ExclusionInterval(Interval):
    """Opening hours that count in no objective."""

    cause: str
    reason: str


class ModeInterval(Interval):
    """A declared mode other than normal."""

    mode: str
    reason: str


class CalendarDayResponse(ApiModel):
    """One local day: what decided its hours (`reason`), its open windows, what is left out of them."""

    date: str
    reason: Literal["week", "holiday", "swap", "exception"]
    name: str
    swapped_with: str | None
    open: list[Interval]
    open_s: int
    excluded: list[ExclusionInterval]
    excluded_s: int
    modes: list[ModeInterval]
    calendar_version: str


class TimelineInterval(Interval):
    """A run of one state; `parts` has the seconds by state when their order is not known (`mixed`)."""

    state: Literal["up", "down", "unknown", "excluded", "closed", "mixed"]
    seconds: int
    cause: str | None
    caused_by: str | None
    settled: bool
    parts: dict[str, int] | None
