"""The one rollup of a store: it folds what changed, follows presence and writes the live rows.

It must not increment anything: every pass recomputes totals from raw events, so a pass that is cut
short, repeated or run again from the start leaves the same totals.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import structlog

from telemetry.core import events as ev, fold, now, presence
from telemetry.core.fold import FOLD_VERSION, Said
from telemetry.core.inventory import System, local_day
from telemetry.core.spans import LOOK_BACK_MS, dirty
from telemetry.core.topics import parse
from telemetry.core.windows import HOUR, Window, ceil, day_window, days_in, floor, merge
from telemetry.store import STATUS_SPOOL, Batch, Change, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.inventory import Centre, Inventory
    from telemetry.mqtt import Message
    from telemetry.store import Store

_log = structlog.get_logger()
OVERLAP_US = 60_000_000
"""How far behind the cursor changes are read again: a slow writer's stamp may be older than its commit."""
CHUNK_MS = 24 * HOUR
REFRESH_MS = 30_000
"""How often every live row is made anew, so that silence shows."""


class Rollup:
    """Folds one store. `clock` gives ms; change stamps are the same clock in µs."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int]) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._done: Counter[Change] = Counter()
        self._refreshed = 0

    def run_once(self) -> int:
        """Fold what changed since the last pass; returns how many units were folded."""
        if self._store.mark("fold_version") < FOLD_VERSION:
            self.rebuild()
        self._store.reconcile()
        horizon = self._clock() * 1000
        fresh = self._fresh()
        windows: dict[str, list[Window]] = {}
        for change in fresh:
            windows.setdefault(change.unit, []).append(Window(change.start, change.end))
        for unit, parts in windows.items():
            for window in merge(parts):
                self.fold(unit, window)
        self._refresh(set(windows), horizon // 1000)
        self._done.update(fresh)
        if horizon > self._store.cursor():
            self._store.set_cursor(horizon)
        return len(windows)

    def _fresh(self) -> list[Change]:
        """Return changes not folded yet; equal ones are told apart by their number."""
        since = max(self._store.cursor() - OVERLAP_US, 0)
        found = Counter(self._store.changes(since))
        self._done = Counter({c: k for c, k in self._done.items() if c.written_at >= since})
        return list((found - self._done).elements())

    def fold(self, unit: str, window: Window) -> None:
        """Recompute all totals of a unit over whole hours."""
        for chunk in _chunks(window):
            self._fold_chunk(unit, chunk)

    def _fold_chunk(self, unit: str, window: Window) -> None:
        inventory = self._inventory()
        said = [_said(s) for s in self._store.events(unit, fold.read_window(window))]
        centre, system = inventory.centres.get(unit), inventory.systems.get(unit)
        zone = centre.zone if centre else inventory.zone
        if centre is not None:
            five = fold.fold_centre(centre, inventory.devices_of(unit), said, window)
        elif system is not None or _is_system(said):
            five = fold.fold_system(system or _bare(unit), inventory.province, said, window)
        else:
            _log.warning("unit_not_declared", unit=unit, remedy="add it to the inventory and run rollup --rebuild")
            return
        self._store.replace_totals(unit, "5m", window, five)
        hours = fold.hourly(five, _open(centre, window))
        self._store.replace_totals(unit, "1h", window, hours)
        self._fold_days(unit, centre, zone, window)

    def _fold_days(self, unit: str, centre: Centre | None, zone: ZoneInfo, window: Window) -> None:
        for day in days_in(window, zone):
            whole = day_window(day, zone)
            five = self._store.totals([unit], "5m", whole)
            totals = fold.daily(five, whole, _open(centre, whole))
            self._store.replace_totals(unit, "1d", Window(whole.start, whole.start + 1), totals)

    def rebuild(self, window: Window | None = None) -> int:
        """Fold everything that raw events still tell, or only `window`; returns how many units."""
        folded = 0
        for unit, days in self._store.extent().items():
            spoken = (Window(day.start - LOOK_BACK_MS, ceil(day.end + 2 * ev.MAX_GRACE_MS, HOUR)) for day in days)
            parts = [part for day in spoken if (part := day if window is None else day.clip(window)) is not None]
            for part in merge(parts):
                self.fold(unit, Window(floor(part.start, HOUR), ceil(part.end, HOUR)))
            folded += bool(parts)
        if window is None:
            self._store.set_mark("fold_version", FOLD_VERSION)
        return folded

    def _refresh(self, units: set[str], moment: int) -> None:
        """Write the live rows of changed units, and of all from time to time."""
        inventory = self._inventory()
        if moment - self._refreshed >= REFRESH_MS:
            self._refreshed = moment
            units = {*inventory.centres, *inventory.systems}
        rows = {unit: row for unit in sorted(units) if (row := self._live(inventory, unit, moment)) is not None}
        if rows:
            self._store.put_live(rows)

    def _live(self, inventory: Inventory, unit: str, moment: int) -> bytes | None:
        centre, system = inventory.centres.get(unit), inventory.systems.get(unit)
        if centre is not None:
            start = day_window(local_day(moment, centre.zone), centre.zone).start
            said = self._said(unit, Window(start - ev.MAX_GRACE_MS, moment + 1))
            return msgspec.json.encode(now.centre_now(centre, inventory.devices_of(unit), said, moment, start))
        if system is not None:
            said = self._said(unit, Window(moment - ev.MAX_GRACE_MS, moment + 1))
            return msgspec.json.encode(now.system_now(system, said, moment))
        return None

    def _said(self, unit: str, window: Window) -> list[Said]:
        return [_said(s) for s in self._store.events(unit, window)]

    def follow(self, messages: Iterable[Message]) -> None:
        """Store births and deaths from `…/state`, timed by our clock: a Will carries no time."""
        moment = self._clock()
        stored = [s for message in messages if (s := _status(message, moment)) is not None]
        if not stored:
            return
        inventory = self._inventory()
        known = [s for s in stored if inventory.knows(s.centre, s.device)]
        changes = [Change(*cell) for cell in dirty((s.centre, s.event) for s in known)]
        self._store.append(Batch(moment * 1000, known, changes))


def _said(stored: Stored) -> Said:
    return Said(stored.device, stored.spool, stored.event)


def _is_system(said: Sequence[Said]) -> bool:
    return any(isinstance(s.event, ev.ProbeResult | ev.ConnectorStats) for s in said)


def _bare(unit: str) -> System:
    return System(unit, unit, unit, "undeclared")


def _open(centre: Centre | None, window: Window) -> list[Window] | None:
    """A digital system has no opening hours: None means always open."""
    return centre.open_windows(window) if centre is not None else None


def _chunks(window: Window) -> Iterator[Window]:
    start = window.start
    while start < window.end:
        end = min(start + CHUNK_MS, window.end)
        yield Window(start, end)
        start = end


def _status(message: Message, moment: int) -> Stored | None:
    topic = parse(message.topic)
    told = presence.decode(message.payload)
    if topic is None or topic.channel != "state" or told is None:
        return None
    digest = int.from_bytes(hashlib.blake2b(told.sid.encode(), digest_size=6).digest())
    event = ev.DeviceStatus(n=2 * digest + 1 + told.online, t=moment, online=told.online, sid=told.sid)
    return Stored(topic.centre, topic.device, STATUS_SPOOL, event)
