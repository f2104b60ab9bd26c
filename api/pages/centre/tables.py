"""The tables of a centre's page as values: queues, today, days, objectives, devices; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.pages.centre.needs import objective_href
from api.pages.frame.periods import period_query
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.objectives.page import left_cell
from telemetry.core.calendar.windows import to_local
from telemetry.core.scope import Scope
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.charts.plots import DayCell
    from api.pages.frame.language import PageLocale
    from api.pages.frame.links import PageLinks
    from api.pages.places import ServiceNames
    from telemetry.core.inventory import Centre
    from telemetry.queries.centre_days import DayAgainstUsual
    from telemetry.queries.queues import CurrentQueue
    from telemetry.queries.slos import ScopedSlo
    from telemetry.queries.views import CentreView, DeviceView


DAYS_SHOWN = 10
"""Days of the table under the strip at once: the file has all."""


def day_href(centre: Centre, start: int) -> str:
    """Return the page of a centre's day that begins at `start`, Unix ms."""
    day = to_local(start, centre.zone).date()
    return f"/centres/{centre.id}" + period_query(DayRange(day, day, centre.zone))


def queues_table(
    queues: Sequence[CurrentQueue], view: CentreView, names: ServiceNames, threshold_s: int, locale: PageLocale
) -> PageTable:
    """Return the queues now: who waits, what a newcomer may expect, and today's figures."""
    within = locale.t("within", value=locale.minutes(threshold_s))
    columns = (
        TableColumn("service", locale.t("service")),
        TableColumn("waiting", locale.t("waiting"), "count"),
        TableColumn("serving", locale.t("serving"), "count"),
        TableColumn("longest_wait_s", locale.t("oldest"), "minutes"),
        TableColumn("expected_p90_s", locale.t("expected_wait"), "minutes"),
        TableColumn("issued", locale.t("issued_today"), "count"),
        TableColumn("wait_mean_s", locale.t("wait_today"), "minutes"),
        TableColumn("within_ratio", within, "ratio"),
    )
    rows = tuple(_queue_row(queue, view, names, threshold_s, locale) for queue in queues)
    return PageTable("queues", locale.t("queue_now"), columns, rows)


def _queue_row(
    queue: CurrentQueue, view: CentreView, names: ServiceNames, threshold_s: int, locale: PageLocale
) -> PageTableRow:
    service, today = queue.service, queue.today
    longest_s = None
    if service.oldest is not None and not view.centre.imported:
        longest_s = max(0, view.now - service.oldest) / 1000
    expected = service.expected
    p90_s = None if expected is None or expected.p90_ms is None else expected.p90_ms / 1000
    within = today.wait.within_threshold(threshold_s).ratio
    return PageTableRow(
        (
            TableCell(names(service.service)),
            TableCell(service.waiting),
            TableCell(service.serving),
            TableCell(longest_s),
            TableCell(p90_s, text=locale.expected_wait(expected)),
            TableCell(today.issued),
            TableCell(today.wait.mean_s),
            TableCell(within, text=locale.share(within)),
        )
    )  # fmt: skip


def today_table(day: DayAgainstUsual, locale: PageLocale) -> PageTable:
    """Return today by half hour beside what is usual."""
    columns = (
        TableColumn("half_hour", locale.t("half_hour")),
        TableColumn("issued", locale.t("issued"), "count"),
        TableColumn("expected", locale.t("key_expected"), "decimal"),
        TableColumn("p10", locale.t("fc_low"), "count"),
        TableColumn("p90", locale.t("fc_high"), "count"),
        TableColumn("wait_mean_s", locale.t("mean"), "minutes"),
        TableColumn("usual_wait_p10_s", locale.t("day_usual_wait_low"), "minutes"),
        TableColumn("usual_wait_p90_s", locale.t("day_usual_wait_high"), "minutes"),
    )
    rows = []
    for row in day.rows:
        if not (row.is_open or row.issued or row.wait.count):
            continue
        expected, usual = row.expected, row.usual_wait
        cells = (
            TableCell(locale.clock(row.window.start), note="" if row.is_open else locale.t("closed")),
            TableCell(row.issued),
            TableCell(None if expected is None else expected.expected),
            TableCell(None if expected is None else expected.low),
            TableCell(None if expected is None else expected.high),
            TableCell(row.wait.mean_s),
            TableCell(None if usual is None else usual.low_s),
            TableCell(None if usual is None else usual.high_s),
        )
        rows.append(PageTableRow(cells))
    return PageTable("today", locale.t("day_title"), columns, tuple(rows))


def days_table(cells: Sequence[DayCell], centre: Centre, locale: PageLocale) -> PageTable:
    """Return the days of the strip, newest first."""
    columns = (
        TableColumn("day", locale.t("day"), "date"),
        TableColumn("availability", locale.t("availability"), "ratio"),
        TableColumn("coverage", locale.t("coverage"), "ratio"),
        TableColumn("up_s", locale.t("up"), "minutes"),
        TableColumn("down_s", locale.t("down"), "minutes"),
        TableColumn("unknown_s", locale.t("unknown"), "minutes"),
    )
    rows = tuple(_day_row(cell, centre, locale) for cell in reversed(cells))
    return PageTable("days", locale.t("strip_title"), columns, rows, part_size=DAYS_SHOWN)


def _day_row(cell: DayCell, centre: Centre, locale: PageLocale) -> PageTableRow:
    day = to_local(cell.start, centre.zone).date().isoformat()
    account, ratio = cell.account, cell.ratio
    heading = TableCell(day, text=locale.day_of(cell.start), href=day_href(centre, cell.start))
    if not account.open:
        note = locale.t("legend_outside" if account.not_in_service else "legend_closed")
        return PageTableRow((TableCell(day, heading.text, heading.href, note), *(TableCell(None) for _ in range(5))))
    return PageTableRow(
        (
            heading,
            TableCell(ratio.value, text=locale.covered_ratio(ratio), uncertain=ratio.form == "range"),
            TableCell(account.coverage),
            TableCell(account.up),
            TableCell(account.down),
            TableCell(account.unknown),
        )
    )


def objectives_table(
    slos: Sequence[ScopedSlo], centre: Centre, links: PageLinks, locale: PageLocale
) -> PageTable:  # fmt: skip
    """Return the centre's objectives with what is left of each error budget, the least first."""
    columns = (
        TableColumn("objective", locale.t("objective")),
        TableColumn("state", locale.t("condition"), "state", "slo_"),
        TableColumn("goal", locale.t("goal"), "ratio"),
        TableColumn("ratio", locale.t("so_far"), "ratio"),
        TableColumn("coverage", locale.t("coverage"), "ratio"),
        TableColumn("budget_left", locale.t("budget_left"), "decimal"),
    )
    scope = Scope.centre(centre.id)
    rows = []
    for slo in slos:
        cells = (
            TableCell(locale.name(slo.objective), href=objective_href(links, slo.objective.id, scope)),
            TableCell(slo.slo_state),
            TableCell(slo.objective.goal),
            TableCell(slo.ratio.value, locale.covered_ratio(slo.ratio), uncertain=slo.ratio.form == "range"),
            TableCell(slo.account.coverage),
            left_cell(slo, locale),
        )
        rows.append(PageTableRow(cells))
    return PageTable("objectives", locale.t("objectives"), columns, tuple(rows))


def devices_table(view: CentreView, links: PageLinks, locale: PageLocale) -> PageTable:
    """Return the devices with their state, what they last reported and when."""
    columns = (
        TableColumn("device", locale.t("device")),
        TableColumn("state", locale.t("condition"), "state", "state_"),
        TableColumn("kind", locale.t("kind")),
        TableColumn("connection", locale.t("connection")),
        TableColumn("printer", locale.t("printer")),
        TableColumn("backlog", locale.t("backlog"), "count"),
        TableColumn("last_data", locale.t("last_data"), "time"),
        TableColumn("last_contact", locale.t("device_contact"), "time"),
    )
    rows = tuple(_device_row(device, view.now, links, locale) for device in view.devices)
    return PageTable("devices", locale.t("devices"), columns, rows)


def _device_row(device: DeviceView, now: int, links: PageLinks, locale: PageLocale) -> PageTableRow:
    report = device.now
    kind = locale.kind(report.kind) + (f" ({locale.t('critical')})" if device.critical else "")
    connection = locale.t("never" if report.online is None else "online" if report.online else "offline")
    printer = locale.t(f"printer_{report.printer}") if report.printer else ""
    if report.paper_pct is not None:
        printer = " · ".join(part for part in (printer, locale.t("paper_left", n=round(report.paper_pct))) if part)
    firmware = report.fw and f"{locale.t('firmware')} {report.fw}"
    state = TableCell(device.state)
    if not device.in_service:
        phase = "retired" if device.phase == "retired" else "planned"
        state = TableCell(phase, text=locale.t(f"cond_{phase}"))
    return PageTableRow(
        (
            TableCell(report.id, href=links.device(report.id, device.centre), note=firmware),
            state,
            TableCell(kind),
            TableCell(connection),
            TableCell(printer),
            TableCell(report.outbox_rows),
            TableCell(report.last_event, text=locale.since(report.last_event, now)),
            TableCell(report.last_contact, text=locale.since(report.last_contact, now)),
        ),
        id=f"device-{report.id}",
    )
