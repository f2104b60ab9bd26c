"""Services that were probably not closed at their end: beyond 3 × the 95th percentile; it must not read stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.fold.histogram_buckets import BUCKET_VALUES_MS, bucket_counts

if TYPE_CHECKING:
    from telemetry.core.figures.histograms import DurationHistogram

MIN_SERVICES = 20
"""With fewer services of a kind nothing is suspected: the percentile would be that of a few."""
LIMIT_FACTOR = 3


@dataclass(frozen=True, slots=True)
class SuspectServices:
    """How many services exceed the limit (ms; None with too few services), and the count and sum of the others.

    The sum leaves out each suspect service as the value of its bucket, at most 2 % from its length.
    """

    limit_ms: float | None
    count: int
    usual_count: int
    usual_sum_ms: float

    @property
    def limit_s(self) -> float | None:
        """Return the limit in seconds."""
        return None if self.limit_ms is None else self.limit_ms / 1000

    @property
    def usual_mean_s(self) -> float | None:
        """Return the mean of the others in seconds, None without any."""
        return self.usual_sum_ms / self.usual_count / 1000 if self.usual_count else None


def suspect_services(services: DurationHistogram) -> SuspectServices:
    """Set apart the service times of one service that exceed 3 × their 95th percentile (domain.md part 3, case 6)."""
    p95 = services.durations.percentile_ms(0.95)
    if p95 is None or services.count < MIN_SERVICES:
        return SuspectServices(None, 0, services.count, services.sum_ms)
    limit = LIMIT_FACTOR * p95
    first, counts = bucket_counts(services.durations.histogram)
    suspect = [
        (value, count)
        for value, count in zip(BUCKET_VALUES_MS[first:], counts, strict=False)
        if value > limit
    ]  # fmt: skip
    number = sum(count for _, count in suspect)
    usual_sum = services.sum_ms - sum(value * count for value, count in suspect)
    return SuspectServices(limit, number, services.count - number, max(0, usual_sum))
