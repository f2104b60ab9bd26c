"""The pages of what broke and of what it may be: incidents, digital systems, devices, maintenance."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.deps import QueriesDep
from api.pages.frame.responses import check_page_etag, get_renderer, show_page
from api.pages.monitoring import (
    devices as devices_page,
    incidents as incidents_page,
    maintenance as maintenance_page,
    systems as systems_page,
)

router = APIRouter(include_in_schema=False)


@router.get("/incidents")
def show_incidents(request: Request, queries: QueriesDep) -> Response:
    """Show the incidents of the requested days, by default today's; `?scope=` those of one centre, device or system."""
    return show_page(
        request,
        queries,
        "incidents.html",
        lambda locale: incidents_page.build_context(queries, locale, request.query_params),
    )


@router.get("/systems")
def show_systems(request: Request, queries: QueriesDep) -> Response:
    """Show all digital systems, or those of `?owner=` and `?condition=`."""
    return show_page(
        request,
        queries,
        "systems.html",
        lambda locale: systems_page.build_list_context(queries, locale, request.query_params),
    )


@router.get("/systems/{ident}")
def show_system(ident: str, request: Request, queries: QueriesDep) -> Response:
    """Show one digital system; `?from=&to=` the days of its latency and incidents."""
    return show_page(
        request,
        queries,
        "system.html",
        lambda locale: systems_page.build_system_context(queries, locale, ident, request.query_params),
    )


@router.get("/devices")
def show_devices(request: Request, queries: QueriesDep) -> Response:
    """Show the devices of `?centre=`, or of all centres; `?state=` and `?kind=` narrow them."""
    return show_page(
        request,
        queries,
        "devices.html",
        lambda locale: devices_page.build_list_context(queries, locale, request.query_params),
    )


@router.get("/devices/{ident}")
def show_device(ident: str, request: Request, queries: QueriesDep) -> Response:
    """Show one device now, and its timeline of today or of the day `?from=`."""
    zone = queries.zone(queries.device(ident).centre)
    return show_page(
        request,
        queries,
        "device.html",
        lambda locale: devices_page.build_device_context(queries, locale, ident, request.query_params),
        zone,
    )


@router.get("/maintenance")
def show_maintenance(request: Request, queries: QueriesDep) -> Response:
    """Show planned maintenance, holidays, swapped days and exceptions of last month to three months ahead."""
    return show_page(
        request, queries, "maintenance.html", lambda locale: maintenance_page.build_context(queries, locale)
    )


@router.get("/maintenance.ics")
def download_calendar(request: Request, queries: QueriesDep) -> Response:
    """Return the same as an iCalendar file."""
    locale = get_renderer(request).locale_for(request, queries.zone())
    headers = check_page_etag(request, queries, locale)
    text = maintenance_page.calendar_text(queries, locale)
    return Response(text, headers=headers, media_type="text/calendar; charset=utf-8")
