"""A period's tables as CSV: for programs, or for a spreadsheet in the reader's language. It must not read the store.

For programs: English column names, commas, decimal points. For spreadsheets: a byte order mark, headings in the
language of the page and, in Vietnamese, semicolons and decimal commas, as Excel writes them there.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from api.pages.history.charts import minute_label
from api.spreadsheet_text import BYTE_ORDER_MARK, escape_formula
from api.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from api.pages.frame.language import PageLocale
    from api.pages.places import HistoryPlace, ServiceNames
    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.figures.queue_periods import QueueHistoryRow
    from telemetry.queries.period_history import PeriodHistory

TableName = Literal["time", "time-of-day", "service", "centre", "detail"]
COLUMNS = (
    "centre", "centre_name", "service", "service_name", "from", "to", "time_of_day", "issued", "issued_per_open_day",
    "served", "abandoned", "no_show", "wait_count", "wait_mean_s", "wait_p90_s", "within_threshold_s", "within_count",
    "within_ratio", "transferred", "closed_eod", "way_count", "way_mean_s",
)  # fmt: skip
"""In every table; centre and service are empty where a line is about all of them."""


@dataclass(frozen=True, slots=True)
class CsvLine:
    """What one line is about, and its figures."""

    window: Window
    figures: QueueFigures
    centre: str = ""
    service: str = ""
    time_of_day: str = ""
    issued_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class CsvTable:
    """One table of a history; `detail` is made of `rows`, which only it needs."""

    name: TableName
    history: PeriodHistory
    rows: Sequence[QueueHistoryRow] = ()


def csv_lines(table: CsvTable, place: HistoryPlace) -> Iterator[CsvLine]:
    """Yield a table's lines in the order of the page; `detail` has one for each centre, service and bucket."""
    history, centre, service = table.history, place.ident or "", place.service or ""
    whole = history.days.window
    match table.name:
        case "time":
            yield from (CsvLine(p.window, p.figures, centre, service) for p in history.by_time)
        case "time-of-day":
            for point in history.by_time_of_day:
                label = minute_label(point.minute)
                yield CsvLine(whole, point.figures, centre, service, label, point.issued_per_day)
        case "service":
            yield from (CsvLine(whole, one.figures, centre, one.ident) for one in history.by_service)
        case "centre":
            yield from (CsvLine(whole, one.figures, one.ident, service) for one in history.by_centre)
        case "detail":
            yield from (CsvLine(row.window, row.figures, row.centre, row.service) for row in table.rows)


def render_csv(
    table: CsvTable, place: HistoryPlace, names: ServiceNames, threshold_s: int, spreadsheet: PageLocale | None
) -> str:
    """Return a table as CSV; `spreadsheet` is the language of the one that shall open it, None for programs."""
    text = io.StringIO()
    delimiter = ";" if spreadsheet and spreadsheet.lang == "vi" else ","
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow([spreadsheet.t(f"csv_{name}") for name in COLUMNS] if spreadsheet else COLUMNS)
    for line in csv_lines(table, place):
        fields = [_format(value, spreadsheet) for value in _values(line, place, names, threshold_s, spreadsheet)]
        writer.writerow(fields)
    return (BYTE_ORDER_MARK if spreadsheet else "") + text.getvalue()


def _values(
    line: CsvLine, place: HistoryPlace, names: ServiceNames, threshold_s: int, spreadsheet: PageLocale | None
) -> list[str | float | None]:
    figures, within = line.figures, line.figures.wait.within_threshold(threshold_s)
    start, end = (_time(t, place, spreadsheet) for t in (line.window.start, line.window.end))
    return [
        line.centre, names.centre(line.centre), line.service, names(line.service) if line.service else "", start, end,
        line.time_of_day, figures.issued, line.issued_per_day, figures.served, figures.abandoned, figures.no_show,
        figures.wait.count, figures.wait.mean_s, figures.wait.percentile_s(0.9), threshold_s, within.count,
        within.ratio, figures.transferred, figures.closed_eod, figures.way_time.count, figures.way_time.mean_s,
    ]  # fmt: skip


def _time(t: int, place: HistoryPlace, spreadsheet: PageLocale | None) -> str:
    text = rfc3339(t, place.zone)
    return text[:16].replace("T", " ") if spreadsheet else text


def _format(value: str | float | None, spreadsheet: PageLocale | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape_formula(value) if spreadsheet else value
    text = str(value) if isinstance(value, int) else f"{value:.4f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if spreadsheet and spreadsheet.lang == "vi" else text


def file_name(history: PeriodHistory, table: TableName, place: HistoryPlace) -> str:
    """Return the name of a download: the centre (or province), the days, the table."""
    days = history.days
    dates = days.first.isoformat() if days.days == 1 else f"{days.first.isoformat()}_{days.last.isoformat()}"
    parts = (place.ident or "province", place.service or "", dates, table)
    return "_".join(part for part in parts if part) + ".csv"
