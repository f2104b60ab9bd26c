"""A device's or centre's time as segments of one state, from 5-minute totals; it must not read raw events.

Totals store how much of a slot was in each state, not when.  A slot of one state is certain; a slot of two is divided
in time when its neighbours show the order, else it is `mixed`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import DAY, SLOT, Window, align_to_slots, floor
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.in_service import ALWAYS_IN_SERVICE, NOT_IN_SERVICE
from telemetry.core.scope import Scope
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
class TimelineSegment:
    """A run of one kind; `parts` has the ms by state of a mixed one. `settled`: it can no longer change."""

    window: Window
    kind: SegmentKind
    settled: bool = False
    parts: tuple[tuple[str, int], ...] = ()


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
    """Return the scope's 5-minute sums and its centre's, by start, with those just before and after the window."""
    sums_by_scope: dict[str, dict[int, Mapping[str, int]]] = {}
    read_window = Window(window.start - SLOT, window.end + SLOT)
    for kind in {Scope(scope).kind, "centre"}:
        for total in store.totals([centre], "5m", read_window, kind):
            sums_by_scope.setdefault(total.scope, {})[total.start] = total.sums
    return sums_by_scope.get(scope, {}), sums_by_scope.get(Scope.centre(centre), {})


def build_timeline(
    window: Window, timeline_input: TimelineInput, calendar: Calendar, in_service: Window = ALWAYS_IN_SERVICE
) -> list[TimelineSegment]:
    """Return the segments that tile a window of whole slots, in order, neighbours of one kind joined."""
    slots = {t: _slot_kinds(t, timeline_input) for t in range(window.start - SLOT, window.end + SLOT, SLOT)}
    not_open = _not_open_slots(calendar, window, in_service)
    return _merge_adjacent(
        s for t in range(window.start, window.end, SLOT) for s in _slot_segments(t, slots, not_open, timeline_input)
    )


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


SlotKinds = tuple[tuple[SegmentKind, int], ...]


def _slot_kinds(start: int, timeline_input: TimelineInput) -> SlotKinds:
    """Return the kinds in a slot with their ms, without those of 0 ms."""
    sums, prefix = timeline_input.scope_sums.get(start, {}), _FIELD_PREFIX[timeline_input.sli]
    up, down = sums.get(f"{prefix}up_ms", 0), sums.get(f"{prefix}down_ms", 0)
    silent = max(0, SLOT - up - down)
    platform = min(silent, sums.get(f"{prefix}platform_ms", 0))
    link = min(silent - platform, 0 if prefix else sums.get("link_ms", 0))
    cause = "late" if timeline_input.has_missing_rows and start >= timeline_input.settled_until else "device"
    caused_by = _caused_by(start, timeline_input, SLOT - up)
    candidates = (
        (SegmentKind("up"), up),
        (SegmentKind("down", "device", caused_by), down),
        (SegmentKind("unknown", "link", timeline_input.parent), link),
        (SegmentKind("unknown", cause, caused_by), silent - platform - link),
        (SegmentKind("excluded", "platform"), platform),
    )
    return tuple((kind, ms) for kind, ms in candidates if ms)


def _caused_by(start: int, timeline_input: TimelineInput, not_up_ms: int) -> str:
    """Return the centre when all of it was down for at least as long."""
    down = timeline_input.centre_sums.get(start, {}).get(f"{_FIELD_PREFIX[timeline_input.sli]}down_ms", 0)
    return timeline_input.parent if 0 < not_up_ms <= down else ""


def _slot_segments(
    start: int, slots: Mapping[int, SlotKinds], not_open: Mapping[int, SegmentKind], timeline_input: TimelineInput
) -> Iterator[TimelineSegment]:
    window, settled = Window(start, start + SLOT), start < timeline_input.settled_until
    if start in not_open:
        yield TimelineSegment(window, not_open[start], settled)
        return
    slot = slots[start]
    for kind, part, parts in _split_slot(window, slot, slots[start - SLOT], slots[start + SLOT]):
        yield TimelineSegment(part, kind, settled, parts)


SlotPart = tuple[SegmentKind, Window, tuple[tuple[str, int], ...]]


def _split_slot(window: Window, slot: SlotKinds, before: SlotKinds, after: SlotKinds) -> list[SlotPart]:
    """Divide five minutes between two kinds when the neighbours show their order; to the whole second."""
    if len(slot) == 1:
        return [(slot[0][0], window, ())]
    kinds = dict(slot)
    kind_before, kind_after = _single_kind(before), _single_kind(after)
    if (
        len(slot) == 2
        and kind_before != kind_after
        and {kind_before, kind_after} == set(kinds)
        and kind_before
        and kind_after
    ):
        edge = window.start + (kinds[kind_before] + 500) // 1000 * 1000
        parts = ((kind_before, Window(window.start, edge)), (kind_after, Window(edge, window.end)))
        return [(kind, part, ()) for kind, part in parts if part.length]
    if len({kind.state for kind in kinds}) == 1:  # only the causes differ: the longest counts
        return [(max(slot, key=itemgetter(1))[0], window, ())]
    return [(SegmentKind("mixed", _main_cause(slot)), window, _ms_by_state(slot))]


def _single_kind(slot: SlotKinds) -> SegmentKind | None:
    return slot[0][0] if len(slot) == 1 else None


def _main_cause(slot: SlotKinds) -> str:
    """Return the cause of most of what is not up."""
    return max(((ms, kind.cause) for kind, ms in slot if kind.state != "up"), default=(0, ""))[1]


def _ms_by_state(slot: SlotKinds) -> tuple[tuple[str, int], ...]:
    sums = {state: sum(ms for kind, ms in slot if kind.state == state) for state in STATE_ORDER}
    return tuple((state, ms) for state, ms in sums.items() if ms)


def _merge_adjacent(segments: Iterable[TimelineSegment]) -> list[TimelineSegment]:
    merged: list[TimelineSegment] = []
    for segment in segments:
        last = merged[-1] if merged else None
        if last is None or (last.kind, last.settled) != (segment.kind, segment.settled):
            merged.append(segment)
            continue
        window = Window(last.window.start, segment.window.end)
        merged[-1] = replace(last, window=window, parts=_add_states(last.parts, segment.parts))
    return merged


def _add_states(first: Sequence[tuple[str, int]], second: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    first_ms, second_ms = dict(first), dict(second)
    return tuple((s, first_ms.get(s, 0) + second_ms.get(s, 0)) for s in STATE_ORDER if s in first_ms or s in second_ms)


def round_to_seconds(parts: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Return ms by state as whole seconds that add up to the whole: running sums are rounded."""
    edges_s, elapsed_ms = [0], 0
    for _, ms in parts:
        elapsed_ms += ms
        edges_s.append((elapsed_ms + 500) // 1000)
    return {state: end - start for (state, _), (start, end) in zip(parts, pairwise(edges_s), strict=True)}


def open_time_account(segments: Iterable[TimelineSegment]) -> TimeByState:
    """Return the open time of segments by state; excluded time is no part of the whole."""
    ms_by_state = dict.fromkeys(STATE_ORDER, 0)
    for segment in segments:
        for state, ms in segment.parts or ((segment.kind.state, segment.window.length),):
            ms_by_state[state] = ms_by_state.get(state, 0) + ms
    return TimeByState(*(ms_by_state[state] for state in ("up", "down", "unknown", "excluded"))).to_seconds()
