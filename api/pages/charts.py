"""Geometry of the pages' inline SVG: day strips, half-hour bars and a target gauge. Pure; it must not format words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.accounting import Account

CELL_H, STEP = 44, 25
BAR_STEP, BAR_H = 40, 120
HALF_HOUR = 1_800_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of a strip: where it stands and how high its three parts are; `mark` says it without colour."""

    x: int
    start: int
    account: Account
    up: float
    unknown: float
    down: float
    mark: str


def strip(rows: Sequence[tuple[Window, Account]]) -> list[Cell]:
    """Lay out one cell a day, oldest first."""
    return [_cell(i * STEP, window.start, account) for i, (window, account) in enumerate(rows)]


def _cell(x: int, start: int, account: Account) -> Cell:
    whole = account.total or 1
    up, unknown, down = (CELL_H * part / whole for part in (account.up, account.unknown, account.down))
    return Cell(x, start, account, round(up, 2), round(unknown, 2), round(down, 2), _mark(account))


def _mark(account: Account) -> str:
    if not account.total:
        return ""
    if 2 * account.unknown > account.total:
        return "?"
    if account.down * 100 <= account.total:
        return "✓"
    return "!" if account.down * 10 <= account.total else "✕"


@dataclass(frozen=True, slots=True)
class Slot:
    """Half an hour of tickets: counts, and the heights of the two bars."""

    x: int
    start: int
    issued: int
    called: int
    served: int
    issued_h: float
    called_h: float


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart's slots and its round top value."""

    slots: tuple[Slot, ...]
    top: int

    @property
    def any(self) -> bool:
        """Tell whether there is anything to show."""
        return any(s.issued or s.called or s.served for s in self.slots)

    @property
    def width(self) -> int:
        """Return the width of the plot."""
        return max(1, len(self.slots)) * BAR_STEP

    @property
    def lines(self) -> list[tuple[float, int]]:
        """Return the grid lines as height and value."""
        return [(BAR_H * (1 - part / 2), self.top * part // 2) for part in (0, 1, 2)]


def bars(counts: Mapping[int, tuple[int, int, int]]) -> Bars:
    """Lay out (issued, called, served) by the start of each half hour, the gaps between filled with zeros."""
    if not counts:
        return Bars((), 2)
    top = _round_top(max(max(row) for row in counts.values()))
    starts = range(min(counts), max(counts) + 1, HALF_HOUR)
    return Bars(tuple(_slot(i, t, counts.get(t, (0, 0, 0)), top) for i, t in enumerate(starts)), top)


def _slot(index: int, start: int, row: tuple[int, int, int], top: int) -> Slot:
    issued, called, served = row
    x = index * BAR_STEP
    return Slot(x, start, issued, called, served, round(BAR_H * issued / top, 1), round(BAR_H * called / top, 1))


def _round_top(highest: int) -> int:
    step = 2
    while step * 5 < highest:
        step *= 2
    return max(2, -(-highest // step) * step)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value against targets on a scale of 0 to 100."""

    value: float
    marks: tuple[float, ...]


def gauge(value: float | None, targets: Sequence[float]) -> Gauge | None:
    """Lay out a value and its targets; None without both."""
    if value is None or not targets:
        return None
    scale = 100 / (max(value, *targets) * 1.08)
    return Gauge(round(value * scale, 2), tuple(round(t * scale, 2) for t in targets))
