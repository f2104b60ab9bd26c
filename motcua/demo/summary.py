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
from telemetry.core.calendar.windows import at
from telemetry.core.figures.completeness import completeness

if TYPE_CHECKING:
    from motcua.demo.scenario import Town
    from telemetry.core.calendar.windows import Window

DEFERRING = (
    "unknown_device",
    "unsupported_version",
    "unsupported_type",
    "unsupported_field",
    "unsupported_value",
    "future",
)
PROBES = 60


@dataclass(frozen=True, slots=True)
class Timing:
    """Percentiles of one address, ms."""

    path: str
    p50_ms: float
    p95_ms: float


def fetch(url: str, path: str) -> bytes:
    """GET a path of our own API."""
    with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310
        body: bytes = answer.read()
    return body


def data(url: str, path: str) -> Any:  # noqa: ANN401
    """GET JSON and return its `data`."""
    return msgspec.json.decode(fetch(url, path))["data"]


def timing(url: str, path: str, times: int = PROBES) -> Timing:
    """Return how fast the address answers, warm."""
    fetch(url, path)
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        fetch(url, path)
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return Timing(path, round(taken[len(taken) // 2], 2), round(taken[int(len(taken) * 0.95)], 2))


def summary(town: Town, window: Window) -> dict[str, Any]:
    """Return the figures of a finished demo."""
    reader = wiring.open_store(town.store_url)
    try:
        stored, dead, ranges = reader.count(), reader.dead_letters(), reader.row_ranges()
    finally:
        reader.close()
    rows = {device: completeness(r for r in ranges if r.device == device).ratio for device in town.agents}
    sent = sum(agent.outbox.highest for agent in town.agents.values())
    centre = next(iter(town.inventory.centres.values()))
    process = psutil.Process()
    return {
        "simulated": True,
        "centres": len(town.inventory.centres),
        "agents": len(town.agents),
        "sent": sent,
        "stored": stored,
        "refused": sum(agent.outbox.refused() for agent in town.agents.values()),
        "deferred": sum(dead.get(reason, 0) for reason in DEFERRING),
        "repeats": town.ingest.figures.rows - stored,
        "dead_letters": dead,
        "completeness": rows,
        "waiting": _waiting(town),
        "availability": _availability(town, centre.province, window),
        "api_latency": {
            "status": _plain(timing(town.url, "/api/v1/status")),
            "centre_page": _plain(timing(town.url, f"/centres/{centre.id}")),
            "metrics": _plain(timing(town.url, "/metrics", 5)),
        },
        "rss_mb": round(process.memory_info().rss / 1e6, 1),
        "cpu_s": round(sum(process.cpu_times()[:2]), 1),
    }


def _plain(found: Timing) -> dict[str, float]:
    return {"p50_ms": found.p50_ms, "p95_ms": found.p95_ms}


def _waiting(town: Town) -> int:
    waiting: int = data(town.url, "/api/v1/status")["queue"]["waiting"]
    return waiting


def _availability(town: Town, province: str, window: Window) -> dict[str, Any]:
    ends = {name: at(t, town.inventory.zone).isoformat() for name, t in (("from", window.start), ("to", window.end))}
    query = urllib.parse.urlencode({"scope": f"province:{province}", "bucket": "total", **ends})
    found: dict[str, Any] = data(town.url, f"/api/v1/availability?{query}")[0]
    return found
