"""Adds totals of a scope into buckets on the open or the wall clock; it must not read raw events."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal, Protocol

from telemetry.core.calendar.windows import FIVE, HOUR, Window, day_window, floor
from telemetry.core.figures.accounting import Account, account
from telemetry.core.inventory import local_day
from telemetry.core.slo.periods import settled_until
from telemetry.queries.buckets import Openings
from telemetry.queries.publication import Note, month, note
from telemetry.queries.totals_cache import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Width
    from telemetry.core.figures.accounting import Unknown
    from telemetry.core.inventory import Published
    from telemetry.queries.buckets import Ask, Opening
    from telemetry.queries.network import Scope
    from telemetry.queries.totals_cache import Row

Clock = Literal["open", "wall"]
Sli = Literal["service", "connectivity"]
"""Did it serve people, or did we hear from it."""
Values = list[tuple[int, ...]]
_NAMES: dict[Sli, tuple[str, ...]] = {
    "service": ("up_ms", "down_ms", "platform_ms", "cap_low_ms", "cap_high_ms"),
    "connectivity": ("conn_up_ms", "conn_down_ms", "conn_platform_ms"),
}


class Reader(Protocol):
    """Where totals come from; `zone` says whose days the window is made of."""

    def rows(self, units: Sequence[str], width: Width, window: Window, kind: str, zone: ZoneInfo) -> Iterable[Row]:
        """Return totals starting in the window."""


@dataclass(frozen=True, slots=True)
class Manner:
    """On which clock time is counted, and what of.

    `published` holds what was published; `staffed` are the centres with critical counters or kiosks.
    """

    clock: Clock = "open"
    sli: Sli = "service"
    published: Mapping[tuple[str, str, str], Published] = field(default_factory=dict)
    staffed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Uptime:
    """A scope's accounts by bucket, over a window on 5-minute marks; `notes` go with the rows, one each."""

    scope: str
    window: Window
    zone: ZoneInfo
    rows: tuple[tuple[Window, Account], ...]
    whole: Account
    unknown: Unknown = "exclude"
    notes: tuple[Note, ...] = ()
    settled_until: int = 0


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums of one bucket, ms; `lost` and `told` are of centres with counters: the platform's time, and cells there are.

    A cell that was never folded says nothing of its counters: all of them may have worked.
    """

    up: int = 0
    down: int = 0
    platform: int = 0
    low: int = 0
    high: int = 0
    lost: int = 0
    told: int = 0

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class _Lengths:
    """How much of each bucket is open, is left out, and is open where there are counters, ms over all units."""

    open: list[int]
    out: list[int]
    staffed: list[int]


def uptime(
    reader: Reader, scope: Scope, ask: Ask, manner: Manner, now: int, openings: Openings | None = None
) -> Uptime:
    """Account for each bucket up to the last 5-minute mark; time nobody reported on is unknown.

    The running five minutes are left out: a report speaks a little ahead, and would hide what is unknown.
    `openings` keeps what calendars say about windows.
    """
    past = [_past(bucket, now) for bucket in ask.buckets()]
    found = openings or Openings()
    sums = _add(reader, scope, ask, manner, now, found)
    lengths = _measure(scope, ask.window, past, manner, found)
    accounts = [_account(s, total, out) for s, total, out in zip(sums, lengths.open, lengths.out, strict=True)]
    settled = settled_until(now, ask.zone)
    return Uptime(
        scope.label, ask.window, ask.zone, tuple(zip(ask.buckets(), accounts, strict=True)),
        _account(_all(sums), sum(lengths.open), sum(lengths.out)),
        notes=tuple(_notes(scope, ask, manner, accounts, _capacities(sums, lengths), settled)),
        settled_until=settled,
    )  # fmt: skip


def _notes(
    scope: Scope, ask: Ask, manner: Manner, accounts: list[Account],
    capacities: list[tuple[float, float] | None], settled: int,
) -> Iterable[Note]:  # fmt: skip
    for bucket, found, capacity in zip(ask.buckets(), accounts, capacities, strict=True):
        yield note(bucket, found, _published(scope, bucket, ask.zone, manner), settled, capacity)


def _published(scope: Scope, bucket: Window, zone: ZoneInfo, manner: Manner) -> Published | None:
    """Return what was published of the bucket: of whole local months, on the open clock, of service."""
    if not manner.published or (manner.clock, manner.sli) != ("open", "service"):
        return None
    return manner.published.get((month(bucket, zone), scope.label, ""))


def _account(sums: _Sums, total: int, out: int) -> Account:
    """Take the time our own platform was down out of what is in scope."""
    return account(max(0, total - sums.platform), sums.up, sums.down, out + sums.platform)


def _all(sums: list[_Sums]) -> _Sums:
    return sum(sums, _Sums())


def _capacities(sums: list[_Sums], lengths: _Lengths) -> list[tuple[float, float] | None]:
    return [_capacity(s, staffed) for s, staffed in zip(sums, lengths.staffed, strict=True)]


def _capacity(sums: _Sums, staffed: int) -> tuple[float, float] | None:
    whole, untold = staffed - sums.lost, max(0, staffed - sums.told)
    if whole <= 0:
        return None
    return min(1.0, sums.low / whole), min(1.0, (sums.high + untold) / whole)


def _add(reader: Reader, scope: Scope, ask: Ask, manner: Manner, now: int, openings: Openings) -> list[_Sums]:
    """Add the totals of the past into the buckets."""
    known, starts = replace(ask, window=_past(ask.window, now)), [bucket.start for bucket in ask.buckets()]
    sums, units = [_Sums()] * len(starts), sorted(scope.calendars)
    staffed = _staffed(scope, manner)
    counters = _opening_of(scope, ask.window, manner.clock, openings, staffed)
    for width, window in known.parts() if units else []:
        rows = list(reader.rows(units, width, window, scope.kind, known.zone))
        for place, told in _told(rows, starts, (width, known.zone), counters).items():
            sums[place] += _Sums(told=told)
        opened, columns = _opened(scope, window, width, manner.clock, openings), _columns(manner, width)
        for place, (rest, counted) in _placed(rows, starts, scope.names, opened, staffed).items():
            sums[place] += _summed(columns, rest, counted)
    return sums


def _told(
    rows: Iterable[Row], starts: list[int], cells: tuple[Width, ZoneInfo], counters: Mapping[str, Opening]
) -> dict[int, int]:
    """Return by bucket how much open time of centres with counters lies in cells that have a row, ms."""
    kept = {id(opened): opened for opened in counters.values()}
    shared = {unit: id(opened) for unit, opened in counters.items()}
    seen = Counter((shared[row.unit], row.start) for row in rows if row.unit in shared)
    found: dict[int, int] = defaultdict(int)
    for (key, start), times in seen.items():
        found[bisect_right(starts, start) - 1] += times * kept[key].open_ms(_cell(start, *cells))
    return found


def _cell(start: int, width: Width, zone: ZoneInfo) -> Window:
    if width == "1d":
        return day_window(local_day(start, zone), zone)
    return Window(start, start + (HOUR if width == "1h" else FIVE))


def _placed(
    rows: Iterable[Row],
    starts: list[int],
    names: frozenset[str],
    opened: dict[str, Opening] | None,
    staffed: frozenset[str],
) -> dict[int, tuple[Values, Values]]:
    """Sort rows by bucket, those of centres with counters apart; made to allocate next to nothing for each row."""
    found: dict[int, tuple[Values, Values]] = defaultdict(lambda: ([], []))
    places: dict[int, tuple[Values, Values]] = {}
    for row in rows:
        if row.scope not in names or (opened and not opened[row.unit].is_open(row.start)):
            continue
        into = places.get(row.start)
        if into is None:
            into = places[row.start] = found[bisect_right(starts, row.start) - 1]
        into[row.unit in staffed].append(row.values)
    return found


def _summed(columns: Sequence[int], rest: Values, counted: Values) -> _Sums:
    without, having = _totals(columns, rest), _totals(columns, counted)
    up, down, platform = (without[i] + having[i] for i in range(3))
    return _Sums(up, down, platform, having[3], having[4], having[2])


def _totals(columns: Sequence[int], values: Values) -> list[int]:
    flat = list(chain.from_iterable(values))
    return [sum(flat[i :: len(FIELDS)]) for i in columns] + [0] * (5 - len(columns))


def _columns(manner: Manner, width: Width) -> list[int]:
    """Return which sums count: five-minute totals know no calendar."""
    prefix = "open_" if manner.clock == "open" and width != "5m" else ""
    return [FIELDS.index(prefix + name) for name in _NAMES[manner.sli]]


def _opened(scope: Scope, window: Window, width: Width, clock: Clock, openings: Openings) -> dict[str, Opening] | None:
    """Return what is open in each unit where totals know no calendar: five minutes are open or not."""
    if clock == "wall" or width != "5m":
        return None
    return {unit: openings.of(held, window) for unit, held in scope.calendars.items()}


def _opening_of(
    scope: Scope, window: Window, clock: Clock, openings: Openings, units: Iterable[str]
) -> dict[str, Opening]:
    """Return when the clock runs in each of the units."""
    return {u: openings.of(scope.calendars[u] if clock == "open" else None, window) for u in units}


def _staffed(scope: Scope, manner: Manner) -> frozenset[str]:
    """Return the scope's centres whose capacity can be told."""
    if (scope.kind, manner.sli) != ("centre", "service"):
        return frozenset()
    return manner.staffed.intersection(scope.calendars)


def _measure(scope: Scope, window: Window, past: list[Window], manner: Manner, openings: Openings) -> _Lengths:
    calendars = {unit: held if manner.clock == "open" else None for unit, held in scope.calendars.items()}
    opened = _opening_of(scope, window, manner.clock, openings, calendars)
    out = [openings.out(held, window) for held in calendars.values()]
    staffed = [opened[unit] for unit in _staffed(scope, manner)]
    return _Lengths(_lengths(opened.values(), past), _lengths(out, past), _lengths(staffed, past))


def _lengths(openings: Iterable[Opening], windows: list[Window]) -> list[int]:
    """Return the ms of each window that are open, over all units; units that share an opening are reckoned once."""
    kept = list(openings)
    found, shared = {id(o): o for o in kept}, Counter(map(id, kept))
    return [sum(found[key].open_ms(window) * times for key, times in shared.items()) for window in windows]


def _past(window: Window, now: int) -> Window:
    return Window(window.start, max(window.start, min(window.end, floor(now, FIVE))))
