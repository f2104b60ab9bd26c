"""Watches objectives while rollup works: keeps the book, judges at each mark, hands on to the alarms, makes live rows.

It must not fold and never reads raw events.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, cast

import msgspec

from telemetry.core.inventory import local_day
from telemetry.core.live import SloNow
from telemetry.core.slo.aims import aims
from telemetry.core.windows import DAY, MINUTE, day_window
from telemetry.slo.book import blank, recut
from telemetry.slo.judging import Moment, judged
from telemetry.slo.rows import row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.core.slo.alarms import Alarms
    from telemetry.core.slo.budget import Standing
    from telemetry.core.slo.judgement import Aimed, Judgement, Tail
    from telemetry.core.totals import Total
    from telemetry.core.windows import Width, Window
    from telemetry.slo.book import Book
    from telemetry.slo.watcher import Alerts
    from telemetry.store import Store

SETTLE_MS = 7 * DAY
"""Time so long ago is settled: what is still unknown then counts as the objective says (slo.md 2.3)."""
ROW_EVERY_MS = MINUTE
PREFIX = "slo:"


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

    def evaluate(self, now: int) -> Mapping[str, bytes]:
        """Judge everything at `now` (Unix ms); returns the live rows that say something new, each once a minute."""
        judgements = self.judge(now)
        alarms = self._alerts.step(judgements, now)
        return self._fresh_rows(judgements, alarms, now)

    def judge(self, now: int) -> list[Judgement]:
        """Return all judgements at `now`."""
        book = self._opened(now)
        moment = Moment(now, settled_until(now, book.inventory), self._tails)
        found = []
        for aimed in self._aims:
            key = (aimed.objective.id, aimed.scope)
            before = self._standing.get(key, "no_data")
            one = judged(aimed, book.of(aimed), moment, before, book.ready[f"centre:{aimed.unit}"])
            self._standing[key] = one.status.standing
            found.append(one)
        return found

    def _opened(self, now: int) -> Book:
        inventory, book = self._inventory(), self._book
        if book is None or book.inventory is not inventory:
            self._remember()
            self._aims = aims(inventory)
            book = blank(inventory, self._aims, now)
            book.load(self._store)
            book.load_readiness(self._store)
        elif book.today != local_day(now, inventory.zone):
            book = recut(book, self._aims, now, self._store)
        self._book = book
        return book

    def _remember(self) -> None:
        """Take standings, for their hysteresis, from the rows that an earlier rollup wrote."""
        for live in self._store.live():
            if live.unit.startswith(PREFIX):
                known = msgspec.json.decode(live.body, type=SloNow)
                self._rows.setdefault(known.slo, (0, live.body))
                for scope in known.scopes:
                    self._standing.setdefault((known.slo, scope.scope), cast("Standing", scope.standing))

    def _fresh_rows(
        self, judgements: Sequence[Judgement], alarms: Mapping[tuple[str, str], Alarms], now: int
    ) -> dict[str, bytes]:
        groups: dict[str, list[Judgement]] = defaultdict(list)
        for one in judgements:
            groups[one.aimed.objective.id].append(one)
        settled = settled_until(now, self._inventory())
        gone = {slo: SloNow(slo=slo, at=now, settled_until=settled) for slo in self._rows if slo not in groups}
        rows = {slo: row(slo, found, alarms, settled) for slo, found in groups.items()} | gone
        fresh = {slo: r for slo, r in rows.items() if self._is_news(r, now)}
        for slo in gone:
            self._rows.pop(slo)
        return {f"{PREFIX}{slo}": msgspec.json.encode(r) for slo, r in fresh.items()}

    def _is_news(self, found: SloNow, now: int) -> bool:
        written, digest = self._rows.get(found.slo, (0, b""))
        fresh = msgspec.json.encode([(s.scope, s.standing, [r.fired for r in s.readings]) for s in found.scopes])
        if fresh == digest and now - written < ROW_EVERY_MS:
            return False
        self._rows[found.slo] = (now, fresh)
        return True


def settled_until(now: int, inventory: Inventory) -> int:
    """Return the local midnight before which everything is settled, Unix ms."""
    return day_window(local_day(now - SETTLE_MS, inventory.zone), inventory.zone).start
