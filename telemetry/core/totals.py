"""Additive totals: what may be summed over windows, and nothing that may not. Pure.

Seconds are kept as integer ms.  Five-minute totals hold wall-clock time and know no calendar;
hours and days hold wall-clock sums and, under `open_…`, sums over the opening hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.windows import Width

BOUNDS_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Exact histogram bounds, seconds; a value equal to a bound lies at or under it."""
OVER = "inf"

STATE_FIELDS = ("up_ms", "down_ms", "conn_up_ms", "conn_down_ms")
OPEN_FIELDS = tuple(f"open_{name}" for name in STATE_FIELDS)
COUNT_FIELDS = (
    "issued",
    "called",
    "served",
    "abandoned",
    "no_show",
    "transferred",
    "closed_eod",
    "ratings",
    "ratings_good",
)
WAIT_FIELDS = ("wait_sum_ms", *(f"wait_le_{b}" for b in BOUNDS_S), "wait_le_inf")
SERVICE_FIELDS = ("service_count", "service_sum_ms", *(f"service_le_{b}" for b in BOUNDS_S), "service_le_inf")
QUEUE_FIELDS = (*COUNT_FIELDS, *WAIT_FIELDS, *SERVICE_FIELDS)
"""`…_le_B` counts the values in (previous bound, B]; the buckets do not overlap, so they add."""
PROBE_FIELDS = ("probes", "probes_ok", "latency_sum_ms")


@dataclass(frozen=True, slots=True)
class Total:
    """Sums of one scope over one window.

    `scope` is `device:ID`, `centre:ID`, `desk:CENTRE:SERVICE` or `system:ID`; `unit` is the centre
    or system it was folded under.
    """

    unit: str
    scope: str
    width: Width
    start: int
    province: str
    sums: Mapping[str, int]


def bucket_of(seconds: float) -> str:
    """Return the histogram bucket of a duration: the first bound it does not exceed."""
    return next((str(b) for b in BOUNDS_S if seconds <= b), OVER)


def add(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add sums field by field."""
    out: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            out[name] = out.get(name, 0) + value
    return out


def zeroed(fields: Iterable[str], sums: Mapping[str, int]) -> dict[str, int]:
    """Return every field, zeros included."""
    return {name: sums.get(name, 0) for name in fields}
