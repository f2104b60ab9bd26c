"""Waits, service times and probe latency from additive sums: means, percentiles, shares; it must not read stores.

The sums are those of `totals.QUEUE_FIELDS` and `totals.PROBE_FIELDS`.  Sums that were folded before version 5 count
durations in (previous bound, B] under `…_le_B`; those are spread evenly over the buckets between the two bounds.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from telemetry.core.fold.histogram_buckets import (
    BUCKET_BOUNDS_MS,
    BUCKET_VALUES_MS,
    HISTOGRAM_BOUNDS_S,
    LATENCY_BOUNDS_MS,
    bucket_counts,
    count_within,
    cumulative_counts,
)
from telemetry.core.fold.totals import PROMISE_FIELDS, SERVICE_LEVEL_THRESHOLDS_S, former_bucket_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROUNDING = 1 - 1e-12
"""Lowers a rank by the error of its product: 0.07 × 100 is the 7th value, not the 8th."""


@dataclass(frozen=True, slots=True)
class BucketedDurations:
    """A set of durations by bucket; `former` has its counts up to each of `former_bounds_ms`, and one beyond."""

    histogram: int = 0
    former_bounds_ms: tuple[int, ...] = ()
    former: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """Return how many durations there are."""
        _, cumulative = cumulative_counts(self.histogram)
        return (cumulative[-1] if cumulative else 0) + sum(self.former)

    def count_within(self, bound_ms: int) -> int:
        """Return exactly how many durations do not exceed one of the exact bounds."""
        former = sum(self.former[: self.former_bounds_ms.index(bound_ms) + 1]) if self.former else 0
        return count_within(self.histogram, bound_ms) + former

    def percentile_ms(self, share: float) -> float | None:
        """Return the nearest-rank percentile, at most RELATIVE_ERROR from it: the value at rank ⌈share × count⌉.

        None without data.
        """
        cumulative: Sequence[float]
        if self.former:
            first, cumulative = 0, list(accumulate(self._spread_former(*bucket_counts(self.histogram))))
        else:
            first, cumulative = cumulative_counts(self.histogram)
        if not cumulative:
            return None
        rank = max(share * cumulative[-1], 1e-9) * _ROUNDING
        return BUCKET_VALUES_MS[first + bisect_left(cumulative, rank)]

    def _spread_former(self, first: int, counts: Sequence[int]) -> Sequence[float]:
        """Return the counts of all buckets; what exceeded the last former bound is counted next to it."""
        spread = [0.0] * len(BUCKET_VALUES_MS)
        spread[first : first + len(counts)] = counts
        bounds = (0, *self.former_bounds_ms)
        for (low, high), count in zip(pairwise(bounds), self.former, strict=False):
            for bucket in range(BUCKET_BOUNDS_MS.index(low) + 1, BUCKET_BOUNDS_MS.index(high) + 1):
                width = BUCKET_BOUNDS_MS[bucket] - BUCKET_BOUNDS_MS[bucket - 1]
                spread[bucket] += count * width / (high - low)
        spread[BUCKET_BOUNDS_MS.index(bounds[-1]) + 1] += self.former[-1]
        return spread


def _bucketed_durations(sums: Mapping[str, int], name: str, bounds: tuple[int, ...], unit_ms: int) -> BucketedDurations:
    """Read the durations of a name, whose former fields end in their bounds of `unit_ms`."""
    former = tuple(sums.get(field, 0) for field in former_bucket_fields(name, bounds))
    histogram = sums.get(f"{name}_histogram", 0)
    if not any(former):
        return BucketedDurations(histogram)
    return BucketedDurations(histogram, tuple(bound * unit_ms for bound in bounds), former)


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
class DurationSum:
    """A set of durations as count and sum."""

    count: int
    sum_ms: int

    @property
    def sum_s(self) -> float:
        """Return the sum in seconds."""
        return self.sum_ms / 1000

    @property
    def mean_s(self) -> float | None:
        """Return the mean in seconds, None without data."""
        return self.sum_ms / self.count / 1000 if self.count else None


@dataclass(frozen=True, slots=True)
class DurationHistogram(DurationSum):
    """A set of durations as count, sum and histogram; a call before its entry (crossed clocks) has no wait."""

    durations: BucketedDurations = BucketedDurations()

    def percentile_s(self, share: float) -> float | None:
        """Return the nearest-rank percentile (`BucketedDurations.percentile_ms`) in seconds, None without data."""
        value = self.durations.percentile_ms(share)
        return None if value is None else value / 1000

    def counts_within(self) -> tuple[tuple[int, int], ...]:
        """Return each exact bound, seconds, and how many durations do not exceed it."""
        return tuple((bound, self.durations.count_within(bound * 1000)) for bound in HISTOGRAM_BOUNDS_S)

    def within_threshold(self, threshold_s: int) -> WithinThreshold:
        """Return the exact count and share at or under a threshold, which must be one of HISTOGRAM_BOUNDS_S."""
        if threshold_s not in HISTOGRAM_BOUNDS_S:
            bounds = ", ".join(str(b) for b in HISTOGRAM_BOUNDS_S)
            msg = f"{threshold_s} s is not an exact bound: use one of {bounds}"
            raise ValueError(msg)
        count = self.durations.count_within(threshold_s * 1000)
        return WithinThreshold(threshold_s, count, count / self.count if self.count else None)


@dataclass(frozen=True, slots=True)
class WaitPromises:
    """Expected waits that were shown to called tickets: how many waits were within the 90 % bound, and the errors."""

    count: int
    within: int
    error_sum_ms: int

    @property
    def ratio(self) -> float | None:
        """Return the promise kept: waits within the bound ÷ promises; None without any."""
        return self.within / self.count if self.count else None

    @property
    def mean_error_s(self) -> float | None:
        """Return the mean distance of a wait from the median shown, s; None without any."""
        return self.error_sum_ms / self.count / 1000 if self.count else None


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
    transferred: int = 0
    closed_eod: int = 0
    way_time: DurationHistogram = DurationHistogram(0, 0)
    promise: WaitPromises = WaitPromises(0, 0, 0)


def queue_figures(sums: Mapping[str, int]) -> QueueFigures:
    """Read a window's sums; missing fields count as zero."""
    return QueueFigures(
        issued=sums.get("issued", 0),
        called=sums.get("called", 0),
        served=sums.get("served", 0),
        abandoned=sums.get("abandoned", 0),
        no_show=sums.get("no_show", 0),
        wait=duration_histogram(sums, "wait"),
        service_time=duration_histogram(sums, "service"),
        service_levels=tuple(
            ServiceLevel(x, sums.get(f"level_good_{x}", 0), sums.get(f"level_bad_{x}", 0))
            for x in SERVICE_LEVEL_THRESHOLDS_S
        ),
        transferred=sums.get("transferred", 0),
        closed_eod=sums.get("closed_eod", 0),
        way_time=duration_histogram(sums, "way"),
        promise=WaitPromises(*(sums.get(name, 0) for name in PROMISE_FIELDS)),
    )


def duration_histogram(sums: Mapping[str, int], name: str) -> DurationHistogram:
    """Read the durations of a name from a window's sums."""
    durations = _bucketed_durations(sums, name, HISTOGRAM_BOUNDS_S, 1000)
    return DurationHistogram(durations.count, sums.get(f"{name}_sum_ms", 0), durations)


@dataclass(frozen=True, slots=True)
class LatencyHistogram:
    """The number of probes and of successful ones, and how long the successful ones took, ms."""

    probes: int
    ok: int
    sum_ms: int
    durations: BucketedDurations = BucketedDurations()

    @property
    def count(self) -> int:
        """Return how many latencies are known."""
        return self.durations.count

    @property
    def mean_ms(self) -> float | None:
        """Return the mean, None without data."""
        return self.sum_ms / self.count if self.count else None

    def percentile_ms(self, share: float) -> float | None:
        """Return the nearest-rank percentile (`BucketedDurations.percentile_ms`), None without data."""
        return self.durations.percentile_ms(share)

    def count_within(self, threshold_ms: int) -> int:
        """Return exactly how many probes succeeded within a threshold, one of LATENCY_BOUNDS_MS."""
        return self.durations.count_within(threshold_ms)


def latency_histogram(sums: Mapping[str, int]) -> LatencyHistogram:
    """Read a window's sums; missing fields count as zero."""
    durations = _bucketed_durations(sums, "latency", LATENCY_BOUNDS_MS, 1)
    return LatencyHistogram(sums.get("probes", 0), sums.get("probes_ok", 0), sums.get("latency_sum_ms", 0), durations)
