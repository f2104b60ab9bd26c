"""Roll-up: folds one centre's day, and the whole sample province's day, again from raw events.

The day is the demo's simulation (heartbeats, tickets, probes), written through the store's port; the fold runs in
this process, as it does inside `motcua rollup`.

Run: python -m bench.recompute [--store influx]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from bench.machine import Others, describe
from bench.progress import Bar, say
from bench.sandbox import room
from bench.servers import TOKEN, influxd
from bench.stores import opened
from bench.summary import rounded
from edge_agent.sources.simulation import day_events
from motcua import system
from telemetry.core.calendar.windows import Window, day_window
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.inventory import default_path, load
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

SEED = 2021
CENTRE = "vn83-83"
BATCH = 5_000


def the_day(world: Inventory) -> date:
    """Return a past day on which the centre is open."""
    centre, day = world.centres[CENTRE], date.fromtimestamp(time.time()) - timedelta(days=1)  # noqa: DTZ012
    while not centre.open_windows(day_window(day, centre.zone)):
        day -= timedelta(days=1)
    return day


def fill(store: Store, world: Inventory, day: date) -> tuple[int, int]:
    """Write the province's day; returns how many events, and how many of them the centre's devices sent."""
    systems, total, own = list(world.systems.values()), 0, 0
    with Bar("a day of the province", len(world.centres)) as bar:
        for centre in world.centres.values():
            devices = [d for d in world.devices_of(centre.id) if d.kind not in {"replay", "host"}]
            made = day_events(centre, devices, systems, day, SEED)
            rows = [
                Stored(centre.id, device, f"01JFOLD{device[-19:].replace('-', '0')}", msgspec.structs.replace(e, n=i))
                for device, events in made.items()
                for i, e in enumerate(events, 1)
            ]
            for at in range(0, len(rows), BATCH):
                store.append(Batch(system.wall_ms() * 1000, rows[at : at + BATCH]))
            total, own = total + len(rows), own + len(rows) * (centre.id == CENTRE)
            bar.step()
    return total, own


def fold(store: Store, world: Inventory, units: Sequence[str], window: Window) -> dict[str, float]:
    """Fold the units over the window; returns seconds, and this process's processor seconds."""
    rollup = Rollup(store, lambda: world, system.wall_ms)
    began, cpu = time.perf_counter(), sum(os.times()[:2])
    with Bar("folded", len(units)) as bar:
        for unit in units:
            rollup.fold(unit, window)
            bar.step()
    return {"seconds": time.perf_counter() - began, "cpu_s": sum(os.times()[:2]) - cpu}


def one_run(kind: str) -> dict[str, Any]:
    """Fill a fresh store and fold."""
    others, world = Others(), load(default_path())
    with room() as place:
        url = influxd(place).url if kind == "influx" else f"sqlite:///{place.folder / 'store.db'}"
        with opened(url, TOKEN) as store:
            store.set_mark("fold_version", FOLD_VERSION)
            day = the_day(world)
            window = day_window(day, world.zone)
            events, own = fill(store, world, day)
            units = [*world.centres, *world.systems]
            return {
                "centre_events": own,
                "province_events": events,
                "centre_day": fold(store, world, [CENTRE], window),
                "units": len(units),
                "province_day": fold(store, world, units, window),
                "others_pct": others.share_pct(),
            }


def measure(stores: Sequence[str] = ("influx", "sqlite")) -> dict[str, Any]:
    """Return the seconds per store."""
    found = {}
    for kind in stores:
        found[kind] = one_run(kind)
        centre, province = (found[kind][name]["seconds"] for name in ("centre_day", "province_day"))
        say(f"fold from {kind}: a centre's day {centre:.2f} s, the province's day {province:.1f} s")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.recompute", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    args = parser.parse_args()
    print(json.dumps(rounded({"machine": describe(), "recompute": measure((args.store,))}), indent=2))


if __name__ == "__main__":
    main()
