"""The monthly reports as pages and as PDF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from api.deps import QueriesDep, ReportsDep
from api.heavy_queries import HeavyQueryDep
from api.pages.frame.responses import get_renderer, show_page
from api.pages.reports import page as report_page
from api.pages.reports.index import build_index
from api.pages.reports.place import place_of
from api.report_pdf import PDF_MEDIA_TYPE, PdfMaker, can_make_pdf

if TYPE_CHECKING:
    from api.heavy_queries import HeavyQueryGate
    from api.pages.frame.language import PageLocale
    from telemetry.queries.monthly_reports import MonthlyReports, ReportAnswer
    from telemetry.queries.service import Queries

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class AskedReport:
    """A request with what answers it."""

    request: Request
    queries: Queries
    reports: MonthlyReports
    gate: HeavyQueryGate


def _asked_report(request: Request, queries: QueriesDep, reports: ReportsDep, gate: HeavyQueryDep) -> AskedReport:
    return AskedReport(request, queries, reports, gate)


AskedDep = Annotated[AskedReport, Depends(_asked_report)]


@router.get("/reports", response_class=HTMLResponse)
def list_reports(request: Request, queries: QueriesDep, reports: ReportsDep) -> Response:
    """List the months of which there is a report."""
    return show_page(request, queries, "reports.html", lambda locale: build_index(reports, locale))


@router.get("/reports/{month}.pdf", response_class=Response)
def download_report(month: str, asked: AskedDep) -> Response:
    """Return the report of the province as a PDF."""
    return _answer(asked, month, None, as_pdf=True)


@router.get("/reports/{month}/{centre}.pdf", response_class=Response)
def download_centre_report(month: str, centre: str, asked: AskedDep) -> Response:
    """Return the report of a centre as a PDF."""
    return _answer(asked, month, centre, as_pdf=True)


@router.get("/reports/{month}", response_class=HTMLResponse)
def show_report(month: str, asked: AskedDep) -> Response:
    """Show the report of the province, as a PDF with `format=pdf`."""
    return _answer(asked, month, None, as_pdf=asked.request.query_params.get("format") == "pdf")


@router.get("/reports/{month}/{centre}", response_class=HTMLResponse)
def show_centre_report(month: str, centre: str, asked: AskedDep) -> Response:
    """Show the report of a centre, as a PDF with `format=pdf`."""
    return _answer(asked, month, centre, as_pdf=asked.request.query_params.get("format") == "pdf")


def _answer(asked: AskedReport, month: str, centre: str | None, *, as_pdf: bool) -> Response:
    with asked.gate.admit(asked.reports.cost(month)):
        answer = asked.reports.answer(month)
    if as_pdf:
        return _send_pdf(asked, answer, centre)

    def build(locale: PageLocale) -> dict[str, Any]:
        shown = place_of(asked.reports, answer, centre, locale)
        address = f"/reports/{month}" + (f"/{centre}" if centre else "")
        pdf_href = f"{address}.pdf?lang={locale.lang}" if can_make_pdf() else ""
        return {**report_page.build_context(answer, shown, locale), "pdf_href": pdf_href}

    return show_page(asked.request, asked.queries, "report.html", build)


def _send_pdf(asked: AskedReport, answer: ReportAnswer, centre: str | None) -> Response:
    renderer = get_renderer(asked.request)
    locale = renderer.locale_for(asked.request, asked.queries.zone())
    html = report_page.print_document(renderer, locale, answer, place_of(asked.reports, answer, centre, locale))
    maker: PdfMaker = asked.request.app.state.pdf_maker
    name = "-".join(part for part in ("report", answer.report.month, centre) if part)
    headers = {"Content-Disposition": f'inline; filename="{name}.pdf"', "Cache-Control": "no-cache"}
    return Response(
        maker.make(html), headers={**headers, "Content-Language": locale.lang}, media_type=PDF_MEDIA_TYPE
    )  # fmt: skip
