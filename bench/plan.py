"""Infrastructure: the plan of 10,000 devices from an inventory in memory.

No engine and no server takes part; `motcua render` and every preview begin with this.

Run: python -m bench.plan
"""

from __future__ import annotations

import json
import time
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bench.machine import OtherWork, describe
from bench.progress import print_message
from bench.summary import round_figures
from infra.config.options import StackOptions
from infra.plan import build_plan
from telemetry.core.inventory import ALWAYS_OPEN, Centre, Device, Inventory

if TYPE_CHECKING:
    from collections.abc import Callable

DEVICES, PER_CENTRE = 10_000, 50
DAY = date(2026, 6, 1)


def build_fleet(count: int) -> Inventory:
    """Return an inventory of so many devices, 50 to a centre."""
    zone, homes = ZoneInfo("Asia/Ho_Chi_Minh"), [f"vn83-{number}" for number in range(-(-count // PER_CENTRE))]
    centres = {
        centre_id: Centre(centre_id, "83", "commune", centre_id, centre_id, "vn83", "", 2, ALWAYS_OPEN, (), zone)
        for centre_id in homes
    }
    names = [(f"{homes[n // PER_CENTRE]}-kiosk{n % PER_CENTRE + 1}", homes[n // PER_CENTRE]) for n in range(count)]
    devices = {ident: Device(ident, home, "kiosk") for ident, home in names}
    return Inventory("bench", "vn83", "Tỉnh", "Province", zone, {}, centres, devices, {}, {})


def time_work(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(count: int = DEVICES, runs: int = 5) -> dict[str, Any]:
    """Return the seconds of the slowest of several runs."""
    others, inventory, options = OtherWork(), build_fleet(count), StackOptions(stage="dev", target="local")
    results = {
        "devices": count,
        "plan_s": max(time_work(lambda: build_plan(inventory, options, DAY)) for _ in range(runs)),
        "others_pct": others.share_pct(),
    }
    print_message(f"plan of {count:,} devices: {results['plan_s']:.3f} s")
    return results


def main() -> None:
    print(json.dumps(round_figures({"machine": describe(), "plan": measure()}), indent=2))


if __name__ == "__main__":
    main()
