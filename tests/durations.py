"""Durations that are hard on a histogram, and the nearest-rank percentile that it must come near; for several tests."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from telemetry.core.fold.histogram_buckets import BUCKET_BOUNDS_MS, HISTOGRAM_BOUNDS_S, MAX_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARES = (0.01, 0.07, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0)

_near_bounds = st.tuples(st.sampled_from(BUCKET_BOUNDS_MS), st.integers(-1, 1)).map(
    lambda pair: max(0, round(pair[0]) + pair[1])
)
_exact = st.sampled_from(HISTOGRAM_BOUNDS_S).map(lambda s: s * 1000)
durations = st.one_of(
    st.integers(0, 30), st.integers(0, 7_200_000), st.integers(0, MAX_MS), _near_bounds, _exact, st.just(0)
)
"""Whole milliseconds from nothing to the longest: small, usual, huge, beside a bucket's bound, on an exact one."""
many_durations = st.lists(durations, min_size=1, max_size=80)


def nearest_rank(values: Iterable[float], share: float) -> float:
    """Return the value at rank ⌈share × count⌉."""
    ordered = sorted(values)
    return ordered[max(1, ceil(round(share * len(ordered), 9))) - 1]
