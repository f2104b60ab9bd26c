"""A centre's last four weeks by weekday and half hour: all cells, or the days of one; it must not compute figures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from api.pages.centre.tables import day_href
from api.pages.charts.heat_map import slot_label, weekday_name
from api.pages.frame.freshness import Freshness
from api.pages.frame.periods import BadPeriod
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.places import has_simulated_data
from telemetry.core.calendar.windows import day_window
from telemetry.core.figures.week_profile import HalfHourCount, add_waits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.pages.frame.language import PageLocale
    from telemetry.core.figures.week_profile import CellKey
    from telemetry.core.inventory import Centre
    from telemetry.queries.centre_days import PastHalfHours
    from telemetry.queries.service import Queries

_SLOT = re.compile(r"([01]\d|2[0-3]):([03]0)")


def parse_cell(params: Mapping[str, str]) -> CellKey | None:
    """Read `weekday` (0 is Monday) and `at` (HH:00 or HH:30); None without both; raises BadPeriod with the remedy."""
    weekday, at = params.get("weekday", ""), params.get("at", "")
    if not weekday and not at:
        return None
    match = _SLOT.fullmatch(at)
    if match is None or weekday not in tuple("0123456"):
        text = "`weekday` is 0 (Monday) to 6 and `at` a half hour such as 09:30: choose a cell of the table"
        raise BadPeriod(text, "half_hour_bad")
    return int(weekday), 2 * int(match[1]) + (match[2] == "30")


def build_context(queries: Queries, locale: PageLocale, centre: Centre, key: CellKey | None) -> dict[str, Any]:
    """Gather what the template shows."""
    view, past = queries.centre(centre.id), queries.centre_days.past(centre.id)
    table = profile_table(past, locale) if key is None else cell_table(past, key, locale)
    return {
        "title": locale.name(centre),
        "view": view,
        "now": view.now,
        "sentence": locale.t("heat_title") if key is None else _sentence(past, key, locale),
        "is_cell": key is not None,
        "simulated": has_simulated_data(queries, view),
        "freshness": Freshness(view.last_data, view.now, follows=False),
        "health": queries.store_stats(),
        "inventory": queries.inventory(),
        "tables": [table],
    }


def _sentence(past: PastHalfHours, key: CellKey, locale: PageLocale) -> str:
    weekday, slot = key
    span = f"{slot_label(slot)}–{slot_label(slot + 1)}"
    cell = past.profile.cells.get(key)
    if cell is None:
        return locale.t("half_hour_closed", weekday=weekday_name(weekday, locale), at=span)
    return locale.t(
        "half_hour_summary", weekday=weekday_name(weekday, locale), at=span, days=len(cell.days),
        tickets=locale.decimal(cell.issued_per_day), mean=locale.minutes(cell.wait.mean_s),
    )  # fmt: skip


def profile_table(past: PastHalfHours, locale: PageLocale) -> PageTable:
    """Return every half hour of every weekday."""
    columns = (
        TableColumn("half_hour", locale.t("weekday_and_half_hour")),
        TableColumn("days", locale.t("half_hour_days"), "count"),
        TableColumn("issued", locale.t("issued"), "count"),
        TableColumn("issued_per_day", locale.t("per_open_day"), "decimal"),
        TableColumn("calls", locale.t("half_hour_calls"), "count"),
        TableColumn("wait_mean_s", locale.t("mean"), "minutes"),
    )
    rows = []
    for cell in past.profile.cells.values():
        at = slot_label(cell.slot)
        href = f"/centres/{past.centre.id}/half-hours?weekday={cell.weekday}&at={at}"
        cells = (
            TableCell(f"{weekday_name(cell.weekday, locale)} {at}", href=href),
            TableCell(len(cell.days)),
            TableCell(cell.issued),
            TableCell(cell.issued_per_day),
            TableCell(cell.wait.count),
            TableCell(cell.wait.mean_s),
        )
        rows.append(PageTableRow(cells))
    return PageTable("profile", locale.t("heat_title"), columns, tuple(rows))


def cell_table(past: PastHalfHours, key: CellKey, locale: PageLocale) -> PageTable:
    """Return the days behind one half hour of a weekday, newest first."""
    columns = (
        TableColumn("day", locale.t("day"), "date"),
        TableColumn("issued", locale.t("issued"), "count"),
        TableColumn("calls", locale.t("half_hour_calls"), "count"),
        TableColumn("wait_mean_s", locale.t("mean"), "minutes"),
        TableColumn("day_issued", locale.t("half_hour_whole_day"), "count"),
        TableColumn("day_wait_mean_s", locale.t("half_hour_whole_day_wait"), "minutes"),
    )
    rows = []
    for day in past.of_cell(*key):
        count = day.counts.get(key[1], HalfHourCount())
        start = day_window(day.day, past.centre.zone).start
        cells = (
            TableCell(day.day.isoformat(), text=locale.day(day.day), href=day_href(past.centre, start)),
            TableCell(count.issued),
            TableCell(count.wait_count),
            TableCell(add_waits([count]).mean_s),
            TableCell(day.tickets),
            TableCell(day.wait.mean_s),
        )
        rows.append(PageTableRow(cells))
    caption = f"{weekday_name(key[0], locale)} {slot_label(key[1])}"
    return PageTable("days", caption, columns, tuple(rows))
