"""What of a total an objective counts: which sums, on which clock; it must add and divide nothing else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.totals import LATENCY_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.inventory import Sli
    from telemetry.core.windows import Width

TIME: tuple[Sli, ...] = ("availability", "connectivity")
"""Objectives that count time; the others count tickets, probes or days."""
_SERVICE = ("up_ms", "down_ms", "link_ms", "platform_ms")
_CONTACT = ("conn_up_ms", "conn_down_ms", "", "conn_platform_ms")


def time_values(
    sums: Mapping[str, int], width: Width, sli: Sli, *, by_calendar: bool, is_open: bool = True
) -> tuple[int, ...]:
    """Return (up, down, charged elsewhere, our own outages) of a total, ms.

    Hours and days know the open time themselves; five minutes are open as a whole or not at all.
    """
    names = _SERVICE if sli == "availability" else _CONTACT
    if not by_calendar:
        return tuple(sums.get(name, 0) for name in names)
    if width == "5m":
        return tuple(sums.get(name, 0) for name in names) if is_open else (0, 0, 0, 0)
    return tuple(sums.get(f"open_{name}", 0) for name in names)


def count_values(sums: Mapping[str, int], sli: Sli, threshold_ms: int) -> tuple[int, int]:
    """Return (good, bad) of a desk's or a system's total: tickets, or successful probes."""
    if sli == "wait":
        seconds = threshold_ms // 1000
        return sums.get(f"level_good_{seconds}", 0), sums.get(f"level_bad_{seconds}", 0)
    good = sum(sums.get(f"latency_le_{b}", 0) for b in LATENCY_MS if b <= threshold_ms)
    every = sum(sums.get(f"latency_le_{b}", 0) for b in (*LATENCY_MS, "inf"))
    return good, every - good
