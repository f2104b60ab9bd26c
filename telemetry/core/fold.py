"""The fold: raw events of one centre or system become additive 5-minute totals. Pure.

Recompute, never increment: the same events in any order, any number of times, give the same totals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core import events as ev, states
from telemetry.core.spans import CONTACT_GRACE_MS, STATE_GRACE_MS, grace
from telemetry.core.states import Report, Segment
from telemetry.core.totals import (
    PROBE_FIELDS,
    QUEUE_FIELDS,
    STATE_FIELDS,
    Total,
    bucket_of,
    zeroed,
)
from telemetry.core.windows import FIVE, HOUR, Window, floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.inventory import Centre, Device, System

FOLD_VERSION = 2
"""Rises when the same raw events give other totals; rollup then folds everything again."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event with the device and spool that said it."""

    device: str
    spool: str
    event: ev.Event


def once(said: Iterable[Said]) -> list[Said]:
    """Drop repeats: of one (device, spool, n) the smallest t counts; sorted by t."""
    best: dict[tuple[str, str, int], Said] = {}
    for s in said:
        key = (s.device, s.spool, s.event.n)
        if key not in best or s.event.t < best[key].event.t:
            best[key] = s
    return sorted(best.values(), key=lambda s: (s.event.t, s.device, s.spool, s.event.n))


def read_window(window: Window) -> Window:
    """Return what must be read to fold `window`: back by the longest grace, and by what a birth is remembered."""
    return Window(max(window.start - 2 * ev.MAX_GRACE_MS, 0), window.end)


# --- a centre ---------------------------------------------------------------------------------


def service_segments(said: Sequence[Said]) -> dict[str, list[Segment]]:
    """Return each device's own truth: up unless it says out_of_order.

    A change between two heartbeats is believed as long as the heartbeat was: the next one repeats it.
    """
    reports: dict[str, list[Report]] = {}
    beaten: dict[str, int] = {}
    for s in said:
        match s.event:
            case ev.DeviceHeartbeat(t=t, state=state, every_ms=every):
                believed = grace(every)
                beaten[s.device] = t + believed
            case ev.KioskState(t=t, state=state):
                believed = max(STATE_GRACE_MS, beaten.get(s.device, 0) - t)
            case _:
                continue
        known: states.Known = "down" if state == "out_of_order" else "up"
        reports.setdefault(s.device, []).append(Report(t, known, believed))
    return {device: states.segments(rows) for device, rows in reports.items()}


def contact_segments(said: Sequence[Said]) -> dict[str, list[Segment]]:
    """Return each device's connection: up while heard, down from a Will until heard again."""
    reports: dict[str, list[Report]] = {}
    sessions: dict[str, ev.DeviceStatus] = {}
    for s in said:
        rows = reports.setdefault(s.device, [])
        if isinstance(s.event, ev.DeviceContact):
            rows.append(Report(s.event.t, "up", CONTACT_GRACE_MS))
        elif isinstance(s.event, ev.DeviceStatus):
            _follow(s.event, s.device, sessions, rows)
    return {device: states.segments(rows) for device, rows in reports.items() if rows}


def _follow(event: ev.DeviceStatus, device: str, sessions: dict[str, ev.DeviceStatus], rows: list[Report]) -> None:
    """A death counts unless another connection was born shortly before: the broker noticed the old one's end late."""
    if event.online:
        sessions[device] = event
        rows.append(Report(event.t, "up", CONTACT_GRACE_MS))
        return
    born = sessions.get(device, event)
    if born.sid == event.sid or event.t - born.t >= ev.MAX_GRACE_MS:
        rows.append(Report(event.t, "down", ev.MAX_GRACE_MS))


def centre_segments(devices: Sequence[Device], service: Mapping[str, list[Segment]]) -> list[Segment]:
    """Return the centre's state: every gateway and at least one kiosk of those declared."""
    parts = [service.get(d.id, []) for d in devices if d.kind == "gateway"]
    kiosks = [service.get(d.id, []) for d in devices if d.kind == "kiosk"]
    if kiosks:
        parts.append(states.any_of(kiosks))
    return states.all_of(parts) if parts else []


def fold_centre(centre: Centre, devices: Sequence[Device], said: Iterable[Said], window: Window) -> list[Total]:
    """Return the centre's, its devices' and its desks' 5-minute totals starting in the window."""
    known = once(said)
    service, contact = service_segments(known), contact_segments(known)
    cells: dict[str, dict[int, dict[str, int]]] = {}
    for device, rows in service.items():
        _add_states(cells, f"device:{device}", rows, window, "")
    for device, rows in contact.items():
        _add_states(cells, f"device:{device}", rows, window, "conn_")
    _add_states(cells, f"centre:{centre.id}", centre_segments(devices, service), window, "")
    for s in known:
        if window.start <= s.event.t < window.end:
            _count(cells, centre.id, s.event)
    return [
        Total(centre.id, scope, "5m", mark, centre.province, zeroed(_fields(scope), sums))
        for scope, marks in sorted(cells.items())
        for mark, sums in sorted(marks.items())
    ]


def _fields(scope: str) -> tuple[str, ...]:
    return QUEUE_FIELDS if scope.startswith("desk:") else STATE_FIELDS


def _add_states(
    cells: dict[str, dict[int, dict[str, int]]], scope: str, rows: list[Segment], window: Window, prefix: str
) -> None:
    for mark, (up, down) in states.per_bucket(rows, window).items():
        sums = cells.setdefault(scope, {}).setdefault(mark, {})
        sums[f"{prefix}up_ms"] = up
        sums[f"{prefix}down_ms"] = down


def _count(cells: dict[str, dict[int, dict[str, int]]], centre: str, event: ev.Event) -> None:
    service = getattr(event, "service", None)
    found = counts_of(event)
    if service is None or not found:
        return
    sums = cells.setdefault(f"desk:{centre}:{service}", {}).setdefault(floor(event.t, FIVE), {})
    for name, value in found.items():
        sums[name] = sums.get(name, 0) + value


def counts_of(event: ev.Event) -> dict[str, int]:
    """Return what one ticket event adds to its service's totals, in the interval of its `t`.

    A wait is t(call) − entered (domain.md Q-02); a negative one means crossed clocks and is not counted.
    """
    match event:
        case ev.TicketCalled():
            return {"called": 1, **_duration("wait", event.t - event.entered)}
        case ev.TicketFinished():
            return {"served": 1, **_service_time(event)}
        case ev.RatingSubmitted():
            return {"ratings": 1, "ratings_good": int(event.rating >= 4)}
        case _:
            name = _ENDINGS.get(type(event))
            return {name: 1} if name else {}


_ENDINGS: dict[type[ev.Event], str] = {
    ev.TicketIssued: "issued",
    ev.TicketAbandoned: "abandoned",
    ev.TicketNoShow: "no_show",
    ev.TicketTransferred: "transferred",
    ev.TicketClosedEod: "closed_eod",
}


def _duration(kind: str, length_ms: int) -> dict[str, int]:
    if length_ms < 0:
        return {}
    return {f"{kind}_sum_ms": length_ms, f"{kind}_le_{bucket_of(length_ms / 1000)}": 1}


def _service_time(event: ev.TicketFinished) -> dict[str, int]:
    if event.quality != "ok":
        return {}
    length = event.t - (event.started or event.called) - event.held_ms
    found = _duration("service", length)
    return {"service_count": 1, **found} if found else {}


# --- a digital system -------------------------------------------------------------------------


def vantage_segments(said: Sequence[Said]) -> dict[str, list[Segment]]:
    """Return the system as each device saw it."""
    reports: dict[str, list[Report]] = {}
    for s in said:
        if isinstance(s.event, ev.ProbeResult):
            state: states.Known = "up" if s.event.ok else "down"
            reports.setdefault(s.device, []).append(Report(s.event.t, state, grace(s.event.every_ms)))
    return {device: states.segments(rows) for device, rows in reports.items()}


def system_segments(system: System, seen: Mapping[str, list[Segment]]) -> list[Segment]:
    """Return the system's state by quorum over its declared vantage points, or all that spoke."""
    names = system.vantage or tuple(sorted(seen))
    members = [seen.get(name, []) for name in names]
    return states.k_of_n(members, min(system.quorum, len(members))) if members else []


def fold_system(system: System, province: str, said: Iterable[Said], window: Window) -> list[Total]:
    """Return the system's 5-minute totals starting in the window."""
    known = once(said)
    cells: dict[str, dict[int, dict[str, int]]] = {}
    scope = f"system:{system.id}"
    _add_states(cells, scope, system_segments(system, vantage_segments(known)), window, "")
    for s in known:
        if isinstance(s.event, ev.ProbeResult) and window.start <= s.event.t < window.end:
            sums = cells.setdefault(scope, {}).setdefault(floor(s.event.t, FIVE), {})
            _add_probe(sums, s.event)
    fields = (*STATE_FIELDS, *PROBE_FIELDS)
    return [
        Total(system.id, scope, "5m", mark, province, zeroed(fields, sums))
        for scope, marks in cells.items()
        for mark, sums in sorted(marks.items())
    ]


def _add_probe(sums: dict[str, int], event: ev.ProbeResult) -> None:
    sums["probes"] = sums.get("probes", 0) + 1
    sums["probes_ok"] = sums.get("probes_ok", 0) + int(event.ok)
    if event.ok and event.latency_ms is not None:
        sums["latency_sum_ms"] = sums.get("latency_sum_ms", 0) + round(event.latency_ms)


# --- adding up --------------------------------------------------------------------------------


def hourly(five: Iterable[Total], open_windows: Sequence[Window] | None) -> list[Total]:
    """Add 5-minute totals into UTC hours; `open_windows` None means always open."""
    groups: dict[tuple[str, int], list[Total]] = {}
    for total in five:
        groups.setdefault((total.scope, floor(total.start, HOUR)), []).append(total)
    return [_sum(rows, "1h", start, open_windows) for (_, start), rows in sorted(groups.items())]


def daily(five: Sequence[Total], day: Window, open_windows: Sequence[Window] | None) -> list[Total]:
    """Add a local day's 5-minute totals."""
    groups: dict[str, list[Total]] = {}
    for total in five:
        groups.setdefault(total.scope, []).append(total)
    return [_sum(rows, "1d", day.start, open_windows) for _, rows in sorted(groups.items())]


def _sum(rows: Sequence[Total], width: str, start: int, open_windows: Sequence[Window] | None) -> Total:
    sums: dict[str, int] = {}
    for row in rows:
        is_open = open_windows is None or any(w.start <= row.start < w.end for w in open_windows)
        for name, value in row.sums.items():
            sums[name] = sums.get(name, 0) + value
            if name in STATE_FIELDS:
                sums[f"open_{name}"] = sums.get(f"open_{name}", 0) + value * is_open
    first = rows[0]
    return Total(first.unit, first.scope, width, start, first.province, sums)  # type: ignore[arg-type]
