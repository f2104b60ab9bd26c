"""How fast a running demo of the full sample province answers, warm, and what its one process weighs meanwhile.

Run: python -m bench.demo [--requests 200]
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from bench.machine import Others, describe, weight
from bench.progress import Bar, say
from bench.sandbox import free_port, room
from bench.summary import rounded
from motcua.demo.summary import timing

PATHS = ("/api/v1/status", "/centres/vn83-83", "/metrics")
LIVE_WITHIN_S = 150.0
IDLE_S = 10
"""How long the demo's own processor share is watched, before any request."""


def measure(requests: int = 200) -> dict[str, Any]:
    """Return percentiles per address, and the demo's memory and processor share with its fleet live."""
    others, port = Others(), free_port()
    with room() as place:
        began = time.perf_counter()
        words = ("--days", "1", "--port", str(port), "--data", str(place.folder / "data"))
        (place.folder / "data").mkdir()
        process = place.role("demo", *words, watch="is live")
        place.wait(process, lambda: process.said_at, "the demo is live", LIVE_WITHIN_S)
        live = (process.said_at or 0.0) - began
        before, began = weight(process.pid), time.perf_counter()
        with Bar("the demo by itself", IDLE_S) as bar:
            for _ in range(IDLE_S):
                time.sleep(1)
                bar.step()
        share = (weight(process.pid).cpu_s - before.cpu_s) / (time.perf_counter() - began)
        found = [timing(f"http://127.0.0.1:{port}", path, requests) for path in PATHS]
        say(f"demo: live after {live:.1f} s")
        return {
            "requests": requests,
            "paths": {one.path: {"p50_ms": one.p50_ms, "p95_ms": one.p95_ms} for one in found},
            "live_after_s": live,
            "rss_mb": weight(process.pid).rss_mb,
            "cpu_pct": round(share * 100, 1),
            "others_pct": others.share_pct(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.demo", description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    print(json.dumps(rounded({"machine": describe(), "demo": measure(parser.parse_args().requests)}), indent=2))


if __name__ == "__main__":
    main()
