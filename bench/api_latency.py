"""How fast a running demo of the full sample province answers, warm, and what its one process weighs meanwhile.

Run: python -m bench.api_latency [--requests 200]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.agent_weight import cpu_s, rss_mb
from bench.ingest_rate import _free_port
from bench.machine import describe
from motcua.once import timing

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = ("/api/v1/status", "/centres/vn83-83", "/metrics")
LIVE_WITHIN_S = 150.0
IDLE_S = 10.0
"""How long the demo's own processor share is watched, before any request."""


@contextmanager
def demo(port: int) -> Iterator[tuple[int, float]]:
    """Run the demo with one day behind it; gives its process id and the seconds until it was live."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MOTCUA_")} | {"COLUMNS": "200"}
    with tempfile.TemporaryDirectory(prefix="motcua-bench-", dir=Path()) as name:
        log = Path(name) / "demo.log"
        words = ("--days", "1", "--port", str(port), "--data", name)
        with log.open("wb") as out:
            began = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", "motcua", "demo", *words], stdout=out, stderr=out, env=environ
            )
        try:
            _until_live(process, log)
            yield process.pid, time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(60)


def _until_live(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + LIVE_WITHIN_S
    while b"is live" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the demo is not live:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def measure(requests: int = 200) -> dict[str, Any]:
    """Return percentiles per address, and the demo's memory and processor share with its fleet live."""
    port = _free_port()
    with demo(port) as (pid, seconds):
        before, began = cpu_s(pid), time.perf_counter()
        time.sleep(IDLE_S)
        share = (cpu_s(pid) - before) / (time.perf_counter() - began)
        found = [timing(f"http://127.0.0.1:{port}", path, requests) for path in PATHS]
        return {
            "requests": requests,
            "paths": {one.path: {"p50_ms": one.p50_ms, "p95_ms": one.p95_ms} for one in found},
            "demo": {"live_after_s": round(seconds, 1), "rss_mb": rss_mb(pid), "cpu_pct": round(share * 100, 1)},
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    print(json.dumps({"machine": describe(), "api": measure(parser.parse_args().requests)}, indent=2))


if __name__ == "__main__":
    main()
