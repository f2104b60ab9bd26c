"""How fast every objective is evaluated from totals: 28 days of 700 centres and 8,400 devices.

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

from bench.fleet import write_province
from bench.machine import OtherWork, describe
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.stores import open_store
from bench.summary import round_figures
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT, Window, day_window, days_in, floor
from telemetry.core.fold.totals import READY_FIELDS, Total
from telemetry.core.inventory import Objective
from telemetry.core.scope import Scope
from telemetry.slo.evaluator import SloEvaluator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store

DAYS = 28
HOUR_BUCKET_DAYS, SLOT_BUCKET_DAYS = 8, 8
"""How many past days have hourly totals, and how many 5-minute totals."""
RUNS = 3
DEVICE_OBJECTIVE = Objective("bench-devices", "Thiết bị", "Devices", "device", "availability", 0.98, DAYS, alert=False)


def bucket_starts(inventory: Inventory, now: int) -> Iterator[tuple[BucketWidth, list[int]]]:
    """Yield the starts of the totals of each width."""
    days = [day_window(day, inventory.zone).start for day in days_in(Window(now - DAYS * DAY, now), inventory.zone)]
    yield "1d", days
    yield "1h", list(range(days[-1] - HOUR_BUCKET_DAYS * DAY, now, HOUR))
    yield "5m", list(range(days[-1] - SLOT_BUCKET_DAYS * DAY, now, SLOT))


def synthetic_totals(inventory: Inventory, centre: Centre, width: BucketWidth, bucket_starts: list[int]) -> list[Total]:
    """Return plausible totals of a centre and its devices."""
    length = {"5m": SLOT, "1h": HOUR, "1d": DAY}[width]
    sums = {"up_ms": length - 1_000, "down_ms": 1_000, "conn_up_ms": length}
    sums |= {f"open_{name}": value // 4 for name, value in sums.items()} if width != "5m" else {}
    sums |= dict.fromkeys(READY_FIELDS[:1], 1) if width == "1d" else {}
    scopes = [Scope.centre(centre.id), *(Scope.device(d.id) for d in inventory.devices_of(centre.id))]
    return [Total(centre.id, scope, width, t, centre.province, sums) for t in bucket_starts for scope in scopes]


def fill_store(store: Store, inventory: Inventory, now: int) -> int:
    """Write the totals; returns how many."""
    plan, written = list(bucket_starts(inventory, now)), 0
    with ProgressBar("totals of centres", len(inventory.centres)) as bar:
        for centre in inventory.centres.values():
            for width, starts in plan:
                rows = synthetic_totals(inventory, centre, width, starts)
                store.replace_totals(centre.id, width, Window(starts[0], starts[-1] + 1), rows)
                written += len(rows)
            bar.step()
    return written


def _time_evaluation(evaluator: SloEvaluator, now: int) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    count = len(evaluator.evaluate_all(now))
    return {"judgements": count, "seconds": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def _change_totals(evaluator: SloEvaluator, inventory: Inventory, now: int) -> None:
    """Change every day of every centre, so that all running sums are computed again."""
    (_, starts), *_ = bucket_starts(inventory, now)
    for centre in inventory.centres.values():
        rows = [
            replace(t, sums={**t.sums, "open_up_ms": 1}) for t in synthetic_totals(inventory, centre, "1d", starts[:2])
        ]
        evaluator.on_totals(centre.id, "1d", Window(starts[0], starts[1] + 1), rows)


def _rss_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096 / 1e6


def one_run(devices: int) -> dict[str, Any]:
    """Fill a fresh store and evaluate; the first evaluation includes loading the table of totals."""
    others = OtherWork()
    with open_sandbox() as sandbox:
        inventory = write_province(sandbox.folder / "inventory", devices)
        inventory = replace(inventory, objectives=(*inventory.objectives, DEVICE_OBJECTIVE))
        now = floor(time.time_ns() // 1_000_000, SLOT)
        with open_store(f"sqlite:///{sandbox.folder / 'store.db'}", "") as store:
            written, before = fill_store(store, inventory, now), _rss_mb()
            evaluator = SloEvaluator(store, lambda: inventory)
            first = _time_evaluation(evaluator, now)
            repeats = [_time_evaluation(evaluator, now + 15_000 * i) for i in range(1, RUNS + 1)]
            _change_totals(evaluator, inventory, now)
            changed = _time_evaluation(evaluator, now + MINUTE)
            memory = _rss_mb() - before
            tomorrow = _time_evaluation(evaluator, now + DAY)
        return {
            "centres": len(inventory.centres), "devices": len(inventory.devices), "totals": written,
            "load_s": first["seconds"], "judgements": first["judgements"],
            "judge_s": max(r["seconds"] for r in repeats), "judge_cpu_s": max(r["cpu_s"] for r in repeats),
            "changed_s": changed["seconds"], "changed_cpu_s": changed["cpu_s"], "new_day_s": tomorrow["seconds"],
            "memory_mb": memory, "others_pct": others.share_pct(),
        }  # fmt: skip


def measure(devices: int = 8_400) -> dict[str, Any]:
    """Return the figures; the worst of several evaluations counts."""
    results = one_run(devices)
    what = f"{results['judgements']} judged in {results['judge_s']:.2f} s, read in {results['load_s']:.0f} s"
    print_message(f"objectives, {devices} devices: {what}")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.slo", description=__doc__)
    parser.add_argument("--devices", type=int, default=8_400)
    args = parser.parse_args()
    print(json.dumps(round_figures({"machine": describe(), "slo": measure(args.devices)}), indent=2))


if __name__ == "__main__":
    main()
