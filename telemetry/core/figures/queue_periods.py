"""Queue figures of a period of local days: by time, by time of day, by service and by centre. Pure.

It must not read stores nor know a calendar: open days and open windows are arguments.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import MINUTE, day_window, to_local
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.figures.segment_figures import segment_figures
from telemetry.core.fold.totals import add_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.figures.segment_figures import SegmentFigures


@dataclass(frozen=True, slots=True)
class QueueHistoryRow:
    """One service at one centre over one bucket; `sums` (`totals.QUEUE_FIELDS`) may be added to those of other rows.

    A row of a group has no centre or no service, the group's id, and the sums of its centres' counters where known.
    """

    centre: str
    service: str
    window: Window
    zone: ZoneInfo
    sums: Mapping[str, int]
    group: str = ""
    counters: Mapping[str, int] | None = None

    @property
    def figures(self) -> QueueFigures:
        """Return the row's figures."""
        return queue_figures(self.sums)

    def segments(self, now: int) -> SegmentFigures:
        """Return the figures of its tickets by segment; over whole days that lie before `now` all have ended."""
        return segment_figures(self.sums, whole_days=self.window.end <= now and covers_days(self.window, self.zone))


@dataclass(frozen=True, slots=True)
class TimeFigures:
    """The figures of one bucket over all its rows; without tickets they are zero."""

    window: Window
    figures: QueueFigures


@dataclass(frozen=True, slots=True)
class TimeOfDayFigures:
    """The figures of one time of day (minutes since local midnight) over all days; `issued_per_day` is a mean."""

    minute: int
    figures: QueueFigures
    issued_per_day: float | None


@dataclass(frozen=True, slots=True)
class NamedFigures:
    """The figures of one service or centre over the whole period."""

    ident: str
    figures: QueueFigures


@lru_cache(maxsize=1024)
def covers_days(window: Window, zone: ZoneInfo) -> bool:
    """Return whether a window consists of whole local days."""
    edges = (window.start, window.end)
    return all(day_window(to_local(edge, zone).date(), zone).start == edge for edge in edges)


def figures_of_all(rows: Iterable[QueueHistoryRow]) -> QueueFigures:
    """Return the figures of all rows together."""
    return queue_figures(add_sums(row.sums for row in rows))


def figures_by_time(rows: Iterable[QueueHistoryRow], buckets: Iterable[Window]) -> tuple[TimeFigures, ...]:
    """Return the figures of each of `buckets`, and of each bucket of a row, in order; those without a row are zero."""
    groups: dict[Window, list[Mapping[str, int]]] = {bucket: [] for bucket in buckets}
    for row in rows:
        groups.setdefault(row.window, []).append(row.sums)
    return tuple(TimeFigures(bucket, queue_figures(add_sums(groups[bucket]))) for bucket in sorted(groups))


def figures_by_time_of_day(
    rows: Iterable[QueueHistoryRow], zone: ZoneInfo, step_ms: int, open_days_at: Callable[[int], int]
) -> tuple[TimeOfDayFigures, ...]:
    """Return the figures of each time of day from the first to the last with a row, every `step_ms`.

    `issued_per_day` is the mean over `open_days_at(minute)`: the open days that reached this time; None without any.
    """
    groups: dict[int, list[Mapping[str, int]]] = defaultdict(list)
    for row in rows:
        start = to_local(row.window.start, zone)
        groups[start.hour * 60 + start.minute].append(row.sums)
    if not groups:
        return ()
    profile = []
    for minute in range(min(groups), max(groups) + 1, step_ms // MINUTE):
        figures = queue_figures(add_sums(groups[minute]))
        days = open_days_at(minute)
        profile.append(TimeOfDayFigures(minute, figures, figures.issued / days if days else None))
    return tuple(profile)


def figures_by_name(
    rows: Iterable[QueueHistoryRow], name_of: Callable[[QueueHistoryRow], str], order: Sequence[str] = ()
) -> tuple[NamedFigures, ...]:
    """Return the figures of each service or centre: those in `order` first, also without a row, then others by id."""
    groups: dict[str, list[Mapping[str, int]]] = {ident: [] for ident in order}
    for row in sorted(rows, key=name_of):
        groups.setdefault(name_of(row), []).append(row.sums)
    return tuple(NamedFigures(ident, queue_figures(add_sums(sums))) for ident, sums in groups.items())
