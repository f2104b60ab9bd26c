"""One device's burden on all others: what its events cost rollup's passes and ingest's write lock.

Three loads, each of one device: events on many old days, results of systems that nobody declared, and frames that have
only odd row numbers.  Another centre reports before every pass; the longest pass is how late its live row can be.

Run: python -m bench.burden [--store influx] [--events 2000]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.machine import OtherWork, describe
from bench.progress import print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, find_influxd, start_influxd
from bench.stores import open_store
from bench.summary import round_figures
from motcua import system
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, floor
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.protocol import events as ev
from telemetry.inventory import default_path, load
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, ChangeRecord, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.store import Store

EVENTS, FRAMES, ROWS_PER_FRAME = 2_000, 400, 50
BURDENING = ("vn83-83", "vn83-83-kiosk1")
OTHER = ("vn83-829", "vn83-829-kiosk1")
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """One device's rows."""

    name: str
    events: Sequence[ev.Event]


def old_days(count: int, now: int) -> Load:
    """Return one heartbeat on each of many old days, a minute before the local midnight: it affects two days."""
    last = floor(now, DAY) + 17 * HOUR - MINUTE
    heartbeats = (ev.DeviceHeartbeat(n=i, t=last - (i + 2) * DAY, every_ms=60_000) for i in range(1, count + 1))
    return Load("old_days", list(heartbeats))


def undeclared_systems(count: int, now: int) -> Load:
    """Return one result for each of many systems that the inventory lacks."""
    results = (ev.ProbeResult(n=i, t=now - 1, system=f"vn83-x{i}", kind="http", ok=True) for i in range(1, count + 1))
    return Load("undeclared_systems", list(results))


def write_events(store: Store, source: tuple[str, str], events: Sequence[ev.Event], now: int) -> None:
    """Store one device's events as ingest does, with the hours that they affect."""
    centre, device = source
    stored = [StoredEvent(centre, device, "burden", event) for event in events]
    changes = [ChangeRecord(*window) for window in dirty_hours((ev.entity_of(centre, e), e) for e in events)]
    store.append(Batch(now * 1000, stored, changes))


def measure_passes(store: Store, load_: Load) -> dict[str, float]:
    """Return the longest of rollup's passes until all is folded, s, while another centre reports before each."""
    inventory = load(default_path())
    store.set_checkpoint("fold_version", FOLD_VERSION)
    rollup, began = Rollup(store, lambda: inventory, system.wall_ms), time.perf_counter()
    rollup.run_once()
    write_events(store, BURDENING, load_.events, system.wall_ms())
    goal, others = system.wall_ms() * 1000, 0
    took: list[float] = []
    began = time.perf_counter()
    while store.cursor() <= goal and sum(took) < TIMEOUT_S:
        now, others = system.wall_ms(), others + 1
        write_events(store, OTHER, [ev.KioskState(n=others, t=now, state="in_service")], now)
        pass_began = time.perf_counter()
        rollup.run_once()
        took.append(time.perf_counter() - pass_began)
    return {"longest_pass_s": max(took), "passes": len(took), "all_folded_s": time.perf_counter() - began}


def measure_odd_rows(store: Store, frames: int) -> dict[str, float]:
    """Return the time of the write and reconciliation of a frame, ms: the first ones' and the last ones' median."""
    took: list[float] = []
    for frame in range(frames):
        now = system.wall_ms()
        first = frame * ROWS_PER_FRAME
        events = [ev.KioskState(n=2 * (first + i) + 1, t=now, state="in_service") for i in range(ROWS_PER_FRAME)]
        began = time.perf_counter()
        write_events(store, BURDENING, events, now)
        store.reconcile()
        took.append(1000 * (time.perf_counter() - began))
    part = max(frames // 10, 1)
    first_ms, last_ms = median(took[:part]), median(took[-part:])
    return {"first_ms": first_ms, "last_ms": last_ms, "ratio": last_ms / first_ms, "frames": frames}


def one_store(kind: str, count: int, frames: int) -> dict[str, Any]:
    """Measure all loads, each on a fresh store."""
    results: dict[str, Any] = {}
    for name in ("old_days", "undeclared_systems", "odd_rows"):
        with open_sandbox() as sandbox:
            url = start_influxd(sandbox).url if kind == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
            with open_store(url, TOKEN) as store:
                make = {"old_days": old_days, "undeclared_systems": undeclared_systems}.get(name)
                results[name] = (
                    measure_passes(store, make(count, system.wall_ms())) if make else measure_odd_rows(store, frames)
                )
        print_message(f"burden, {name} on {kind}: {results[name]}")
    return results


def measure(stores: Sequence[str] = ("sqlite", "influx"), count: int = EVENTS, frames: int = FRAMES) -> dict[str, Any]:
    """Return the figures per store; InfluxDB only when there is one."""
    results: dict[str, Any] = {}
    for kind in stores:
        if kind == "influx" and find_influxd() is None:
            print_message("influxd is missing: SQLite only")
            continue
        others = OtherWork()
        results[kind] = one_store(kind, count, frames)
        results[kind]["others_pct"] = others.share_pct()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.burden", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="sqlite")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--frames", type=int, default=FRAMES)
    args = parser.parse_args()
    found = measure((args.store,), args.events, args.frames)
    print(json.dumps(round_figures({"machine": describe(), "burden": found}), indent=2))


if __name__ == "__main__":
    main()
