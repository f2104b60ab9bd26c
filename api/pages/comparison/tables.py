"""The table and the sentences of a comparison: figures, differences, verdicts. It must not read a store.

Values stand in the table as people read them (minutes, per cent): the heading of each row names its unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.core.figures.comparison import FigureComparison, FigureName
    from telemetry.queries.comparison import ComparisonSide

FigureKind = Literal["count", "decimal", "minutes", "percent"]
KIND_BY_FIGURE: dict[FigureName, FigureKind] = {
    "issued": "count", "issued_per_day": "decimal", "served": "count", "wait_mean": "minutes", "wait_p90": "minutes",
    "within": "percent", "abandoned": "percent", "no_show": "percent", "service_mean": "minutes",
    "availability": "percent", "dossiers": "count", "dossiers_on_time": "percent",
}  # fmt: skip
_UNIT_KEYS: dict[FigureKind, str] = {"minutes": "cmp_unit_minutes", "percent": "cmp_unit_percent"}


@dataclass(frozen=True, slots=True)
class ComparedColumn:
    """One side as it is shown: its name, its dates and the page of its figures; `is_place`: a centre's name."""

    name: str
    dates: str
    href: str
    side: ComparisonSide
    is_place: bool


def wait_comparison(figures: Sequence[FigureComparison]) -> FigureComparison:
    """Return the comparison of mean waits."""
    return next(figure for figure in figures if figure.name == "wait_mean")


def comparison_table(
    locale: PageLocale, columns: Sequence[ComparedColumn], compared: Sequence[Sequence[FigureComparison]],
    threshold_s: int,
) -> PageTable:  # fmt: skip
    """Return figures by row and sides by column; two sides have columns for the difference and the verdict."""
    sides = [TableColumn(f"side_{place}", column.name, "decimal") for place, column in enumerate(columns, 1)]
    heads = [TableColumn("figure", locale.t("cmp_figure")), *sides]
    if len(columns) == 2:
        heads += [
            TableColumn("difference", locale.t("cmp_difference"), "decimal"),
            TableColumn("verdict", locale.t("cmp_verdict"), "state", prefix="verdict_"),
        ]
        rows = [_row_of_two(locale, columns, figure, threshold_s) for figure in compared[0]]
    else:
        rows = [_row_of_many(locale, columns, figures, threshold_s) for figures in zip(*compared, strict=False)]
    return PageTable("comparison", locale.t("cmp_table"), tuple(heads), tuple(rows))


def _row_of_two(
    locale: PageLocale, columns: Sequence[ComparedColumn], figure: FigureComparison, threshold_s: int
) -> PageTableRow:
    kind = KIND_BY_FIGURE[figure.name]
    cells = [
        _value_cell(locale, column, figure.name, value)
        for column, value in zip(columns, (figure.first, figure.second), strict=True)
    ]
    difference = TableCell(
        scale(kind, figure.difference),
        format_difference(locale, kind, figure.difference),
        note=_doubt(locale, kind, figure),
    )
    return PageTableRow((_heading(locale, figure.name, threshold_s), *cells, difference, TableCell(figure.verdict)))


def _row_of_many(
    locale: PageLocale, columns: Sequence[ComparedColumn], figures: Sequence[FigureComparison], threshold_s: int
) -> PageTableRow:
    """Return the value of the first centre, and those of the others with their difference from it."""
    name, kind = figures[0].name, KIND_BY_FIGURE[figures[0].name]
    cells = [_value_cell(locale, columns[0], name, figures[0].second)]
    for column, figure in zip(columns[1:], figures, strict=True):
        cell = _value_cell(locale, column, name, figure.first)
        note = format_difference(locale, kind, figure.difference)
        if figure.verdict:
            note += f": {locale.t(f'verdict_{figure.verdict}')}"
        cells.append(TableCell(cell.value, cell.text, cell.href, note))
    return PageTableRow((_heading(locale, name, threshold_s), *cells))


def _heading(locale: PageLocale, name: FigureName, threshold_s: int) -> TableCell:
    unit = _UNIT_KEYS.get(KIND_BY_FIGURE[name])
    text = locale.t(f"cmp_{name}", limit=locale.minutes(threshold_s))
    return TableCell(f"{text} ({locale.t(unit)})" if unit else text)


def _value_cell(locale: PageLocale, column: ComparedColumn, name: FigureName, value: float | None) -> TableCell:
    kind = KIND_BY_FIGURE[name]
    return TableCell(
        scale(kind, value), format_value(locale, kind, value), column.href, _parts(locale, column.side, name)
    )


def _parts(locale: PageLocale, side: ComparisonSide, name: FigureName) -> str:
    """Return what a figure was divided from: the cases of a mean, the parts of a share, the coverage of time."""
    figures, period = side.figures, side.period
    match name:
        case "wait_mean":
            return locale.t("cmp_calls", n=figures.wait.count)
        case "service_mean":
            return locale.t("cmp_served_count", n=figures.service_time.count)
        case "abandoned" | "no_show":
            return locale.t("of", part=getattr(figures, name), whole=figures.issued)
        case "issued_per_day":
            return locale.t("cmp_open_days", n=period.open_days)
        case "availability" if period.availability is not None:
            return locale.t("coverage_note", coverage=locale.percent(period.availability.coverage))
        case _:
            return ""


def scale(kind: FigureKind, value: float | None) -> float | None:
    """Return a value in the unit of its row: seconds as minutes, a ratio as per cent."""
    if value is None:
        return None
    return value / 60 if kind == "minutes" else value * 100 if kind == "percent" else value


def format_value(locale: PageLocale, kind: FigureKind, value: float | None) -> str:
    """Return a value as text, a dash without one."""
    if value is None:
        return "–"
    match kind:
        case "minutes":
            return locale.minutes(value)
        case "percent":
            return locale.share(value)
        case "count":
            return locale.number(value)
        case _:
            return locale.decimal(value)


def format_difference(locale: PageLocale, kind: FigureKind, difference: float | None) -> str:
    """Return a difference with its sign: minutes, percentage points, or a number."""
    if difference is None:
        return "–"
    scaled = scale(kind, abs(difference)) or 0.0
    text = locale.number(scaled) if kind == "count" else locale.decimal(scaled)
    if kind == "minutes":
        text = locale.t("minutes", m=text)
    elif kind == "percent":
        text = locale.t("cmp_points", points=text)
    sign = "" if not scaled or locale.decimal(scaled) == locale.decimal(0) else "−" if difference < 0 else "+"
    return sign + text


def _doubt(locale: PageLocale, kind: FigureKind, figure: FigureComparison) -> str:
    if figure.margin is None:
        return ""
    return locale.t("cmp_margin", margin=locale.decimal(scale(kind, figure.margin)))


def headline(
    locale: PageLocale, columns: Sequence[ComparedColumn], compared: Sequence[Sequence[FigureComparison]]
) -> str:
    """Return the answer in one sentence: who waited less, and whether that is more than chance."""
    if len(columns) > 2:
        return _extremes(locale, columns)
    wait = wait_comparison(compared[0])
    names = {
        "first": columns[0].name + (":" if columns[0].is_place else ""),
        "second": columns[1].name if columns[1].is_place else columns[1].name[:1].lower() + columns[1].name[1:],
    }
    if wait.difference is None:
        missing = "first" if wait.first is None else "second"
        return locale.t(f"cmp_no_{missing}", **names)
    values = {
        "by": locale.minutes(abs(wait.difference)),
        "a": locale.minutes(wait.first),
        "b": locale.minutes(wait.second),
    }
    return locale.t(f"cmp_says_{wait.verdict}", **names, **values)


def _extremes(locale: PageLocale, columns: Sequence[ComparedColumn]) -> str:
    waits = [(mean, c.name) for c in columns if (mean := c.side.figures.wait.mean_s) is not None]
    if not waits:
        return locale.t("cmp_no_waits")
    (least, short), (most, long) = min(waits), max(waits)
    return locale.t(
        "cmp_says_extremes", short=short, least=locale.minutes(least), long=long, most=locale.minutes(most)
    )  # fmt: skip


def verdict_sentence(locale: PageLocale, figures: Sequence[FigureComparison], threshold_s: int) -> str:
    """Return which figures are better and which worse, that none differs, or nothing while too little is known."""
    parts = []
    for verdict in ("better", "worse"):
        names = [locale.t(f"cmp_{f.name}", limit=locale.minutes(threshold_s)) for f in figures if f.verdict == verdict]
        if names:
            parts.append(locale.t(f"cmp_{verdict}", names="; ".join(name[:1].lower() + name[1:] for name in names)))
    if parts or wait_comparison(figures).verdict != "same":
        return " ".join(parts)
    return locale.t("cmp_nothing_differs")
