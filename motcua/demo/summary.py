"""The demo's summary: figures from the outboxes, a second reader of the store and the API's own answers."""

from __future__ import annotations

import time
import urllib.parse
import urllib.request
from typing import Any

import msgspec
import psutil

from motcua.demo.scenario import DemoEnvironment
from telemetry import wiring
from telemetry.core.calendar.windows import Window, to_local
from telemetry.core.figures.completeness import compute_completeness
from telemetry.core.scope import Scope

DEFERRED_REASONS = (
    "unknown_device", "unknown_system", "unsupported_version",
    "unsupported_type", "unsupported_field", "unsupported_value", "future",
    "too_many_outboxes", "too_many_repeats", "unprocessable",
)  # fmt: skip
REQUESTS_PER_PATH = 60


def fetch(url: str, path: str) -> bytes:
    """GET a path of the demo's API."""
    with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310
        body: bytes = answer.read()
    return body


def fetch_data(url: str, path: str) -> Any:  # noqa: ANN401
    """GET JSON and return its `data`."""
    return msgspec.json.decode(fetch(url, path))["data"]


def measure_latency(url: str, path: str, times: int = REQUESTS_PER_PATH) -> dict[str, float]:
    """Return p50 and p95 of an address's latency, ms, after a warm-up request."""
    fetch(url, path)
    durations_ms = []
    for _ in range(times):
        began = time.perf_counter()
        fetch(url, path)
        durations_ms.append((time.perf_counter() - began) * 1000)
    durations_ms.sort()
    return {name: round(durations_ms[int(times * q)], 2) for name, q in (("p50_ms", 0.5), ("p95_ms", 0.95))}


def demo_summary(demo: DemoEnvironment, window: Window) -> dict[str, Any]:
    """Return the figures of a finished demo."""
    reader = wiring.open_store(demo.store_url)
    try:
        stored, dead, ranges = reader.count_events(), reader.dead_letter_counts(), reader.row_ranges()
    finally:
        reader.close()
    rows = {device: compute_completeness(r for r in ranges if r.device == device).ratio for device in demo.agents}
    sent = sum(agent.outbox.highest_n for agent in demo.agents.values())
    centre = next(iter(demo.inventory.centres.values()))
    process = psutil.Process()
    return {
        "simulated": True,
        "centres": len(demo.inventory.centres),
        "agents": len(demo.agents),
        "sent": sent,
        "stored": stored,
        "refused": sum(agent.outbox.refused_count() for agent in demo.agents.values()),
        "deferred": sum(dead.get(reason, 0) for reason in DEFERRED_REASONS),
        "repeats": demo.ingest.stats.rows - stored,
        "dead_letters": dead,
        "completeness": rows,
        "waiting": fetch_data(demo.url, "/api/v1/status")["queue"]["waiting"],
        "availability": _fetch_availability(demo, centre.province, window),
        "api_latency": {
            "status": measure_latency(demo.url, "/api/v1/status"),
            "centre_page": measure_latency(demo.url, f"/centres/{centre.id}"),
            "metrics": measure_latency(demo.url, "/metrics", 5),
        },
        "rss_mb": round(process.memory_info().rss / 1e6, 1),
        "cpu_s": round(sum(process.cpu_times()[:2]), 1),
    }


def _fetch_availability(demo: DemoEnvironment, province: str, window: Window) -> dict[str, Any]:
    ends = {
        name: to_local(t, demo.inventory.zone).isoformat() for name, t in (("from", window.start), ("to", window.end))
    }
    query = urllib.parse.urlencode({"scope": Scope.province(province), "bucket": "total", **ends})
    result: dict[str, Any] = fetch_data(demo.url, f"/api/v1/availability?{query}")[0]
    return result
