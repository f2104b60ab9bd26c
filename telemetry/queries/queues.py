"""Queue load now and in the past, per centre and service; it must not read raw events."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.queueing import queueing
from telemetry.core.totals import QUEUE_FIELDS
from telemetry.queries.opening import Ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.inventory import Centre
    from telemetry.core.live import ServiceNow
    from telemetry.core.queueing import Queueing
    from telemetry.core.totals import Total
    from telemetry.core.windows import Window
    from telemetry.queries.views import CentreView
    from telemetry.store import Store

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class QueueNow:
    """One service's queue at one centre, now."""

    view: CentreView
    service: ServiceNow
    today: Queueing


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
    return [QueueNow(v, s, queueing(s.today)) for v, s in pairs if service in (None, s.service)]


def queue_rows(store: Store, centres: Sequence[Centre], ask: Ask, service: str | None) -> tuple[QueueRow, ...]:
    """Add desk totals into buckets of each centre's own days; buckets without data give no row."""
    rows: list[QueueRow] = []
    for zone in sorted({c.zone for c in centres}, key=str):
        local = [c.id for c in centres if c.zone == zone]
        rows.extend(_rows(store, local, Ask(ask.window, ask.bucket, zone), service))
    return tuple(sorted(rows, key=lambda r: (r.centre, r.service, r.window.start)))


def _rows(store: Store, centres: Sequence[str], ask: Ask, service: str | None) -> Iterator[QueueRow]:
    buckets = ask.buckets()
    starts = [b.start for b in buckets]
    sums: dict[Key, dict[str, int]] = {}
    for width, window in ask.parts():
        for total in store.totals(centres, width, window, "desk"):
            key = _key(total, starts)
            if service in (None, key[1]):
                _put(sums.setdefault(key, {}), total)
    for (centre, name, found), row in sums.items():
        if any(row.values()):
            yield QueueRow(centre, name, buckets[found], ask.zone, queueing(row))


def _key(total: Total, starts: list[int]) -> Key:
    _, centre, service = total.scope.split(":", 2)
    return centre, service, bisect_right(starts, total.start) - 1


def _put(row: dict[str, int], total: Total) -> None:
    for name in QUEUE_FIELDS:
        row[name] = row.get(name, 0) + total.sums.get(name, 0)


def empty_row(centre: Centre, service: str, ask: Ask) -> QueueRow:
    """Return the row of a named service in which nothing happened."""
    return QueueRow(centre.id, service, ask.window, centre.zone, queueing({}))
