"""When a centre, device or system is in service: from its declared day or first contact to its declared end. Pure.

Time outside is excluded with the reason `not_in_service`.  Time counts in whole slots: from the first 5-minute mark at
or after a first contact, so that nobody is charged for the minutes before it.  It must read no store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from telemetry.core.calendar.calendar_values import END_OF_TIME_MS
from telemetry.core.calendar.windows import SLOT, Window, ceil
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.contacts import ContactsNow
    from telemetry.core.inventory import Centre, Device, Inventory, System

ServicePhase = Literal["awaiting", "planned", "in_service", "retired"]
"""`awaiting` its first contact, `planned` to begin later, in service, or ended."""
ALWAYS_IN_SERVICE: Final = Window(0, END_OF_TIME_MS)
NEVER_IN_SERVICE: Final = Window(0, 0)
NOT_IN_SERVICE: Final = "not_in_service"
"""The cause of excluded time outside the service period."""


@dataclass(frozen=True, slots=True)
class ServicePeriod:
    """In service over [start, end), Unix ms; `start` is None before a first contact, `end` None without an end."""

    start: int | None = 0
    end: int | None = None

    @property
    def window(self) -> Window:
        """Return the whole slots of the period, in which time counts; NEVER_IN_SERVICE when there are none."""
        return _window(None if self.start is None else ceil(self.start, SLOT), self.end and ceil(self.end, SLOT))

    @property
    def live_window(self) -> Window:
        """Return the period to the millisecond, for the present state: it shows from the first contact on."""
        return _window(self.start, self.end)

    def phase_at(self, now: int) -> ServicePhase:
        """Return the phase at `now` (Unix ms)."""
        if self.end is not None and now >= self.end:
            return "retired"
        if self.start is None:
            return "awaiting"
        return "planned" if now < self.start else "in_service"


def _window(start: int | None, end: int | None) -> Window:
    end = END_OF_TIME_MS if end is None else end
    return NEVER_IN_SERVICE if start is None or start >= end else Window(start, end)


ALWAYS: Final = ServicePeriod()


@dataclass(frozen=True)
class ServicePeriods:
    """The service period of every declared scope; what is not declared is always in service.

    `connectivity` has the scopes whose connection counts from a later time than their service: the first connection.
    `first_contacts` has the centres whose contacts are recorded: from the first one on, silence may prove a dead link.
    """

    by_scope: Mapping[str, ServicePeriod] = field(default_factory=lambda: MappingProxyType({}))
    connectivity: Mapping[str, ServicePeriod] = field(default_factory=lambda: MappingProxyType({}))
    first_contacts: Mapping[str, ServicePeriod] = field(default_factory=lambda: MappingProxyType({}))

    def period_of(self, scope: str) -> ServicePeriod:
        """Return the period of `centre:ID`, `device:ID` or `system:ID`."""
        return self.by_scope.get(scope, ALWAYS)

    def window_of(self, scope: str) -> Window:
        """Return when a scope's time counts: whole slots."""
        period = self.by_scope.get(scope)
        return ALWAYS_IN_SERVICE if period is None else period.window

    def connectivity_window_of(self, scope: str) -> Window:
        """Return when a scope's connection counts: in service, and from its first connection on."""
        period = self.connectivity.get(scope)
        window = self.window_of(scope)
        return window if period is None else window.clip(period.window) or NEVER_IN_SERVICE

    def contact_window_of(self, scope: str) -> Window:
        """Return from when contact with a centre was possible, to the millisecond: from the first contact on."""
        return self.first_contacts.get(scope, ALWAYS).live_window

    def live_window_of(self, scope: str) -> Window:
        """Return when a scope's state shows, to the millisecond."""
        return self.period_of(scope).live_window


ALL_IN_SERVICE: Final = ServicePeriods()


def covers(in_service: Window, window: Window) -> bool:
    """Return whether all of a window is in service."""
    return in_service.start <= window.start and window.end <= in_service.end


def service_periods(inventory: Inventory, contacts: Mapping[str, ContactsNow]) -> ServicePeriods:
    """Join declared dates with the contacts observed, by entity.

    An entity without a record of contacts (a store that an earlier version filled) is in service unless dates say
    otherwise; one whose record is empty never had contact.
    """
    by_scope: dict[str, ServicePeriod] = {}
    connectivity: dict[str, ServicePeriod] = {}
    contacts_of_centres: dict[str, ServicePeriod] = {}
    for entity in {**inventory.centres, **inventory.systems, **contacts}:
        by_scope.update(entity_periods(inventory, entity, contacts.get(entity)))
        connectivity.update(first_connections(inventory, entity, contacts.get(entity)))
        contacts_of_centres.update(first_contacts(inventory, entity, contacts.get(entity)))
    return ServicePeriods(by_scope, connectivity, contacts_of_centres)


def first_contacts(inventory: Inventory, entity: str, contacts: ContactsNow | None) -> dict[str, ServicePeriod]:
    """Return the time since the first contact with any device of a centre, without those that replay logs."""
    if entity not in inventory.centres or contacts is None:
        return {}
    own = [d.id for d in inventory.devices_of(entity) if d.kind != "replay"]
    first = min((contacts.first[ident] for ident in own if ident in contacts.first), default=None)
    return {str(Scope.centre(entity)): ServicePeriod(first)}


def first_connections(inventory: Inventory, entity: str, contacts: ContactsNow | None) -> dict[str, ServicePeriod]:
    """Return from when the connections of a centre and its devices count, of those without a declared day."""
    centre = inventory.centres.get(entity)
    if centre is None or contacts is None:
        return {}
    own = [d for d in inventory.devices_of(entity) if d.kind != "replay"]
    starts = {d.id: d.declared_period.start for d in own}
    connected = {ident: contacts.connected.get(ident) if start is None else start for ident, start in starts.items()}
    periods = {Scope.device(ident): ServicePeriod(connected[ident]) for ident, day in starts.items() if day is None}
    if centre.declared_period.start is None:
        first = min((start for start in connected.values() if start is not None), default=None)
        periods[Scope.centre(entity)] = ServicePeriod(first)
    return {str(scope): period for scope, period in periods.items()}


def entity_periods(inventory: Inventory, entity: str, contacts: ContactsNow | None) -> dict[str, ServicePeriod]:
    """Return the periods of a centre and its devices, or of a system, by scope; `contacts` as in `service_periods`.

    A centre that no inventory declares is that of an imported log.
    """
    if entity in inventory.centres:
        return _centre_periods(inventory.centres[entity], inventory.devices_of(entity), contacts)
    if entity in inventory.systems:
        return {Scope.system(entity): _system_period(inventory.systems[entity], contacts)}
    if contacts is None or not contacts.last:
        return {}
    start, end = min(contacts.first.values(), default=None), max(contacts.last.values())
    return {Scope.centre(entity): ServicePeriod(start, end)}


def _centre_periods(
    centre: Centre, devices: Iterable[Device], contacts: ContactsNow | None
) -> dict[str, ServicePeriod]:
    """A centre without dates is in service from its first device's start; a replay counts only when it is alone."""
    periods = {device.id: _device_period(device, centre, contacts) for device in devices}
    own = [device for device in devices if device.kind != "replay"] or list(devices)
    starts = [start for device in own if (start := periods[device.id].start) is not None]
    ends = [periods[device.id].end for device in own]
    start, end = centre.declared_period.start, centre.declared_period.end
    if start is None:
        start = 0 if contacts is None else min(starts, default=None)
    if end is None and ends and all(e is not None for e in ends):
        end = max(e for e in ends if e is not None)
    return {
        Scope.centre(centre.id): ServicePeriod(start, end),
        **{Scope.device(ident): period for ident, period in periods.items()},
    }


def _device_period(device: Device, centre: Centre, contacts: ContactsNow | None) -> ServicePeriod:
    """A device is in service within its centre's dates; a replay's device is, over the range of its log."""
    start, end = device.declared_period.start, device.declared_period.end
    if start is None:
        start = 0 if contacts is None else contacts.first.get(device.id)
    if start is not None and centre.declared_period.start is not None:
        start = max(start, centre.declared_period.start)
    if device.kind == "replay" and contacts is not None and end is None:
        end = contacts.last.get(device.id)
    if end is None or (centre.declared_period.end is not None and centre.declared_period.end < end):
        end = centre.declared_period.end if centre.declared_period.end is not None else end
    return ServicePeriod(start, end)


def _system_period(system: System, contacts: ContactsNow | None) -> ServicePeriod:
    start = system.declared_period.start
    if start is None:
        start = 0 if contacts is None else min(contacts.first.values(), default=None)
    return ServicePeriod(start, system.declared_period.end)


def is_checked(check_at: int, in_service: Window) -> bool:
    """Return whether a day's readiness counts: the centre was in service from its opening, five minutes before."""
    return in_service.start <= check_at - SLOT and check_at < in_service.end


@dataclass(frozen=True, slots=True)
class Membership:
    """Who is in service over a window."""

    window: Window
    members: tuple[str, ...]


def memberships(names: Iterable[str], in_service: Mapping[str, Window], span: Window) -> list[Membership]:
    """Cut `span` where a member's service begins or ends; usually that is one part.

    The first part reaches back without limit and the last one ahead, because a report may be valid beyond the span.
    """
    windows = {name: in_service.get(name, ALWAYS_IN_SERVICE) for name in names}
    edges = {edge for w in windows.values() for edge in (w.start, w.end) if span.start < edge < span.end}
    starts = [span.start, *sorted(edges)]
    ends = [*starts[1:], END_OF_TIME_MS]
    return [
        Membership(
            Window(0 if index == 0 else start, end),
            tuple(name for name, w in windows.items() if w.start <= start < w.end),
        )
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def changed_windows(before: Window, after: Window, until: int) -> list[Window]:
    """Return the time up to `until` that is in service in one of the windows alone."""
    edges = sorted({t for w in (before, after) for t in (w.start, min(w.end, until)) if t <= until})
    parts = [Window(start, end) for start, end in pairwise(edges)]
    return [p for p in parts if covers(before, p) != covers(after, p)]
