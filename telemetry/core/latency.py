"""Latency of successful probes from additive sums: mean and percentiles; it must not read stores or clocks.

The sums are those of `totals.PROBE_FIELDS`.  A percentile is interpolated linearly between the exact bounds; one that
falls beyond the last bound is given as that bound, as for waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from telemetry.core.fold.totals import LATENCY_BOUNDS_MS, OVERFLOW_BOUND

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUCKET_FIELDS = tuple(f"latency_le_{bound}" for bound in (*LATENCY_BOUNDS_MS, OVERFLOW_BOUND))
_BUCKET_EDGES_MS = (0, *LATENCY_BOUNDS_MS, LATENCY_BOUNDS_MS[-1])


@dataclass(frozen=True, slots=True)
class LatencyHistogram:
    """How many probes there were, how many succeeded, and how long those took, ms."""

    probes: int
    ok: int
    sum_ms: int
    buckets: tuple[int, ...]

    @property
    def count(self) -> int:
        """Return how many latencies are known."""
        return sum(self.buckets)

    @property
    def mean_ms(self) -> float | None:
        """Return the mean, None without data."""
        return self.sum_ms / self.count if self.count else None

    def percentile_ms(self, share: float) -> float | None:
        """Return the latency that `share` (0 to 1) of the probes do not exceed, None without data."""
        rank, cumulative = share * self.count, 0
        for (low, high), count in zip(pairwise(_BUCKET_EDGES_MS), self.buckets, strict=True):
            if count and cumulative + count >= rank:
                return low + (high - low) * max(0.0, rank - cumulative) / count
            cumulative += count
        return None


def latency_histogram(sums: Mapping[str, int]) -> LatencyHistogram:
    """Read a window's sums; missing fields count as zero."""
    buckets = tuple(sums.get(name, 0) for name in _BUCKET_FIELDS)
    return LatencyHistogram(sums.get("probes", 0), sums.get("probes_ok", 0), sums.get("latency_sum_ms", 0), buckets)
