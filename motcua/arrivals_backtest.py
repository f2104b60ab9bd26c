"""The back-test of arrivals: stored totals → rows of forecasts and a score per centre. It must not read raw events."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from motcua.backtest_output import write_rows
from motcua.startup import OPEN_END_MS
from telemetry.core.calendar.windows import Window, to_local
from telemetry.core.queueing.arrivals_backtest import ArrivalsScore, ShippedForecast, backtest, score_forecasts
from telemetry.core.queueing.half_hours import add_half_hours, arrival_days, slot_window
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.wiring import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from motcua.backtest_output import BacktestPeriod
    from telemetry.config import ServerSettings
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store

COLUMNS = (
    "centre", "service", "from", "to", "arrivals", "expected", "p10", "p90", "same_slot_mean", "model",
)  # fmt: skip
ALL_SERVICES = "all"


@dataclass(frozen=True, slots=True)
class CentreBacktest:
    """What would have been expected of each day of one centre, and the score of it."""

    centre: Centre
    days: tuple[ShippedForecast, ...]
    score: ArrivalsScore


def run_backtest(
    settings: ServerSettings, inventory: Inventory, period: BacktestPeriod, centre: str = ""
) -> list[CentreBacktest]:
    """Return the back-test of the days that begin in the period, of one centre or all.

    Raises ConfigError, MotcuaError.
    """
    if centre and centre not in inventory.centres:
        raise ConfigError([Fault("command line", 0, "--centre", f"unknown centre {centre!r}", "use a declared id")])
    with closing(open_store(settings.store, settings.store_token, create=False)) as store:
        chosen = [inventory.centres[centre]] if centre else list(inventory.centres.values())
        results = [result for c in chosen if (result := _backtest_centre(store, c, period)).days]
    if not results:
        msg = "no stored day could be forecast: five open days must be before --fit-until, the weekday among them"
        raise MotcuaError(msg)
    return results


def _backtest_centre(store: Store, centre: Centre, period: BacktestPeriod) -> CentreBacktest:
    """Back-test the local days of the period; the days before it are only looked back on."""
    half_hours = add_half_hours(centre, store.totals([centre.id], "5m", Window(0, OPEN_END_MS), "desk"))
    with_tickets = half_hours.days_with_tickets
    until = with_tickets[-1] + timedelta(days=1) if with_tickets else date.min
    if period.until is not None:
        until = min(until, _first_day(period.until, centre.zone))
    shipped = backtest(arrival_days(centre, half_hours, until), _first_day(period.since, centre.zone))
    return CentreBacktest(centre, shipped, score_forecasts(shipped))


def _first_day(at: datetime, zone: ZoneInfo) -> date:
    """Return the first local day that begins at `at` or later."""
    local = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    return local.date() if local.time() == time() else local.date() + timedelta(days=1)


def write_csv(file: Path, results: Sequence[CentreBacktest]) -> None:
    """Write one row per observed half hour; raises MotcuaError when the file cannot be written."""
    write_rows(file, COLUMNS, (row for result in results for row in _csv_rows(result)), "\r\n")


def _csv_rows(result: CentreBacktest) -> Iterator[tuple[object, ...]]:
    centre = result.centre
    for row in result.days:
        for slot, count in enumerate(row.day.counts):
            if count is None:
                continue
            window = slot_window(row.day.day, slot, centre.zone)
            low, high = row.intervals[slot]
            plain = "" if row.same_slot_mean is None else round(row.same_slot_mean[slot], 3)
            times = (to_local(t, centre.zone).isoformat() for t in (window.start, window.end))
            yield (centre.id, ALL_SERVICES, *times, count, round(row.expected[slot], 3), low, high, plain, row.model)
