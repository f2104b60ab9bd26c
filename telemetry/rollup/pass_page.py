"""Serves rollup's counts: `/metrics`, `/healthz` and `/readyz` on a port of its own; it must not change any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from telemetry.process_pages import build_pages, serve_application

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from wsgiref.simple_server import WSGIServer
    from wsgiref.types import WSGIApplication

    from prometheus_client.core import Metric

    from telemetry.rollup.pass_stats import PassStats

STUCK_MS = 600_000
"""Rollup is not ready when its last good pass ended longer ago, ms; a pass folds for seconds."""


def pass_families(stats: PassStats, now: int) -> Iterator[Metric]:
    """Yield all families of the counts at `now`, Unix ms; times in seconds."""
    yield CounterMetricFamily("motcua_rollup_passes", "Passes that ended well.", stats.passes)
    text = "Passes that failed; the next one tries again."
    yield CounterMetricFamily("motcua_rollup_pass_failures", text, stats.failed)
    text = "When the last good pass ended, Unix seconds; 0 before the first."
    yield GaugeMetricFamily("motcua_rollup_last_pass_timestamp_seconds", text, stats.last_pass_at / 1000)
    yield GaugeMetricFamily("motcua_rollup_ready", "1 while passes end well.", int(is_ready(stats, now)))


def is_ready(stats: PassStats, now: int) -> bool:
    """Return whether a pass ended well within ten minutes."""
    return stats.last_pass_at > 0 and now - stats.last_pass_at <= STUCK_MS


def build_application(stats: PassStats, clock: Callable[[], int]) -> WSGIApplication:
    """Return the three pages as a WSGI application."""
    return build_pages(lambda: pass_families(stats, clock()), lambda: is_ready(stats, clock()))


def serve_passes(stats: PassStats, clock: Callable[[], int], listen: tuple[str, int]) -> WSGIServer:
    """Serve in a thread of its own until `shutdown`. Raises ConfigError when the address is in use."""
    return serve_application(build_application(stats, clock), listen)
