"""The fold: raw events of one centre or system become additive 5-minute totals. Pure.

Recompute, never increment: the same events in any order, any number of times, give the same totals.

What nobody spoke of is unknown.  Of unknown time the totals also say what explains it, moment by moment:

- our own platform was down (the caller says when): it is asked first, because it silences whole sites;
- else the site's link was down: a gateway said so, or none of at least two declared devices was heard.

Silence explains wherever it lies in the window, and is taken back when somebody turns out to have been heard.  The fold
has no clock: the part of a window that is still to come looks silent too, and readers cut it off at the present.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.intervals import minus, overlap
from telemetry.core.calendar.windows import FIVE, Window, ceil, floor
from telemetry.core.fold import states
from telemetry.core.fold.centre_state import site_of
from telemetry.core.fold.counters import counts_of, desk_counts, probe_counts
from telemetry.core.fold.device_states import vantage_segments
from telemetry.core.fold.event_spans import LEVEL_REACH_MS
from telemetry.core.fold.service_levels import service_levels
from telemetry.core.fold.sourced_event import Said, once
from telemetry.core.fold.totals import (
    CAPACITY_FIELDS,
    MARK_FIELDS,
    PROBE_FIELDS,
    QUEUE_FIELDS,
    STATE_FIELDS,
    Total,
    zeroed,
)
from telemetry.core.protocol import events as ev
from telemetry.core.slo.causes import Evidence
from telemetry.core.slo.evaluation import Tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.fold.centre_state import Site
    from telemetry.core.fold.states import Segment
    from telemetry.core.inventory import Centre, Device, System

__all__ = (
    "FOLD_VERSION", "Said", "centre_tails", "counts_of", "fold_centre", "fold_system", "once", "read_window",
    "system_segments", "system_tails",
)  # fmt: skip
FOLD_VERSION = 3
"""Rises when the same raw events give other totals; rollup then folds everything again."""
RECALL_MS = 2 * ev.MAX_GRACE_MS
"""How long a state may reach back: the longest grace, and by what a birth is remembered."""
READ_BACK_MS = max(RECALL_MS, LEVEL_REACH_MS)
"""How far before its window a fold reads: states, and tickets that entered the longest threshold ago."""

Marks = dict[int, dict[str, int]]
"""Sums by 5-minute mark."""
Cells = dict[str, Marks]
"""Sums by scope."""


def read_window(window: Window) -> Window:
    """Return what must be read to fold `window`."""
    return Window(max(window.start - READ_BACK_MS, 0), window.end)


# --- a centre ---------------------------------------------------------------------------------


def fold_centre(
    centre: Centre, devices: Sequence[Device], said: Iterable[Said], window: Window, platform: Sequence[Window] = ()
) -> list[Total]:
    """Return the centre's, its devices' and its desks' 5-minute totals starting in the window.

    `devices` are the declared ones; `platform` is when our own platform was down.
    """
    known = once(said)
    site = site_of(devices, known)
    heard = site.heard()
    lost = overlap(platform, [window])
    why = Evidence(platform=lost, link=minus(site.dead_link(heard, window), lost))
    cells = {f"device:{name}": marks for name, marks in _device_marks(site, why, window).items()}
    cells[f"centre:{centre.id}"] = _centre_marks(site, heard, why, window)
    for found in (desk_counts(known, window), service_levels(known, window)):
        for name, marks in found.items():
            _join(cells.setdefault(f"desk:{centre.id}:{name}", {}), marks)
    return _totals(centre.id, centre.province, cells)


def _join(marks: Marks, more: Marks) -> None:
    for mark, sums in more.items():
        marks.setdefault(mark, {}).update(sums)


def _device_marks(site: Site, why: Evidence, window: Window) -> Cells:
    """Whoever spoke without being declared is shown as it spoke; its silence is nobody's."""
    declared = {d.id for d in site.devices}
    names = {*declared, *site.service, *site.contact}
    return {
        name: _state_marks(
            site.service.get(name, ()), site.contact.get(name, ()), why if name in declared else Evidence(), window
        )
        for name in names
    }


def _centre_marks(site: Site, heard: Sequence[Segment], why: Evidence, window: Window) -> Marks:
    works = site.working()
    marks = _state_marks(works, heard, why, window)
    for s in site.ready():
        for mark in range(ceil(max(s.start, window.start), FIVE), min(s.end, window.end), FIVE):
            marks.setdefault(mark, {})[f"mark_{s.state}"] = 1
    scope = minus([window], overlap(states.gaps(works, window), why.platform))
    for mark, found in site.capacity(scope).items():
        marks.setdefault(mark, {}).update(zip(CAPACITY_FIELDS, found, strict=True))
    return marks


def _state_marks(service: Sequence[Segment], contact: Sequence[Segment], why: Evidence, window: Window) -> Marks:
    out: Marks = {}
    for prefix, known in (("", service), ("conn_", contact)):
        for state in ("up", "down"):
            _put(out, f"{prefix}{state}_ms", [(s.start, s.end, 1) for s in known if s.state == state], window)
        silent = states.gaps(known, window) if why.platform or why.link else []
        _put(out, f"{prefix}platform_ms", _parts(silent, why.platform), window)
        if not prefix:
            _put(out, "link_ms", _parts(silent, why.link), window)
    return out


def _parts(silent: Sequence[Window], cause: Sequence[Window]) -> list[states.Part]:
    return [(w.start, w.end, 1) for w in overlap(silent, cause)]


def _put(out: Marks, field: str, parts: Iterable[states.Part], window: Window) -> None:
    for mark, ms in states.spread(parts, window).items():
        out.setdefault(mark, {})[field] = ms


def centre_tails(centre: Centre, devices: Sequence[Device], said: Iterable[Said], now: int) -> dict[str, Tail]:
    """Return what is believed of the present of the centre and of each declared device, by scope.

    `said` holds its events of at least the last RECALL_MS; what came before, or comes after `now`, is passed over.
    """
    site = site_of(devices, _recent(said, now))
    own = {f"device:{d.id}": _tail(site.service.get(d.id, ()), site.contact.get(d.id, ()), now) for d in site.devices}
    return own | {f"centre:{centre.id}": _tail(site.working(), site.heard(), now)}


def _recent(said: Iterable[Said], now: int) -> list[Said]:
    return once(s for s in said if now - RECALL_MS <= s.event.t <= now)


def _tail(service: Iterable[Segment], contact: Iterable[Segment], now: int) -> Tail:
    start = floor(now, FIVE)
    return Tail(tuple(s for s in service if s.end > start), tuple(s for s in contact if s.end > start))


# --- a digital system -------------------------------------------------------------------------


def system_segments(system: System, seen: Mapping[str, list[Segment]]) -> list[Segment]:
    """Return the system's state by quorum over its declared vantage points, or all that spoke."""
    names = system.vantage or tuple(sorted(seen))
    members = [seen.get(name, []) for name in names]
    return states.k_of_n(members, min(system.quorum, len(members))) if members else []


def fold_system(
    system: System, province: str, said: Iterable[Said], window: Window, platform: Sequence[Window] = ()
) -> list[Total]:
    """Return the system's 5-minute totals starting in the window; `platform` is when our own platform was down."""
    known = once(said)
    why = Evidence(platform=overlap(platform, [window]))
    marks = _state_marks(system_segments(system, vantage_segments(known)), (), why, window)
    for mark, found in probe_counts(known, window).items():
        marks.setdefault(mark, {}).update(found)
    return _totals(system.id, province, {f"system:{system.id}": marks})


def system_tails(system: System, said: Iterable[Said], now: int) -> dict[str, Tail]:
    """Return what is believed of the present of the system, by scope; `said` as in `centre_tails`."""
    seen = vantage_segments(_recent(said, now))
    return {f"system:{system.id}": _tail(system_segments(system, seen), (), now)}


# --- totals -----------------------------------------------------------------------------------

_FIELDS = {
    "centre": (*STATE_FIELDS, *CAPACITY_FIELDS, *MARK_FIELDS),
    "desk": QUEUE_FIELDS,
    "device": STATE_FIELDS,
    "system": (*STATE_FIELDS, *PROBE_FIELDS),
}
"""What each kind of scope's totals name, zeros included."""


def _totals(unit: str, province: str, cells: Cells) -> list[Total]:
    return [
        Total(unit, scope, "5m", mark, province, zeroed(_FIELDS[scope.partition(":")[0]], sums))
        for scope, marks in sorted(cells.items())
        for mark, sums in sorted(marks.items())
    ]
