"""Geometry of the chart of one indicator: the path of its targets and what was measured, by day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.pages.charts.plots import ChartPoint, axis_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

WIDTH, HEIGHT = 720, 180
_YEAR_LABEL_WIDTH = 60
_LEAST_TOP_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class PlacedPoint:
    """A point of the chart with its place."""

    x: float
    y: float
    point: ChartPoint


@dataclass(frozen=True, slots=True)
class AxisDay:
    """The first of January of a year, or the day itself when the chart has only one year, on the axis of days."""

    x: float
    day: date


@dataclass(frozen=True, slots=True)
class TrajectoryChart:
    """The path as SVG points with its milestones, the measured values, both axes, and where the present day lies."""

    path: str
    milestones: tuple[PlacedPoint, ...]
    measured: tuple[PlacedPoint, ...]
    measured_line: str
    ticks: tuple[tuple[float, float], ...]
    days: tuple[AxisDay, ...]
    today: float


def lay_out_trajectory(
    path: Sequence[ChartPoint], measured: Sequence[ChartPoint], today: date, fixed_top: float | None = None
) -> TrajectoryChart:
    """Lay out a path and measured values; days run from the first to the last of all, values from 0 up."""
    days = [point.day.toordinal() for point in (*path, *measured)] + [today.toordinal()]
    first, length = min(days), max(1, max(days) - min(days))
    highest = max((point.value for point in (*path, *measured)), default=0)
    ticks = axis_ticks(highest, max(_LEAST_TOP_SHARE, highest or 1), fixed_top)

    def place_x(day: date) -> float:
        return round(WIDTH * (day.toordinal() - first) / length, 1)

    def place_y(value: float) -> float:
        return round(HEIGHT * (1 - value / ticks[-1]), 1)

    def place(point: ChartPoint) -> PlacedPoint:
        return PlacedPoint(place_x(point.day), place_y(point.value), point)

    corners, dots = [place(point) for point in path], [place(point) for point in measured]
    line = [(corner.x, corner.y) for corner in corners]
    if line:
        line = [(0.0, line[0][1]), *line, (float(WIDTH), line[-1][1])]
    return TrajectoryChart(
        " ".join(f"{x},{y}" for x, y in line),
        tuple(corners),
        tuple(dots),
        " ".join(f"{dot.x},{dot.y}" for dot in dots),
        tuple((place_y(tick), tick) for tick in ticks),
        tuple(AxisDay(place_x(day), day) for day in _axis_days(first, length, today)),
        place_x(today),
    )


def _axis_days(first: int, length: int, today: date) -> list[date]:
    """Return the beginnings of years within the chart, as many as there is room for; the present day without any."""
    begin, end = today.fromordinal(first), today.fromordinal(first + length)
    years = [today.replace(year=year, month=1, day=1) for year in range(begin.year, end.year + 1)]
    within = [day for day in years if begin <= day <= end]
    if not within:
        return [today]
    every = -(-len(within) * _YEAR_LABEL_WIDTH // WIDTH)
    return within[::every]
