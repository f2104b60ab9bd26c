"""How fast a running demo of the full sample province answers, warm, and what its one process weighs meanwhile.

Run: python -m bench.demo [--requests 200]
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from bench.machine import OtherWork, describe, sample_process
from bench.progress import ProgressBar, print_message
from bench.sandbox import free_port, open_sandbox
from bench.summary import round_figures
from motcua.demo.summary import measure_latency

PATHS = ("/api/v1/status", "/centres/vn83-83", "/metrics")
LIVE_TIMEOUT_S = 150.0
IDLE_S = 10
"""How long the demo's own processor share is watched, before any request."""


def measure(requests: int = 200) -> dict[str, Any]:
    """Return percentiles per address, and the demo's memory and processor share with its fleet live."""
    others, port = OtherWork(), free_port()
    with open_sandbox() as sandbox:
        began = time.perf_counter()
        arguments = ("--centres", "all", "--days", "1", "--port", str(port), "--data", str(sandbox.folder / "data"))
        (sandbox.folder / "data").mkdir()
        process = sandbox.start_role("demo", *arguments, pattern="is live")
        sandbox.wait_until_ready(process, lambda: process.matched_at, "the demo is live", LIVE_TIMEOUT_S)
        live = (process.matched_at or 0.0) - began
        before, began = sample_process(process.pid), time.perf_counter()
        with ProgressBar("the demo by itself", IDLE_S) as bar:
            for _ in range(IDLE_S):
                time.sleep(1)
                bar.step()
        share = (sample_process(process.pid).cpu_s - before.cpu_s) / (time.perf_counter() - began)
        latencies = {path: measure_latency(f"http://127.0.0.1:{port}", path, requests) for path in PATHS}
        print_message(f"demo: live after {live:.1f} s")
        return {
            "requests": requests,
            "paths": latencies,
            "live_after_s": live,
            "rss_mb": sample_process(process.pid).rss_mb,
            "cpu_pct": round(share * 100, 1),
            "others_pct": others.share_pct(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.demo", description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    print(json.dumps(round_figures({"machine": describe(), "demo": measure(parser.parse_args().requests)}), indent=2))


if __name__ == "__main__":
    main()
