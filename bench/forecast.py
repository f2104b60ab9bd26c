"""The nightly forecast of a province: eight weeks of stored totals → a forecast of each of its centres; and its error.

The totals are random with a morning peak, as many tickets a day as the inventory declares; the error is that of
`motcua backtest arrivals` on the real call log, where it is there ($MOTCUA_DATA).

Run: python -m bench.forecast
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from bench.call_log import read_call_log
from bench.machine import OtherWork, describe
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.stores import open_store
from bench.summary import round_figures
from telemetry.core.calendar.windows import HOUR, SLOT, Window, day_window
from telemetry.core.fold.totals import Total, add_to_sums
from telemetry.core.queueing.arrivals_backtest import backtest, score_forecasts
from telemetry.core.queueing.half_hours import add_half_hours, arrival_days
from telemetry.inventory import default_path, load
from telemetry.rollup.fold_faults import FoldFaults
from telemetry.rollup.forecasts import ForecastJob

if TYPE_CHECKING:
    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store

FIRST = date(2026, 8, 3)
DAYS = 63
"""Calendar days, as many as a forecast looks back."""


def fill_store(store: Store, inventory: Inventory) -> int:
    """Write the totals of DAYS days of every centre; returns how many 5-minute totals."""
    rng, written = random.Random(2026), 0
    with ProgressBar("totals of eight weeks", len(inventory.centres)) as bar:
        for centre in inventory.centres.values():
            rows = _centre_totals(centre, rng)
            window = Window(0, day_window(FIRST + timedelta(days=DAYS + 1), centre.zone).start)
            store.replace_totals(centre.id, "5m", window, [t for t in rows if t.width == "5m"])
            store.replace_totals(centre.id, "1d", window, [t for t in rows if t.width == "1d"])
            written += sum(t.width == "5m" for t in rows)
            bar.step()
    return written


def _centre_totals(centre: Centre, rng: random.Random) -> list[Total]:
    """Return the centre's totals: half of a day's tickets in its first two hours, over its services."""
    sums: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    days: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    for day in (FIRST + timedelta(days=n) for n in range(DAYS)):
        window = day_window(day, centre.zone)
        opened = centre.calendar.desk_windows(window)
        if not opened:
            continue
        for _ in range(round(rng.gammavariate(25, (centre.tickets_per_day or 8) / 25))):
            part = opened[0] if rng.random() < 0.6 else rng.choice(opened)
            end = part.start + 2 * HOUR if rng.random() < 0.5 else part.end
            start = rng.randrange(part.start, min(end, part.end))
            service = rng.choice(centre.services)
            for at, ticket in (
                (start, {"issued": 1}),
                (start + 600_000, {"called": 1, "wait_sum_ms": 600_000}),
                (start + 1_200_000, {"service_count": 1, "service_sum_ms": 600_000}),
            ):
                add_to_sums(sums[service, at - at % SLOT], ticket)
                add_to_sums(days[service, window.start], ticket)
    widths: tuple[tuple[BucketWidth, dict[tuple[str, int], dict[str, int]]], ...] = (("5m", sums), ("1d", days))
    return [
        Total(centre.id, f"desk:{centre.id}:{service}", width, start, centre.province, found)
        for width, rows in widths
        for (service, start), found in rows.items()
    ]


def measure_night() -> dict[str, Any]:
    """Return how long the forecasts of all centres take, reading included, and how large their rows are."""
    others, inventory = OtherWork(), load(default_path())
    with open_sandbox() as sandbox, open_store(f"sqlite:///{sandbox.folder / 'store.db'}", "") as store:
        totals = fill_store(store, inventory)
        at = day_window(FIRST + timedelta(days=DAYS), inventory.zone).start + 2 * HOUR
        job = ForecastJob(store, lambda: inventory, FoldFaults(store, lambda: at))
        began, rows = time.perf_counter(), {}
        for centre in inventory.centres.values():
            rows.update(job.rows_of(centre, at))
        seconds = time.perf_counter() - began
        return {
            "centres": len(rows),
            "totals": totals,
            "seconds": seconds,
            "largest_row_kb": max(map(len, rows.values())) / 1000,
            "others_pct": others.share_pct(),
        }


def measure_error() -> dict[str, Any]:
    """Return the errors on the real call log, each day from the days before it; empty without the log."""
    log = read_call_log()
    if log is None:
        return {}
    days = arrival_days(log.centre, add_half_hours(log.centre, log.totals), date.max)
    found = {}
    for name, since in (("all", days[0].day), ("from_11", date(days[0].day.year, days[0].day.month, 11))):
        score = score_forecasts(backtest(days, since))
        found[name] = {
            "days": score.error.days, "wape": score.error.wape, "same_slot_wape": score.same_slot_error.wape,
            "ratio": score.ratio, "inside": score.inside,
        }  # fmt: skip
    return found


def measure() -> dict[str, Any]:
    """Return both."""
    night = measure_night()
    print_message(f"{night['centres']} centres forecast in {night['seconds']:.1f} s")
    return {"night": night, "error": measure_error()}


if __name__ == "__main__":
    print(json.dumps(round_figures({"machine": describe(), "forecast": measure()}), indent=2))
