"""How fast every objective is judged from totals: 28 days of 700 centres and 8,400 devices.

Totals are synthetic, written through the store's port: days, hours of the last days, five minutes since yesterday.
The sample province's objectives, and one more for every device.

Run: python -m bench.slo [--devices 8400]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.fleet import province
from bench.machine import Others, describe
from bench.progress import Bar, say
from bench.sandbox import room
from bench.stores import opened
from bench.summary import rounded
from telemetry.core.calendar.windows import DAY, FIVE, HOUR, MINUTE, Window, day_window, days_in, floor
from telemetry.core.fold.totals import READY_FIELDS, Total
from telemetry.core.inventory import Objective
from telemetry.slo.evaluator import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.calendar.windows import Width
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store

DAYS = 28
HOURS, FIVES = 8, 1
"""So many days back hours are written, and so many days five minutes."""
RUNS = 3
DEVICES = Objective("bench-devices", "Thiết bị", "Devices", "device", "availability", 0.98, DAYS, alert=False)


def starts(world: Inventory, now: int) -> Iterator[tuple[Width, list[int]]]:
    """Yield the starts of the totals of each width."""
    days = [day_window(day, world.zone).start for day in days_in(Window(now - DAYS * DAY, now), world.zone)]
    yield "1d", days
    yield "1h", list(range(days[-1] - HOURS * DAY, now, HOUR))
    yield "5m", list(range(days[-1] - FIVES * DAY, now, FIVE))


def totals(world: Inventory, centre: Centre, width: Width, marks: list[int]) -> list[Total]:
    """Return plausible totals of a centre and its devices."""
    length = {"5m": FIVE, "1h": HOUR, "1d": DAY}[width]
    sums = {"up_ms": length - 1_000, "down_ms": 1_000, "conn_up_ms": length}
    sums |= {f"open_{name}": value // 4 for name, value in sums.items()} if width != "5m" else {}
    sums |= dict.fromkeys(READY_FIELDS[:1], 1) if width == "1d" else {}
    scopes = [f"centre:{centre.id}", *(f"device:{d.id}" for d in world.devices_of(centre.id))]
    return [Total(centre.id, scope, width, t, centre.province, sums) for t in marks for scope in scopes]


def fill(store: Store, world: Inventory, now: int) -> int:
    """Write the totals; returns how many."""
    plan, written = list(starts(world, now)), 0
    with Bar("totals of centres", len(world.centres)) as bar:
        for centre in world.centres.values():
            for width, marks in plan:
                rows = totals(world, centre, width, marks)
                store.replace_totals(centre.id, width, Window(marks[0], marks[-1] + 1), rows)
                written += len(rows)
            bar.step()
    return written


def _judged(watch: Watch, now: int) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    count = len(watch.judge(now))
    return {"judgements": count, "seconds": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def _change(watch: Watch, world: Inventory, now: int) -> None:
    """Say something new of every day of every centre: all running sums are made again."""
    (_, marks), *_ = starts(world, now)
    for centre in world.centres.values():
        rows = [replace(t, sums={**t.sums, "open_up_ms": 1}) for t in totals(world, centre, "1d", marks[:2])]
        watch.take(centre.id, "1d", Window(marks[0], marks[1] + 1), rows)


def _rss_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096 / 1e6


def one_run(devices: int) -> dict[str, Any]:
    """Fill a fresh store, open the book and judge; the first judgement's time is the book's."""
    others = Others()
    with room() as place:
        world = province(place.folder / "inventory", devices)
        world = replace(world, objectives=(*world.objectives, DEVICES))
        now = floor(time.time_ns() // 1_000_000, FIVE)
        with opened(f"sqlite:///{place.folder / 'store.db'}", "") as store:
            written, before = fill(store, world, now), _rss_mb()
            watch = Watch(store, lambda: world)
            first = _judged(watch, now)
            again = [_judged(watch, now + 15_000 * i) for i in range(1, RUNS + 1)]
            _change(watch, world, now)
            changed = _judged(watch, now + MINUTE)
            memory = _rss_mb() - before
            tomorrow = _judged(watch, now + DAY)
        return {
            "centres": len(world.centres), "devices": len(world.devices), "totals": written,
            "load_s": first["seconds"], "judgements": first["judgements"],
            "judge_s": max(r["seconds"] for r in again), "judge_cpu_s": max(r["cpu_s"] for r in again),
            "changed_s": changed["seconds"], "changed_cpu_s": changed["cpu_s"], "new_day_s": tomorrow["seconds"],
            "memory_mb": memory, "others_pct": others.share_pct(),
        }  # fmt: skip


def measure(devices: int = 8_400) -> dict[str, Any]:
    """Return the figures; the worst of several judgements counts."""
    found = one_run(devices)
    what = f"{found['judgements']} judged in {found['judge_s']:.2f} s, read in {found['load_s']:.0f} s"
    say(f"objectives, {devices} devices: {what}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.slo", description=__doc__)
    parser.add_argument("--devices", type=int, default=8_400)
    args = parser.parse_args()
    print(json.dumps(rounded({"machine": describe(), "slo": measure(args.devices)}), indent=2))


if __name__ == "__main__":
    main()
