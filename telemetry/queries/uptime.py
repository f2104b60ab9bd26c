"""Adds up/down totals of a scope into buckets on the open or the wall clock; it must not read raw events."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from telemetry.core.accounting import account
from telemetry.core.windows import FIVE, Window, floor
from telemetry.queries.opening import Openings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from telemetry.core.accounting import Account, Unknown
    from telemetry.core.totals import Total
    from telemetry.queries.opening import Ask, Opening
    from telemetry.queries.world import Scope
    from telemetry.store import Store

Clock = Literal["open", "wall"]


@dataclass(frozen=True, slots=True)
class Uptime:
    """A scope's accounts by bucket, over a window on 5-minute marks."""

    scope: str
    window: Window
    zone: ZoneInfo
    rows: tuple[tuple[Window, Account], ...]
    whole: Account
    unknown: Unknown = "exclude"


@dataclass(frozen=True, slots=True)
class _Sums:
    up: list[int]
    down: list[int]


def uptime(store: Store, scope: Scope, ask: Ask, clock: Clock, now: int) -> Uptime:
    """Account for each bucket up to the last 5-minute mark; time nobody reported on is unknown.

    The running five minutes are left out: a report speaks a little ahead, and would hide what is unknown.
    """
    known = replace(ask, window=_past(ask.window, now))
    buckets = ask.buckets()
    starts = [b.start for b in buckets]
    openings, out = _openings(scope, ask, clock)
    sums = _Sums([0] * len(buckets), [0] * len(buckets))
    for total in _totals(store, scope, known):
        found = bisect_right(starts, total.start) - 1
        up, down = _of(total, clock, openings[total.unit])
        sums.up[found] += up
        sums.down[found] += down
    past = [_past(bucket, now) for bucket in buckets]
    in_scope, excluded = _lengths(openings, past), _lengths(out, past)
    rows = tuple(zip(buckets, map(account, in_scope, sums.up, sums.down, excluded), strict=True))
    whole = account(sum(in_scope), sum(sums.up), sum(sums.down), sum(excluded))
    return Uptime(scope.label, ask.window, ask.zone, rows, whole)


def _openings(scope: Scope, ask: Ask, clock: Clock) -> tuple[dict[str, Opening], dict[str, Opening]]:
    """Return what is open in each unit, and the regular hours that its open clock leaves out."""
    known = Openings(ask.window)
    centres = {unit: centre if clock == "open" else None for unit, centre in scope.calendars.items()}
    return (
        {unit: known.of(centre) for unit, centre in centres.items()},
        {unit: known.out(centre) for unit, centre in centres.items()},
    )


def _totals(store: Store, scope: Scope, ask: Ask) -> Iterator[Total]:
    units = sorted(scope.calendars)
    for width, window in ask.parts() if units else []:
        yield from (t for t in store.totals(units, width, window, scope.kind) if t.scope in scope.names)


def _of(total: Total, clock: Clock, opening: Opening) -> tuple[int, int]:
    if clock == "wall" or total.scope.startswith("system:"):
        return total.sums.get("up_ms", 0), total.sums.get("down_ms", 0)
    if total.width != "5m":
        return total.sums.get("open_up_ms", 0), total.sums.get("open_down_ms", 0)
    if not opening.is_open(total.start):
        return 0, 0
    return total.sums.get("up_ms", 0), total.sums.get("down_ms", 0)


def _lengths(openings: dict[str, Opening], windows: list[Window]) -> list[int]:
    """Return the ms of each window that are open, over all units; units that share an opening are reckoned once."""
    shared = Counter(id(o) for o in openings.values())
    distinct = [(o, shared[id(o)]) for o in {id(o): o for o in openings.values()}.values()]
    return [sum(opening.open_ms(window) * times for opening, times in distinct) for window in windows]


def _past(window: Window, now: int) -> Window:
    return Window(window.start, max(window.start, min(window.end, floor(now, FIVE))))
