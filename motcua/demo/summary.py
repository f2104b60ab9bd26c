"""The demo's summary: figures from the outboxes, a second reader of the store and the API's own answers."""

from __future__ import annotations

import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from telemetry import wiring
from telemetry.core.calendar.windows import to_local
from telemetry.core.figures.completeness import compute_completeness

if TYPE_CHECKING:
    from motcua.demo.scenario import DemoEnvironment
    from telemetry.core.calendar.windows import Window

DEFERRED_REASONS = (
    "unknown_device",
    "unsupported_version",
    "unsupported_type",
    "unsupported_field",
    "unsupported_value",
    "future",
)
REQUESTS_PER_PATH = 60


@dataclass(frozen=True, slots=True)
class LatencyPercentiles:
    """Percentiles of one address, ms."""

    path: str
    p50_ms: float
    p95_ms: float


def fetch(url: str, path: str) -> bytes:
    """GET a path of our own API."""
    with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310
        body: bytes = answer.read()
    return body


def fetch_data(url: str, path: str) -> Any:  # noqa: ANN401
    """GET JSON and return its `data`."""
    return msgspec.json.decode(fetch(url, path))["data"]


def measure_latency(url: str, path: str, times: int = REQUESTS_PER_PATH) -> LatencyPercentiles:
    """Return how fast the address answers, warm."""
    fetch(url, path)
    durations_ms = []
    for _ in range(times):
        began = time.perf_counter()
        fetch(url, path)
        durations_ms.append((time.perf_counter() - began) * 1000)
    durations_ms.sort()
    return LatencyPercentiles(
        path, round(durations_ms[len(durations_ms) // 2], 2), round(durations_ms[int(len(durations_ms) * 0.95)], 2)
    )


def demo_summary(environment: DemoEnvironment, window: Window) -> dict[str, Any]:
    """Return the figures of a finished demo."""
    reader = wiring.open_store(environment.store_url)
    try:
        stored, dead, ranges = reader.count_events(), reader.dead_letter_counts(), reader.row_ranges()
    finally:
        reader.close()
    rows = {
        device: compute_completeness(r for r in ranges if r.device == device).ratio for device in environment.agents
    }
    sent = sum(agent.outbox.highest_n for agent in environment.agents.values())
    centre = next(iter(environment.inventory.centres.values()))
    process = psutil.Process()
    return {
        "simulated": True,
        "centres": len(environment.inventory.centres),
        "agents": len(environment.agents),
        "sent": sent,
        "stored": stored,
        "refused": sum(agent.outbox.refused_count() for agent in environment.agents.values()),
        "deferred": sum(dead.get(reason, 0) for reason in DEFERRED_REASONS),
        "repeats": environment.ingest.stats.rows - stored,
        "dead_letters": dead,
        "completeness": rows,
        "waiting": _waiting_tickets(environment),
        "availability": _fetch_availability(environment, centre.province, window),
        "api_latency": {
            "status": _percentiles(measure_latency(environment.url, "/api/v1/status")),
            "centre_page": _percentiles(measure_latency(environment.url, f"/centres/{centre.id}")),
            "metrics": _percentiles(measure_latency(environment.url, "/metrics", 5)),
        },
        "rss_mb": round(process.memory_info().rss / 1e6, 1),
        "cpu_s": round(sum(process.cpu_times()[:2]), 1),
    }


def _percentiles(latency: LatencyPercentiles) -> dict[str, float]:
    return {"p50_ms": latency.p50_ms, "p95_ms": latency.p95_ms}


def _waiting_tickets(environment: DemoEnvironment) -> int:
    waiting: int = fetch_data(environment.url, "/api/v1/status")["queue"]["waiting"]
    return waiting


def _fetch_availability(environment: DemoEnvironment, province: str, window: Window) -> dict[str, Any]:
    ends = {
        name: to_local(t, environment.inventory.zone).isoformat()
        for name, t in (("from", window.start), ("to", window.end))
    }
    query = urllib.parse.urlencode({"scope": f"province:{province}", "bucket": "total", **ends})
    result: dict[str, Any] = fetch_data(environment.url, f"/api/v1/availability?{query}")[0]
    return result
