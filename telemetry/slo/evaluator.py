"""Watches objectives while rollup works: keeps the book, judges at each mark, hands on to the alarms, makes live rows.

It must not fold and never reads raw events.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, cast

import msgspec

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.fold.live_row_types import SLO_ROW, SloNow
from telemetry.core.slo.aims import aims
from telemetry.core.slo.periods import settled_until
from telemetry.slo.objective_evaluation import Moment, judged
from telemetry.slo.rows import row
from telemetry.slo.totals_loading import fill
from telemetry.slo.totals_table import blank

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry.core.calendar.windows import Width, Window
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory
    from telemetry.core.slo.alarms import Alarms
    from telemetry.core.slo.budget import Standing
    from telemetry.core.slo.evaluation import Aimed, Judgement, Tail
    from telemetry.slo.totals_table import Book
    from telemetry.slo.watcher import Alerts
    from telemetry.store import Store

ROW_EVERY_MS = MINUTE
_UNKNOWN = (0, b"")
"""A row that nobody has written since the start."""


class NoAlerts:
    """Alarms that nobody raises."""

    def step(self, judgements: Sequence[Judgement], now: int) -> Mapping[tuple[str, str], Alarms]:
        """Return none."""
        del judgements, now
        return {}


class Watch:
    """A `Watcher` of every objective that the inventory declares."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], alerts: Alerts | None = None) -> None:
        self._store, self._inventory = store, inventory
        self._alerts: Alerts = alerts or NoAlerts()
        self._book: Book | None = None
        self._aims: tuple[Aimed, ...] = ()
        self._complete = 0
        """When everything was judged for the last time, also what raises no alarm."""
        self._tails: dict[str, Tail] = {}
        self._standing: dict[tuple[str, str], Standing] = {}
        self._rows: dict[str, tuple[int, bytes]] = {}

    def take(self, unit: str, width: Width, window: Window, totals: Sequence[Total]) -> None:
        """Keep what was written; before the first mark the book is not open yet and will read it from the store."""
        if self._book is not None:
            self._book.take(unit, width, window, totals)

    def follow(self, unit: str, tails: Mapping[str, Tail]) -> None:
        """Keep what is believed of the present."""
        del unit
        self._tails.update(tails)

    def evaluate(self, now: int, *, deaf: bool = False) -> Mapping[str, bytes]:
        """Judge at `now` (Unix ms) what raises alarms, and everything once a minute; returns rows that say news."""
        book = self._opened(now)
        complete = not 0 <= now - self._complete < ROW_EVERY_MS
        self._complete = now if complete else self._complete
        judgements = self._judge(book, [a for a in self._aims if complete or a.objective.alert], now, deaf=deaf)
        alarms = self._alerts.step(judgements, now)
        return self._fresh_rows(judgements, alarms, now)

    def judge(self, now: int) -> list[Judgement]:
        """Return all judgements at `now`."""
        return self._judge(self._opened(now), self._aims, now)

    def _judge(self, book: Book, wanted: Sequence[Aimed], now: int, *, deaf: bool = False) -> list[Judgement]:
        moment = Moment(now, settled_until(now, book.inventory.zone), self._tails, deaf=deaf)
        found = []
        for aimed in wanted:
            key = (aimed.objective.id, aimed.scope)
            before = self._standing.get(key, "no_data")
            one = judged(aimed, book.of(aimed), moment, before, book.ready[aimed.unit])
            self._standing[key] = one.status.standing
            found.append(one)
        return found

    def _opened(self, now: int) -> Book:
        """Return the book of today's inventory and today's day; what an earlier one tells is not read again."""
        inventory, book = self._inventory(), self._book
        if book is None or book.inventory is not inventory:
            self._remember()
        elif book.is_for(now):
            return book
        wanted = aims(inventory)
        fresh = blank(inventory, wanted, now)
        fill(fresh, self._store, book)
        self._book, self._aims, self._complete = fresh, wanted, 0
        return fresh

    def _remember(self) -> None:
        """Take standings, for their hysteresis, from the rows that an earlier rollup wrote; each is written anew."""
        for live in self._store.live():
            known = _decoded(live.body) if live.unit.startswith(SLO_ROW) else None
            for scope in known.scopes if known else ():
                self._rows.setdefault(live.unit.removeprefix(SLO_ROW), _UNKNOWN)
                key = (live.unit.removeprefix(SLO_ROW), scope.scope)
                self._standing.setdefault(key, cast("Standing", scope.standing))

    def _fresh_rows(
        self, judgements: Sequence[Judgement], alarms: Mapping[tuple[str, str], Alarms], now: int
    ) -> dict[str, bytes]:
        groups: dict[str, list[Judgement]] = defaultdict(list)
        for one in judgements:
            groups[one.aimed.objective.id].append(one)
        settled = settled_until(now, self._inventory().zone)
        declared = {aimed.objective.id for aimed in self._aims}
        gone = {slo: SloNow(slo=slo, at=now, settled_until=settled) for slo in self._rows if slo not in declared}
        rows = {slo: row(slo, found, alarms, settled) for slo, found in groups.items()} | gone
        fresh = {slo: r for slo, r in rows.items() if self._is_news(r, now)}
        for slo in gone:
            self._rows.pop(slo)
        return {f"{SLO_ROW}{slo}": msgspec.json.encode(r) for slo, r in fresh.items()}

    def _is_news(self, found: SloNow, now: int) -> bool:
        written, digest = self._rows.get(found.slo, _UNKNOWN)
        fresh = msgspec.json.encode([(s.scope, s.standing, [r.fired for r in s.readings]) for s in found.scopes])
        if fresh == digest and 0 <= now - written < ROW_EVERY_MS:
            return False
        self._rows[found.slo] = (now, fresh)
        return True


def _decoded(body: bytes) -> SloNow | None:
    """Return a row, None for one that another version wrote in another shape: then nothing is remembered of it."""
    try:
        return msgspec.json.decode(body, type=SloNow)
    except msgspec.DecodeError:
        return None
