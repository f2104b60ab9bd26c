"""How large the open datasets of a whole province are, how long they take and what they hold in memory.

The store has day totals of 167 centres over 366 days: each centre, its desks, its dossiers and twelve procedures.
Counts differ from desk to desk and day to day, so that some are small.

Run: python -m bench.datasets [--store influx]
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bench.api_client import ApiClient
from bench.api_scale import live_row
from bench.machine import OtherWork, describe, sample_process
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, start_influxd
from bench.stores import open_store
from bench.summary import round_figures
from telemetry.core.calendar.windows import SLOT, Window, day_window, days_in, floor
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.inventory import default_path, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store

DAYS = 366
PROCEDURES = 12
_LONG = "?from={year}&to={today}"
PATHS = {
    "availability, 28 d": "availability.csv", "availability, 366 d": f"availability.csv{_LONG}",
    "queues, 28 d": "queues.csv", "queues, 28 d, jsonl": "queues.jsonl", "queues, 366 d": f"queues.csv{_LONG}",
    "dossiers, 12 months": "dossiers.csv", "procedures, 12 months": "procedures.csv", "kpis, 12 months": "kpis.csv",
    "targets": "targets.csv", "commitments": "commitments.csv",
}  # fmt: skip


def day_totals(centre: Centre, day: Window, number: int) -> Iterator[Total]:
    """Yield one centre's day: its time, tickets by desk, dossiers and procedures."""

    def total(scope: Scope, sums: dict[str, int]) -> Total:
        return Total(centre.id, scope, "1d", day.start, centre.province, sums)

    hours = 7 * 3_600_000
    yield total(Scope.centre(centre.id), {"up_ms": day.length, "open_up_ms": hours, "open_down_ms": number * 1_000})
    each = max(1, centre.tickets_per_day // max(1, len(centre.services)))
    for place, service in enumerate(centre.services):
        n = each * 2 * ((number + place) % 7) // 6
        lost = (number * place) % 3 if n > 3 else 0
        yield total(Scope.desk(centre.id, service), {
            "issued": n, "called": n - lost, "served": n - lost, "abandoned": lost, "wait_sum_ms": (n - lost) * 300_000,
            "wait_histogram": histogram_of(300_000) * (n - lost), "service_count": n - lost,
            "service_sum_ms": (n - lost) * 400_000, "service_histogram": histogram_of(400_000) * (n - lost),
            "level_good_900": n - lost, "level_bad_900": lost,
        })  # fmt: skip
    level = Scope.administration(centre.id, centre.level)
    yield total(level, {
        "received_online": number % 5, "received_direct": 6, "resolved_online": number % 5, "resolved_direct": 5,
        "resolved_on_time": 5, "resolved_digital": number % 4,
    })  # fmt: skip
    for i in range(PROCEDURES):
        online = int((number + i) % 5 == 0)
        yield total(Scope.procedure(centre.id, f"1.{i:06}"), {"received": (number + i) % 3, "received_online": online})


def fill_store(store: Store, inventory: Inventory, now: int, days_back: int) -> int:
    """Write totals and live rows; returns how many totals."""
    today = day_window(local_date(now, inventory.zone), inventory.zone).start
    first = day_window(local_date(today, inventory.zone) - timedelta(days=days_back), inventory.zone).start
    days = [day_window(day, inventory.zone) for day in days_in(Window(first, today), inventory.zone)]
    written = 0
    store.set_checkpoint("fold_version", FOLD_VERSION)
    with ProgressBar("totals of centres", len(inventory.centres)) as bar:
        for place, centre in enumerate(inventory.centres.values()):
            rows = [row for i, day in enumerate(days) for row in day_totals(centre, day, place + i)]
            store.replace_totals(centre.id, "1d", Window(first, today), rows)
            written += len(rows)
            bar.step()
    store.put_live_rows({c.id: live_row(inventory, c, now, now) for c in inventory.centres.values()})
    store.set_cursor(now * 1000)
    return written


def measure(kind: str = "sqlite", days: int = DAYS) -> dict[str, Any]:
    """Return size, seconds and the memory of the API afterwards, by question; each is asked twice."""
    others = OtherWork()
    with open_sandbox() as sandbox:
        inventory = load(default_path())
        sandbox.environ |= {"MOTCUA_INVENTORY": str(default_path()), "MOTCUA_STORE_TOKEN": TOKEN}
        url = start_influxd(sandbox).url if kind == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
        now = floor(time.time_ns() // 1_000_000, SLOT)
        with open_store(url, TOKEN) as store:
            written = fill_store(store, inventory, now, days)
        today = local_date(now, inventory.zone)
        api = ApiClient.start(sandbox, url)
        results: dict[str, Any] = {}
        for name, path in PATHS.items():
            address = "/api/v1/datasets/" + path.format(year=today - timedelta(days=DAYS), today=today)
            results[name] = _time_twice(api, address)
        return {
            "centres": len(inventory.centres), "totals": written, "datasets": results,
            "others_pct": others.share_pct(),
        }  # fmt: skip


def _time_twice(api: ApiClient, address: str) -> dict[str, float]:
    seconds, body = [], b""
    for _ in range(2):
        began = time.perf_counter()
        body = api.get(address)
        seconds.append(time.perf_counter() - began)
    header = int(".csv" in address)
    return {
        "rows": body.count(b"\n") - header, "mb": len(body) / 1e6, "first_s": seconds[0], "again_s": seconds[1],
        "api_rss_mb": sample_process(api.process.pid).rss_mb,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.datasets", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="sqlite")
    results = measure(parser.parse_args().store)
    print_message(f"open datasets: {results['totals']} totals")
    print(json.dumps(round_figures({"machine": describe(), "datasets": results}), indent=2))


if __name__ == "__main__":
    main()
