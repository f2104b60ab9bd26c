"""The tables of a monthly report as page tables; it must not compute figures nor choose which tables are shown."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.indicators.page import MINUS, amount, gap_text
from telemetry.core.figures.accounting import covered_ratio
from telemetry.core.report.changes import PRESENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.frame.language import PageLocale
    from api.pages.reports.place import ReportPlace
    from telemetry.core.report.attention import CentreNeed
    from telemetry.core.report.values import (
        MonthlyReport,
        ReportChange,
        ReportedCentre,
        ReportedIndicator,
        ReportedService,
        ReportedSystem,
        ReportedTickets,
        ReportedTime,
    )

_VERDICT_ICONS = {True: "✓", False: "▲"}


def key_table(place: ReportPlace, report: MonthlyReport, locale: PageLocale) -> PageTable:
    """Return the key figures against the month before and against their targets."""
    now, then = place.tickets, place.previous_tickets
    goal, target = report.availability_goal, report.wait_target_s
    account, before = place.time.account, place.previous_time.account
    threshold = locale.minutes(report.threshold_s)
    known = place.has_month_before
    rows = [
        _count_row("rep_f_issued", now.issued, then.issued if known else None, locale),
        _count_row("rep_f_served", now.served, then.served if known else None, locale),
        _minutes_row("rep_f_mean", (now.mean_wait_s, then.mean_wait_s), target, locale, _mean_parts(now, locale)),
        _minutes_row("rep_f_p90", (_seconds(now.p90_ms), _seconds(then.p90_ms)), None, locale, ""),
        _ratio_row(
            locale.t("rep_f_within", threshold=threshold), (now.within_ratio, then.within_ratio), None, locale,
            f"{locale.number(now.within)} / {locale.number(now.waits)}",
        ),
        _ratio_row(
            locale.t("rep_f_lost"), (now.lost_ratio, then.lost_ratio), None, locale,
            f"{locale.number(now.abandoned + now.no_show)} / {locale.number(now.issued)}",
        ),
        _ratio_row(
            locale.t("rep_f_availability"), (account.availability(), before.availability()), goal, locale,
            _hours_parts(account.up, account.up + account.down, locale),
        ),
        _ratio_row(
            locale.t("rep_f_coverage"), (account.coverage, before.coverage), report.coverage_floor, locale,
            _hours_parts(account.up + account.down, account.open, locale),
        ),
    ]  # fmt: skip
    keys = ("figure", "this", "parts", "before", "change", "target", "verdict")
    kinds = {"this": "decimal", "before": "decimal", "change": "decimal"}
    columns = tuple(
        TableColumn(key, locale.t(f"rep_{key}"), kinds.get(key, "text"))  # type: ignore[arg-type]
        for key in keys
    )
    return PageTable("key", locale.t("rep_key"), columns, tuple(rows))


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def _mean_parts(tickets: ReportedTickets, locale: PageLocale) -> str:
    hours = locale.t("rep_hours", h=locale.number(tickets.wait_sum_ms / 3_600_000))
    return f"{hours} / {locale.number(tickets.waits)}" if tickets.waits else ""


def _hours_parts(part_s: int, whole_s: int, locale: PageLocale) -> str:
    return locale.t("rep_hours", h=f"{locale.number(part_s / 3600)} / {locale.number(whole_s / 3600)}")


def _with_sign(value: float, text: str) -> str:
    return ("+" if value > 0 else MINUS if value < 0 else "±") + text


def _count_row(key: str, now: int, before: int | None, locale: PageLocale) -> PageTableRow:
    change = TableCell(None)
    if before:
        ratio = (now - before) / before
        change = TableCell(ratio, _with_sign(ratio, locale.share(abs(ratio))))
    earlier = TableCell(None) if before is None else TableCell(before, locale.number(before))
    cells = (TableCell(now, locale.number(now)), TableCell(None), earlier, change)
    return PageTableRow((TableCell(locale.t(key)), *cells, TableCell(None), TableCell(None)))


def _minutes_row(
    key: str, values: tuple[float | None, float | None], target: float | None, locale: PageLocale, parts: str
) -> PageTableRow:  # fmt: skip
    now, before = values
    change = None if now is None or before is None else now - before
    return PageTableRow((
        TableCell(locale.t(key)), TableCell(now, locale.minutes(now)), TableCell(parts),
        TableCell(before, locale.minutes(before)),
        TableCell(change, "–" if change is None else _with_sign(round(change / 60, 1), locale.minutes(abs(change)))),
        TableCell(None if target is None else locale.t("rep_at_most", value=locale.minutes(target))),
        _verdict_cell(locale, is_met=None if now is None or target is None else now <= target),
    ))  # fmt: skip


def _ratio_row(
    name: str, values: tuple[float | None, float | None], goal: float | None, locale: PageLocale, parts: str
) -> PageTableRow:  # fmt: skip
    now, before = values
    change = None if now is None or before is None else now - before
    points = None if change is None else locale.t("rep_points", points=locale.decimal(abs(100 * change)))
    return PageTableRow((
        TableCell(name), TableCell(now, locale.percent(now)), TableCell(parts if now is not None else ""),
        TableCell(before, locale.percent(before)),
        TableCell(change, "–" if change is None or points is None else _with_sign(round(change, 3), points)),
        TableCell(None if goal is None else locale.t("rep_at_least", value=locale.percent(goal))),
        _verdict_cell(locale, is_met=None if now is None or goal is None else now >= goal),
    ))  # fmt: skip


def _verdict_cell(locale: PageLocale, *, is_met: bool | None) -> TableCell:
    if is_met is None:
        return TableCell(None)
    word = locale.t("rep_met" if is_met else "rep_missed")
    return TableCell(word, f"{_VERDICT_ICONS[is_met]} {word}")


def _time_cells(time: ReportedTime, report: MonthlyReport, locale: PageLocale) -> tuple[TableCell, TableCell]:
    """Return availability, as a range when too little is known, and coverage."""
    account = time.account
    ratio = covered_ratio(account.availability(), account, report.coverage_floor)
    return TableCell(ratio.value, locale.covered_ratio(ratio), uncertain=ratio.form == "range"), TableCell(
        account.coverage, locale.percent(account.coverage)
    )


_TICKET_COLUMNS = (
    ("issued", "rep_f_issued", "count"), ("served", "rep_f_served", "count"), ("mean", "rep_f_mean", "minutes"),
    ("p90", "rep_f_p90", "minutes"), ("within", "rep_f_within", "ratio"),
)  # fmt: skip


def _ticket_columns(report: MonthlyReport, locale: PageLocale) -> tuple[TableColumn, ...]:
    threshold = locale.minutes(report.threshold_s)
    return tuple(
        TableColumn(key, locale.t(text, threshold=threshold) if key == "within" else locale.t(text), kind)  # type: ignore[arg-type]
        for key, text, kind in _TICKET_COLUMNS
    )


def _ticket_cells(tickets: ReportedTickets) -> tuple[TableCell, ...]:
    return (
        TableCell(tickets.issued), TableCell(tickets.served), TableCell(tickets.mean_wait_s),
        TableCell(_seconds(tickets.p90_ms)), TableCell(tickets.within_ratio),
    )  # fmt: skip


def _time_columns(locale: PageLocale) -> tuple[TableColumn, TableColumn]:
    return (
        TableColumn("availability", locale.t("rep_f_availability"), "ratio"),
        TableColumn("coverage", locale.t("rep_f_coverage"), "ratio"),
    )


def need_table(needs: Sequence[CentreNeed], report: MonthlyReport, locale: PageLocale) -> PageTable:
    """Return the centres in need with their reasons."""
    columns = (
        TableColumn("centre", locale.t("rep_centre")), TableColumn("reason", locale.t("rep_reason")),
        *_time_columns(locale), TableColumn("mean", locale.t("rep_f_mean"), "minutes"),
        TableColumn("issued", locale.t("rep_f_issued"), "count"),
    )  # fmt: skip
    rows = tuple(
        PageTableRow((
            _centre_cell(need.centre, report, locale),
            TableCell("; ".join(locale.t(f"rep_r_{reason}") for reason in need.reasons)),
            *_time_cells(need.centre.time, report, locale), TableCell(need.centre.tickets.mean_wait_s),
            TableCell(need.centre.tickets.issued),
        ))
        for need in needs
    )  # fmt: skip
    return PageTable("need", locale.t("rep_need"), columns, rows)


def _centre_cell(centre: ReportedCentre, report: MonthlyReport, locale: PageLocale) -> TableCell:
    return TableCell(locale.name(centre), href=f"/reports/{report.month}/{centre.id}")


def centre_table(report: MonthlyReport, locale: PageLocale) -> PageTable:
    """Return the figures of every centre."""
    columns = (
        TableColumn("centre", locale.t("rep_centre")), *_ticket_columns(report, locale), *_time_columns(locale)
    )  # fmt: skip
    rows = tuple(
        PageTableRow((
            _centre_cell(centre, report, locale), *_ticket_cells(centre.tickets),
            *_time_cells(centre.time, report, locale),
        ))
        for centre in report.centres
    )  # fmt: skip
    return PageTable("centres", locale.t("rep_appendix"), columns, rows)


def service_table(services: Sequence[ReportedService], report: MonthlyReport, locale: PageLocale) -> PageTable:
    """Return the tickets by service."""
    columns = (
        TableColumn("service", locale.t("rep_service")), *_ticket_columns(report, locale),
        TableColumn("service_time", locale.t("rep_f_service"), "minutes"),
    )  # fmt: skip
    rows = tuple(
        PageTableRow((
            TableCell(locale.name(one) or locale.t("rep_undeclared")), *_ticket_cells(one.tickets),
            TableCell(one.tickets.mean_service_s),
        ))
        for one in services
    )  # fmt: skip
    return PageTable("services", locale.t("rep_services"), columns, rows)


def system_table(report: MonthlyReport, locale: PageLocale) -> PageTable:
    """Return the digital systems with their time."""
    columns = (
        TableColumn("system", locale.t("rep_system")), *_time_columns(locale),
        TableColumn("down", locale.t("rep_down"), "minutes"),
        TableColumn("unknown", locale.t("rep_unknown"), "minutes"),
    )  # fmt: skip
    rows = tuple(
        PageTableRow((
            TableCell(locale.name(one)), *_time_cells(one.time, report, locale), TableCell(one.time.down),
            TableCell(one.time.unknown),
        ))
        for one in report.systems
    )  # fmt: skip
    return PageTable("systems", locale.t("rep_systems"), columns, rows)


def objective_table(report: MonthlyReport, locale: PageLocale) -> PageTable:
    """Return the objectives as they were published."""
    columns = (
        TableColumn("objective", locale.t("rep_objective")), TableColumn("goal", locale.t("rep_goal"), "ratio"),
        TableColumn("reached", locale.t("rep_reached"), "ratio"),
        TableColumn("scopes", locale.t("rep_scopes"), "decimal"),
    )  # fmt: skip
    rows = tuple(
        PageTableRow((
            TableCell(locale.name(one)), TableCell(one.goal),
            TableCell(one.good / (one.good + one.bad) if one.good + one.bad else None),
            TableCell(one.met / one.judged if one.judged else None,
                      f"{locale.number(one.met)} / {locale.number(one.judged)}"),
        ))
        for one in report.objectives
    )  # fmt: skip
    return PageTable("objectives", locale.t("rep_objectives"), columns, rows)


def indicator_table(report: MonthlyReport, locale: PageLocale) -> PageTable:
    """Return the indicators with value, month before, path and gap."""
    keys = (("indicator", "text"), ("value", "decimal"), ("before", "decimal"), ("path", "decimal"), ("gap", "decimal"),
            ("verdict", "text"))  # fmt: skip
    columns = tuple(TableColumn(key, locale.t(f"rep_{key}"), kind) for key, kind in keys)  # type: ignore[arg-type]
    rows = tuple(PageTableRow(_indicator_cells(one, locale)) for one in report.indicators)
    return PageTable("indicators", locale.t("rep_indicators"), columns, rows)


def _indicator_cells(one: ReportedIndicator, locale: PageLocale) -> tuple[TableCell, ...]:
    level = f" – {locale.t(f'level_{one.level}')}" if one.level else ""
    declared = locale.t("rep_declared") if one.declared else ""
    values = [
        TableCell(value, "" if value is None else amount(one, value, locale))
        for value in (one.value, one.previous, one.path)
    ]
    state = "" if one.value is not None else locale.t(f"kpi_{one.state}")
    verdict = TableCell(None)
    if one.on_track is not None:
        word = locale.t("rep_on_track" if one.on_track else "rep_behind")
        verdict = TableCell(word, f"{_VERDICT_ICONS[one.on_track]} {word}")
    if state:
        values[0] = TableCell(None, state)
    name = TableCell(f"{one.id} {locale.name(one)}{level}", note=declared)
    return (name, *values, TableCell(one.gap, gap_text(one, one.gap, locale)), verdict)


def commitment_table(report: MonthlyReport, locale: PageLocale) -> PageTable:
    """Return the signed commitments at the end of the month."""
    keys = (("committer", "text"), ("promise", "text"), ("measured", "decimal"), ("gap", "decimal"), ("state", "text"))
    columns = tuple(TableColumn(key, locale.t(f"rep_{key}"), kind) for key, kind in keys)  # type: ignore[arg-type]
    rows = []
    for one in report.commitments:
        value = locale.t(
            "kpi_target", value=amount(one, one.value, locale), by=locale.plain_date(date.fromisoformat(one.by))
        )
        level = f", {locale.t(f'level_{one.level}')}" if one.level else ""
        measured = TableCell(one.measured, "" if one.measured is None else amount(one, one.measured, locale))
        rows.append(PageTableRow((
            TableCell(one.committer, note=locale.t("rep_sample") if one.sample else ""),
            TableCell(f"{one.indicator} {locale.name(one)}{level}: {value}"), measured,
            TableCell(one.gap, gap_text(one, one.gap, locale)), TableCell(locale.t(f"commitment_{one.state}")),
        )))  # fmt: skip
    return PageTable("commitments", locale.t("rep_commitments"), columns, tuple(rows))


def change_table(
    changes: Sequence[ReportChange], name: str, caption: str, report: MonthlyReport, locale: PageLocale
) -> PageTable:  # fmt: skip
    """Return the counts that differ between two reports."""
    keys = (("scope", "text"), ("figure", "text"), ("was", "count"), ("is", "count"), ("difference", "count"))
    columns = tuple(TableColumn(key, locale.t(f"rep_{key}"), kind) for key, kind in keys)  # type: ignore[arg-type]
    rows = tuple(
        PageTableRow((
            TableCell(_scope_name(one.scope, report, locale)), TableCell(locale.t(f"rep_c_{one.figure}")),
            TableCell(one.before), TableCell(one.after),
            TableCell(
                one.after - one.before,
                "" if one.figure == PRESENT
                else _with_sign(one.after - one.before, locale.number(abs(one.after - one.before))),
            ),
        ))
        for one in changes
    )  # fmt: skip
    return PageTable(name, locale.t(caption), columns, rows)


def _scope_name(text: str, report: MonthlyReport, locale: PageLocale) -> str:
    kind, _, ident = text.partition(":")
    if kind == "province":
        return locale.name(report)
    places: tuple[ReportedCentre | ReportedSystem, ...] = (*report.centres, *report.systems)
    return next((locale.name(one) for one in places if one.id == ident), ident)
