"""How fast `motcua api` answers over a store with 1,000 or 8,400 devices and 28 days of totals.

Totals and live rows are synthetic, written through the store's port.  Days are there for all 28 days; hours and
5 minutes only at both ends, where questions about "the last 28 days" read them (`--full`: hours for all days).
While it is asked, a sixtieth of the live rows is written anew each second, and one of them says that its past changed.

Run: python -m bench.api_scale [--devices 1000 8400] [--store influx] [--full]
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import urllib.parse
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import msgspec

from bench.api_client import ApiClient
from bench.fleet import write_province
from bench.machine import OtherWork, describe, sample_process
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, start_influxd
from bench.stores import open_store
from bench.summary import round_figures
from telemetry.core.calendar.windows import HOUR, SLOT, Window, day_window, days_in, floor
from telemetry.core.fold import live_state as present
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.live_row_types import ScopedSloNow, SloNow
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.fold.totals import CAPACITY_FIELDS, OPEN_FIELDS, QUEUE_FIELDS, STATE_FIELDS, Total
from telemetry.core.protocol import events as ev
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store

DAYS = 28
DAY = 24 * HOUR
BUCKET_MS: dict[BucketWidth, int] = {"5m": SLOT, "1h": HOUR}
REQUESTS = 100
CENTRE = "vn83-83"


def bucket_starts(inventory: Inventory, now: int, *, full: bool) -> Iterator[tuple[BucketWidth, Window, list[int]]]:
    """Yield (width, window, starts of totals) that are kept of the 28 days."""
    since = now - DAYS * DAY
    days = [day_window(day, inventory.zone) for day in days_in(Window(since, now), inventory.zone)]
    yield "1d", Window(days[0].start, days[-1].end), [day.start for day in days]
    for width, length in (("1h", DAY), ("5m", 2 * HOUR)):
        all_of_it = full and width == "1h"
        for end in [Window(since, now)] if all_of_it else [Window(since, since + length), Window(now - length, now)]:
            window = Window(floor(end.start, HOUR), floor(end.end, SLOT))
            yield width, window, list(range(window.start, window.end, BUCKET_MS[width]))  # type: ignore[misc,index]


def synthetic_totals(
    inventory: Inventory, centre: Centre, width: BucketWidth, bucket_starts: Sequence[int]
) -> list[Total]:
    """Return plausible totals of a centre, its devices and its desks."""
    length = BUCKET_MS.get(width, DAY)
    states = dict.fromkeys((*STATE_FIELDS, *CAPACITY_FIELDS, *(OPEN_FIELDS if width != "5m" else ())), 0)
    states |= {name: length // 4 for name in states if "up" in name or "cap" in name} | {"down_ms": 1_000}
    queues = {name: 3 if "sum" not in name else 600_000 for name in QUEUE_FIELDS}
    scopes = [Scope.centre(centre.id), *(Scope.device(d.id) for d in inventory.devices_of(centre.id))]
    desks = [Scope.desk(centre.id, service) for service in centre.services]
    rows = [(scope, states) for scope in scopes] + [(scope, queues) for scope in desks]
    return [
        Total(centre.id, scope, width, t, centre.province, sums) for t, (scope, sums) in product(bucket_starts, rows)
    ]


def live_row(inventory: Inventory, centre: Centre, now: int, reopened: int) -> bytes:
    """Return a centre's live row with every device in contact just now."""
    devices = inventory.devices_of(centre.id)
    heartbeats = [
        SourcedEvent(d.id, "01JLIVE", ev.DeviceHeartbeat(n=1, t=now - 20_000, cpu_pct=9.0, fw="1.4.2")) for d in devices
    ]
    day = day_window(next(iter(days_in(Window(now, now + 1), centre.zone))), centre.zone)
    row = present.centre_now(centre, devices, heartbeats, now, day.start)
    return msgspec.json.encode(msgspec.structs.replace(row, reopened=reopened))


def objective_rows(inventory: Inventory, now: int) -> dict[str, bytes]:
    """Return the objectives' live rows, each at every centre."""
    start, seconds = now - DAYS * DAY, 166 * 3600
    scopes = tuple(
        ScopedSloNow(
            scope=str(Scope.centre(ident)), start=start, end=now, good=seconds - 600, bad=600, standing="healthy",
            open=seconds, up=seconds - 600, down=600,
        )
        for ident in inventory.centres
    )  # fmt: skip
    rows = [SloNow(slo=o.id, at=now, settled_until=now - 7 * DAY, scopes=scopes) for o in inventory.objectives]
    return {f"slo:{row.slo}": msgspec.json.encode(row) for row in rows}


class LiveRowWriter:
    """Writes a sixtieth of the live rows each second, as rollup does, and one whose past changed."""

    def __init__(self, store: Store, inventory: Inventory, since: int) -> None:
        self._store = store
        self._rows = [
            (c.id, (live_row(inventory, c, since, since), live_row(inventory, c, since, since + 1)))
            for c in inventory.centres.values()
        ]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        part, turn = max(1, len(self._rows) // 60), 0
        while not self._stop.wait(1.0):
            chosen = [self._rows[(turn * part + i) % len(self._rows)] for i in range(part)]
            rows = {ident: bodies[0] for ident, bodies in chosen}
            ident, bodies = chosen[0]
            rows[ident] = bodies[(turn // 60 + 1) % 2]
            self._store.put_live_rows(rows)
            turn += 1


def fill_store(store: Store, inventory: Inventory, now: int, *, full: bool) -> int:
    """Write totals and live rows; returns how many totals."""
    parts, written = list(bucket_starts(inventory, now, full=full)), 0
    store.set_checkpoint("fold_version", FOLD_VERSION)
    with ProgressBar("totals of centres", len(inventory.centres) * len(parts)) as bar:
        for centre in inventory.centres.values():
            for width, window, starts in parts:
                rows = synthetic_totals(inventory, centre, width, starts)
                store.replace_totals(centre.id, width, window, rows)
                written += len(rows)
                bar.step()
    store.put_live_rows(
        {c.id: live_row(inventory, c, now, now) for c in inventory.centres.values()} | objective_rows(inventory, now)
    )
    store.set_cursor(now * 1000)
    return written


def query_paths(now: int) -> dict[str, str]:
    """Return the requested paths, by name."""
    ends = {name: _format_utc(t) for name, t in (("from", now - DAYS * DAY), ("to", now))}

    def past_path(path: str, **parameters: str) -> str:
        return f"/api/v1/{path}?{urllib.parse.urlencode({**ends, **parameters})}"

    return {
        "status": "/api/v1/status",
        "centres, a page": "/api/v1/centres?limit=50",
        "a centre": f"/api/v1/centres/{CENTRE}",
        "availability of a centre, 28 d": past_path("availability", scope=Scope.centre(CENTRE)),
        "availability of the country, 28 d": past_path("availability", scope="country"),
        "availability of the country by day, 28 d": past_path("availability", scope="country", bucket="1d"),
        "queues of a centre now": f"/api/v1/queues/now?centre={CENTRE}",
        "queues of all centres now": "/api/v1/queues/now",
        "objectives": "/api/v1/slos",
        "queues of a centre, 28 d": past_path("queues/history", centre=CENTRE, bucket="total"),
        "queues of all centres, 28 d": past_path("queues/history", bucket="total"),
        "metrics": "/metrics",
        "start page": "/",
        "page of centres": "/centres",
        "page of a district": "/districts/831",
        "page of a search": "/search?q=cho+lach",
    }


def _format_utc(t: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t / 1000))


def one_run(kind: str, devices: int, *, full: bool, requests: int = REQUESTS) -> dict[str, Any]:
    """Fill a fresh store and measure the answers."""
    others = OtherWork()
    with open_sandbox() as sandbox:
        inventory = write_province(sandbox.folder / "inventory", devices)
        sandbox.environ |= {"MOTCUA_INVENTORY": str(sandbox.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
        url = start_influxd(sandbox).url if kind == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
        now = floor(time.time_ns() // 1_000_000, SLOT)
        began = time.perf_counter()
        with open_store(url, TOKEN) as store:
            written = fill_store(store, inventory, now, full=full)
            took = time.perf_counter() - began
            api = ApiClient.start(sandbox, url)
            with LiveRowWriter(store, inventory, now):
                timings = time_paths(api, query_paths(now), requests, f"questions, {devices} devices, {kind}")
        return {
            "devices": len(inventory.devices),
            "totals": written,
            "totals_per_s": written / took,
            "questions": timings,
            "api_rss_mb": sample_process(api.process.pid).rss_mb,
            "others_pct": others.share_pct(),
        }


def time_paths(api: ApiClient, paths: dict[str, str], requests: int, title: str) -> dict[str, Any]:
    """Request each path in turn and return how long the answers take."""
    timings = {}
    with ProgressBar(title, len(paths)) as bar:
        for name, path in paths.items():
            timings[name] = api.measure_latency(path, requests)
            bar.step()
    return timings


def measure(
    sizes: Sequence[int] = (1_000, 8_400), stores: Sequence[str] = ("influx", "sqlite"), *, full: bool = False
) -> dict[str, Any]:
    """Return the timings by store and number of devices."""
    results: dict[str, Any] = {}
    for kind, size in product(stores, sizes):
        result = results.setdefault(kind, {})[str(size)] = one_run(kind, size, full=full)
        worst = max(result["questions"].items(), key=lambda item: item[1]["p95_ms"])
        print_message(f"API, {size} devices, {kind}: slowest is {worst[0]}, p95 {worst[1]['p95_ms']:.0f} ms")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.api_scale", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    parser.add_argument("--devices", type=int, nargs="+", default=[1_000, 8_400])
    parser.add_argument("--full", action="store_true", help="hours for all 28 days (slow to write)")
    args = parser.parse_args()
    results = measure(args.devices, (args.store,), full=args.full)
    print(json.dumps(round_figures({"machine": describe(), "api_scale": results}), indent=2))


if __name__ == "__main__":
    main()
