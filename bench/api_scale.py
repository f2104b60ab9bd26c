"""How fast `motcua api` answers over a store with 1,000 or 8,400 devices and 28 days of totals.

Totals and live rows are synthetic, written through the store's port.  Days are there for all 28 days; hours and
5 minutes only at both ends, where questions about "the last 28 days" read them (`--full`: hours for all days).

Run: python -m bench.api_scale [--devices 1000 8400] [--store influx] [--full]
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.parse
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec

from bench import frames
from bench.asking import Api
from bench.machine import Others, describe, weight
from bench.progress import Bar, say
from bench.room import room
from bench.servers import TOKEN, influxd
from bench.stores import opened
from bench.summary import rounded
from telemetry.core import events as ev, now as present
from telemetry.core.fold import FOLD_VERSION, Said
from telemetry.core.totals import OPEN_FIELDS, QUEUE_FIELDS, STATE_FIELDS, Total
from telemetry.core.windows import FIVE, HOUR, Window, day_window, days_in, floor
from telemetry.inventory import default_path, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry.core.inventory import Centre, Inventory
    from telemetry.core.windows import Width
    from telemetry.store import Store

DAYS = 28
DAY = 24 * HOUR
STEPS: dict[Width, int] = {"5m": FIVE, "1h": HOUR}
REQUESTS = 100
CENTRE = "vn83-83"


def world_of(folder: Path, devices: int) -> Inventory:
    """Write and load an inventory with so many devices."""
    declared = len(load(default_path()).devices)
    frames.devices(folder, devices - declared)
    return load(folder)


def starts(world: Inventory, now: int, *, full: bool) -> Iterator[tuple[Width, Window, list[int]]]:
    """Yield (width, window, starts of totals) that are kept of the 28 days."""
    since = now - DAYS * DAY
    days = [day_window(day, world.zone) for day in days_in(Window(since, now), world.zone)]
    yield "1d", Window(days[0].start, days[-1].end), [day.start for day in days]
    for width, length in (("1h", DAY), ("5m", 2 * HOUR)):
        all_of_it = full and width == "1h"
        for end in [Window(since, now)] if all_of_it else [Window(since, since + length), Window(now - length, now)]:
            window = Window(floor(end.start, HOUR), floor(end.end, FIVE))
            yield width, window, list(range(window.start, window.end, STEPS[width]))  # type: ignore[misc,index]


def totals(world: Inventory, centre: Centre, width: Width, marks: Sequence[int]) -> list[Total]:
    """Return plausible totals of a centre, its devices and its desks."""
    length = STEPS.get(width, DAY)
    states = dict.fromkeys((*STATE_FIELDS, *(OPEN_FIELDS if width != "5m" else ())), 0)
    states |= {name: length - 1_000 for name in states if "up" in name} | {"down_ms": 1_000}
    queues = {name: 3 if "sum" not in name else 600_000 for name in QUEUE_FIELDS}
    scopes = [f"centre:{centre.id}", *(f"device:{d.id}" for d in world.devices_of(centre.id))]
    desks = [f"desk:{centre.id}:{service}" for service in centre.services]
    rows = [(scope, states) for scope in scopes] + [(scope, queues) for scope in desks]
    return [Total(centre.id, scope, width, t, centre.province, sums) for t, (scope, sums) in product(marks, rows)]


def live(world: Inventory, centre: Centre, now: int) -> bytes:
    """Return a centre's live row with every device just heard."""
    devices = world.devices_of(centre.id)
    said = [Said(d.id, "01JLIVE", ev.DeviceHeartbeat(n=1, t=now - 20_000, cpu_pct=9.0, fw="1.4.2")) for d in devices]
    day = day_window(next(iter(days_in(Window(now, now + 1), centre.zone))), centre.zone)
    return msgspec.json.encode(present.centre_now(centre, devices, said, now, day.start))


def fill(store: Store, world: Inventory, now: int, *, full: bool) -> int:
    """Write totals and live rows; returns how many totals."""
    parts, written = list(starts(world, now, full=full)), 0
    store.set_mark("fold_version", FOLD_VERSION)
    with Bar("totals of centres", len(world.centres) * len(parts)) as bar:
        for centre in world.centres.values():
            for width, window, marks in parts:
                rows = totals(world, centre, width, marks)
                store.replace_totals(centre.id, width, window, rows)
                written += len(rows)
                bar.step()
    store.put_live({centre.id: live(world, centre, now) for centre in world.centres.values()})
    store.set_cursor(now * 1000)
    return written


def paths(now: int, province: str) -> dict[str, str]:
    """Return what is asked, by name."""
    ends = {name: _utc(t) for name, t in (("from", now - DAYS * DAY), ("to", now))}

    def past(path: str, **asked: str) -> str:
        return f"/api/v1/{path}?{urllib.parse.urlencode({**ends, **asked})}"

    return {
        "status": "/api/v1/status",
        "centre": f"/api/v1/centres/{CENTRE}",
        "availability of a centre, 28 d": past("availability", scope=f"centre:{CENTRE}", bucket="total"),
        "availability of the province, 28 d": past("availability", scope=f"province:{province}", bucket="total"),
        "availability of the province by day, 28 d": past("availability", scope=f"province:{province}", bucket="1d"),
        "queues of a centre, 28 d": past("queues/history", centre=CENTRE, bucket="total"),
        "queues of all centres, 28 d": past("queues/history", bucket="total"),
        "metrics": "/metrics",
    }


def _utc(t: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t / 1000))


def one_run(kind: str, devices: int, *, full: bool, requests: int = REQUESTS) -> dict[str, Any]:
    """Fill a fresh store and ask."""
    others = Others()
    with room() as place:
        world = world_of(place.folder / "inventory", devices)
        place.environ |= {"MOTCUA_INVENTORY": str(place.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
        url = influxd(place).url if kind == "influx" else f"sqlite:///{place.folder / 'store.db'}"
        now = floor(time.time_ns() // 1_000_000, FIVE)
        began = time.perf_counter()
        with opened(url, TOKEN) as store:
            written = fill(store, world, now, full=full)
        took = time.perf_counter() - began
        api = Api.start(place, url)
        asked = paths(now, world.province)
        with Bar(f"questions, {devices} devices, {kind}", len(asked)) as bar:
            found = {}
            for name, path in asked.items():
                found[name] = api.timing(path, requests)
                bar.step()
        return {
            "devices": len(world.devices),
            "totals": written,
            "totals_per_s": written / took,
            "questions": found,
            "api_rss_mb": weight(api.process.pid).rss_mb,
            "others_pct": others.share_pct(),
        }


def measure(
    sizes: Sequence[int] = (1_000, 8_400), stores: Sequence[str] = ("influx", "sqlite"), *, full: bool = False
) -> dict[str, Any]:
    """Return the timings by store and number of devices."""
    found: dict[str, Any] = {}
    for kind, size in product(stores, sizes):
        one = found.setdefault(kind, {})[str(size)] = one_run(kind, size, full=full)
        worst = max(one["questions"].items(), key=lambda item: item[1]["p95_ms"])
        say(f"API, {size} devices, {kind}: slowest is {worst[0]}, p95 {worst[1]['p95_ms']:.0f} ms")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.api_scale", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    parser.add_argument("--devices", type=int, nargs="+", default=[1_000, 8_400])
    parser.add_argument("--full", action="store_true", help="hours for all 28 days (slow to write)")
    args = parser.parse_args()
    found = measure(args.devices, (args.store,), full=args.full)
    print(json.dumps(rounded({"machine": describe(), "api_scale": found}), indent=2))


if __name__ == "__main__":
    main()
