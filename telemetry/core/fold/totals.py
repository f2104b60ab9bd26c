"""Additive totals: only values that may be summed over windows. Pure.

Times are integer ms.  Five-minute totals hold wall-clock time and depend on no calendar;
hours and days hold wall-clock sums and, under `open_…`, sums over the opening hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from telemetry.core.fold.histogram_buckets import (
    HISTOGRAM_BOUNDS_S,
    LATENCY_BOUNDS_MS,
    decode_histogram,
    encode_histogram,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.calendar.windows import BucketWidth

SumsBySlot = dict[int, dict[str, int]]
"""Sums by slot (its start, Unix ms)."""
StoredSum = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]
"""A stored sum that is no histogram; nothing that is counted, not even a year of a province in µs, reaches the ends."""
EncodedSums = dict[str, StoredSum | str]
"""Sums as they are stored: a histogram as text (`encode_histogram`), or 0 when it is empty."""
STATE_FIELDS = ("up_ms", "down_ms", "conn_up_ms", "conn_down_ms", "link_ms", "platform_ms", "conn_platform_ms")
"""`link_ms` and `platform_ms` are the parts of the unknown service time that an outage of the site's link or of our own
platform explains; `conn_platform_ms` is the same part of the unknown connection time."""
CAPACITY_FIELDS = ("cap_low_ms", "cap_high_ms")
"""Of a centre: the integral of its capacity share, unknown members counted as down, and as up."""
READY_AT_SLOT_FIELDS = ("mark_up", "mark_down")
"""Of a centre, in 5-minute totals only: whether every critical device was up at the instant the bucket begins."""
READY_FIELDS = ("ready_up", "ready_down")
"""Of a centre, in days only: its `mark_…` sums five minutes after the day's first opening."""
CALENDAR_FIELD = "calendar"
"""In hours and days: the fingerprint of the calendar they were added with (`Calendar.fingerprint`); never added."""
COUNT_FIELDS = (
    "issued", "called", "served", "abandoned", "no_show", "transferred", "closed_eod", "ratings", "ratings_good",
)  # fmt: skip
WAIT_FIELDS = ("wait_sum_ms", "wait_histogram")
SERVICE_TIME_FIELDS = ("service_count", "service_sum_ms", "service_histogram")
SERVICE_LEVEL_THRESHOLDS_S = (300, 600, 900, 1800, 3600)
"""Thresholds (s) of the service level: decided at entry + X, still waiting is a miss."""
SERVICE_LEVEL_FIELDS = tuple(f"level_{word}_{b}" for b in SERVICE_LEVEL_THRESHOLDS_S for word in ("good", "bad"))
QUEUE_FIELDS = (*COUNT_FIELDS, *WAIT_FIELDS, *SERVICE_TIME_FIELDS, *SERVICE_LEVEL_FIELDS)
PROMISE_FIELDS = ("promises", "promises_within", "promise_error_sum_ms")
"""Expected waits that were shown to tickets called in the interval: their number, how many of the waits were within the
90 % bound, and the sum of the distances of the waits from the median."""
SEGMENT_FIELDS = (
    "way_count", "way_sum_ms", "way_histogram", "way_negative", "wait_negative", "service_negative", "recalled",
    "recall_delay_count", "recall_delay_sum_ms", "transferred_in", "forgotten_open", "double_closed", "incomplete",
    "issued_booked", "booked_wait_count", "booked_wait_sum_ms",
    *PROMISE_FIELDS,
)  # fmt: skip
"""Of a desk, only where they are above 0: the way to the counter, recalls and what they delay, tickets that a transfer
brought, negative durations (crossed clocks), services or tickets whose record is wrong, promises."""
COUNTER_FIELDS = (
    "counter_service_ms", "counter_busy_ms", "counter_open_ms", "counter_rostered_ms", "counter_open_rostered_ms",
    "counter_known_ms", "online_only_ms",
)  # fmt: skip
"""Of a centre's counters together, only where they are above 0, see `counter_time`; and the online-only mode."""
COUNTER_FIELDS_BY_CLOCK = ("counter_open_ms", "online_only_ms")
"""Those of them that hours and days also hold for the opening hours alone, as `open_…`."""
CONNECTOR_FIELDS = ("connector_ok", "connector_failed", "connector_timed", "connector_duration_sum_ms")
"""Of a system: requests of its connectors, how many of them have a mean duration, and the sum of their durations."""
PROBE_FIELDS = ("probes", "probes_ok", "latency_sum_ms", "latency_histogram")
EVIDENCE_FIELDS = (*COUNT_FIELDS, "probes", "up_ms", "conn_up_ms")
"""Sums of which each comes from an event in the same window or shortly before it."""
HISTOGRAM_FIELDS = (
    "wait_histogram", "service_histogram", "way_histogram", "latency_histogram", "open_latency_histogram",
    "processing_histogram", "fill_histogram",
)  # fmt: skip
"""The sums that are histograms (`histogram_buckets`): one integer each, added like any other."""


@lru_cache(maxsize=16)
def former_bucket_fields(name: str, bounds: tuple[int, ...]) -> tuple[str, ...]:
    """Return the fields of a histogram before fold version 5: `…_le_B` counts the values in (previous bound, B].

    Totals whose raw events were deleted by then still have them.
    """
    return tuple(f"{name}_le_{bound}" for bound in (*bounds, "inf"))


FORMER_QUEUE_FIELDS = tuple(
    field for name in ("wait", "service") for field in former_bucket_fields(name, HISTOGRAM_BOUNDS_S)
)
PROBE_SUM_FIELDS = (*PROBE_FIELDS, *former_bucket_fields("latency", LATENCY_BOUNDS_MS))
OPEN_FIELDS = tuple(f"open_{name}" for name in (*STATE_FIELDS, *CAPACITY_FIELDS, *PROBE_SUM_FIELDS))
"""In hours and days: the same sums of the open slots alone; of probes, those outside planned maintenance."""


_INTEGERS = frozenset({int})


@dataclass(frozen=True, slots=True)
class Total:
    """Sums of one scope over one window.

    `scope` is `device:ID`, `centre:ID`, `desk:CENTRE:SERVICE` or `system:ID`; `entity` is the centre or system it was
    folded under.
    """

    entity: str
    scope: str
    width: BucketWidth
    start: int
    province: str
    sums: Mapping[str, int]


def add_to_sums(sums: dict[str, int], addend: Mapping[str, int]) -> None:
    """Add to `sums` in place, field by field."""
    for name, value in addend.items():
        sums[name] = sums.get(name, 0) + value


def add_sums(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add sums field by field."""
    out: dict[str, int] = {}
    for row in rows:
        add_to_sums(out, row)
    return out


def encode_sums(sums: Mapping[str, int]) -> EncodedSums:
    """Return sums as they are stored."""
    encoded: EncodedSums = dict(sums)
    for name in HISTOGRAM_FIELDS:
        if histogram := sums.get(name):
            encoded[name] = encode_histogram(histogram)
    return encoded


def decode_sums(encoded: Mapping[str, int | str]) -> dict[str, int]:
    """Return the sums that were stored; raises ValueError, KeyError or StopIteration when a text is no histogram."""
    sums: dict[str, int] = dict(encoded)  # type: ignore[arg-type]  # the texts are replaced
    for name in HISTOGRAM_FIELDS:
        text = encoded.get(name)
        if isinstance(text, str):
            sums[name] = decode_histogram(text)
    if not _INTEGERS.issuperset(map(type, sums.values())):
        msg = "a sum is a text"
        raise ValueError(msg)
    return sums
