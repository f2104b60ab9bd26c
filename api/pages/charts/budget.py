"""Geometry of the chart of a budget over time: what was left each day, down to and below nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 720, 150
_LABEL_WIDTH = 52
_DEEPEST = -2.0
"""A budget overspent by more than this many times is drawn at the bottom; the table has the figure."""


@dataclass(frozen=True, slots=True)
class BudgetDay:
    """A day: its label, the share of the budget that was left at its end (None: no budget yet), and its tip."""

    label: str
    left: float | None
    tip: str


@dataclass(frozen=True, slots=True)
class BudgetMark:
    """A day's point of the chart; `label` is empty where it would overlap another, `spent` when nothing is left."""

    x: float
    y: float | None
    left_edge: float
    label: str
    tip: str
    spent: bool


@dataclass(frozen=True, slots=True)
class BudgetTick:
    """A height of the axis and the share that it stands for."""

    y: float
    share: float


@dataclass(frozen=True, slots=True)
class BudgetChart:
    """The marks, the unbroken pieces of the line as SVG points, the axis, and where nothing is left."""

    marks: tuple[BudgetMark, ...]
    pieces: tuple[str, ...]
    ticks: tuple[BudgetTick, ...]
    zero: float
    step: float


def budget_chart(days: Sequence[BudgetDay]) -> BudgetChart:
    """Lay out one mark per day; the axis runs from the whole budget to nothing, or to how far it was overspent."""
    lowest = min((max(day.left, _DEEPEST) for day in days if day.left is not None), default=0.0)
    bottom = -ceil(-2 * min(0.0, lowest)) / 2
    step = WIDTH / max(1, len(days))

    def height(share: float) -> float:
        return round(HEIGHT * (1 - min(1.0, max(bottom, share))) / (1 - bottom), 1)

    every = -(-_LABEL_WIDTH // max(1, int(step)))
    marks = tuple(
        BudgetMark(
            round((i + 0.5) * step, 1),
            None if day.left is None else height(day.left),
            round(i * step, 1),
            day.label if i % every == 0 else "",
            day.tip,
            day.left is not None and day.left <= 0,
        )
        for i, day in enumerate(days)
    )
    shares = [1.0, 0.5, 0.0, *([bottom / 2, bottom] if bottom < -0.5 else [bottom] if bottom else [])]
    ticks = tuple(BudgetTick(height(share), share) for share in shares)
    return BudgetChart(marks, _pieces(marks), ticks, height(0.0), round(step, 2))


def _pieces(marks: Sequence[BudgetMark]) -> tuple[str, ...]:
    pieces: list[list[str]] = [[]]
    for mark in marks:
        if mark.y is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{mark.x},{mark.y}")
    return tuple(" ".join(piece) for piece in pieces if len(piece) > 1)
