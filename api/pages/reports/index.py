"""The list of months with a report; it must not compute one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.reports.page import ICONS, month_text
from api.report_pdf import can_make_pdf

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from telemetry.queries.monthly_reports import ListedMonth, MonthlyReports


def build_index(reports: MonthlyReports, locale: PageLocale) -> dict[str, Any]:
    """Gather what the template shows."""
    columns = (
        TableColumn("month", locale.t("rep_month")), TableColumn("stage", locale.t("rep_stage")),
        TableColumn("revision", locale.t("rep_revision"), "count"),
        TableColumn("published_at", locale.t("rep_published_at"), "time"),
        *((TableColumn("pdf", "PDF"),) if can_make_pdf() else ()),
    )  # fmt: skip
    rows = tuple(_row(one, locale, len(columns)) for one in reports.months())
    return {"title": locale.t("rep_list"), "tables": [PageTable("months", locale.t("rep_list"), columns, rows)]}


def _row(one: ListedMonth, locale: PageLocale, columns: int) -> PageTableRow:
    address = f"/reports/{one.month}"
    cells = (
        TableCell(one.month, month_text(one.month, locale), href=address),
        TableCell(one.stage, f"{ICONS[one.stage]} {locale.t(f'rep_stage_{one.stage}')}"),
        TableCell(one.revision or None), TableCell(one.published_at),
        TableCell(f"{address}.pdf", "PDF", href=f"{address}.pdf?lang={locale.lang}"),
    )  # fmt: skip
    return PageTableRow(cells[:columns])
