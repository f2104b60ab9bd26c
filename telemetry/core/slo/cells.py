"""What of a total an objective counts: which sums, on which clock; it must add and divide nothing else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.fold.totals import LATENCY_BOUNDS_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import SliKind

TIME_SLIS: tuple[SliKind, ...] = ("availability", "connectivity")
"""Objectives that count time; the others count tickets, probes or days."""
_SERVICE_FIELDS = ("up_ms", "down_ms", "link_ms", "platform_ms")
_CONTACT_FIELDS = ("conn_up_ms", "conn_down_ms", "", "conn_platform_ms")
_FIELD_NAMES: dict[tuple[bool, bool], tuple[str, ...]] = {
    (service, opened): tuple(
        f"open_{name}" if opened else name for name in (_SERVICE_FIELDS if service else _CONTACT_FIELDS)
    )
    for service in (True, False)
    for opened in (True, False)
}
_NO_TIME = (0, 0, 0, 0)


def time_sums(
    sums: Mapping[str, int], width: BucketWidth, sli: SliKind, *, by_calendar: bool, is_open: bool = True
) -> tuple[int, ...]:
    """Return (up, down, charged elsewhere, our own outages) of a total, ms.

    Hours and days know the open time themselves; five minutes are open as a whole or not at all.
    """
    if by_calendar and width == "5m" and not is_open:
        return _NO_TIME
    names = _FIELD_NAMES[sli == "availability", by_calendar and width != "5m"]
    return tuple([sums.get(name, 0) for name in names])


def good_bad_counts(sums: Mapping[str, int], sli: SliKind, threshold_ms: int) -> tuple[int, int]:
    """Return (good, bad) of a desk's or a system's total: tickets, or probes (one that failed is bad)."""
    if sli == "wait":
        seconds = threshold_ms // 1000
        return sums.get(f"level_good_{seconds}", 0), sums.get(f"level_bad_{seconds}", 0)
    good = sum(sums.get(f"latency_le_{b}", 0) for b in LATENCY_BOUNDS_MS if b <= threshold_ms)
    return good, max(0, sums.get("probes", 0) - good)
