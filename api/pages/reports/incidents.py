"""The incidents of a monthly report as a sentence and a table; it must not count or choose incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.monitoring.incidents import device_name
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from telemetry.core.report.values import ReportedIncident, ReportedIncidents


def incidents_note(incidents: ReportedIncidents | None, locale: PageLocale) -> str:
    """Return how many there were and how long they took; empty when the document is older than the section."""
    if incidents is None:
        return ""
    if not incidents.down_count + incidents.silent_count:
        return locale.t("rep_i_none")
    down, unknown = duration(incidents.down, locale), duration(incidents.unknown, locale)
    texts = [
        locale.t("rep_i_down", n=incidents.down_count, down=down),
        locale.t("rep_i_silent", n=incidents.silent_count, unknown=unknown),
    ]
    if len(incidents.listed) < incidents.down_count + incidents.silent_count:
        texts.append(locale.t("rep_i_listed", n=len(incidents.listed)))
    return " ".join(texts)


def incident_table(incidents: ReportedIncidents | None, locale: PageLocale) -> PageTable:
    """Return the longest incidents: what, from when until when, time down and silent, and the cause."""
    columns = (
        TableColumn("what", locale.t("inc_what")), TableColumn("from", locale.t("inc_from"), "time"),
        TableColumn("to", locale.t("inc_to"), "time"), TableColumn("down_s", locale.t("inc_down_time"), "minutes"),
        TableColumn("unknown_s", locale.t("inc_silent_time"), "minutes"), TableColumn("cause", locale.t("inc_cause")),
    )  # fmt: skip
    rows = tuple(_row(one, locale) for one in incidents.listed) if incidents else ()
    return PageTable("incidents", locale.t("rep_incidents"), columns, rows)


def _row(one: ReportedIncident, locale: PageLocale) -> PageTableRow:
    scope, place = Scope(one.scope), locale.name(one)
    end = TableCell(None, locale.t("inc_ongoing")) if one.ongoing else _time_cell(one.end, locale)
    what = f"{device_name(locale, scope.id, one.kind)}, {place}" if scope.kind == "device" else place
    return PageTableRow((
        TableCell(what), _time_cell(one.start, locale), end,
        _duration_cell(one.down, locale), _duration_cell(one.unknown, locale),
        TableCell(locale.t(f"inc_cause_{one.cause}")),
    ))  # fmt: skip


def _time_cell(t: int, locale: PageLocale) -> TableCell:
    return TableCell(t, locale.date_and_time(t))


def _duration_cell(seconds: int, locale: PageLocale) -> TableCell:
    return TableCell(seconds, duration(seconds, locale)) if seconds else TableCell(None)


def duration(seconds: int, locale: PageLocale) -> str:
    """Return a length in minutes, from two hours on in hours and minutes."""
    minutes = round(seconds / 60)
    if minutes < 120:
        return locale.minutes(seconds)
    return locale.t("inc_hours", h=locale.number(minutes // 60), m=minutes % 60)
