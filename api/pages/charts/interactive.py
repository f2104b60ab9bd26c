"""Charts that a script makes interactive: series, columns, the table that it reads and the picture without it.

It must not read a store. `interactive_chart.html` renders them, `static/chart.js` draws from the rendered table only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from api.pages.charts.plots import PLOT_HEIGHT, ChartSeries, ColumnText, time_chart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.charts.plots import TimeChart
    from api.pages.frame.language import PageLocale

ChartUnit = Literal["number", "minutes", "percent", "milliseconds"]
"""What values are: counts or means, minutes, per cent (0 to 100), or milliseconds."""
MAX_SERIES = 6
"""There are as many styles: a colour with a dash pattern each."""


@dataclass(frozen=True, slots=True)
class PlottedSeries:
    """A line, or bars: its name for readers, and one value for each column, None where there is none."""

    label: str
    values: tuple[float | None, ...]
    as_bars: bool = False


@dataclass(frozen=True, slots=True)
class PlottedColumn:
    """One place of the axis: its name, a shorter one for the axis, and the page that explains it.

    `closed` shades it.
    """

    name: str
    short: str
    closed: bool = False
    href: str = ""
    tip: str = ""
    """What the picture says of it; by default its name and values."""


@dataclass(frozen=True, slots=True)
class ChartFrame:
    """What a chart is called: its id in the page, its title, its unit, and the heading of its columns as a table."""

    ident: str
    title: str
    unit: ChartUnit
    column_heading: str


@dataclass(frozen=True, slots=True)
class TargetLine:
    """A target as a horizontal line, in the unit of the chart."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class InteractiveChart:
    """A chart: `cells` are the values as text, by column and series; `summary` is for those who do not see it."""

    frame: ChartFrame
    series: tuple[PlottedSeries, ...]
    columns: tuple[PlottedColumn, ...]
    cells: tuple[tuple[str, ...], ...]
    picture: TimeChart
    summary: str
    target: TargetLine | None = None

    @property
    def has_data(self) -> bool:
        """Return whether any value is present; counts that are all zero are none."""
        values = [value for one in self.series for value in one.values]
        return any(values) or (self.frame.unit != "number" and any(value is not None for value in values))

    @property
    def fixed_top(self) -> float | None:
        """Return where the axis ends, None when the values decide."""
        return _fixed_top(self.frame)

    @property
    def target_y(self) -> float | None:
        """Return the height of the target in the picture."""
        return (
            None if self.target is None else round(PLOT_HEIGHT * (1 - self.target.value / self.picture.ticks[-1][1]), 1)
        )


def build_interactive_chart(
    locale: PageLocale, frame: ChartFrame, series: Sequence[PlottedSeries], columns: Sequence[PlottedColumn],
    target: TargetLine | None = None,
) -> InteractiveChart:  # fmt: skip
    """Lay out one to MAX_SERIES series over columns in order of time; each series has a value for each column.

    Raises ValueError for more series or values that do not fit.
    """
    if len(series) > MAX_SERIES or any(len(one.values) != len(columns) for one in series):
        msg = f"{frame.ident}: at most {MAX_SERIES} series, each with {len(columns)} values"
        raise ValueError(msg)
    cells = tuple(tuple(_format(locale, frame.unit, one.values[i]) for one in series) for i in range(len(columns)))
    texts = [
        ColumnText(column.short, column.tip or _tip(column, series, cells[i]), column.closed)
        for i, column in enumerate(columns)
    ]
    is_count = frame.unit == "number"
    drawn = [
        ChartSeries(f"s{i + 1}", one.values, as_line=not one.as_bars, shows_zero=not is_count)
        for i, one in enumerate(series)
    ]
    least = 4 if target is None else target.value * 1.1
    picture = time_chart(drawn, texts, least_top=least, fixed_top=_fixed_top(frame))
    summary = _summary(locale, series, columns, cells)
    return InteractiveChart(frame, tuple(series), tuple(columns), cells, picture, summary, target)


def _fixed_top(frame: ChartFrame) -> float | None:
    return 100.0 if frame.unit == "percent" else None


def _format(locale: PageLocale, unit: ChartUnit, value: float | None) -> str:
    match unit:
        case _ if value is None:
            return "–"
        case "minutes":
            return locale.minutes(value * 60)
        case "percent":
            return locale.share(value / 100)
        case "milliseconds":
            return f"{locale.number(value)} ms"
        case _:
            return locale.decimal(value)


def _tip(column: PlottedColumn, series: Sequence[PlottedSeries], cells: Sequence[str]) -> str:
    parts = (f"{one.label} {cell}" for one, cell in zip(series, cells, strict=True))
    return f"{column.name}: " + ", ".join(parts)


def _summary(
    locale: PageLocale,
    series: Sequence[PlottedSeries],
    columns: Sequence[PlottedColumn],
    cells: Sequence[Sequence[str]],
) -> str:
    """Return from where to where the chart goes, and the highest value of each series."""
    if not columns:
        return ""
    highest = []
    for place, one in enumerate(series):
        present = [(value, -i) for i, value in enumerate(one.values) if value is not None]
        if present:
            at = -max(present)[1]
            highest.append(locale.t("chart_highest", label=one.label, value=cells[at][place], at=columns[at].name))
    return " ".join([locale.t("chart_range", first=columns[0].name, last=columns[-1].name), *highest])
