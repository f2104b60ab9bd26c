"""A calendar edit: one centre's 28 days are added again from 5-minute totals, and no raw event is read.

The centre has 12 devices and 8 desks.  Its totals are synthetic, written through the store's port; then its week
changes, so that every day is stale.  The clock runs over rollup's passes until the edit is settled.

Run: python -m bench.reaggregate [--store influx] [--days 28]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from datetime import time as wall
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bench.machine import OtherWork, describe
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, find_influxd, start_influxd
from bench.stores import open_store
from bench.summary import round_figures
from motcua import system
from telemetry.core.calendar.windows import DAY, SLOT, Window, day_window, days_in
from telemetry.core.fold import aggregation
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.totals import (
    CALENDAR_FIELD,
    CAPACITY_FIELDS,
    QUEUE_FIELDS,
    READY_AT_SLOT_FIELDS,
    STATE_FIELDS,
    Total,
)
from telemetry.core.inventory import Centre, Device, Inventory
from telemetry.core.scope import Scope
from telemetry.rollup.service import Rollup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.core.inventory import OpeningHours
    from telemetry.store import Store

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
CENTRE, DEVICES, DESKS, DAYS = "vn83-readd", 12, 8, 28
TIMEOUT_S = 60.0
_MORNING = (wall(7), wall(11, 30))
HOURS_BEFORE: OpeningHours = (_MORNING, (wall(13), wall(17)))
HOURS_AFTER: OpeningHours = (_MORNING, (wall(13, 30), wall(17)))


def build_inventory(hours: OpeningHours) -> Inventory:
    """Return a province with the one centre, open every day."""
    centre = Centre(CENTRE, "u", "commune", "C", "C", "vn83", "", 8, (hours,) * 7, (), ZONE)
    devices = {f"{CENTRE}-kiosk{i}": Device(f"{CENTRE}-kiosk{i}", CENTRE, "kiosk") for i in range(1, DEVICES + 1)}
    none: MappingProxyType[str, Any] = MappingProxyType({})
    return Inventory(
        "before",
        "vn83",
        "T",
        "T",
        ZONE,
        none,
        MappingProxyType({CENTRE: centre}),
        MappingProxyType(devices),
        none,
        none,
    )


def five_minute_totals(window: Window) -> Iterator[Total]:
    """Yield the 5-minute totals of the window, of every scope."""
    device_sums = dict.fromkeys(STATE_FIELDS, 40_000)
    centre_sums = device_sums | dict.fromkeys((*CAPACITY_FIELDS, *READY_AT_SLOT_FIELDS), 1)
    queue = dict.fromkeys(QUEUE_FIELDS, 3)
    scopes = {Scope.device(f"{CENTRE}-kiosk{i}"): device_sums for i in range(1, DEVICES + 1)} | {
        Scope.centre(CENTRE): centre_sums
    }
    scopes |= {Scope.desk(CENTRE, f"desk{i}"): queue for i in range(1, DESKS + 1)}
    for slot_start in range(window.start, window.end, SLOT):
        yield from (Total(CENTRE, scope, "5m", slot_start, "vn83", sums) for scope, sums in scopes.items())


def fill_store(store: Store, inventory: Inventory, days: Sequence[Window]) -> None:
    """Write the days' totals as they were added with the first calendar."""
    calendar = inventory.centres[CENTRE].calendar
    with ProgressBar("days of totals", len(days)) as bar:
        for day in days:
            rows = list(five_minute_totals(day))
            store.replace_totals(CENTRE, "5m", day, rows)
            store.replace_totals(CENTRE, "1h", day, aggregation.hourly_totals(rows, calendar))
            store.replace_totals(
                CENTRE, "1d", Window(day.start, day.start + 1), aggregation.daily_totals(rows, day, calendar)
            )
            bar.step()
    store.set_checkpoint("fold_version", FOLD_VERSION)
    store.set_checkpoint(f"calendar:{CENTRE}", int(calendar.version, 16))
    store.set_cursor(system.wall_ms() * 1000)


def run_until_settled(store: Store, inventory: Inventory) -> dict[str, float]:
    """Run rollup passes until the edit is applied; returns seconds, of all passes and of the longest."""
    rollup, version = (
        Rollup(store, lambda: inventory, system.wall_ms),
        int(inventory.centres[CENTRE].calendar.version, 16),
    )
    took: list[float] = []
    cpu = sum(os.times()[:2])
    while store.checkpoint(f"calendar:{CENTRE}") != version and sum(took) < TIMEOUT_S:
        began = time.perf_counter()
        rollup.run_once()
        took.append(time.perf_counter() - began)
    return {"seconds": sum(took), "longest_pass_s": max(took), "passes": len(took), "cpu_s": sum(os.times()[:2]) - cpu}


def count_stale_days(store: Store, inventory: Inventory, days: Sequence[Window]) -> int:
    """Count the days whose row has another calendar's fingerprint."""
    calendar = inventory.centres[CENTRE].calendar
    fingerprints = {
        t.start: t.sums[CALENDAR_FIELD] for t in store.totals([CENTRE], "1d", Window(days[0].start, days[-1].end))
    }
    return sum(fingerprints.get(day.start) != calendar.fingerprint(day) for day in days)


def one_run(kind: str, count: int = DAYS) -> dict[str, Any]:
    """Fill a fresh store, edit the calendar, add again."""
    others, before = OtherWork(), build_inventory(HOURS_BEFORE)
    edited = replace(before, version="after", centres=build_inventory(HOURS_AFTER).centres)
    with open_sandbox() as sandbox:
        url = start_influxd(sandbox).url if kind == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
        with open_store(url, TOKEN) as store:
            now = system.wall_ms()
            past = list(days_in(Window(now - (count + 1) * DAY, now - DAY), ZONE))[-count:]
            days = [day_window(day, ZONE) for day in past]
            fill_store(store, before, days)
            timings: dict[str, Any] = run_until_settled(store, edited)
            if stale_days := count_stale_days(store, edited, days):
                raise SystemExit(f"{stale_days} of {count} days were not added again within {TIMEOUT_S:.0f} s")
    return {"days": count, **timings, "others_pct": others.share_pct()}


def measure(stores: Sequence[str] = ("sqlite", "influx"), days: int = DAYS) -> dict[str, Any]:
    """Return the seconds per store; InfluxDB only when there is one."""
    results = {}
    for kind in stores:
        if kind == "influx" and find_influxd() is None:
            print_message("influxd is missing: SQLite only")
            continue
        results[kind] = one_run(kind, days)
        print_message(f"{days} days of a centre added again on {kind}: {results[kind]['seconds']:.2f} s")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.reaggregate", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="sqlite")
    parser.add_argument("--days", type=int, default=DAYS)
    args = parser.parse_args()
    print(json.dumps(round_figures({"machine": describe(), "readd": measure((args.store,), args.days)}), indent=2))


if __name__ == "__main__":
    main()
