"""A device's or centre's time as segments of one state, from 5-minute totals; it must not read raw events.

Totals hold how much of five minutes was in each state, not when.  Five minutes of one state are certain; of two, they
are divided in time when what lies before and after them tells the order, else they are `mixed`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import DAY, FIVE, Window, floor, widen
from telemetry.core.figures.accounting import account
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry.core.calendar.opening_calendar import Calendar
    from telemetry.core.figures.accounting import Account
    from telemetry.store import Store

    Sums = Mapping[int, Mapping[str, int]]

State = Literal["up", "down", "unknown", "excluded", "closed", "mixed"]
LONGEST = 31 * DAY
_PREFIX = {"service": "", "connectivity": "conn_"}
ORDER = ("up", "down", "unknown", "excluded")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a stretch of time is: its state, the cause when it is not up, and the parent whose outage it belongs to."""

    state: State
    cause: str = ""
    caused_by: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of one kind; `parts` has the ms by state of a mixed one. `settled` tells whether it may still change."""

    window: Window
    kind: Kind
    settled: bool = False
    parts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known: the scope's 5-minute sums and its centre's, by start; `late` when rows are known to be missing.

    `parent` is the centre's scope, empty when the scope is the centre itself.
    """

    own: Sums
    centre: Sums
    sli: Literal["service", "connectivity"]
    late: bool
    settled_until: int
    parent: str = ""


def asked(window: Window, now: int) -> Window:
    """Return the window on 5-minute marks up to the last one that has passed; at most LONGEST."""
    found = widen(window)
    if found.length > LONGEST:
        msg = f"at most {LONGEST // DAY} days: ask for a shorter window"
        raise BadWindow(msg)
    return Window(found.start, max(found.start, min(found.end, floor(now, FIVE))))


def sums_of(store: Store, centre: str, scope: str, window: Window) -> tuple[Sums, Sums]:
    """Return the scope's 5-minute sums and its centre's, by start, with those just before and after the window."""
    found: dict[str, dict[int, Mapping[str, int]]] = {}
    read = Window(window.start - FIVE, window.end + FIVE)
    for kind in {scope.partition(":")[0], "centre"}:
        for total in store.totals([centre], "5m", read, kind):
            found.setdefault(total.scope, {})[total.start] = total.sums
    return found.get(scope, {}), found.get(f"centre:{centre}", {})


def timeline(window: Window, seen: Seen, calendar: Calendar) -> list[Segment]:
    """Return the segments that tile a window on 5-minute marks, in order, neighbours of one kind joined."""
    cells = {t: _cell(t, seen) for t in range(window.start - FIVE, window.end + FIVE, FIVE)}
    overlay = _overlay(calendar, window)
    return _joined(s for t in range(window.start, window.end, FIVE) for s in _at(t, cells, overlay, seen))


def _overlay(calendar: Calendar, window: Window) -> dict[int, Kind]:
    """Return what is not open, by 5-minute mark."""
    out = {t: Kind("closed") for t in range(window.start, window.end, FIVE)}
    for opened in calendar.open_windows(window):
        for t in range(opened.start, opened.end, FIVE):
            out.pop(t, None)
    for gone in calendar.exclusions(window):
        out.update((t, Kind("excluded", gone.cause)) for t in range(gone.window.start, gone.window.end, FIVE))
    return out


Cell = tuple[tuple[Kind, int], ...]


def _cell(start: int, seen: Seen) -> Cell:
    """Return the kinds in five minutes with their ms, those of none left out."""
    sums, prefix = seen.own.get(start, {}), _PREFIX[seen.sli]
    up, down = sums.get(f"{prefix}up_ms", 0), sums.get(f"{prefix}down_ms", 0)
    silent = max(0, FIVE - up - down)
    platform = min(silent, sums.get(f"{prefix}platform_ms", 0))
    link = min(silent - platform, 0 if prefix else sums.get("link_ms", 0))
    cause = "late" if seen.late and start >= seen.settled_until else "device"
    by = _by(start, seen, FIVE - up)
    found = (
        (Kind("up"), up),
        (Kind("down", "device", by), down),
        (Kind("unknown", "link", seen.parent), link),
        (Kind("unknown", cause, by), silent - platform - link),
        (Kind("excluded", "platform"), platform),
    )
    return tuple((kind, ms) for kind, ms in found if ms)


def _by(start: int, seen: Seen, not_up: int) -> str:
    """Return the centre when all of it was down for at least as long."""
    down = seen.centre.get(start, {}).get(f"{_PREFIX[seen.sli]}down_ms", 0)
    return seen.parent if 0 < not_up <= down else ""


def _at(start: int, cells: Mapping[int, Cell], overlay: Mapping[int, Kind], seen: Seen) -> Iterator[Segment]:
    window, settled = Window(start, start + FIVE), start < seen.settled_until
    if start in overlay:
        yield Segment(window, overlay[start], settled)
        return
    cell = cells[start]
    for kind, part, parts in _divided(window, cell, cells[start - FIVE], cells[start + FIVE]):
        yield Segment(part, kind, settled, parts)


Part = tuple[Kind, Window, tuple[tuple[str, int], ...]]


def _divided(window: Window, cell: Cell, before: Cell, after: Cell) -> list[Part]:
    """Divide five minutes between two kinds when the one came before and the other after; to the whole second."""
    if len(cell) == 1:
        return [(cell[0][0], window, ())]
    kinds = dict(cell)
    first, last = _pure(before), _pure(after)
    if len(cell) == 2 and first != last and {first, last} == set(kinds) and first is not None and last is not None:
        edge = window.start + (kinds[first] + 500) // 1000 * 1000
        parts = ((first, Window(window.start, edge)), (last, Window(edge, window.end)))
        return [(kind, part, ()) for kind, part in parts if part.length]
    if len({kind.state for kind in kinds}) == 1:  # nothing is mixed but causes: that of most of it
        return [(max(cell, key=_length)[0], window, ())]
    return [(Kind("mixed", _cause(cell)), window, _states(cell))]


def _length(part: tuple[Kind, int]) -> int:
    return part[1]


def _pure(cell: Cell) -> Kind | None:
    return cell[0][0] if len(cell) == 1 else None


def _cause(cell: Cell) -> str:
    """Return the cause of most of what is not up."""
    return max(((ms, kind.cause) for kind, ms in cell if kind.state != "up"), default=(0, ""))[1]


def _states(cell: Cell) -> tuple[tuple[str, int], ...]:
    sums = {state: sum(ms for kind, ms in cell if kind.state == state) for state in ORDER}
    return tuple((state, ms) for state, ms in sums.items() if ms)


def _joined(found: Iterable[Segment]) -> list[Segment]:
    out: list[Segment] = []
    for one in found:
        last = out[-1] if out else None
        if last is None or (last.kind, last.settled) != (one.kind, one.settled):
            out.append(one)
            continue
        joined = Window(last.window.start, one.window.end)
        out[-1] = replace(last, window=joined, parts=_added(last.parts, one.parts))
    return out


def _added(one: Sequence[tuple[str, int]], other: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    left, right = dict(one), dict(other)
    return tuple((s, left.get(s, 0) + right.get(s, 0)) for s in ORDER if s in left or s in right)


def seconds(parts: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Return ms by state as whole seconds that add up to the whole: running sums are rounded."""
    sums, done = [0], 0
    for _, ms in parts:
        done += ms
        sums.append((done + 500) // 1000)
    return {state: end - start for (state, _), (start, end) in zip(parts, pairwise(sums), strict=True)}


def open_account(found: Iterable[Segment]) -> Account:
    """Return the open time of segments by state; excluded time is no part of the whole."""
    sums = dict.fromkeys(ORDER, 0)
    for one in found:
        for state, ms in one.parts or ((one.kind.state, one.window.length),):
            sums[state] = sums.get(state, 0) + ms
    return account(sums["up"] + sums["down"] + sums["unknown"], sums["up"], sums["down"], sums["excluded"])
