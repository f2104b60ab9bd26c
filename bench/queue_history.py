"""How fast the queues of all centres over 28 whole days are answered: 700 centres, day totals as rollup writes them.

Each desk has some 40 tickets a day with waits from seconds to an hour, so histograms are as large as real ones.  The
first answer reads the store; the others may use what the API remembers.

Run: python -m bench.queue_history [--store influx] [--centres 700]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bench.api_client import ApiClient
from bench.api_scale import live_row
from bench.fleet import PER_CENTRE, write_province
from bench.machine import OtherWork, describe, sample_process
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, start_influxd
from bench.stores import open_store
from bench.summary import round_figures
from telemetry.core.calendar.windows import HOUR, SLOT, Window, day_window, days_in, floor
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import QUEUE_FIELDS, STATE_FIELDS, Total
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store

CENTRES = 700
DAYS = 28
TICKETS = 40
DESK_DAYS = 500
"""Different days of a desk."""
REQUESTS = 40
PATHS = {
    "by centre and service": "/api/v1/queues/history?bucket=total&limit=500&{period}",
    "by day": "/api/v1/queues/history?bucket=1d&limit=500&{period}",
    "by centre": "/api/v1/queues/history?bucket=total&by=centre&limit=500&{period}",
    "by service": "/api/v1/queues/history?bucket=total&by=service&{period}",
    "by level and day": "/api/v1/queues/history?bucket=1d&by=level&limit=500&{period}",
    "page of the province": "/?{days}",
}


def desk_sums(draws: random.Random) -> dict[str, int]:
    """Return a desk's day."""
    waits = [draws.expovariate(1 / 600_000) for _ in range(TICKETS)]
    services = [draws.gammavariate(2, 200_000) for _ in range(TICKETS)]
    sums = dict.fromkeys(QUEUE_FIELDS, TICKETS) | {
        "wait_sum_ms": int(sum(waits)), "wait_histogram": sum(map(histogram_of, waits)),
        "service_count": TICKETS, "service_sum_ms": int(sum(services)),
        "service_histogram": sum(map(histogram_of, services)), "abandoned": 2, "no_show": 1,
    }  # fmt: skip
    return sums | {"way_count": 3, "way_sum_ms": 90_000, "way_histogram": 3 * histogram_of(30_000)}


def centre_days(
    centre: Centre, days: Sequence[Window], desks: Sequence[dict[str, int]], draws: random.Random
) -> Iterator[Total]:
    """Yield a centre's days: its time and its desks, each day one of `desks`."""
    states = dict.fromkeys((*STATE_FIELDS, *(f"open_{name}" for name in STATE_FIELDS)), 0)
    states |= {"open_up_ms": 7 * HOUR, "up_ms": 9 * HOUR}
    for day in days:
        yield Total(centre.id, Scope.centre(centre.id), "1d", day.start, centre.province, states)
        for service in centre.services:
            yield Total(
                centre.id, Scope.desk(centre.id, service), "1d", day.start, centre.province, draws.choice(desks)
            )


def fill_store(store: Store, inventory: Inventory, now: int) -> tuple[Window, int]:
    """Write totals and live rows; returns the days and how many totals."""
    today = local_date(now, inventory.zone)
    first = day_window(today - timedelta(days=DAYS), inventory.zone).start
    period = Window(first, day_window(today, inventory.zone).start)
    days = [day_window(day, inventory.zone) for day in days_in(period, inventory.zone)]
    draws, written = random.Random(1), 0
    desks = [desk_sums(draws) for _ in range(DESK_DAYS)]
    store.set_checkpoint("fold_version", FOLD_VERSION)
    with ProgressBar("totals of centres", len(inventory.centres)) as bar:
        for centre in inventory.centres.values():
            rows = list(centre_days(centre, days, desks, draws))
            store.replace_totals(centre.id, "1d", period, rows)
            written += len(rows)
            bar.step()
    store.put_live_rows({c.id: live_row(inventory, c, now, now) for c in inventory.centres.values()})
    store.set_cursor(now * 1000)
    return period, written


def one_run(kind: str, centres: int = CENTRES, requests: int = REQUESTS) -> dict[str, Any]:
    """Fill a fresh store and measure the answers."""
    others = OtherWork()
    with open_sandbox() as sandbox:
        inventory = write_province(sandbox.folder / "inventory", centres * PER_CENTRE)
        sandbox.environ |= {"MOTCUA_INVENTORY": str(sandbox.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
        url = start_influxd(sandbox).url if kind == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
        now = floor(time.time_ns() // 1_000_000, SLOT)
        with open_store(url, TOKEN) as store:
            period, written = fill_store(store, inventory, now)
        first, last = (local_date(t, inventory.zone) for t in (period.start, period.end - 1))
        names = {
            "period": f"from={first}&to={last + timedelta(days=1)}",
            "days": f"from={first}&to={last}",
        }
        api, answers = ApiClient.start(sandbox, url), {}
        with ProgressBar(f"questions, {kind}", len(PATHS)) as bar:
            for name, path in PATHS.items():
                answers[name] = api.measure_latency(path.format(**names), requests)
                bar.step()
        return {
            "centres": len(inventory.centres), "totals": written, "questions": answers,
            "api_rss_mb": sample_process(api.process.pid).rss_mb, "others_pct": others.share_pct(),
        }  # fmt: skip


def measure(stores: Sequence[str] = ("influx", "sqlite"), centres: int = CENTRES) -> dict[str, Any]:
    """Return the timings by store."""
    results = {}
    for kind in stores:
        result = results[kind] = one_run(kind, centres)
        worst = max(result["questions"].items(), key=lambda item: item[1]["p95_ms"])
        print_message(f"queues of {centres} centres, {kind}: slowest {worst[0]}, p95 {worst[1]['p95_ms']:.0f} ms")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.queue_history", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="sqlite")
    parser.add_argument("--centres", type=int, default=CENTRES)
    args = parser.parse_args()
    results = measure((args.store,), args.centres)
    print(json.dumps(round_figures({"machine": describe(), "queue_history": results}), indent=2))


if __name__ == "__main__":
    main()
