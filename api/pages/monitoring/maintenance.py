"""The page of maintenance and holidays: months, a list and a file; it must not decide what is open."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from api.pages.frame.periods import month_of
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.monitoring.calendar_file import FileEntry, write_calendar
from api.pages.network_context import network_context
from telemetry.core.calendar.windows import Window, day_window, days_in
from telemetry.core.inventory import local_date
from telemetry.core.scope import COUNTRY, Scope
from telemetry.queries.calendar_entries import calendar_entries
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.queries.calendar_entries import CalendarEntry
    from telemetry.queries.service import Queries

MONTHS_BACK, MONTHS_AHEAD = 1, 3
KIND_SYMBOLS = {"maintenance": "⚒", "holiday": "★", "swap": "⇄", "exception": "◐", "mode": "⊘"}
_SHOWN_PLACES = 2


@dataclass(frozen=True, slots=True)
class CalendarDayCell:
    """One day of a month's grid with the changes on it, by their places in the list; None is outside the month."""

    day: date | None
    entries: tuple[int, ...] = ()
    is_today: bool = False


@dataclass(frozen=True, slots=True)
class MonthGrid:
    """A month by weeks from Monday."""

    first: date
    weeks: tuple[tuple[CalendarDayCell, ...], ...]


def shown_days(queries: Queries) -> DayRange:
    """Return the days of the page: the month before this one up to the third after it."""
    zone = queries.zone()
    today = local_date(queries.now(), zone)
    first = last = month_of(today, zone)
    for _ in range(MONTHS_BACK):
        first = month_of(first.first - timedelta(days=1), zone)
    for _ in range(MONTHS_AHEAD):
        last = month_of(last.last + timedelta(days=1), zone)
    return DayRange(first.first, last.last, zone)


def build_context(queries: Queries, locale: PageLocale) -> dict[str, Any]:
    """Gather what the template shows."""
    days = shown_days(queries)
    today = local_date(queries.now(), days.zone)
    entries = calendar_entries(queries.inventory(), days.window)
    ahead = [e for e in entries if e.window.end > queries.now()]
    sentence = locale.t("mnt_none") if not ahead else _next_sentence(locale, ahead[0])
    return {
        **network_context(queries, locale.t("mnt_title"), sentence, follows=False),
        "months": list(_months(days, entries, today)),
        "entries": entries,
        "symbols": KIND_SYMBOLS,
        "weekdays": [locale.weekday(date(2024, 1, 1 + place)) for place in range(7)],
        "tables": [_entries_table(queries, locale, entries)],
    }


def _next_sentence(locale: PageLocale, entry: CalendarEntry) -> str:
    return locale.t("mnt_next", name=entry_name(locale, entry), when=_span(locale, entry))


def entry_name(locale: PageLocale, entry: CalendarEntry) -> str:
    """Return what a change is called; its kind without a name."""
    return entry.name or locale.t(f"mnt_kind_{entry.kind}")


def _span(locale: PageLocale, entry: CalendarEntry) -> str:
    if entry.is_day:
        return locale.day_of(entry.window.start)
    return f"{locale.date_and_time(entry.window.start)} – {locale.date_and_time(entry.window.end)}"


def places_text(queries: Queries, locale: PageLocale, scopes: Sequence[Scope]) -> str:
    """Return for which centres and systems a change is."""
    inventory = queries.inventory()
    declared = {"centre": inventory.centres, "system": inventory.systems}
    names = [
        locale.t("mnt_all_centres") if scope == COUNTRY else locale.name(declared[scope.kind].get(scope.id), scope.id)
        for scope in scopes
    ]
    shown, more = ", ".join(names[:_SHOWN_PLACES]), len(names) - _SHOWN_PLACES
    return locale.t("inc_and_more", names=shown, n=more) if more > 0 else shown


def _entries_table(queries: Queries, locale: PageLocale, entries: Sequence[CalendarEntry]) -> PageTable:
    t = locale.t
    columns = (
        TableColumn("name", t("mnt_what")),
        TableColumn("kind", t("mnt_kind")),
        TableColumn("from", t("inc_from"), "time"),
        TableColumn("to", t("inc_to"), "time"),
        TableColumn("hours", t("mnt_hours")),
        TableColumn("scopes", t("mnt_places")),
    )
    rows = tuple(
        PageTableRow(
            (
                TableCell(entry_name(locale, entry)),
                TableCell(f"{KIND_SYMBOLS[entry.kind]} {t(f'mnt_kind_{entry.kind}')}"),
                TableCell(entry.window.start, locale.day_of(entry.window.start) if entry.is_day else ""),
                TableCell(entry.window.end, "–" if entry.is_day else ""),
                TableCell(entry.hours or (t("mnt_closed") if entry.is_day else None)),
                TableCell(places_text(queries, locale, entry.scopes)),
            ),
            f"entry-{place}",
        )
        for place, entry in enumerate(entries)
    )
    return PageTable("maintenance", t("mnt_title"), columns, rows)


def _months(days: DayRange, entries: Sequence[CalendarEntry], today: date) -> Iterable[MonthGrid]:
    by_day: dict[date, list[int]] = defaultdict(list)
    for place, entry in enumerate(entries):
        for day in days_in(entry.window.clip(days.window) or Window(0, 0), days.zone):
            by_day[day].append(place)
    month = month_of(days.first, days.zone)
    while month.first <= days.last:
        blanks = [CalendarDayCell(None)] * month.first.weekday()
        cells = [CalendarDayCell(day, tuple(by_day[day]), day == today) for day in days_in(month.window, days.zone)]
        cells = [*blanks, *cells, *[CalendarDayCell(None)] * (-(len(blanks) + len(cells)) % 7)]
        yield MonthGrid(month.first, tuple(tuple(cells[i : i + 7]) for i in range(0, len(cells), 7)))
        month = month_of(month.last + timedelta(days=1), days.zone)


def calendar_text(queries: Queries, locale: PageLocale) -> str:
    """Return the page's entries as an iCalendar file."""
    days = shown_days(queries)
    entries = calendar_entries(queries.inventory(), days.window)
    stamp = day_window(local_date(queries.now(), days.zone), days.zone).start
    return write_calendar(
        f"{locale.t('mnt_title')} – {locale.name(queries.inventory())}",
        (
            FileEntry(
                entry.window,
                entry_name(locale, entry),
                "; ".join(part for part in (places_text(queries, locale, entry.scopes), entry.hours) if part),
                entry.is_day,
            )
            for entry in entries
        ),
        stamp,
        days.zone,
    )
