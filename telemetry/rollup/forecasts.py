"""Makes each centre's forecast once a night from stored totals; it must not read raw events nor write rows itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.calendar.windows import HOUR, Window, day_window, to_local
from telemetry.core.queueing.centre_forecast import (
    HISTORY_CALENDAR_DAYS,
    ForecastInputs,
    forecast_centre,
    pool_shapes,
)
from telemetry.core.queueing.forecast_rows import FORECAST_ROW_PREFIX, CentreForecast, decode_forecast
from telemetry.core.queueing.half_hours import add_half_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import date

    from telemetry.core.inventory import Centre, Inventory
    from telemetry.core.queueing.arrivals import ModelName
    from telemetry.rollup.fold_faults import FoldFaults
    from telemetry.store import Store

FORECAST_PART = "forecast"
"""The name of this step in a fault."""
AFTER_MIDNIGHT_MS = HOUR
"""A day's forecast is made this long after local midnight, when the evening's late events are folded."""
BUDGET_S = 0.5
"""How long a pass looks at centres that are due, one at least."""
QUIET_MS = 30_000
"""An imported log is forecast again when nothing of it was folded for this long."""


@dataclass(frozen=True, slots=True)
class _Made:
    """What the next forecast needs of the last one; `profile` is the arrivals of its history by half hour."""

    origin: date
    model: ModelName
    profile: tuple[int, ...]


class ForecastJob:
    """The forecasts of a store's centres; `stopwatch` returns seconds."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], faults: FoldFaults,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._store, self._inventory, self._faults, self._stopwatch = store, inventory, faults, stopwatch
        self._made: dict[str, _Made] | None = None
        self._looked_at: dict[str, date] = {}
        self._folded_at: dict[str, int] = {}

    def note_folded(self, entities: Iterable[str], at: int) -> None:
        """Note whose totals a pass has written: the forecast of an imported log is made again."""
        self._folded_at.update(dict.fromkeys(entities, at))

    def rows_after_pass(self, folded: Iterable[str], waiting: Collection[str], at: int) -> dict[str, bytes]:
        """Return the rows that are due after a pass which folded these entities; none while any waits."""
        self.note_folded(folded, at)
        return {} if waiting else self.due_rows(at)

    def due_rows(self, at: int) -> dict[str, bytes]:
        """Return the rows of forecasts that are due at `at` (Unix ms), as many as a pass has time for."""
        rows: dict[str, bytes] = {}
        end = self._stopwatch() + BUDGET_S
        for centre in self._inventory().centres.values():
            if self._is_due(centre, at):
                with self._faults.guard(f"{FORECAST_ROW_PREFIX}{centre.id}", FORECAST_PART):
                    rows |= self.rows_of(centre, at)
                if self._stopwatch() >= end:
                    break
        return rows

    def rows_of(self, centre: Centre, at: int) -> dict[str, bytes]:
        """Return the row of a centre's forecast at `at`; none while it never had a ticket before that day."""
        self._looked_at[centre.id] = self._day_of(centre, at)
        self._folded_at.pop(centre.id, None)
        origin = self._origin(centre, at)
        if origin is None:
            return {}
        forecast = self._forecast(centre, origin, at)
        if not forecast.history_days:
            return {}
        self._made_before()[centre.id] = _Made(forecast.origin, forecast.model, forecast.profile)
        return {f"{FORECAST_ROW_PREFIX}{centre.id}": msgspec.json.encode(forecast)}

    def _forecast(self, centre: Centre, origin: date, at: int) -> CentreForecast:
        start = day_window(origin - timedelta(days=HISTORY_CALENDAR_DAYS), centre.zone).start
        window = Window(max(0, start), day_window(origin, centre.zone).start)
        half_hours = add_half_hours(centre, self._store.totals([centre.id], "5m", window, "desk"))
        made = self._made_before()
        alike = [
            made[other.id].profile
            for other in self._inventory().centres.values()
            if other.id in made and other.level == centre.level and not (other.imported or centre.imported)
        ]
        inputs = ForecastInputs(centre, half_hours, origin, pooled_shape=pool_shapes(alike))
        if centre.id in made:
            inputs = ForecastInputs(centre, half_hours, origin, made[centre.id].model, inputs.pooled_shape)
        return forecast_centre(inputs, at)

    def _is_due(self, centre: Centre, at: int) -> bool:
        if centre.imported:
            folded_at = self._folded_at.get(centre.id)
            if folded_at is not None:
                return at - folded_at >= QUIET_MS
            return centre.id not in self._made_before() and centre.id not in self._looked_at
        day = self._day_of(centre, at)
        made = self._made_before().get(centre.id)
        return self._looked_at.get(centre.id) != day and (made is None or made.origin != day)

    def _day_of(self, centre: Centre, at: int) -> date:
        return to_local(at - AFTER_MIDNIGHT_MS, centre.zone).date()

    def _origin(self, centre: Centre, at: int) -> date | None:
        """Return the first day that is forecast: today, or for an imported log the day after its last ticket."""
        today = self._day_of(centre, at)
        first = 0 if centre.imported else day_window(today - timedelta(days=HISTORY_CALENDAR_DAYS), centre.zone).start
        window = Window(max(0, first), max(0, day_window(today, centre.zone).start))
        days = self._store.totals([centre.id], "1d", window, "desk")
        issued = [total.start for total in days if total.sums.get("issued")]
        if not issued:
            return None
        last = to_local(max(issued), centre.zone).date() + timedelta(days=1)
        return last if centre.imported else today

    def _made_before(self) -> dict[str, _Made]:
        if self._made is None:
            self._made = {}
            for row in self._store.live_rows():
                if row.entity.startswith(FORECAST_ROW_PREFIX):
                    with self._faults.guard(row.entity, FORECAST_PART):
                        stored = decode_forecast(row.body)
                        self._made[stored.centre] = _Made(stored.origin, stored.model, stored.profile)
        return self._made
