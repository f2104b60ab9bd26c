"""A device's or centre's time as segments of one state, from 5-minute totals; it must not read raw events.

Totals store how much of a slot was in each state, not when or how often it changed.  A slot of one state is certain; a
slot of several is `mixed` and has the time of each: its neighbours show how it began and ended, not what was between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import DAY, SLOT, Window, align_to_slots, floor
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.in_service import ALWAYS_IN_SERVICE, NOT_IN_SERVICE
from telemetry.core.scope import Scope
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.calendar.opening_calendar import Calendar
    from telemetry.store import Store

    SumsByStart = Mapping[int, Mapping[str, int]]

TimelineState = Literal["up", "down", "unknown", "excluded", "closed", "mixed"]
MAX_WINDOW_MS = 31 * DAY
_FIELD_PREFIX = {"service": "", "connectivity": "conn_"}
STATE_ORDER = ("up", "down", "unknown", "excluded")


@dataclass(frozen=True, slots=True)
class SegmentKind:
    """A kind of segment: its state, the cause when it is not up, and the parent whose outage it belongs to."""

    state: TimelineState
    cause: str = ""
    caused_by: str = ""


@dataclass(frozen=True, slots=True)
class SlotPart:
    """How long one kind lasted within a slot, ms; where in the slot is not known."""

    kind: SegmentKind
    ms: int


@dataclass(frozen=True, slots=True)
class TimelineSegment:
    """A run of one kind, or one slot of several kinds with its `parts`. `settled`: it can no longer change.

    With `parts`, the kind's cause is that of most of what is not up; its state is `mixed` unless only the causes of the
    parts differ.
    """

    window: Window
    kind: SegmentKind
    settled: bool = False
    parts: tuple[SlotPart, ...] = ()

    @property
    def ms_by_state(self) -> dict[str, int]:
        """Return the time of each state that occurs, in the order of STATE_ORDER, then `closed`."""
        return _add_up((part.kind.state, part.ms) for part in self._all_parts())

    @property
    def ms_by_cause(self) -> dict[str, int]:
        """Return the time of each cause that occurs; time up has none."""
        return _add_up((part.kind.cause, part.ms) for part in self._all_parts() if part.kind.cause)

    def _all_parts(self) -> tuple[SlotPart, ...]:
        return self.parts or (SlotPart(self.kind, self.window.length),)


@dataclass(frozen=True, slots=True)
class TimelineInput:
    """The scope's 5-minute sums and its centre's, by start, and whether rows are known to be missing.

    `parent` is the centre's scope, empty when the scope is the centre itself.
    """

    scope_sums: SumsByStart
    centre_sums: SumsByStart
    sli: Literal["service", "connectivity"]
    has_missing_rows: bool
    settled_until: int
    parent: str = ""


def past_window(window: Window, now: int) -> Window:
    """Return the window in whole slots, up to the last one that has passed; at most MAX_WINDOW_MS."""
    aligned = align_to_slots(window)
    if aligned.length > MAX_WINDOW_MS:
        msg = f"at most {MAX_WINDOW_MS // DAY} days: use a shorter window"
        raise BadWindow(msg)
    return Window(aligned.start, max(aligned.start, min(aligned.end, floor(now, SLOT))))


def read_sums(store: Store, centre: str, scope: str, window: Window) -> tuple[SumsByStart, SumsByStart]:
    """Return the scope's 5-minute sums and its centre's, by start."""
    sums_by_scope: dict[str, dict[int, Mapping[str, int]]] = {}
    for kind in {Scope(scope).kind, "centre"}:
        for total in store.totals([centre], "5m", window, kind):
            sums_by_scope.setdefault(total.scope, {})[total.start] = total.sums
    return sums_by_scope.get(scope, {}), sums_by_scope.get(Scope.centre(centre), {})


def build_timeline(
    window: Window, timeline_input: TimelineInput, calendar: Calendar, in_service: Window = ALWAYS_IN_SERVICE
) -> list[TimelineSegment]:
    """Return the segments that tile a window of whole slots, in order; slots of one and the same kind are joined."""
    not_open = _not_open_slots(calendar, window, in_service)
    return _merge_adjacent(_slot_segment(t, not_open, timeline_input) for t in range(window.start, window.end, SLOT))


def _not_open_slots(calendar: Calendar, window: Window, in_service: Window) -> dict[int, SegmentKind]:
    """Return the slots that are not open or not in service, with their kind."""
    kinds_by_slot = {t: SegmentKind("closed") for t in range(window.start, window.end, SLOT)}
    for open_window in calendar.open_windows(window):
        for t in range(open_window.start, open_window.end, SLOT):
            if in_service.start <= t < in_service.end:
                kinds_by_slot.pop(t, None)
            else:
                kinds_by_slot[t] = SegmentKind("excluded", NOT_IN_SERVICE)
    for exclusion in calendar.exclusions(window):
        kinds_by_slot.update(
            (t, SegmentKind("excluded", exclusion.cause))
            for t in range(exclusion.window.start, exclusion.window.end, SLOT)
        )
    return kinds_by_slot


def _slot_segment(start: int, not_open: Mapping[int, SegmentKind], timeline_input: TimelineInput) -> TimelineSegment:
    window, settled = Window(start, start + SLOT), start < timeline_input.settled_until
    if start in not_open:
        return TimelineSegment(window, not_open[start], settled)
    parts = _slot_parts(start, timeline_input)
    if len(parts) == 1:
        return TimelineSegment(window, parts[0].kind, settled)
    main_kind = max((p for p in parts if p.kind.state != "up"), key=attrgetter("ms")).kind
    is_mixed = len({part.kind.state for part in parts}) > 1
    return TimelineSegment(window, SegmentKind("mixed", main_kind.cause) if is_mixed else main_kind, settled, parts)


def _slot_parts(start: int, timeline_input: TimelineInput) -> tuple[SlotPart, ...]:
    """Return what an open slot is made of, without kinds of 0 ms."""
    sums, prefix = timeline_input.scope_sums.get(start, {}), _FIELD_PREFIX[timeline_input.sli]
    up, down = sums.get(f"{prefix}up_ms", 0), sums.get(f"{prefix}down_ms", 0)
    silent = max(0, SLOT - up - down)
    platform = min(silent, sums.get(f"{prefix}platform_ms", 0))
    link = min(silent - platform, 0 if prefix else sums.get("link_ms", 0))
    cause = "late" if timeline_input.has_missing_rows and start >= timeline_input.settled_until else "device"
    caused_by = _caused_by(start, timeline_input, SLOT - up)
    candidates = (
        SlotPart(SegmentKind("up"), up),
        SlotPart(SegmentKind("down", "device", caused_by), down),
        SlotPart(SegmentKind("unknown", "link", timeline_input.parent), link),
        SlotPart(SegmentKind("unknown", cause, caused_by), silent - platform - link),
        SlotPart(SegmentKind("excluded", "platform"), platform),
    )
    return tuple(part for part in candidates if part.ms)


def _caused_by(start: int, timeline_input: TimelineInput, not_up_ms: int) -> str:
    """Return the centre when all of it was down for at least as long."""
    down = timeline_input.centre_sums.get(start, {}).get(f"{_FIELD_PREFIX[timeline_input.sli]}down_ms", 0)
    return timeline_input.parent if 0 < not_up_ms <= down else ""


def _merge_adjacent(segments: Iterable[TimelineSegment]) -> list[TimelineSegment]:
    """Join neighbours of one kind; what has parts stays one slot, so that its figures remain its own."""
    merged: list[TimelineSegment] = []
    for segment in segments:
        last = merged[-1] if merged else None
        if last is None or last.parts or segment.parts or (last.kind, last.settled) != (segment.kind, segment.settled):
            merged.append(segment)
        else:
            merged[-1] = replace(last, window=Window(last.window.start, segment.window.end))
    return merged


def _add_up(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, ms in amounts:
        sums[name] = sums.get(name, 0) + ms
    return sums


def round_to_seconds(ms_by_name: Mapping[str, int]) -> dict[str, int]:
    """Return ms as whole seconds that add up to the whole: running sums are rounded."""
    edges_s, elapsed_ms = [0], 0
    for ms in ms_by_name.values():
        elapsed_ms += ms
        edges_s.append((elapsed_ms + 500) // 1000)
    return {name: end - start for name, (start, end) in zip(ms_by_name, pairwise(edges_s), strict=True)}


def open_time_account(segments: Iterable[TimelineSegment]) -> TimeByState:
    """Return the open time of segments by state: what `availability` answers of the same window, in whole seconds."""
    ms = _add_up(amount for segment in segments for amount in segment.ms_by_state.items())
    return TimeByState(*(ms.get(state, 0) for state in STATE_ORDER)).to_seconds()
