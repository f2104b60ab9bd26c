"""Three-state time: reports become segments, segments combine on one time axis (Kleene logic). Pure.

A moment that nobody spoke of is unknown; it is the absence of a segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from telemetry.core.windows import FIVE, Window, floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.live import State

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


def segments(reports: Iterable[Report]) -> list[Segment]:
    """Return [t, min(next t, t + grace)) for each report (slo.md 2.2), neighbours of one state joined."""
    ordered = sorted(reports)
    out: list[Segment] = []
    for i, report in enumerate(ordered):
        end = report.t + report.grace
        if i + 1 < len(ordered):
            end = min(end, ordered[i + 1].t)
        if end <= report.t:
            continue
        if out and out[-1].end == report.t and out[-1].state == report.state:
            out[-1] = Segment(out[-1].start, end, report.state)
        else:
            out.append(Segment(report.t, end, report.state))
    return out


def k_of_n(members: Sequence[Sequence[Segment]], k: int) -> list[Segment]:
    """Combine n members: up if #up ≥ k, down if #up + #unknown < k, else unknown (slo.md 2.5)."""
    edges = sorted({edge for member in members for s in member for edge in (s.start, s.end)})
    moves: dict[int, tuple[int, int]] = {}
    for member in members:
        for s in member:
            _move(moves, s.start, s.state, 1)
            _move(moves, s.end, s.state, -1)
    ups = downs = 0
    out: list[Segment] = []
    for start, end in pairwise(edges):
        up, down = moves.get(start, (0, 0))
        ups, downs = ups + up, downs + down
        state: State = "up" if ups >= k else "down" if len(members) - downs < k else "unknown"
        if state != "unknown":
            _extend(out, start, end, state)
    return out


def _move(moves: dict[int, tuple[int, int]], at: int, state: Known, step: int) -> None:
    up, down = moves.get(at, (0, 0))
    moves[at] = (up + step, down) if state == "up" else (up, down + step)


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


def per_bucket(known: Iterable[Segment], window: Window) -> dict[int, tuple[int, int]]:
    """Return for each touched 5-minute mark in the window its (up, down) ms."""
    out: dict[int, tuple[int, int]] = {}
    for s in known:
        start, end = max(s.start, window.start), min(s.end, window.end)
        for mark in range(floor(start, FIVE), end, FIVE) if start < end else ():
            length = min(end, mark + FIVE) - max(start, mark)
            up, down = out.get(mark, (0, 0))
            out[mark] = (up + length, down) if s.state == "up" else (up, down + length)
    return out


def state_at(known: Sequence[Segment], t: int) -> State:
    """Return the state at `t`."""
    return next((s.state for s in reversed(known) if s.start <= t < s.end), "unknown")
