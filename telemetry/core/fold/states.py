"""Three-state time: reports become segments, segments combine on one time axis (Kleene logic). Pure.

Time without a valid report is unknown; it is the absence of a segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import SLOT, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from telemetry.core.fold.live_row_types import AvailabilityState

KnownState = Literal["up", "down"]


@dataclass(frozen=True, slots=True, order=True)
class StateReport:
    """At `t` ms the state was `state`; valid for `grace` ms unless a newer report arrives."""

    t: int
    state: KnownState
    grace: int


@dataclass(frozen=True, slots=True, order=True)
class StateSegment:
    """A known state over [start, end) ms."""

    start: int
    end: int
    state: KnownState


@dataclass(frozen=True, slots=True)
class RecentState:
    """A scope's segments that reach into the running 5 minutes, uncut: the state assumed for the present."""

    service: tuple[StateSegment, ...] = ()
    contact: tuple[StateSegment, ...] = ()


NO_NEWER_REPORT = 1 << 62
_REPORT_ORDER = attrgetter("t", "state", "grace")


def build_segments(reports: Iterable[StateReport]) -> list[StateSegment]:
    """Return [t, min(next t, t + grace)) for each report (slo.md 2.2), neighbours of one state joined."""
    ordered = sorted(reports, key=_REPORT_ORDER)
    next_times = [*(report.t for report in ordered[1:]), NO_NEWER_REPORT]
    out: list[StateSegment] = []
    start = end = 0
    state: KnownState | None = None
    for report, next_t in zip(ordered, next_times, strict=False):
        until = min(report.t + report.grace, next_t)
        if until <= report.t:
            continue
        if state == report.state and end == report.t:
            end = until
            continue
        if state is not None:
            out.append(StateSegment(start, end, state))
        start, end, state = report.t, until, report.state
    return out if state is None else [*out, StateSegment(start, end, state)]


def state_changes(members: Sequence[Sequence[StateSegment]]) -> Iterator[tuple[int, int, int, int]]:
    """Yield (start, end, members up, members down) from each change of a member to the next one, in order."""
    deltas: dict[int, list[int]] = {}
    for member in members:
        for s in member:
            column = s.state == "down"
            deltas.setdefault(s.start, [0, 0])[column] += 1
            deltas.setdefault(s.end, [0, 0])[column] -= 1
    ups = downs = 0
    for start, end in pairwise(sorted(deltas)):
        up, down = deltas[start]
        ups, downs = ups + up, downs + down
        yield start, end, ups, downs


def k_of_n(members: Sequence[Sequence[StateSegment]], k: int) -> list[StateSegment]:
    """Combine n members: up if #up ≥ k, down if #up + #unknown < k, else unknown (slo.md 2.5)."""
    out: list[StateSegment] = []
    for start, end, ups, downs in state_changes(members):
        state: AvailabilityState = "up" if ups >= k else "down" if len(members) - downs < k else "unknown"
        if state != "unknown":
            _append_merged(out, start, end, state)
    return out


def join(segments: Iterable[StateSegment]) -> list[StateSegment]:
    """Join neighbours of one state; `segments` are sorted and disjoint."""
    out: list[StateSegment] = []
    for s in segments:
        _append_merged(out, s.start, s.end, s.state)
    return out


def clip(segments: Iterable[StateSegment], window: Window) -> Iterator[StateSegment]:
    """Yield the parts of segments within a window."""
    for s in segments:
        start, end = max(s.start, window.start), min(s.end, window.end)
        if start < end:
            yield StateSegment(start, end, s.state)


def covers_all(segments: Sequence[StateSegment], window: Window) -> bool:
    """Return whether sorted segments all lie in a window."""
    return not segments or (window.start <= segments[0].start and segments[-1].end <= window.end)


def _append_merged(out: list[StateSegment], start: int, end: int, state: KnownState) -> None:
    if out and out[-1].end == start and out[-1].state == state:
        out[-1] = StateSegment(out[-1].start, end, state)
    else:
        out.append(StateSegment(start, end, state))


def all_of(members: Sequence[Sequence[StateSegment]]) -> list[StateSegment]:
    """Combine in series (AND)."""
    return k_of_n(members, len(members))


def any_of(members: Sequence[Sequence[StateSegment]]) -> list[StateSegment]:
    """Combine redundant members (OR)."""
    return k_of_n(members, 1)


def unknown_windows(segments: Iterable[StateSegment], window: Window) -> list[Window]:
    """Return the parts of the window that no segment covers; `segments` are sorted and disjoint, and so are they."""
    out: list[Window] = []
    position = window.start
    for s in segments:
        if s.start >= window.end:
            break
        if s.start > position:
            out.append(Window(position, s.start))
        position = max(position, s.end)
    return [*out, Window(position, window.end)] if position < window.end else out


WeightedPart = tuple[int, int, int]
"""(start, end, weight), ms."""


def spread_over_slots(parts: Iterable[WeightedPart], window: Window) -> dict[int, int]:
    """Return for each slot that a part touches in the window the sum of weight · ms."""
    out: dict[int, int] = {}
    for start, end, weight in parts:
        position, last = max(start, window.start), min(end, window.end)
        while position < last:
            slot = position - position % SLOT
            until = min(last, slot + SLOT)
            out[slot] = out.get(slot, 0) + weight * (until - position)
            position = until
    return out


def state_at(segments: Sequence[StateSegment], t: int) -> AvailabilityState:
    """Return the state at `t`."""
    return next((s.state for s in reversed(segments) if s.start <= t < s.end), "unknown")
