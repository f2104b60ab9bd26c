"""How long `motcua api` takes for every page of a province: 167 centres, 28 days of totals, live rows that change.

The pages are asked for in turn, so that live rows have changed before each answer of a page. Processor time is that of
the API's process during the answer: work beside the measurement matters less to it than to wall time.

Run: python -m bench.pages [--devices 1000] [--requests 40]
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
import urllib.parse
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bench.api_client import ApiClient
from bench.api_scale import LiveRowWriter, fill_store
from bench.fleet import write_province
from bench.machine import OtherWork, describe, sample_process
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.stores import open_store
from bench.summary import percentiles, round_figures
from telemetry.core.calendar.windows import SLOT, floor
from telemetry.core.inventory import local_date

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory

DEVICES = 0
"""Those of the sample."""
REQUESTS = 40
PAUSE_S = 0.2
"""Between two requests: live rows change some four times while all pages are asked for once."""


def page_paths(inventory: Inventory, now: int) -> dict[str, str]:
    """Return the requested pages, by their names in the table."""
    largest = max(inventory.centres.values(), key=lambda centre: len(inventory.devices_of(centre.id)))
    commune = next(centre for centre in inventory.centres.values() if centre.level == "commune")
    device, system = inventory.devices_of(commune.id)[0].id, next(iter(inventory.systems))
    objective = inventory.objectives[0].id
    district = next(unit.code for unit in inventory.units.values() if unit.level == "district")
    today = local_date(now, inventory.zone)
    week = urllib.parse.urlencode({"from": today - timedelta(days=6), "to": today})
    return {
        "/": "/",
        "/centres": "/centres",
        "/centres/{id}, a commune": f"/centres/{commune.id}",
        "/centres/{id}, the largest hall": f"/centres/{largest.id}",
        "/districts/{code}": f"/districts/{district}",
        "/systems": "/systems",
        "/systems/{id}": f"/systems/{system}",
        "/devices": "/devices",
        "/devices/{id}": f"/devices/{device}",
        "/incidents": "/incidents",
        "/incidents, 7 days": f"/incidents?{week}",
        "/objectives": "/objectives",
        "/objectives/{id}": f"/objectives/{objective}?scope=centre:{largest.id}",
        "/kpis": "/kpis",
        "/data-quality": "/data-quality",
        "/compare": "/compare",
        "/maintenance": "/maintenance",
        "/hall/{id}": f"/hall/{largest.id}",
        "/reports": "/reports",
    }


class PageTimer:
    """Asks for pages and notes how long each answer takes: wall time and the server's processor time, ms."""

    def __init__(self, api: ApiClient) -> None:
        self._api, self._cpu_clock = api, cpu_clock_of(api.process.pid)
        self.first_ms: dict[str, float] = {}
        self.body: dict[str, bytes] = {}
        self.wall_ms: dict[str, list[float]] = {}
        self.cpu_ms: dict[str, list[float]] = {}

    def warm(self, paths: dict[str, str]) -> None:
        """Ask for every page once, timing the first answer, and once more."""
        for name, path in paths.items():
            began = time.perf_counter()
            self.body[name] = self._api.get(path)
            self.first_ms[name] = (time.perf_counter() - began) * 1000
        for path in paths.values():
            self._api.get(path)

    def ask(self, name: str, path: str) -> None:
        """Ask once."""
        cpu, began = self._server_cpu_s(), time.perf_counter()
        self._api.get(path)
        self.wall_ms.setdefault(name, []).append((time.perf_counter() - began) * 1000)
        self.cpu_ms.setdefault(name, []).append((self._server_cpu_s() - cpu) * 1000)

    def _server_cpu_s(self) -> float:
        return time.clock_gettime(self._cpu_clock)

    def figures(self, name: str) -> dict[str, float]:
        """Return a page's figures."""
        body = self.body[name]
        return {
            **{f"{key}_ms": value for key, value in percentiles(self.wall_ms[name]).items()},
            **{f"cpu_{key}_ms": value for key, value in percentiles(self.cpu_ms[name]).items()},
            "first_ms": self.first_ms[name],
            "bytes": len(body),
            "gzip_bytes": len(gzip.compress(body)),
        }


def cpu_clock_of(pid: int) -> int:
    """Return the id of a process's processor clock (`clock_getcpuclockid` of Linux), which has no ticks."""
    return (~pid << 3) | 2


def one_run(devices: int, requests: int) -> dict[str, Any]:
    """Fill a fresh store, warm every page and ask for all of them in turn."""
    others = OtherWork()
    with open_sandbox() as sandbox:
        inventory = write_province(sandbox.folder / "inventory", devices)
        sandbox.environ |= {"MOTCUA_INVENTORY": str(sandbox.folder / "inventory")}
        url = f"sqlite:///{sandbox.folder / 'store.db'}"
        now = floor(time.time_ns() // 1_000_000, SLOT)
        with open_store(url, "") as store:
            fill_store(store, inventory, now, full=True)
            api = ApiClient.start(sandbox, url)
            paths, timer = page_paths(inventory, now), PageTimer(api)
            with LiveRowWriter(store, inventory, now), ProgressBar("rounds of pages", requests) as bar:
                timer.warm(paths)
                for _ in range(requests):
                    for name, path in paths.items():
                        timer.ask(name, path)
                        time.sleep(PAUSE_S)
                    bar.step()
        return {
            "centres": len(inventory.centres),
            "devices": len(inventory.devices),
            "pages": {name: timer.figures(name) for name in paths},
            "api_rss_mb": sample_process(api.process.pid).rss_mb,
            "others_pct": others.share_pct(),
        }


def measure(requests: int = REQUESTS, devices: int = DEVICES) -> dict[str, Any]:
    """Return the figures of every page."""
    result = one_run(devices, requests)
    for name, page in result["pages"].items():
        print_message(
            f"{name}: {page['bytes']:,} bytes, {page['gzip_bytes']:,} compressed; p50 {page['p50_ms']:.0f} ms, "
            f"p95 {page['p95_ms']:.0f} ms, processor p50 {page['cpu_p50_ms']:.0f} ms, p95 {page['cpu_p95_ms']:.0f} ms"
        )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--devices", type=int, default=DEVICES, help="0: those of the sample")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    args = parser.parse_args()
    results = measure(args.requests, args.devices)
    print(json.dumps(round_figures({"machine": describe(), "pages": results}), indent=2))


if __name__ == "__main__":
    main()
