"""The pages of the digital systems: all of them, and one with its history; they must not compute a figure."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from api.pages.charts.interactive import ChartFrame, PlottedColumn, PlottedSeries, build_interactive_chart
from api.pages.charts.plots import day_strip
from api.pages.frame.periods import HISTORY_LENGTHS, length_query, parse_period, period_query, recent_days
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.history.picker import length_links
from api.pages.monitoring.hosted import failure_sentence, figures_table
from api.pages.monitoring.incidents import IncidentRows
from api.pages.network_context import network_context
from api.pages.objectives.page import slo_table
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.figures.condition import CONDITIONS_WORST_FIRST, attention_key
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.queries.buckets import bucket_query
from telemetry.queries.hosted import component_views, hosted_view
from telemetry.queries.impact import dependent_centres
from telemetry.queries.network import planned_maintenance
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.pages.charts.interactive import InteractiveChart
    from api.pages.frame.language import PageLocale
    from telemetry.core.cloud.values import CloudDeclaration
    from telemetry.core.figures.accounting import CoveredRatio
    from telemetry.queries.availability import AvailabilityResult
    from telemetry.queries.service import Queries
    from telemetry.queries.systems import SystemDetail, VantageView

PATH = "/systems"
AHEAD_DAYS = 92
EXPIRES_SOON_DAYS = 21


def build_list_context(queries: Queries, locale: PageLocale, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Gather what the list shows: all systems, or those of one owner agency or in one condition, the worst first."""
    details = sorted(queries.systems.details(), key=lambda d: attention_key(d.view.assessment, 0, d.view.system.id))
    owner, condition = parameters.get("owner", ""), parameters.get("condition", "")
    agency, cloud = parameters.get("agency", ""), queries.inventory().cloud
    owned = {ident for ident, hosted in cloud.systems.items() if hosted.owner == agency}
    shown = [
        d
        for d in details
        if owner in ("", d.view.system.owner_agency)
        and condition in ("", str(d.view.condition))
        and (not agency or d.view.system.id in owned)
    ]
    conditions = [str(d.view.condition) for d in details]
    return {
        **network_context(queries, locale.t("sys_title"), _list_sentence(conditions, locale), _worst(conditions)),
        "tables": [_systems_table(queries, locale, shown)],
        "owners": sorted({d.view.system.owner_agency for d in details} - {""}),
        "conditions": [c for c in CONDITIONS_WORST_FIRST if c in conditions],
        "owner": owner,
        "agencies": [(ident, locale.name(cloud.agencies.get(ident), ident)) for ident in owning_agencies(cloud)],
        "agency": agency,
        "condition": condition,
    }


def owning_agencies(cloud: CloudDeclaration) -> list[str]:
    """Return the ids of the agencies that own hosted systems."""
    return sorted({hosted.owner for hosted in cloud.systems.values()})


def _worst(conditions: Sequence[str]) -> str:
    return next((c for c in CONDITIONS_WORST_FIRST if c in conditions), "unknown")


def _list_sentence(conditions: Sequence[str], locale: PageLocale) -> str:
    if not conditions:
        return locale.t("sys_none")
    counts = Counter(conditions)
    parts = [
        locale.t("sys_counted", n=counts[c], condition=locale.t(f"cond_{c}").lower())
        for c in CONDITIONS_WORST_FIRST
        if counts[c]
    ]
    return ", ".join(parts) + "."


def _systems_table(queries: Queries, locale: PageLocale, details: Sequence[SystemDetail]) -> PageTable:
    t = locale.t
    columns = (
        TableColumn("system", t("sys_system")),
        TableColumn("level", t("sys_level"), "count"),
        TableColumn("condition", t("condition"), "state"),
        TableColumn("availability_24h", t("sys_24h"), "ratio"),
        TableColumn("availability_7d", t("sys_days", n=7), "ratio"),
        TableColumn("availability_28d", t("sys_days", n=28), "ratio"),
        TableColumn("p50_ms", t("sys_p50"), "count"),
        TableColumn("p95_ms", t("sys_p95"), "count"),
        TableColumn("tls_days", t("sys_tls"), "count"),
        TableColumn("concerns", t("sys_concerns")),
    )
    rows = tuple(_system_row(queries, locale, detail) for detail in details)
    return PageTable("systems", t("sys_title"), columns, rows)


def _system_row(queries: Queries, locale: PageLocale, detail: SystemDetail) -> PageTableRow:
    system, figures = detail.view.system, detail.figures
    expiry = detail.earliest_expiry
    days = expiry.observation.tls_days if expiry and expiry.observation else None
    reasons = "; ".join(locale.reason(r, detail.view.now) for r in detail.view.assessment.reasons[:2])
    return PageTableRow(
        (
            TableCell(locale.name(system), href=f"{PATH}/{system.id}", note=system.owner_agency),
            TableCell(system.level or None),
            TableCell(str(detail.view.condition), note=reasons),
            *(ratio_cell(locale, result) for result in (figures.last_day, figures.last_7_days, figures.last_28_days)),
            TableCell(figures.latency.percentile_ms(0.5)),
            TableCell(figures.latency.percentile_ms(0.95)),
            TableCell(days, note=expiry_note(locale, days)),
            TableCell(concerns_text(queries, locale, detail), note=_objectives_text(queries, locale, system.id)),
        ),
        f"system-{system.id}",
    )


def ratio_cell(locale: PageLocale, result: AvailabilityResult) -> TableCell:
    """Return an availability; its range when too little is known, and its coverage when not all is."""
    ratio: CoveredRatio = result.ratio_of(result.overall)
    note = "" if ratio.coverage in (None, 1.0) else locale.t("sys_coverage", coverage=locale.percent(ratio.coverage))
    return TableCell(ratio.value, locale.covered_ratio(ratio), note=note, uncertain=ratio.form == "range")


def expiry_note(locale: PageLocale, days: float | None) -> str:
    """Return a warning when the certificate expires soon."""
    if days is None or days > EXPIRES_SOON_DAYS:
        return ""
    return locale.t("sys_tls_expired" if days <= 0 else "sys_tls_soon")


def concerns_text(queries: Queries, locale: PageLocale, detail: SystemDetail) -> str:
    """Return how many services and centres cannot work without a system."""
    system = detail.view.system
    if not system.services:
        return ""
    centres = len(dependent_centres(queries.inventory(), system))
    services = locale.t("sys_services", n=len(system.services))
    return f"{services}, {locale.t('sys_centres', n=centres)}"


def _objectives_text(queries: Queries, locale: PageLocale, ident: str) -> str:
    count = len(queries.slo_index().at_scope(Scope.system(ident)))
    return locale.t("sys_objectives", n=count) if count else ""


def build_system_context(
    queries: Queries, locale: PageLocale, ident: str, parameters: Mapping[str, str]
) -> dict[str, Any]:  # fmt: skip
    """Gather what the page of one system shows; `from` and `to` choose the days of its latency and incidents."""
    detail, zone, now = queries.systems.detail(ident), queries.zone(), queries.now()
    view, scope = detail.view, Scope.system(ident)
    recent = recent_days(parameters, local_date(now, zone), zone)
    days = parse_period(parameters, zone, max(HISTORY_LENGTHS)) or recent
    history = queries.availability(scope, recent.window, "1d")
    incidents = queries.incidents.incidents(scope, days.window)
    rows = IncidentRows(queries, locale, days)
    ahead = planned_maintenance(queries.inventory(), Window(now, now + AHEAD_DAYS * DAY))
    reasons = "; ".join(locale.reason(r, view.now) for r in view.assessment.reasons)
    hosted = hosted_view(queries.network(), ident)
    parts = hosted.components if hosted else component_views(queries.network(), ident)
    why = failure_sentence(queries.inventory(), locale, ident, hosted)
    sentence = " ".join((locale.t(f"cond_{view.condition}") + (f": {reasons}" if reasons else "") + ".", why)).strip()
    return {
        **network_context(queries, locale.name(view.system), sentence, str(view.condition)),
        "stale": False,
        "detail": detail,
        "system": view.system,
        "whole": queries.inventory().systems.get(view.system.part_of),
        "hosted": hosted,
        "figures_read": any(part.figures_at for part in parts),
        "why": why,
        "concerns": concerns_text(queries, locale, detail),
        "cards": _availability_cards(locale, detail),
        "cells": [(cell, f"{PATH}/{ident}" + _day_query(cell.start, recent)) for cell in day_strip(history)],
        "strip_days": len(history.rows),
        "chart": _latency_chart(queries, locale, ident, days),
        "days": days,
        "lengths_of_history": length_links(locale, f"{PATH}/{ident}", recent),
        "is_whole": days == recent,
        "whole_href": f"{PATH}/{ident}" + length_query(recent),
        "expiry_note": expiry_note(locale, _expiry_days(detail)),
        "expiry_days": _expiry_days(detail),
        "maintenance": [m for m in ahead if scope in m.scopes],
        "tables": [
            _vantage_table(queries, locale, detail),
            slo_table(queries.slo_index().at_scope(scope), queries.inventory(), locale),
            rows.table(incidents.incidents),
            figures_table(locale, parts, queries.now()),
        ],
        "all_incidents": "/incidents" + period_query(days, scope=scope),
        "latency_twin": f"/api/v1/systems/{ident}/latency?"
        + urlencode({"from": days.first, "to": days.last + timedelta(days=1), "bucket": _bucket(days)}),
    }


def _availability_cards(locale: PageLocale, detail: SystemDetail) -> list[tuple[str, CoveredRatio]]:
    """Return the heading and the availability of each span up to now."""
    figures = detail.figures
    spans = (
        (locale.t("sys_24h"), figures.last_day), (locale.t("sys_days", n=7), figures.last_7_days),
        (locale.t("sys_days", n=28), figures.last_28_days), (locale.t("sys_days", n=90), figures.last_90_days),
    )  # fmt: skip
    return [(heading, result.ratio_of(result.overall)) for heading, result in spans]


def _expiry_days(detail: SystemDetail) -> float | None:
    expiry = detail.earliest_expiry
    return expiry.observation.tls_days if expiry and expiry.observation else None


def _day_query(start: int, recent: DayRange) -> str:
    day = local_date(start, recent.zone).isoformat()
    return length_query(recent, **{"from": day, "to": day})


def _bucket(days: DayRange) -> Any:  # noqa: ANN401  # one of BucketSize
    return "1h" if days.days <= 2 else "1d"


def _latency_chart(queries: Queries, locale: PageLocale, ident: str, days: DayRange) -> InteractiveChart:
    """Return the latency of a day by hour, of more days by day."""
    by_hour = _bucket(days) == "1h"
    query = bucket_query(days.window, _bucket(days), days.zone)
    buckets = queries.systems.latency(ident, query)
    columns = [
        PlottedColumn(
            locale.date_and_time(b.window.start) if by_hour else locale.day_of(b.window.start),
            locale.clock(b.window.start) if by_hour else locale.short_day_of(b.window.start),
        )
        for b in buckets
    ]
    series = [
        PlottedSeries(locale.t("sys_median"), tuple(b.latency.percentile_ms(0.5) for b in buckets), as_bars=True),
        PlottedSeries(locale.t("sys_p95_name"), tuple(b.latency.percentile_ms(0.95) for b in buckets)),
    ]
    frame = ChartFrame("latency", locale.t("sys_latency"), "milliseconds", locale.t("sys_time"))
    return build_interactive_chart(locale, frame, series, columns)


def _vantage_table(queries: Queries, locale: PageLocale, detail: SystemDetail) -> PageTable:
    t = locale.t
    columns = (
        TableColumn("centre", t("sys_vantage")),
        TableColumn("state", t("sys_seen"), "state", prefix="state_"),
        TableColumn("at", t("sys_at"), "time"),
        TableColumn("latency_ms", t("sys_latency_ms"), "count"),
        TableColumn("error", t("sys_error")),
        TableColumn("tls_days", t("sys_tls"), "count"),
    )
    rows = tuple(_vantage_row(queries, locale, point) for point in detail.vantage_points)
    return PageTable("vantage", t("sys_vantage_title"), columns, rows)


def _vantage_row(queries: Queries, locale: PageLocale, point: VantageView) -> PageTableRow:
    device, seen = queries.inventory().devices.get(point.device), point.observation
    centre = queries.inventory().centres.get(device.centre) if device else None
    is_inside = device is not None and centre is None
    name = locale.t("sys_inside") if is_inside else locale.name(centre) if centre else point.device
    note = point.device if point.declared else locale.t("sys_undeclared", device=point.device)
    return PageTableRow(
        (
            TableCell(name, href=f"/centres/{centre.id}" if centre else "", note=note if centre or is_inside else ""),
            TableCell(point.state),
            TableCell(seen.at, locale.since(seen.at, queries.now())) if seen else TableCell(None),
            TableCell(seen.latency_ms if seen else None),
            TableCell(seen.error if seen else None),
            TableCell(seen.tls_days if seen else None),
        )
    )
