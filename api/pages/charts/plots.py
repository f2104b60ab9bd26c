"""Geometry of inline SVG: charts over time, day strips, gauges, target paths. Pure; it must not format text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from telemetry.core.figures.accounting import CoveredRatio, TimeByState
    from telemetry.queries.availability import AvailabilityResult

CELL_HEIGHT = 44
CELL_WIDTH, CLOSED_WIDTH, CELL_GAP = 22, 8, 3
"""Closed days are narrow: a strip of open days shows weeks without being twice as long."""
MANY_DAYS, MANY_CELL_WIDTH, MANY_CLOSED_WIDTH = 31, 8, 4
"""A strip of more days has narrow cells, and a number at every seventh day."""
PLOT_WIDTH, PLOT_HEIGHT = 720, 150
MAX_BAR_WIDTH = 26
ZERO_HEIGHT = 2
LABEL_WIDTH = 42
HEADROOM = 1.08
"""The axis is at least this much longer than its highest bar."""


@dataclass(frozen=True, slots=True)
class DayCell:
    """One day of a strip: its place and the heights of its three parts; `mark` shows the state without colour.

    `is_numbered`: there is room for the number of the day.
    """

    x: int
    width: int
    start: int
    account: TimeByState
    ratio: CoveredRatio
    up: float
    unknown: float
    down: float
    mark: str
    is_numbered: bool

    @property
    def middle(self) -> float:
        """Return the place of what stands below the cell."""
        return self.x + self.width / 2


def day_strip(result: AvailabilityResult) -> list[DayCell]:
    """Lay out one cell per row, each a day, oldest first."""
    cells: list[DayCell] = []
    x, are_many = 1, len(result.rows) > MANY_DAYS
    open_width, closed_width = (MANY_CELL_WIDTH, MANY_CLOSED_WIDTH) if are_many else (CELL_WIDTH, CLOSED_WIDTH)
    for index, (window, account) in enumerate(result.rows):
        place = (x, open_width if account.open else closed_width)
        is_numbered = index % 7 == 0 if are_many else account.open > 0
        cells.append(_day_cell(place, window.start, account, result.ratio_of(account), is_numbered=is_numbered))
        x += cells[-1].width + CELL_GAP
    return cells


def _day_cell(
    place: tuple[int, int], start: int, account: TimeByState, ratio: CoveredRatio, *, is_numbered: bool
) -> DayCell:  # fmt: skip
    total = account.open or 1
    up, unknown, down = (round(CELL_HEIGHT * part / total, 2) for part in (account.up, account.unknown, account.down))
    return DayCell(*place, start, account, ratio, up, unknown, down, _day_mark(account, ratio), is_numbered)


def _day_mark(account: TimeByState, ratio: CoveredRatio) -> str:
    """Return ✓ from 99 % up, ✕ above 10 % down; between them ? when more is unknown than down, else !."""
    if not account.open:
        return ""
    if not ratio.coverage_sufficient:
        return "?"
    if account.down * 10 > account.open:
        return "✕"
    if account.up * 100 >= account.open * 99:
        return "✓"
    return "?" if account.unknown > account.down else "!"


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One value for each column of a chart, None where there is none; `name` is its CSS class and message key."""

    name: str
    values: tuple[float | None, ...]
    as_line: bool = False
    shows_zero: bool = False
    """Whether 0 has a bar of ZERO_HEIGHT, unlike None."""


@dataclass(frozen=True, slots=True)
class ChartBar:
    """One bar: its series and its place in the plot."""

    series: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class ChartColumn:
    """One column: the middle and left edge of its place, its axis label (empty: left out) and the text of its tip."""

    x: float
    left: float
    label: str
    tip: str
    closed: bool
    bars: tuple[ChartBar, ...]


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line through the values of a series: its unbroken pieces as SVG points, and every point by itself."""

    series: str
    pieces: tuple[str, ...]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class TimeChart:
    """Bars and lines over time, in a plot of PLOT_WIDTH × PLOT_HEIGHT."""

    columns: tuple[ChartColumn, ...]
    lines: tuple[ChartLine, ...]
    ticks: tuple[tuple[float, float], ...]
    series: tuple[str, ...]
    step: float

    @property
    def any(self) -> bool:
        """Return whether there is anything to show."""
        return any(column.bars for column in self.columns) or any(line.points for line in self.lines)


@dataclass(frozen=True, slots=True)
class ColumnText:
    """The texts of a column: its label on the axis and its tip; `closed` columns are shaded."""

    label: str
    tip: str
    closed: bool = False


def time_chart(
    series: Sequence[ChartSeries], texts: Sequence[ColumnText], least_top: float = 4, fixed_top: float | None = None
) -> TimeChart:
    """Lay out one column per text; the axis ends at `fixed_top`, else at a round value above the highest one."""
    values = [v for one in series for v in one.values if v is not None]
    ticks = axis_ticks(max(values, default=0), least_top, fixed_top)
    top, step = ticks[-1], PLOT_WIDTH / max(1, len(texts))
    bars = [one for one in series if not one.as_line]
    label_every = -(-LABEL_WIDTH // max(1, int(step)))
    columns = tuple(
        ChartColumn(
            round((i + 0.5) * step, 1), round(i * step, 1), text.label if i % label_every == 0 else "", text.tip,
            text.closed, _column_bars(bars, i, step, top),
        )
        for i, text in enumerate(texts)
    )  # fmt: skip
    lines = tuple(_line(one, step, top) for one in series if one.as_line)
    axis = tuple((_height(top - tick, top), tick) for tick in ticks)
    return TimeChart(columns, lines, axis, tuple(one.name for one in series), round(step, 2))


def _column_bars(series: Sequence[ChartSeries], index: int, step: float, top: float) -> tuple[ChartBar, ...]:
    width = min(MAX_BAR_WIDTH, 0.78 * step / max(1, len(series)))
    left = (index + 0.5) * step - width * len(series) / 2
    bars = []
    for i, one in enumerate(series):
        value = one.values[index]
        if value or (one.shows_zero and value is not None):
            height = max(_height(value, top), ZERO_HEIGHT if one.shows_zero else 0)
            gap = 1 if width > 4 else 0
            x, y = round(left + i * width, 1), round(PLOT_HEIGHT - height, 1)
            bars.append(ChartBar(one.name, x, y, round(width - gap, 1), height))
    return tuple(bars)


def _line(series: ChartSeries, step: float, top: float) -> ChartLine:
    pieces: list[list[str]] = [[]]
    points = []
    for i, value in enumerate(series.values):
        if value is None:
            pieces.append([])
            continue
        x, y = round((i + 0.5) * step, 1), round(PLOT_HEIGHT - _height(value, top), 1)
        pieces[-1].append(f"{x},{y}")
        points.append((x, y))
    return ChartLine(series.name, tuple(" ".join(piece) for piece in pieces if len(piece) > 1), tuple(points))


def _height(value: float, top: float) -> float:
    return round(PLOT_HEIGHT * value / top, 1)


def axis_ticks(highest: float, least_top: float, fixed_top: float | None = None) -> tuple[float, ...]:
    """Return the axis values from 0 to a round top, 3 to 6 of them; the highest value stays below the top."""
    top = fixed_top or max(least_top, highest * HEADROOM)
    magnitude = 1.0
    while magnitude * 10 <= top:
        magnitude *= 10
    while magnitude > top:
        magnitude /= 10
    step = next(f * magnitude for f in (0.2, 0.5, 1, 2, 5) if f * magnitude * 5 >= top)
    count = -(-top // step)
    return tuple(round(i * step, 6) for i in range(int(count) + 1))


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


PATH_WIDTH, PATH_HEIGHT = 160, 44
_MARGIN = 4


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """A value on a day."""

    day: date
    value: float


@dataclass(frozen=True, slots=True)
class PathChart:
    """The path of targets and the measured values, as points of polylines; `today` is where the present day lies."""

    path: str
    measured: str
    dots: tuple[tuple[float, float], ...]
    today: float


def path_chart(path: Sequence[ChartPoint], measured: Sequence[ChartPoint], today: date) -> PathChart:
    """Lay out targets and measured values; days run from the first to the last of all, values from 0."""
    days = [point.day.toordinal() for point in (*path, *measured)] + [today.toordinal()]
    first, width = min(days), max(1, max(days) - min(days))
    top = max((point.value for point in (*path, *measured)), default=0) or 1

    def place(point: ChartPoint) -> tuple[float, float]:
        x = _MARGIN + (PATH_WIDTH - 2 * _MARGIN) * (point.day.toordinal() - first) / width
        y = PATH_HEIGHT - _MARGIN - (PATH_HEIGHT - 2 * _MARGIN) * point.value / top
        return round(x, 1), round(y, 1)

    corners = [place(point) for point in path]
    if corners:
        corners = [(float(_MARGIN), corners[0][1]), *corners, (float(PATH_WIDTH - _MARGIN), corners[-1][1])]
    dots = tuple(place(point) for point in measured)
    return PathChart(_polyline(corners), _polyline(dots), dots, place(ChartPoint(today, 0))[0])


def _polyline(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
