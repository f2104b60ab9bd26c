"""The server-rendered pages: readable without JavaScript, and without any request to another host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi.staticfiles import StaticFiles

import dashboards
from api.pages.frame.error_page import render_error_page
from api.pages.frame.navigation import served_paths
from api.pages.frame.render import load_renderer
from api.pages.indicators import page as kpis_page
from api.pages.routers import (
    alerts,
    centre_parts,
    comparison,
    finding,
    hall,
    incidents,
    indicators,
    places,
    publications,
    reports,
    service_levels,
)
from api.report_pdf import PdfMaker

if TYPE_CHECKING:
    from fastapi import FastAPI

ROUTERS = (
    alerts.router,
    places.router,
    centre_parts.router,
    incidents.router,
    finding.router,
    indicators.router,
    service_levels.router,
    publications.router,
    hall.router,
    reports.router,
    comparison.router,
)
"""One a subject; a page's own module gathers what it shows."""


def install_pages(app: FastAPI) -> None:
    """Add the pages, their static files and the error page."""
    app.state.renderer = load_renderer(app.version, served_paths(ROUTERS))
    app.state.error_page = render_error_page
    app.state.indicator_lines = kpis_page.LineCache()
    app.state.pdf_maker = PdfMaker()
    for router in ROUTERS:
        app.include_router(router)
    folder = Path(dashboards.__file__ or "").parent / "page" / "static"
    app.mount("/static", StaticFiles(directory=folder, check_dir=False), name="static")
