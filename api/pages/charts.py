"""Geometry of the pages' inline SVG: day strips, half-hour bars and a target gauge. Pure; it must not format text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.accounting import TimeByState

CELL_HEIGHT, CELL_STEP = 44, 25
BAR_STEP, BAR_HEIGHT = 40, 120
HALF_HOUR_MS = 1_800_000


@dataclass(frozen=True, slots=True)
class DayCell:
    """One day of a strip: its position and the heights of its three parts; `mark` shows the state without colour."""

    x: int
    start: int
    account: TimeByState
    up: float
    unknown: float
    down: float
    mark: str


def day_strip(rows: Sequence[tuple[Window, TimeByState]]) -> list[DayCell]:
    """Lay out one cell per day, oldest first."""
    return [_day_cell(i * CELL_STEP, window.start, account) for i, (window, account) in enumerate(rows)]


def _day_cell(x: int, start: int, account: TimeByState) -> DayCell:
    total = account.open or 1
    up, unknown, down = (CELL_HEIGHT * part / total for part in (account.up, account.unknown, account.down))
    return DayCell(x, start, account, round(up, 2), round(unknown, 2), round(down, 2), _day_mark(account))


def _day_mark(account: TimeByState) -> str:
    if not account.open:
        return ""
    if 2 * account.unknown > account.open:
        return "?"
    if account.down * 100 <= account.open:
        return "✓"
    return "!" if account.down * 10 <= account.open else "✕"


@dataclass(frozen=True, slots=True)
class HalfHourSlot:
    """Half an hour of tickets: counts, and the heights of the two bars."""

    x: int
    start: int
    issued: int
    called: int
    served: int
    issued_h: float
    called_h: float


@dataclass(frozen=True, slots=True)
class BarChart:
    """A bar chart's slots and its round top value."""

    slots: tuple[HalfHourSlot, ...]
    top: int

    @property
    def any(self) -> bool:
        """Return whether there is anything to show."""
        return any(s.issued or s.called or s.served for s in self.slots)

    @property
    def width(self) -> int:
        """Return the width of the plot."""
        return max(1, len(self.slots)) * BAR_STEP

    @property
    def lines(self) -> list[tuple[float, int]]:
        """Return the grid lines as height and value."""
        return [(BAR_HEIGHT * (1 - part / 2), self.top * part // 2) for part in (0, 1, 2)]


def bar_chart(counts: Mapping[int, tuple[int, int, int]]) -> BarChart:
    """Lay out (issued, called, served) by the start of each half hour, the gaps between filled with zeros."""
    if not counts:
        return BarChart((), 2)
    top = _round_top(max(max(row) for row in counts.values()))
    starts = range(min(counts), max(counts) + 1, HALF_HOUR_MS)
    return BarChart(tuple(_half_hour_slot(i, t, counts.get(t, (0, 0, 0)), top) for i, t in enumerate(starts)), top)


def _half_hour_slot(index: int, start: int, row: tuple[int, int, int], top: int) -> HalfHourSlot:
    issued, called, served = row
    x = index * BAR_STEP
    return HalfHourSlot(
        x, start, issued, called, served, round(BAR_HEIGHT * issued / top, 1), round(BAR_HEIGHT * called / top, 1)
    )


def _round_top(highest: int) -> int:
    step = 2
    while step * 5 < highest:
        step *= 2
    return max(2, -(-highest // step) * step)


@dataclass(frozen=True, slots=True)
class TargetGauge:
    """A value against targets on a scale of 0 to 100."""

    value: float
    marks: tuple[float, ...]


def target_gauge(value: float | None, targets: Sequence[float]) -> TargetGauge | None:
    """Lay out a value and its targets; None without both."""
    if value is None or not targets:
        return None
    scale = 100 / (max(value, *targets) * 1.08)
    return TargetGauge(round(value * scale, 2), tuple(round(t * scale, 2) for t in targets))
