"""The staffing plans with the legal goal, and what is expected of the present half hour; it must not read totals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, Window
from telemetry.core.inventory import local_date
from telemetry.core.queueing.staffing import StaffingRules, WhatIf
from telemetry.queries.forecasts import expected_half_hours, staffing_plan

if TYPE_CHECKING:
    from datetime import date

    from telemetry.core.inventory import Centre
    from telemetry.core.queueing.forecast_rows import CentreForecast
    from telemetry.core.queueing.staffing import PeriodStaffing
    from telemetry.queries.forecasts import ExpectedHalfHour, StaffingPlan

MAX_PLANS = 1_000
"""So many plans are remembered; then all are forgotten."""


@dataclass(frozen=True, slots=True)
class PresentExpectation:
    """The arrivals expected in the half hour that is now and its counters; None: not forecast, or closed."""

    half_hour: ExpectedHalfHour | None
    staffing: PeriodStaffing | None


@dataclass(slots=True)
class StaffingPlans:
    """Plans by centre and day, each computed once for a forecast."""

    _plans: dict[tuple[str, date], StaffingPlan] = field(default_factory=dict)

    def plan(self, centre: Centre, forecast: CentreForecast | None, day: date) -> StaffingPlan:
        """Return the plan of a day with the legal goal."""
        key = (centre.id, day)
        plan = self._plans.get(key)
        if plan is None or plan.forecast is not forecast or plan.centre != centre:
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            plan = self._plans[key] = staffing_plan(centre, forecast, day, StaffingRules(), WhatIf())
        return plan

    def present(self, centre: Centre, forecast: CentreForecast | None, now: int) -> PresentExpectation:
        """Return what is expected of the half hour at `now`, Unix ms."""
        rows = expected_half_hours(centre, forecast, Window(max(now - HOUR, 0), now + 1)).rows
        periods = self.plan(centre, forecast, local_date(now, centre.zone)).rows
        return PresentExpectation(
            next((row for row in rows if row.window.start <= now < row.window.end), None),
            next((row for row in periods if row.period.window.start <= now < row.period.window.end), None),
        )
