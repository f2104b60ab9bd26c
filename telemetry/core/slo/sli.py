"""What an objective counts of a total, and what of it is good and bad; it computes no budget. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.accounting import TimeByState, sum_times
from telemetry.core.figures.histograms import latency_histogram
from telemetry.core.fold.totals import PROBE_SUM_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import ObjectiveUnknownPolicy, SliKind

TIME_SLIS: tuple[SliKind, ...] = ("availability", "connectivity")
"""Objectives that count time; the others count tickets, probes or days."""
_TIME_FIELDS = {
    True: ("up_ms", "down_ms", "link_ms", "platform_ms"),
    False: ("conn_up_ms", "conn_down_ms", "", "conn_platform_ms"),
}
_OPEN_TIME_FIELDS = {key: tuple(f"open_{name}" for name in names) for key, names in _TIME_FIELDS.items()}


@dataclass(frozen=True, slots=True)
class GoodBad:
    """Good and bad amounts in one unit: ms or s of time, tickets, slices or days."""

    good: int = 0
    bad: int = 0

    def __add__(self, other: GoodBad) -> GoodBad:
        return GoodBad(self.good + other.good, self.bad + other.bad)

    @property
    def total(self) -> int:
        """Return good + bad."""
        return self.good + self.bad

    @property
    def ratio(self) -> float | None:
        """Return good ÷ (good + bad), the SLI; None when there is nothing to divide by."""
        return self.good / self.total if self.total else None

    @property
    def error_ratio(self) -> float | None:
        """Return bad ÷ (good + bad); None when there is nothing to divide by."""
        return self.bad / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class TimeResult:
    """Time by state and what of it was good and bad, both in whole seconds of the same rounding."""

    account: TimeByState
    good_bad: GoodBad


def time_sums(
    sums: Mapping[str, int], width: BucketWidth, sli: SliKind, *, by_calendar: bool, is_open: bool = True
) -> tuple[int, ...]:
    """Return (up, down, charged elsewhere, platform outage) of a total, ms.

    Hours and days store their open time; a slot is open as a whole or not at all.
    """
    if by_calendar and width == "5m" and not is_open:
        return 0, 0, 0, 0
    names = (_OPEN_TIME_FIELDS if by_calendar and width != "5m" else _TIME_FIELDS)[sli == "availability"]
    return tuple([sums.get(name, 0) for name in names])


def with_open_probes(sums: Mapping[str, int]) -> Mapping[str, int]:
    """Return the sums of an hour or a day with open probes: all of them where an earlier version added it."""
    if "open_probes" in sums:
        return sums
    return {**sums, **{f"open_{name}": sums[name] for name in PROBE_SUM_FIELDS if name in sums}}


def good_bad_counts(
    sums: Mapping[str, int], sli: SliKind, threshold_ms: int, width: BucketWidth, *, by_calendar: bool, is_open: bool
) -> tuple[int, int]:
    """Return (good, bad) of a desk's or a system's total: tickets, or probes (a failed one is bad).

    By the calendar, probes in planned maintenance do not count; hours and days that an earlier version added lack their
    open probes, so all of theirs count.
    """
    if sli == "wait":
        seconds = threshold_ms // 1000
        return sums.get(f"level_good_{seconds}", 0), sums.get(f"level_bad_{seconds}", 0)
    if by_calendar and width == "5m" and not is_open:
        return 0, 0
    if by_calendar and width != "5m":
        sums = {name: with_open_probes(sums).get(f"open_{name}", 0) for name in PROBE_SUM_FIELDS}
    latency = latency_histogram(sums)
    good = latency.count_within(threshold_ms)
    return good, max(0, latency.probes - good)


def apply_unknown_policy(time: TimeByState, policy: ObjectiveUnknownPolicy, *, settled: bool = True) -> GoodBad:
    """Weigh unknown time: good = U, bad = D + λN; under `up` good = U + N (slo.md 2.2), in the unit of `time`.

    Under `settle`, λ is 0 while the time is provisional; once settled it is 1, but not for what is charged elsewhere.
    """
    if policy == "up":
        return GoodBad(time.up + time.unknown, time.down)
    if policy == "down":
        return GoodBad(time.up, time.down + time.unknown)
    charged_unknown = time.unknown - time.charged_elsewhere if policy == "settle" and settled else 0
    return GoodBad(time.up, time.down + charged_unknown)


def weigh_time(settled_parts: Iterable[tuple[TimeByState, bool]], policy: ObjectiveUnknownPolicy) -> TimeResult:
    """Weigh times (ms), each with whether it is settled; open = up + down + unknown holds in whole seconds."""
    rounded = [(time.to_seconds(), settled) for time, settled in settled_parts]
    good_bad = sum((apply_unknown_policy(t, policy, settled=settled) for t, settled in rounded), GoodBad())
    return TimeResult(sum_times(t for t, _ in rounded), good_bad)
