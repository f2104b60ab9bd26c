"""Totals of the past kept in memory while the live rows say that they are still what was written; never for writing.

A live row's `reopened` moves after totals were changed that had ended two minutes before.  A total that ended four
minutes ago is kept with the `reopened` of a snapshot taken before it was read, and read again when that moves.  Later
totals, and those of units whose row does not say, are kept for a second.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from telemetry.core.calendar.windows import FIVE, HOUR, MINUTE, Window, day_window, days_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Width
    from telemetry.core.fold.totals import Total

SETTLING_MS = 4 * MINUTE
"""Two minutes more than rollup's: so far may the clocks of the two be apart."""
MOST = 120_000
"""Totals kept at most, all together; what was longest not asked for is dropped first."""
MOST_CELLS = 1_000
"""A question about more cells of one unit is read through: it is nobody's poll."""
FRESH_MS = 1_000
FIELDS = (
    "up_ms", "down_ms", "platform_ms", "cap_low_ms", "cap_high_ms", "conn_up_ms", "conn_down_ms", "conn_platform_ms",
    "open_up_ms", "open_down_ms", "open_platform_ms", "open_cap_low_ms", "open_cap_high_ms", "open_conn_up_ms",
    "open_conn_down_ms", "open_conn_platform_ms",
)  # fmt: skip
_STEPS: dict[Width, int] = {"5m": FIVE, "1h": HOUR}


class Row(Struct, frozen=True, gc=False):
    """A total without what nobody asks of it: ms in the order of FIELDS; unseen by the garbage collector, for speed."""

    unit: str
    scope: str
    start: int
    values: tuple[int, ...]


Rows = tuple[Row, ...]


class Totals(Protocol):
    """Where totals come from: a store, or `Kept` before it."""

    def totals(self, units: Sequence[str], width: Width, window: Window, kind: str = "") -> Sequence[Total]:
        """Return totals starting in the window."""


@dataclass(slots=True)
class _Unit:
    """What is kept of one unit, by the start of the cell; `young` holds until it is `due`, Unix ms."""

    stamp: int
    old: dict[int, Rows] = field(default_factory=dict)
    young: dict[int, Rows] = field(default_factory=dict)
    due: int = 0
    size: int = 0

    def of(self, starts: list[int]) -> list[Rows | None]:
        """Return what is kept at each start."""
        found = list(map(self.old.get, starts))
        if None in found and self.young:
            return [self.young.get(start) if rows is None else rows for start, rows in zip(starts, found, strict=True)]
        return found

    def put(self, start: int, rows: Rows, *, lasting: bool) -> None:
        (self.old if lasting else self.young)[start] = rows
        self.size += 1 + len(rows)

    def forget(self, due: int) -> None:
        self.size -= sum(1 + len(rows) for rows in self.young.values())
        self.young, self.due = {}, due


@dataclass(frozen=True, slots=True)
class _Part:
    """One question: cells of a kind and width, in order, and the present."""

    kind: str
    width: Width
    starts: list[int]
    ends: list[int]
    now: int

    def window(self, first: int, last: int) -> Window:
        """Return the time from cell `first` to cell `last`, both in it."""
        return Window(self.starts[first], self.ends[last])


class Kept:
    """Reads totals of time by state (other sums are left out); safe to call from many threads."""

    def __init__(self, store: Totals, reopened: Callable[[], Callable[[str], int]], clock: Callable[[], int]) -> None:
        self._store = store
        self._reopened = reopened
        self._clock = clock
        self._lock = threading.Lock()
        self._units: OrderedDict[tuple[str, str, str], _Unit] = OrderedDict()

    def rows(self, units: Sequence[str], width: Width, window: Window, kind: str, zone: ZoneInfo) -> Iterable[Row]:
        """Return totals starting in the window, which lies on marks of the width (whole days of `zone`)."""
        cells = _cells(width, window, zone)
        if len(cells) > MOST_CELLS:
            return map(_lean, self._store.totals(units, width, window, kind))
        with self._lock:
            stamp, now = self._reopened(), self._clock()
            part = _Part(kind, width, [c.start for c in cells], [c.end for c in cells], now)
            held = {unit: self._unit(unit, part, stamp(unit)) for unit in units}
            found = {name: unit.of(part.starts) for name, unit in held.items()}
            missing = _missing(found)
            for run, wanting in missing.items():
                self._read(held, part, run, wanting)
                found.update((name, held[name].of(part.starts)) for name in wanting)
            if missing:
                self._trim()
        return [row for cells in found.values() for rows in cells if rows for row in rows]

    def _unit(self, unit: str, part: _Part, stamp: int) -> _Unit:
        key = (part.kind, part.width, unit)
        found = self._units.get(key)
        if found is None or found.stamp != stamp:
            found = self._units[key] = _Unit(stamp)
        if not 0 <= found.due - part.now <= FRESH_MS:
            found.forget(part.now + FRESH_MS)
        self._units.move_to_end(key)
        return found

    def _read(self, held: dict[str, _Unit], part: _Part, run: tuple[int, int], units: list[str]) -> None:
        found: dict[tuple[str, int], list[Row]] = {}
        for total in self._store.totals(units, part.width, part.window(*run), part.kind):
            start = part.starts[bisect_right(part.starts, total.start) - 1]
            found.setdefault((total.unit, start), []).append(_lean(total))
        for i in range(run[0], run[1] + 1):
            start, ended = part.starts[i], part.ends[i] + SETTLING_MS <= part.now
            for name in units:
                unit = held[name]
                unit.put(start, tuple(found.get((name, start), ())), lasting=ended and unit.stamp > 0)

    def _trim(self) -> None:
        size = sum(unit.size for unit in self._units.values())
        while size > MOST:
            size -= self._units.popitem(last=False)[1].size


def _cells(width: Width, window: Window, zone: ZoneInfo) -> list[Window]:
    if width == "1d":
        return [day_window(day, zone) for day in days_in(window, zone)]
    step = _STEPS[width]
    return [Window(start, start + step) for start in range(window.start, window.end, step)]


def _missing(found: Mapping[str, list[Rows | None]]) -> dict[tuple[int, int], list[str]]:
    """Return the first and last missing cell with the units that miss it."""
    out: dict[tuple[int, int], list[str]] = {}
    for name, cells in found.items():
        if None in cells:
            last = len(cells) - 1 - cells[::-1].index(None)
            out.setdefault((cells.index(None), last), []).append(name)
    return out


def _lean(total: Total) -> Row:
    return Row(total.unit, total.scope, total.start, tuple([total.sums.get(name, 0) for name in FIELDS]))


class Through:
    """Reads a store as `Kept` is read, and keeps nothing."""

    def __init__(self, store: Totals) -> None:
        self._store = store

    def rows(self, units: Sequence[str], width: Width, window: Window, kind: str, zone: ZoneInfo) -> Iterable[Row]:  # noqa: ARG002
        """Return totals starting in the window."""
        return map(_lean, self._store.totals(units, width, window, kind))
