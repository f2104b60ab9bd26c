"""Geometry of a small chart of one day: bars of what was, over the range of what is usual. It must not format text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.pages.charts.plots import axis_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_WIDTH, DAY_HEIGHT = 360, 84
_LABEL_WIDTH = 52
_BAR_SHARE = 0.62


@dataclass(frozen=True, slots=True)
class DayPoint:
    """One half hour: its label, its tip, what was (None: nothing yet), and the usual range (None: not known)."""

    label: str
    tip: str
    value: float | None
    low: float | None = None
    high: float | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class DayColumn:
    """One column: its left edge, the middle with its label (empty: left out), its tip and its bar (height 0: none)."""

    left: float
    x: float
    label: str
    tip: str
    closed: bool
    bar_left: float
    bar_top: float
    bar_height: float


@dataclass(frozen=True, slots=True)
class DayChart:
    """Columns, the usual range as polygons (SVG points), and the ticks of the axis (height from the top, value)."""

    columns: tuple[DayColumn, ...]
    ranges: tuple[str, ...]
    ticks: tuple[tuple[float, float], ...]
    step: float

    @property
    def bar_width(self) -> float:
        """Return the width of every bar."""
        return round(self.step * _BAR_SHARE, 2)


def day_chart(points: Sequence[DayPoint], least_top: float = 4) -> DayChart:
    """Lay out one column a point; the range is a step line around each run of points that have one."""
    highest = max((v for p in points for v in (p.value, p.high) if v is not None), default=0)
    ticks = axis_ticks(highest, least_top)
    top, step = ticks[-1], DAY_WIDTH / max(1, len(points))
    label_every = -(-_LABEL_WIDTH // max(1, int(step)))
    label_every += label_every % 2  # half hours: every label is a full hour when the first one is
    columns = tuple(
        _column(point, i, step, top, label_every) for i, point in enumerate(points)
    )  # fmt: skip
    shown = (ticks[0], ticks[len(ticks) // 2], ticks[-1])
    axis = tuple((round(DAY_HEIGHT * (1 - tick / top), 1), tick) for tick in dict.fromkeys(shown))
    return DayChart(columns, tuple(_ranges(points, step, top)), axis, round(step, 2))


def _column(point: DayPoint, index: int, step: float, top: float, label_every: int) -> DayColumn:
    height = round(DAY_HEIGHT * (point.value or 0) / top, 1)
    return DayColumn(
        left=round(index * step, 1),
        x=round((index + 0.5) * step, 1),
        label=point.label if index % label_every == 0 else "",
        tip=point.tip,
        closed=point.closed,
        bar_left=round((index + (1 - _BAR_SHARE) / 2) * step, 1),
        bar_top=round(DAY_HEIGHT - height, 1),
        bar_height=height,
    )


def _ranges(points: Sequence[DayPoint], step: float, top: float) -> list[str]:
    runs: list[list[int]] = [[]]
    for index, point in enumerate(points):
        if point.high:
            runs[-1].append(index)
        elif runs[-1]:
            runs.append([])
    return [_polygon(points, run, step, top) for run in runs if run]


def _polygon(points: Sequence[DayPoint], run: Sequence[int], step: float, top: float) -> str:
    def height(value: float | None) -> float:
        return round(DAY_HEIGHT * (1 - (value or 0) / top), 1)

    upper = [(x, height(points[i].high)) for i in run for x in (i * step, (i + 1) * step)]
    lower = [(x, height(points[i].low)) for i in reversed(run) for x in ((i + 1) * step, i * step)]
    return " ".join(f"{round(x, 1)},{y}" for x, y in (*upper, *lower))
