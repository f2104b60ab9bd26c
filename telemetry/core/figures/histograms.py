"""Waits, service times and probe latency from additive sums: means, percentiles, shares; it must not read stores.

The sums are those of `totals.QUEUE_FIELDS` and `totals.PROBE_FIELDS`; `…_le_B` counts values in (previous bound, B].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from telemetry.core.fold.totals import (
    HISTOGRAM_BOUNDS_S,
    LATENCY_BOUNDS_MS,
    SERVICE_LEVEL_THRESHOLDS_S,
    bucket_fields,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def interpolate_percentile(bounds: Sequence[int], buckets: Sequence[int], share: float) -> float | None:
    """Return the value that `share` (0 to 1) of a histogram does not exceed, None without data.

    It is interpolated linearly between the exact bounds; a value beyond the last bound is returned as that bound.
    """
    rank, cumulative = share * sum(buckets), 0
    for (low, high), count in zip(pairwise((0, *bounds, bounds[-1])), buckets, strict=True):
        if count and cumulative + count >= rank:
            return low + (high - low) * max(0.0, rank - cumulative) / count
        cumulative += count
    return None


@dataclass(frozen=True, slots=True)
class WithinThreshold:
    """How many durations did not exceed the threshold, and their share (None when there were none)."""

    threshold_s: int
    count: int
    ratio: float | None


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """Tickets decided in the interval, each at entry + threshold: called by then (good), or still waiting (bad)."""

    threshold_s: int
    good: int
    bad: int

    @property
    def ratio(self) -> float | None:
        """Return good ÷ (good + bad), None when nothing was decided."""
        decided = self.good + self.bad
        return self.good / decided if decided else None


@dataclass(frozen=True, slots=True)
class DurationHistogram:
    """A set of durations as count, sum and histogram; `buckets` has one entry per bound and one beyond."""

    count: int
    sum_ms: int
    buckets: tuple[int, ...]

    @property
    def sum_s(self) -> float:
        """Return the sum in seconds."""
        return self.sum_ms / 1000

    @property
    def mean_s(self) -> float | None:
        """Return the mean in seconds, None without data."""
        return self.sum_ms / self.count / 1000 if self.count else None

    def percentile_s(self, share: float) -> float | None:
        """Return the value that `share` (0 to 1) of the durations do not exceed, None without data."""
        return interpolate_percentile(HISTOGRAM_BOUNDS_S, self.buckets, share)

    def within_threshold(self, threshold_s: int) -> WithinThreshold:
        """Return the exact count and share at or under a threshold, which must be one of HISTOGRAM_BOUNDS_S."""
        if threshold_s not in HISTOGRAM_BOUNDS_S:
            bounds = ", ".join(str(b) for b in HISTOGRAM_BOUNDS_S)
            msg = f"{threshold_s} s is not an exact bound: use one of {bounds}"
            raise ValueError(msg)
        count = sum(self.buckets[: HISTOGRAM_BOUNDS_S.index(threshold_s) + 1])
        return WithinThreshold(threshold_s, count, count / self.count if self.count else None)


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """Tickets in a window by outcome; waits count in the interval of the call, service levels in that of the decision.

    There is one service level for each of SERVICE_LEVEL_THRESHOLDS_S, in their order.
    """

    issued: int
    called: int
    served: int
    abandoned: int
    no_show: int
    wait: DurationHistogram
    service_time: DurationHistogram
    service_levels: tuple[ServiceLevel, ...] = ()


def queue_figures(sums: Mapping[str, int]) -> QueueFigures:
    """Read a window's sums; missing fields count as zero."""
    return QueueFigures(
        issued=sums.get("issued", 0),
        called=sums.get("called", 0),
        served=sums.get("served", 0),
        abandoned=sums.get("abandoned", 0),
        no_show=sums.get("no_show", 0),
        wait=_duration_histogram(sums, "wait"),
        service_time=_duration_histogram(sums, "service"),
        service_levels=tuple(
            ServiceLevel(x, sums.get(f"level_good_{x}", 0), sums.get(f"level_bad_{x}", 0))
            for x in SERVICE_LEVEL_THRESHOLDS_S
        ),
    )


def _duration_histogram(sums: Mapping[str, int], name: str) -> DurationHistogram:
    """Count the buckets: a call before its entry (crossed clocks) has no wait."""
    buckets = tuple(sums.get(field, 0) for field in bucket_fields(name, HISTOGRAM_BOUNDS_S))
    return DurationHistogram(sum(buckets), sums.get(f"{name}_sum_ms", 0), buckets)


@dataclass(frozen=True, slots=True)
class LatencyHistogram:
    """The number of probes and of successful ones, and how long the successful ones took, ms."""

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
        return interpolate_percentile(LATENCY_BOUNDS_MS, self.buckets, share)


def latency_histogram(sums: Mapping[str, int]) -> LatencyHistogram:
    """Read a window's sums; missing fields count as zero."""
    buckets = tuple(sums.get(field, 0) for field in bucket_fields("latency", LATENCY_BOUNDS_MS))
    return LatencyHistogram(sums.get("probes", 0), sums.get("probes_ok", 0), sums.get("latency_sum_ms", 0), buckets)
