"""What a monthly report is about: the province or one of its centres; it must not put anything into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.report.values import ReportedTickets, ReportedTime
from telemetry.queries.errors import NotFound

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from telemetry.core.report.values import MonthlyReport, ReportedCentre
    from telemetry.queries.monthly_reports import MonthlyReports, ReportAnswer


@dataclass(frozen=True, slots=True)
class ReportPlace:
    """What a report is about: the province (`centre` is None), or one of its centres, with its month before."""

    name: str
    time: ReportedTime
    tickets: ReportedTickets
    previous_time: ReportedTime
    previous_tickets: ReportedTickets
    centre: ReportedCentre | None = None

    @property
    def has_month_before(self) -> bool:
        """Return whether anything was reported in the month before: without it, as before a roll-out, no count is 0."""
        time, tickets = self.previous_time, self.previous_tickets
        return bool(time.up or time.down or tickets.issued or tickets.waits)


def place_of_province(report: MonthlyReport, locale: PageLocale) -> ReportPlace:
    """Return the whole province."""
    return ReportPlace(
        locale.name(report), report.time, report.tickets, report.previous_time, report.previous_tickets
    )  # fmt: skip


def place_of_centre(centre: ReportedCentre, before: ReportedCentre | None, locale: PageLocale) -> ReportPlace:
    """Return one centre with its figures of the month before, if it had any."""
    time, tickets = (before.time, before.tickets) if before else (ReportedTime(), ReportedTickets())
    return ReportPlace(locale.name(centre), centre.time, centre.tickets, time, tickets, centre)


def place_of(reports: MonthlyReports, answer: ReportAnswer, centre: str | None, locale: PageLocale) -> ReportPlace:
    """Return the province, or a centre of the report; raises NotFound when the report has none of the id."""
    if centre is None:
        return place_of_province(answer.report, locale)
    reported = answer.report.centre(centre)
    if reported is None:
        raise NotFound(centre, "centre")
    return place_of_centre(reported, reports.centre_before(answer.report.month, centre), locale)
