"""When each device had its first contact, and so who is in service: stored by entity, derived from totals once.

A first contact only ever moves back, so it survives the retention of raw events.  It must not fold: it names the hours
whose totals were folded with other service periods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window, ceil, difference, floor, intersection, merge
from telemetry.core.contacts import CONTACTS_ROW_PREFIX, ContactsNow
from telemetry.core.fold.fold import FOLD_LOOKBACK_MS
from telemetry.core.fold.live_row_types import decode_rows
from telemetry.core.in_service import (
    NEVER_IN_SERVICE,
    ServicePeriod,
    ServicePeriods,
    changed_windows,
    entity_periods,
    first_connections,
    first_contacts,
)
from telemetry.core.inventory import replay_device_of
from telemetry.core.protocol import events as ev
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory
    from telemetry.rollup.fold_faults import FoldFaults
    from telemetry.store import Store

_log = structlog.get_logger()
_EVIDENCE_FIELDS = ("up_ms", "down_ms", "conn_up_ms", "conn_down_ms", "issued", "called", "served", "probes")
"""A total with one of these was made of a report."""
_OWN = ""
"""The key, among an entity's devices, of the entity itself."""
_CONTACT = "first contact"
"""The key, among an entity's devices, of the time since its first contact; no id has a space."""


class ContactLog:
    """The contacts of every entity, and the service periods that follow; `periods` is updated in place."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], faults: FoldFaults,
        platform_since: Callable[[], int | None],
    ) -> None:  # fmt: skip
        """`platform_since` returns the time of the first platform heartbeat ever, Unix ms."""
        self._store, self._inventory_source, self._faults = store, inventory, faults
        self._platform_since = platform_since
        self._inventory: Inventory | None = None
        self._rows: dict[str, ContactsNow] = {}
        self._unwritten: set[str] = set()
        self._unchecked: set[str] = set()
        self._queued: dict[str, dict[str, tuple[int, int]]] = {}
        """By entity, the service periods whose hours `stale_hours` has returned and the caller still folds."""
        self._by_scope: dict[str, ServicePeriod] = {}
        self._connectivity: dict[str, ServicePeriod] = {}
        self._first_contacts: dict[str, ServicePeriod] = {}
        self.periods = ServicePeriods(self._by_scope, self._connectivity, self._first_contacts)

    def follow_inventory(self) -> None:
        """Read the stored contacts at first, derive missing ones, and apply the dates of a new inventory."""
        inventory = self._inventory_source()
        if inventory is self._inventory:
            return
        if self._inventory is None:
            self._rows = decode_rows(((live.entity, live.body) for live in self._store.live_rows()), ContactsNow)
        self._inventory = inventory
        self._by_scope.clear()
        self._connectivity.clear()
        self._first_contacts.clear()
        for entity in (*inventory.centres, *inventory.systems):
            if entity not in self._rows:
                self._rows[entity] = ContactsNow(entity=entity)
                with self._faults.guard(entity, "contacts"):
                    self._rows[entity] = derive_contacts(self._store, inventory, entity)
                    self._unwritten.add(entity)
            with self._faults.guard(entity, "contacts"):
                self._update_periods(entity)

    def _update_periods(self, entity: str) -> None:
        assert self._inventory is not None  # noqa: S101
        row = self._rows.get(entity)
        self._by_scope.update(entity_periods(self._inventory, entity, row))
        self._connectivity.update(first_connections(self._inventory, entity, row))
        self._first_contacts.update(first_contacts(self._inventory, entity, row))
        self._unchecked.add(entity)

    def record(self, entity: str, events: Sequence[SourcedEvent]) -> None:
        """Record who has contact in an entity's events, sorted by t; the end of a connection is no contact."""
        self.follow_inventory()
        row = self._rows.get(entity)
        if row is None:
            return
        replay = replay_device_of(entity)
        first = {s.device: s.event.t for s in reversed(events) if _is_contact(s, replay)}
        connected = {s.device: s.event.t for s in reversed(events) if _is_connection(s.event)}
        earlier, connected = (
            _earlier(times, known) for times, known in ((first, row.first), (connected, row.connected))
        )
        later = self._later_ends(row, events)
        if earlier or later or connected:
            self._rows[entity] = msgspec.structs.replace(
                row, first=row.first | earlier, last=row.last | later, connected=row.connected | connected
            )
            self._unwritten.add(entity)
            self._update_periods(entity)

    def _later_ends(self, row: ContactsNow, events: Sequence[SourcedEvent]) -> dict[str, int]:
        """Return the ends of replayed logs that these events move ahead."""
        replay = replay_device_of(row.entity)
        last = max((s.event.t for s in events if s.device == replay and _is_contact(s, replay)), default=0)
        return {replay: last} if last > row.last.get(replay, 0) else {}

    def stale_hours(self, folded: Mapping[str, Sequence[Window]], now: int) -> list[tuple[str, Window]]:
        """Return the hours up to `now` to fold again, because who is in service has changed since they were folded.

        `folded` has the windows that this pass has folded.  Hours whose raw events have expired are left as they are.
        A change's hours are returned once: while they wait to be folded, only further changes add others.
        """
        stale: dict[str, list[Window]] = {}
        for entity in sorted(self._unchecked):
            with self._faults.guard(entity, "service periods"):
                for changed_entity, windows in self._changed_hours(entity, now).items():
                    remaining = difference(windows, folded.get(changed_entity, ()))
                    if remaining:
                        stale.setdefault(changed_entity, []).extend(remaining)
                self._queued[entity] = self._present_periods(entity)
        self._unchecked.clear()
        if not stale:
            return []
        oldest = self._oldest_foldable(now)
        hours = [(entity, w) for entity, windows in sorted(stale.items()) for w in _days_of(merge(windows), oldest)]
        _log.info("service_periods_changed", entities=sorted(stale), days_folded_again=len(hours))
        return hours

    def _changed_hours(self, entity: str, now: int) -> dict[str, list[Window]]:
        folded = self._queued.get(entity, self._rows[entity].folded)
        hours: dict[str, list[Window]] = {}
        for name, window in self._windows_of(entity).items():
            before = Window(*folded[name]) if name in folded else NEVER_IN_SERVICE
            changed = [_whole_hours(w) for w in changed_windows(before, window, now)]
            for affected in (entity, *self._systems_probed_from(name)) if changed else ():
                hours.setdefault(affected, []).extend(intersection(changed, self._foldable_hours(affected, now)))
        return {affected: merge(windows) for affected, windows in hours.items()}

    def _foldable_hours(self, entity: str, now: int) -> list[Window]:
        """Return the hours since an entity's first contact or the beginning of the platform.

        The platform may have been interrupted then. Before both there is nothing to fold: all of it is unknown.
        """
        known, platform_since = [*self._rows[entity].first.values()], self._platform_since()
        known += [] if platform_since is None else [platform_since]
        return [Window(floor(min(known), HOUR), max(now, *known) + HOUR)] if known else []

    def first_contact(self, entity: str, otherwise: int) -> int:
        """Return when an entity had its first contact, Unix ms; `otherwise` when it had none, 0 when unknown."""
        row = self._rows.get(entity)
        return min(row.first.values(), default=otherwise) if row else 0

    def _systems_probed_from(self, device: str) -> list[str]:
        assert self._inventory is not None  # noqa: S101
        return [
            system.id
            for system in self._inventory.systems.values()
            if device in (system.vantage or self._rows[system.id].first)
        ]

    def _windows_of(self, entity: str) -> dict[str, Window]:
        """Return the service periods, and the time since the first contact, that have begun to exist."""
        assert self._inventory is not None  # noqa: S101
        kind = "centre" if entity in self._inventory.centres else "system"
        names = [device.id for device in self._inventory.devices_of(entity)]
        windows = {name: self.periods.window_of(Scope.device(name)) for name in names}
        windows[_OWN] = self.periods.window_of(f"{kind}:{entity}")
        if kind == "centre":
            windows[_CONTACT] = self.periods.contact_window_of(Scope.centre(entity))
        return {name: window for name, window in windows.items() if window != NEVER_IN_SERVICE}

    def _present_periods(self, entity: str) -> dict[str, tuple[int, int]]:
        return {name: (window.start, window.end) for name, window in self._windows_of(entity).items()}

    def _oldest_foldable(self, now: int) -> int:
        retention_ms = self._store.raw_retention_ms()
        return 0 if retention_ms is None else ceil(now - retention_ms + FOLD_LOOKBACK_MS, HOUR)

    def mark_folded(self) -> None:
        """Record that every hour which `stale_hours` returned is folded: a restart does not return it again."""
        for entity, folded in self._queued.items():
            if folded != self._rows[entity].folded:
                self._rows[entity] = msgspec.structs.replace(self._rows[entity], folded=folded)
                self._unwritten.add(entity)
        self._queued.clear()

    def mark_all_folded(self) -> None:
        """Record that all hours are folded with the present periods: everything was folded again."""
        self._queued |= {entity: self._present_periods(entity) for entity in self._unchecked}
        self._unchecked.clear()
        self.mark_folded()

    def changed_rows(self) -> dict[str, bytes]:
        """Return the rows to write, by their live entity; each is returned once."""
        rows = {f"{CONTACTS_ROW_PREFIX}{e}": msgspec.json.encode(self._rows[e]) for e in sorted(self._unwritten)}
        self._unwritten.clear()
        return rows


def derive_contacts(store: Store, inventory: Inventory, entity: str) -> ContactsNow:
    """Return the contacts that an entity's totals prove: a store that an earlier version filled."""
    days = store.totals([entity], "1d", Window(0, 1 << 45))
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    connected: dict[str, int] = {}
    centre = inventory.centres.get(entity)
    for day in sorted(days, key=lambda total: total.start):
        kind, ident = Scope(day.scope).kind, Scope(day.scope).id
        if not _has_evidence(day) or (kind == "desk" and not (centre and centre.imported)) or kind == "centre":
            continue
        name = replay_device_of(entity) if kind == "desk" else ident
        if name not in first:
            first[name] = _refine_start(store, day)
        if kind == "desk":
            last[name] = day.start + DAY
        if name not in connected and (day.sums.get("conn_up_ms") or day.sums.get("conn_down_ms")):
            connected[name] = max(first[name], day.start)
    return ContactsNow(entity=entity, first=first, last=last, connected=connected)


def _has_evidence(total: Total) -> bool:
    return any(total.sums.get(name) for name in _EVIDENCE_FIELDS)


def _refine_start(store: Store, day: Total) -> int:
    """Return the start of the first five minutes, or else hour, with a report on a scope's first day."""
    start, end = floor(day.start, HOUR), day.start + DAY
    widths: tuple[tuple[BucketWidth, int], ...] = (("1h", HOUR), ("5m", SLOT))
    for width, length in widths:
        rows = store.totals([day.entity], width, Window(start, end), Scope(day.scope).kind)
        starts = [row.start for row in rows if row.scope == day.scope and _has_evidence(row)]
        if not starts:
            break
        start, end = min(starts), min(starts) + length
    return start


def _earlier(times: Mapping[str, int], known: Mapping[str, int]) -> dict[str, int]:
    return {device: t for device, t in times.items() if device not in known or t < known[device]}


def _is_connection(event: ev.Event) -> bool:
    return isinstance(event, ev.DeviceContact) or (isinstance(event, ev.DeviceStatus) and event.online)


def _is_contact(s: SourcedEvent, replay: str) -> bool:
    """A replay speaks by its log alone: the server's own points have the time of the import."""
    if s.device == replay:
        return not isinstance(s.event, ev.SERVER_EVENTS)
    return not isinstance(s.event, ev.DeviceStatus) or s.event.online


def _whole_hours(window: Window) -> Window:
    return Window(floor(window.start, HOUR), ceil(window.end, HOUR))


def _days_of(windows: Iterable[Window], oldest: int) -> Iterable[Window]:
    """Cut windows into parts of a day at most, without what is before `oldest`."""
    for window in windows:
        for start in range(max(window.start, oldest), window.end, DAY):
            yield Window(start, min(start + DAY, window.end))
