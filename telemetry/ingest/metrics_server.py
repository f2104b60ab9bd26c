"""Serves ingest's counters: `/metrics`, `/healthz` and `/readyz`; it must not change any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from telemetry.ingest.stats import WRITE_BOUNDS_MS
from telemetry.process_pages import build_pages, registry_of, serve_application

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from wsgiref.simple_server import WSGIServer
    from wsgiref.types import WSGIApplication

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from telemetry.ingest.stats import IngestStats

STUCK_MS = 60_000
"""An ingest is not ready when a message has waited longer for its write, ms."""


def ingest_families(stats: IngestStats, now: int) -> Iterator[Metric]:
    """Yield all families of the counters at `now`, Unix ms; times in seconds."""
    yield _counter("frames", "MQTT messages answered.", stats.frames)
    yield _counter("events_in", "Rows received, stored or not.", stats.rows + sum(stats.refused_by_reason.values()))
    yield _counter("events_stored", "Rows stored, repeats included.", stats.rows)
    refused = _counter("events_refused", "Rows not stored (rejected, deferred, unreadable), by reason.", None)
    for reason, rows in sorted(stats.refused_by_reason.items()):
        refused.add_metric([reason], rows)
    yield refused
    yield _counter("receipts", "Receipts sent.", stats.receipts)
    text = "Receipts not sent: larger than the broker's Maximum Packet Size."
    yield _counter("receipts_too_large", text, stats.receipts_too_large)
    text = "Answers not sent, or not whole: their device had enough receipts for one write."
    yield _counter("receipts_withheld", text, stats.receipts_withheld)
    yield _counter("write_failures", "Writes that failed; they are tried again.", stats.failed_writes)
    yield _write_histogram(stats)
    yield _gauge("waiting_messages", "Messages not yet acknowledged.", stats.waiting_messages)
    yield _gauge("lag_seconds", "Age of the newest event at the last write.", stats.lag_ms() / 1000)
    yield _counter("connections", "Connections to the broker.", stats.connections)
    yield _gauge("connected", "1 while the broker is connected.", int(stats.is_connected))
    yield _gauge("ready", "1 while events can be stored.", int(is_ready(stats, now)))


def is_ready(stats: IngestStats, now: int) -> bool:
    """Return whether the broker is connected, the last write succeeded and no message has waited for a minute."""
    is_stuck = stats.waiting_messages and now - stats.waiting_since > STUCK_MS
    return stats.is_connected and not stats.is_failing and not is_stuck


def _counter(name: str, text: str, value: float | None) -> CounterMetricFamily:
    labels = ["reason"] if value is None else None
    return CounterMetricFamily(f"motcua_ingest_{name}", text, value=value, labels=labels)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"motcua_ingest_{name}", text, value=value)


def _write_histogram(stats: IngestStats) -> HistogramMetricFamily:
    buckets, below = list[tuple[str, float]](), 0
    for bound, count in zip([*(str(b / 1000) for b in WRITE_BOUNDS_MS), "+Inf"], stats.write_counts, strict=True):
        below += count
        buckets.append((bound, below))
    text = "Time of one write to the store."
    return HistogramMetricFamily(
        "motcua_ingest_write_seconds", text, buckets=buckets, sum_value=stats.write_ms_sum / 1000
    )


def build_registry(stats: IngestStats, clock: Callable[[], int]) -> CollectorRegistry:
    """Return a registry with the counters and the process's own metrics."""
    return registry_of(lambda: ingest_families(stats, clock()))


def build_application(stats: IngestStats, clock: Callable[[], int]) -> WSGIApplication:
    """Return the three pages as a WSGI application."""
    return build_pages(lambda: ingest_families(stats, clock()), lambda: is_ready(stats, clock()))


def serve_metrics(stats: IngestStats, clock: Callable[[], int], listen: tuple[str, int]) -> WSGIServer:
    """Serve in a thread of its own until `shutdown`. Raises ConfigError when the address is in use."""
    return serve_application(build_application(stats, clock), listen)
