"""A month's report as one HTML document without a request, for the command line; it must not write files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.pages.frame.language import PageLocale
from api.pages.frame.render import load_renderer
from api.pages.reports.page import print_document
from api.pages.reports.place import place_of
from telemetry import __version__
from telemetry.queries.monthly_reports import MonthlyReports

if TYPE_CHECKING:
    from api.pages.frame.catalogues import LanguageCode
    from telemetry.queries.service import Queries


def report_document(queries: Queries, month: str, centre: str | None, lang: LanguageCode) -> str:
    """Return the document of which the PDF is made. Raises BadWindow, NotFound."""
    renderer = load_renderer(__version__, frozenset())
    locale = PageLocale(lang, renderer.messages[lang], queries.zone())
    reports = MonthlyReports(queries)
    answer = reports.answer(month)
    return print_document(renderer, locale, answer, place_of(reports, answer, centre, locale))
