"""How fast `motcua api` answers the indicators of a whole province: 167 centres and a year of totals.

Totals are synthetic days, written through the store's port: desks, administrative levels, procedures, centres, systems.
The figures of past months are stored, as the rollup role does every night.  The first answer after the start adds them
up and reads today; the others are asked for two minutes, so that some of them renew.

Run: python -m bench.kpis
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from typing import TYPE_CHECKING, Any

from bench.api_client import ApiClient
from bench.api_scale import live_row
from bench.fleet import write_province
from bench.machine import OtherWork, describe
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.stores import open_store
from bench.summary import round_figures
from motcua.month_figures import store_month_figures
from telemetry.core.calendar.windows import DAY, SLOT, Window, day_window, days_in, floor
from telemetry.core.fold.administrative_counts import ADMINISTRATION_FIELDS, PROCEDURE_FIELDS
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import OPEN_FIELDS, QUEUE_FIELDS, STATE_FIELDS, Total
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store

DAYS = 366
PROCEDURES_A_DAY = 3
"""Procedures with dossiers a day and centre: 474 dossiers a working day over 167 centres."""
REQUESTS = 400
PAUSE_S = 0.3


def centre_totals(centre: Centre, starts: list[int]) -> list[Total]:
    """Return a centre's days."""
    states = dict.fromkeys((*STATE_FIELDS, *OPEN_FIELDS), 0)
    states |= {name: DAY // 4 for name in states if "up" in name} | {"down_ms": 1_000}
    queues = {name: histogram_of(600_000) if name.endswith("_histogram") else 3 for name in QUEUE_FIELDS}
    matters = {name: histogram_of(600_000) if name.endswith("_histogram") else 2 for name in ADMINISTRATION_FIELDS}
    desks = [(Scope.desk(centre.id, service), queues) for service in centre.services]
    fixed = [(Scope.centre(centre.id), states), (Scope.administration(centre.id, centre.level), matters), *desks]
    procedures = dict.fromkeys(PROCEDURE_FIELDS, 1)
    rows = [Total(centre.id, scope, "1d", t, centre.province, sums) for t, (scope, sums) in product(starts, fixed)]
    for day, t in enumerate(starts):
        for i in range(PROCEDURES_A_DAY):
            scope = Scope.procedure(centre.id, f"1.{(day * PROCEDURES_A_DAY + i) % 90:06}")
            rows.append(Total(centre.id, scope, "1d", t, centre.province, procedures))
    return rows


def fill_store(store: Store, inventory: Inventory, now: int) -> int:
    """Write a year of days and the live rows; returns how many totals."""
    days = list(days_in(Window(now - DAYS * DAY, now), inventory.zone))
    starts, written = [day_window(day, inventory.zone).start for day in days], 0
    window = Window(starts[0], starts[-1] + 1)
    store.set_checkpoint("fold_version", FOLD_VERSION)
    with ProgressBar("totals of centres", len(inventory.centres)) as bar:
        for centre in inventory.centres.values():
            rows = centre_totals(centre, starts)
            store.replace_totals(centre.id, "1d", window, rows)
            written += len(rows)
            bar.step()
    states = {"up_ms": DAY - 1_000, "down_ms": 1_000, "open_up_ms": DAY - 1_000, "open_down_ms": 1_000}
    for ident in inventory.systems:
        rows = [Total(ident, Scope.system(ident), "1d", t, inventory.province, states) for t in starts]
        store.replace_totals(ident, "1d", window, rows)
        written += len(rows)
    store.put_live_rows({c.id: live_row(inventory, c, now, now) for c in inventory.centres.values()})
    return written


def percentile(values: list[float], share: float) -> float:
    """Return a nearest-rank percentile."""
    return sorted(values)[max(0, -(-len(values) * int(share * 100) // 100) - 1)]


def query_paths() -> dict[str, str]:
    """Return what is asked, by name."""
    return {
        "page": "/kpis",
        "all indicators": "/api/v1/kpis?limit=500",
        "an indicator by month": "/api/v1/kpis/DG-01/values?bucket=1mo",
        "score of Decision 766": "/api/v1/kpis/score-766",
    }


def one_run(requests: int) -> dict[str, Any]:
    """Fill a fresh store and ask; each path's first answer is timed by itself."""
    others = OtherWork()
    with open_sandbox() as sandbox:
        inventory = write_province(sandbox.folder / "inventory", 0)
        sandbox.environ |= {"MOTCUA_INVENTORY": str(sandbox.folder / "inventory")}
        url = f"sqlite:///{sandbox.folder / 'store.db'}"
        now = floor(time.time_ns() // 1_000_000, SLOT)
        with open_store(url, "") as store:
            written = fill_store(store, inventory, now)
            store_month_figures(store, lambda: inventory, lambda: time.time_ns() // 1_000_000)
        api = ApiClient.start(sandbox, url)
        first = {name: timed_ms(api, path) for name, path in query_paths().items()}
        took: dict[str, list[float]] = {name: [] for name in query_paths()}
        with ProgressBar("questions", requests) as bar:
            for _ in range(requests):
                for name, path in query_paths().items():
                    took[name].append(timed_ms(api, path))
                time.sleep(PAUSE_S)
                bar.step()
    return {
        "centres": len(inventory.centres), "totals": written, "first_ms": first,
        "p95_ms": {name: percentile(values, 0.95) for name, values in took.items()},
        "worst_ms": {name: max(values) for name, values in took.items()}, "others_pct": others.share_pct(),
    }  # fmt: skip


def timed_ms(api: ApiClient, path: str) -> float:
    """Return how long one answer takes, ms."""
    began = time.perf_counter()
    api.get(path)
    return 1000 * (time.perf_counter() - began)


def measure(requests: int = REQUESTS) -> dict[str, Any]:
    """Return the figures."""
    results = one_run(requests)
    slowest = max(results["p95_ms"].items(), key=lambda item: item[1])
    print_message(f"indicators: slowest is {slowest[0]}, p95 {slowest[1]:.0f} ms; first {results['first_ms']}")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.kpis", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    args = parser.parse_args()
    print(json.dumps(round_figures({"machine": describe(), "kpis": measure(args.requests)}), indent=2))


if __name__ == "__main__":
    main()
