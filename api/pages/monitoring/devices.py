"""The pages of devices: those of a centre or of all, and one with its day; they must not compute a figure."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from api.pages.charts.plots import day_strip
from api.pages.charts.timeline import timeline_chart
from api.pages.frame.periods import HISTORY_LENGTHS, length_query, parse_period, period_query, recent_days
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.history.picker import length_links
from api.pages.monitoring.incidents import IncidentRows, device_name
from api.pages.network_context import network_context
from telemetry.core.calendar.windows import SLOT, Window, day_window, floor
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.queries.data_quality import clock_ahead_ms
from telemetry.queries.period_history import DayRange
from telemetry.queries.timeline import open_time_account
from telemetry.queries.views import STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.core.inventory import Centre
    from telemetry.queries.service import Queries
    from telemetry.queries.timeline import TimelineSegment
    from telemetry.queries.views import DeviceView

PATH = "/devices"
PART_SIZE = 100


def build_list_context(queries: Queries, locale: PageLocale, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Gather what the list shows: the devices of `centre`, or of all; in one `state`, of one `kind`."""
    ident, state, kind = (parameters.get(name, "") for name in ("centre", "state", "kind"))
    centre = queries.network().centre(ident) if ident else None
    views = [queries.centre(ident)] if centre else queries.network_status().centres
    devices = [device for view in views for device in view.devices]
    shown = [d for d in devices if state in ("", device_state(d)) and kind in ("", d.now.kind)]
    title = locale.t("dev_title") if centre is None else f"{locale.t('dev_title')}: {locale.name(centre)}"
    return {
        **network_context(queries, title, _list_sentence(devices, locale), "period"),
        "centre": centre,
        "centres": sorted(((c.id, locale.name(c)) for c in queries.network().centres()), key=lambda pair: pair[1]),
        "states": [s for s in (*STATES, "planned", "retired") if any(device_state(d) == s for d in devices)],
        "kinds": sorted({d.now.kind for d in devices}),
        "state": state,
        "kind": kind,
        "tables": [_devices_table(queries, locale, shown)],
        "twin": f"/api/v1/centres/{ident}/devices" if centre else "/api/v1/centres",
    }


def device_state(device: DeviceView) -> str:
    """Return the state as pages show it: up, down or unknown in service, else planned or retired."""
    if device.in_service:
        return device.state
    return "retired" if device.phase == "retired" else "planned"


def _list_sentence(devices: Sequence[DeviceView], locale: PageLocale) -> str:
    if not devices:
        return locale.t("dev_none")
    counts = Counter(map(device_state, devices))
    parts = [locale.t(f"dev_n_{state}", n=counts[state]) for state in STATES if counts[state]]
    return ", ".join([locale.t("dev_n", n=len(devices)), *parts]) + "."


def _devices_table(queries: Queries, locale: PageLocale, devices: Sequence[DeviceView]) -> PageTable:
    t, centres = locale.t, {c.id: c for c in queries.network().centres()}
    columns = (
        TableColumn("device", t("device")),
        TableColumn("centre", t("centre")),
        TableColumn("state", t("condition"), "state", prefix="dev_state_"),
        TableColumn("kind", t("kind")),
        TableColumn("online", t("connection")),
        TableColumn("printer", t("printer")),
        TableColumn("outbox_rows", t("backlog"), "count"),
        TableColumn("last_event", t("last_data"), "time"),
        TableColumn("firmware", t("firmware")),
    )
    now = queries.now()
    rows = tuple(_device_row(locale, device, centres[device.centre], now) for device in devices)
    return PageTable("devices", t("dev_title"), columns, rows, PART_SIZE)


def _device_row(locale: PageLocale, device: DeviceView, centre: Centre, now: int) -> PageTableRow:
    seen = device.now
    kind = locale.kind(seen.kind) + (f" ({locale.t('critical')})" if device.critical else "")
    return PageTableRow(
        (
            TableCell(device_name(locale, seen.id, seen.kind), href=f"{PATH}/{seen.id}", note=seen.id),
            TableCell(locale.name(centre), href=f"/centres/{centre.id}"),
            TableCell(device_state(device)),
            TableCell(kind),
            TableCell(connection_text(locale, device)),
            TableCell(printer_text(locale, device)),
            TableCell(seen.outbox_rows),
            TableCell(seen.last_event, locale.since(seen.last_event, now) if seen.last_event else ""),
            TableCell(seen.fw or None),
        ),
        f"device-{seen.id}",
    )


def connection_text(locale: PageLocale, device: DeviceView) -> str:
    """Return whether a device is connected, in a word."""
    online = device.now.online
    return locale.t("never" if online is None else "online" if online else "offline")


def printer_text(locale: PageLocale, device: DeviceView) -> str:
    """Return the state of its printer and how much paper is left; empty without a printer."""
    seen = device.now
    parts = [locale.t(f"printer_{seen.printer}")] if seen.printer else []
    if seen.paper_pct is not None:
        parts.append(locale.t("paper_left", n=round(seen.paper_pct)))
    return " · ".join(parts)


def build_device_context(
    queries: Queries, locale: PageLocale, ident: str, parameters: Mapping[str, str]
) -> dict[str, Any]:  # fmt: skip
    """Gather what the page of one device shows; `from` chooses the day of its timeline.  Raises NotFound."""
    device, now = queries.device(ident), queries.now()
    centre, scope = queries.network().centre(device.centre), Scope.device(ident)
    today = local_date(now, centre.zone)
    chosen = parse_period(parameters, centre.zone, max(HISTORY_LENGTHS))
    recent = recent_days(parameters, today, centre.zone)
    day = DayRange(today, today, centre.zone) if chosen is None else chosen
    shown_day = DayRange(day.first, day.first, centre.zone)
    window = day_window(day.first, centre.zone)
    segments = _segments(queries, scope, window, now)
    history = queries.availability(scope, recent.window, "1d")
    incidents = queries.incidents.incidents(scope, recent.window)
    rows = IncidentRows(queries, locale, recent)
    state = device_state(device)
    name = f"{device_name(locale, ident, device.now.kind)} – {locale.name(centre)}"
    account = open_time_account(segments)
    return {
        **network_context(queries, name, _device_sentence(locale, device, now), _MOODS[state]),
        "stale": False,
        "device": device,
        "centre": centre,
        "facts": _facts(locale, device, now),
        "completeness": next((d for d in queries.store_stats().completeness.devices if d.device == ident), None),
        "cells": [(cell, f"{PATH}/{ident}" + _day_query(cell.start, recent)) for cell in day_strip(history)],
        "strip_days": len(history.rows),
        "lengths_of_history": length_links(locale, f"{PATH}/{ident}", recent),
        "day": shown_day,
        "is_today": shown_day.first == today,
        "timeline": timeline_chart(segments, window),
        "account": account,
        "tables": [_timeline_table(locale, segments), rows.table(incidents.incidents)],
        "all_incidents": "/incidents" + period_query(recent, scope=scope),
        "timeline_twin": f"/api/v1/devices/{ident}/timeline?from={day.first}&to={day.first + timedelta(days=1)}",
    }


_MOODS = {"up": "operational", "down": "down", "unknown": "unknown", "planned": "planned", "retired": "retired"}


def _segments(queries: Queries, scope: Scope, window: Window, now: int) -> list[TimelineSegment]:
    past = Window(window.start, max(window.start, min(window.end, floor(now, SLOT))))
    return queries.timeline(scope, past) if past.length else []


def _day_query(start: int, recent: DayRange) -> str:
    day = local_date(start, recent.zone).isoformat()
    return length_query(recent, **{"from": day, "to": day})


def _device_sentence(locale: PageLocale, device: DeviceView, now: int) -> str:
    sentence = locale.t(f"dev_state_{device_state(device)}")
    if device.now.last_contact is None:
        return f"{sentence}."
    return locale.t("dev_sentence", state=sentence, at=locale.since(device.now.last_contact, now))


def _facts(locale: PageLocale, device: DeviceView, now: int) -> list[tuple[str, str]]:
    """Return what the device last reported of itself: name and value."""
    seen, t = device.now, locale.t
    percents = [
        t(f"dev_{name}", n=round(value))
        for name, value in (("cpu", seen.cpu_pct), ("mem", seen.mem_pct), ("disk", seen.disk_pct))
        if value is not None
    ]
    return [
        (t("kind"), locale.kind(seen.kind) + (f" ({t('critical')})" if device.critical else "")),
        (t("connection"), connection_text(locale, device)),
        (t("dev_last_contact"), locale.since(seen.last_contact, now)),
        (t("dev_last_event"), locale.since(seen.last_event, now)),
        (t("dev_clock"), _clock_text(locale, device)),
        (t("firmware"), seen.fw or "–"),
        (t("printer"), printer_text(locale, device) or "–"),
        (t("dev_load"), ", ".join(percents) or "–"),
        (t("dev_uptime"), "–" if seen.uptime_s is None else t("dev_hours", h=seen.uptime_s // 3600)),
        (t("backlog"), "–" if seen.outbox_rows is None else locale.number(seen.outbox_rows)),
        (t("dev_since"), locale.date_and_time(device.period.start) if device.period.start else "–"),
    ]


def _clock_text(locale: PageLocale, device: DeviceView) -> str:
    """Return by how much the device's clock is ahead of the server's at least."""
    if device.now.last_contact is None:
        return "–"
    ahead_s = round(clock_ahead_ms(device.now.last_event, device.now.last_contact) / 1000)
    return locale.t("dev_clock_ahead", s=ahead_s) if ahead_s else locale.t("dev_clock_ok")


def _timeline_table(locale: PageLocale, segments: Sequence[TimelineSegment]) -> PageTable:
    t = locale.t
    columns = (
        TableColumn("from", t("inc_from"), "time"),
        TableColumn("to", t("inc_to"), "time"),
        TableColumn("state", t("condition")),
        TableColumn("cause", t("inc_cause")),
        TableColumn("length_s", t("dev_length"), "minutes"),
    )
    rows = tuple(
        PageTableRow(
            (
                TableCell(s.window.start, locale.clock(s.window.start)),
                TableCell(s.window.end, locale.clock(s.window.end)),
                TableCell(t(f"tl_{s.kind.state}")),
                TableCell(t(f"tl_cause_{s.kind.cause}") if s.kind.cause else None),
                TableCell(s.window.length / 1000),
            )
        )
        for s in segments
    )
    return PageTable("timeline", t("dev_timeline"), columns, rows)
