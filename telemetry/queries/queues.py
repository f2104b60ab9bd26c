"""Queue load now and in the past, per centre and service; it must not read raw events."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import FIVE, Window, floor
from telemetry.core.figures.histograms import queueing
from telemetry.core.fold.totals import LEVEL_FIELDS, LEVELS_S, QUEUE_FIELDS
from telemetry.queries.buckets import Ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.histograms import Queueing
    from telemetry.core.fold.live_row_types import ServiceNow
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Centre
    from telemetry.queries.totals_cache import Totals
    from telemetry.queries.views import CentreView

Key = tuple[str, str, int]
AT_ONCE = 50
"""So many centres are read together: the totals of all at once would fill the memory."""
_ZEROS = (0,) * len(QUEUE_FIELDS)
LONGEST_MS = LEVELS_S[-1] * 1000 + FIVE
"""No ticket that has entered is decided later than this after the last 5-minute mark."""


@dataclass(frozen=True, slots=True)
class QueueNow:
    """One service's queue at one centre, now."""

    view: CentreView
    service: ServiceNow

    @property
    def today(self) -> Queueing:
        """Return today's figures."""
        return queueing(self.service.today)


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One service's figures at one centre over one bucket."""

    centre: str
    service: str
    window: Window
    zone: ZoneInfo
    figures: Queueing


@dataclass(frozen=True, slots=True)
class QueueHistory:
    """Rows by centre, service and time, over a window on 5-minute marks; `coverage` is the known share of open time."""

    window: Window
    zone: ZoneInfo
    rows: tuple[QueueRow, ...]
    coverage: float | None


def queues_now(views: Iterable[CentreView], service: str | None = None) -> list[QueueNow]:
    """Return the queues by centre and service."""
    pairs = ((view, found) for view in views for found in view.services)
    return [QueueNow(v, s) for v, s in pairs if service in (None, s.service)]


def queue_rows(
    store: Totals, centres: Sequence[Centre], ask: Ask, service: str | None, now: int
) -> tuple[QueueRow, ...]:
    """Add desk totals into buckets of each centre's own days; buckets without data give no row.

    Service levels leave out what is decided after the last 5-minute mark: until then the ticket may still be called.
    """
    rows: list[QueueRow] = []
    for zone in sorted({c.zone for c in centres}, key=str):
        local = [c.id for c in centres if c.zone == zone]
        rows.extend(_rows(store, local, Ask(ask.window, ask.bucket, zone), service, now))
    return tuple(sorted(rows, key=lambda r: (r.centre, r.service, r.window.start)))


def _rows(store: Totals, centres: Sequence[str], ask: Ask, service: str | None, now: int) -> Iterator[QueueRow]:
    buckets = ask.buckets()
    starts = [b.start for b in buckets]
    for some in (centres[i : i + AT_ONCE] for i in range(0, len(centres), AT_ONCE)):
        for (centre, name, found), row in _sums(store, some, ask, starts, now).items():
            if any(row.values()) and service in (None, name):
                yield QueueRow(centre, name, buckets[found], ask.zone, queueing(row))


def _sums(store: Totals, centres: Sequence[str], ask: Ask, starts: list[int], now: int) -> dict[Key, dict[str, int]]:
    values: dict[Key, list[tuple[int, ...]]] = defaultdict(list)
    for width, window in ask.parts():
        for total in store.totals(centres, width, window, "desk"):
            values[_key(total, starts)].append(tuple(map(total.sums.get, QUEUE_FIELDS, _ZEROS)))
    sums = {key: _added(rows) for key, rows in values.items()}
    for total in _undecided(store, centres, ask.window, now):
        row = sums[_key(total, starts)]
        row.update((name, row[name] - total.sums.get(name, 0)) for name in LEVEL_FIELDS)
    return sums


def _added(rows: list[tuple[int, ...]]) -> dict[str, int]:
    flat = list(chain.from_iterable(rows))
    return {name: sum(flat[i :: len(QUEUE_FIELDS)]) for i, name in enumerate(QUEUE_FIELDS)}


def _undecided(store: Totals, centres: Sequence[str], window: Window, now: int) -> Sequence[Total]:
    """Return the five minutes of the window in which decisions are still to come: hours and days hold them too."""
    ahead = Window(mark := floor(now, FIVE), mark + LONGEST_MS).clip(window)
    return () if ahead is None else store.totals(centres, "5m", ahead, "desk")


def _key(total: Total, starts: list[int]) -> Key:
    _, centre, service = total.scope.split(":", 2)
    return centre, service, bisect_right(starts, total.start) - 1


def empty_row(centre: Centre, service: str, ask: Ask) -> QueueRow:
    """Return the row of a named service in which nothing happened."""
    return QueueRow(centre.id, service, ask.window, centre.zone, queueing({}))
