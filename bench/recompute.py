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

from bench.machine import OtherWork, describe
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, start_influxd
from bench.stores import open_store
from bench.summary import round_figures
from edge_agent.sources.simulation import simulate_day
from motcua import system
from telemetry.core.calendar.windows import Window, day_window
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.inventory import default_path, load
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

SEED = 2021
CENTRE = "vn83-83"
BATCH_SIZE = 5_000


def last_open_day(inventory: Inventory) -> date:
    """Return a past day on which the centre is open."""
    centre, day = inventory.centres[CENTRE], date.fromtimestamp(time.time()) - timedelta(days=1)  # noqa: DTZ012
    while not centre.open_windows(day_window(day, centre.zone)):
        day -= timedelta(days=1)
    return day


def fill_store(store: Store, inventory: Inventory, day: date) -> tuple[int, int]:
    """Write the province's day; returns how many events, and how many of them the centre's devices sent."""
    systems, total, own = list(inventory.systems.values()), 0, 0
    with ProgressBar("a day of the province", len(inventory.centres)) as bar:
        for centre in inventory.centres.values():
            devices = [d for d in inventory.devices_of(centre.id) if d.kind not in {"replay", "host"}]
            events_by_device = simulate_day(centre, devices, systems, day, SEED)
            rows = [
                StoredEvent(
                    centre.id, device, f"01JFOLD{device[-19:].replace('-', '0')}", msgspec.structs.replace(e, n=i)
                )
                for device, events in events_by_device.items()
                for i, e in enumerate(events, 1)
            ]
            for at in range(0, len(rows), BATCH_SIZE):
                store.append(Batch(system.wall_ms() * 1000, rows[at : at + BATCH_SIZE]))
            total, own = total + len(rows), own + len(rows) * (centre.id == CENTRE)
            bar.step()
    return total, own


def time_fold(store: Store, inventory: Inventory, entities: Sequence[str], window: Window) -> dict[str, float]:
    """Fold the units over the window; returns seconds, and this process's processor seconds."""
    rollup = Rollup(store, lambda: inventory, system.wall_ms)
    began, cpu = time.perf_counter(), sum(os.times()[:2])
    with ProgressBar("folded", len(entities)) as bar:
        for entity in entities:
            rollup.fold(entity, window)
            bar.step()
    return {"seconds": time.perf_counter() - began, "cpu_s": sum(os.times()[:2]) - cpu}


def one_run(kind: str) -> dict[str, Any]:
    """Fill a fresh store and fold."""
    others, inventory = OtherWork(), load(default_path())
    with open_sandbox() as sandbox:
        url = start_influxd(sandbox).url if kind == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
        with open_store(url, TOKEN) as store:
            store.set_checkpoint("fold_version", FOLD_VERSION)
            day = last_open_day(inventory)
            window = day_window(day, inventory.zone)
            events, own = fill_store(store, inventory, day)
            entities = [*inventory.centres, *inventory.systems]
            return {
                "centre_events": own,
                "province_events": events,
                "centre_day": time_fold(store, inventory, [CENTRE], window),
                "units": len(entities),
                "province_day": time_fold(store, inventory, entities, window),
                "others_pct": others.share_pct(),
            }


def measure(stores: Sequence[str] = ("influx", "sqlite")) -> dict[str, Any]:
    """Return the seconds per store."""
    results = {}
    for kind in stores:
        results[kind] = one_run(kind)
        centre, province = (results[kind][name]["seconds"] for name in ("centre_day", "province_day"))
        print_message(f"fold from {kind}: a centre's day {centre:.2f} s, the province's day {province:.1f} s")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.recompute", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    args = parser.parse_args()
    print(json.dumps(round_figures({"machine": describe(), "recompute": measure((args.store,))}), indent=2))


if __name__ == "__main__":
    main()
