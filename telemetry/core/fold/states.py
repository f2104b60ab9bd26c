"""Three-state time: reports become segments, segments combine on one time axis (Kleene logic). Pure.

A moment that nobody spoke of is unknown; it is the absence of a segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import FIVE, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from telemetry.core.fold.live_row_types import State

Known = Literal["up", "down"]


@dataclass(frozen=True, slots=True, order=True)
class Report:
    """At `t` ms the state was `state`, believed for `grace` ms unless a newer report comes."""

    t: int
    state: Known
    grace: int


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A known state over [start, end) ms."""

    start: int
    end: int
    state: Known


FOREVER = 1 << 62
_ORDER = attrgetter("t", "state", "grace")


def segments(reports: Iterable[Report]) -> list[Segment]:
    """Return [t, min(next t, t + grace)) for each report (slo.md 2.2), neighbours of one state joined."""
    ordered = sorted(reports, key=_ORDER)
    newer = [*(report.t for report in ordered[1:]), FOREVER]
    out: list[Segment] = []
    start = end = 0
    state: Known | None = None
    for report, cut in zip(ordered, newer, strict=False):
        last = min(report.t + report.grace, cut)
        if last <= report.t:
            continue
        if state == report.state and end == report.t:
            end = last
            continue
        if state is not None:
            out.append(Segment(start, end, state))
        start, end, state = report.t, last, report.state
    return out if state is None else [*out, Segment(start, end, state)]


def steps(members: Sequence[Sequence[Segment]]) -> Iterator[tuple[int, int, int, int]]:
    """Yield (start, end, members up, members down) from each change of a member to the next one, in order."""
    moves: dict[int, list[int]] = {}
    for member in members:
        for s in member:
            kind = s.state == "down"
            moves.setdefault(s.start, [0, 0])[kind] += 1
            moves.setdefault(s.end, [0, 0])[kind] -= 1
    ups = downs = 0
    for start, end in pairwise(sorted(moves)):
        up, down = moves[start]
        ups, downs = ups + up, downs + down
        yield start, end, ups, downs


def k_of_n(members: Sequence[Sequence[Segment]], k: int) -> list[Segment]:
    """Combine n members: up if #up ≥ k, down if #up + #unknown < k, else unknown (slo.md 2.5)."""
    out: list[Segment] = []
    for start, end, ups, downs in steps(members):
        state: State = "up" if ups >= k else "down" if len(members) - downs < k else "unknown"
        if state != "unknown":
            _extend(out, start, end, state)
    return out


def _extend(out: list[Segment], start: int, end: int, state: Known) -> None:
    if out and out[-1].end == start and out[-1].state == state:
        out[-1] = Segment(out[-1].start, end, state)
    else:
        out.append(Segment(start, end, state))


def all_of(members: Sequence[Sequence[Segment]]) -> list[Segment]:
    """Combine in series (AND)."""
    return k_of_n(members, len(members))


def any_of(members: Sequence[Sequence[Segment]]) -> list[Segment]:
    """Combine redundant members (OR)."""
    return k_of_n(members, 1)


def gaps(known: Iterable[Segment], window: Window) -> list[Window]:
    """Return the parts of the window that no segment covers; `known` is sorted and disjoint, and so are they."""
    out: list[Window] = []
    at = window.start
    for s in known:
        if s.start >= window.end:
            break
        if s.start > at:
            out.append(Window(at, s.start))
        at = max(at, s.end)
    return [*out, Window(at, window.end)] if at < window.end else out


Part = tuple[int, int, int]
"""(start, end, weight), ms."""


def spread(parts: Iterable[Part], window: Window) -> dict[int, int]:
    """Return for each 5-minute mark that a part touches in the window the sum of weight · ms."""
    out: dict[int, int] = {}
    for start, end, weight in parts:
        at, last = max(start, window.start), min(end, window.end)
        while at < last:
            mark = at - at % FIVE
            until = min(last, mark + FIVE)
            out[mark] = out.get(mark, 0) + weight * (until - at)
            at = until
    return out


def state_at(known: Sequence[Segment], t: int) -> State:
    """Return the state at `t`."""
    return next((s.state for s in reversed(known) if s.start <= t < s.end), "unknown")
