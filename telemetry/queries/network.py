"""Everything there is at one moment: the inventory, the live rows and imported centres; finds things by id. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from telemetry.core.inventory import ALWAYS, Centre
from telemetry.queries.errors import BadScope, Unknown
from telemetry.queries.views import CentreView, SystemView, view_centre

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.fold.live_row_types import CentreNow
    from telemetry.core.inventory import Inventory
    from telemetry.queries.buckets import Held
    from telemetry.queries.snapshot import Snapshot
    from telemetry.queries.views import DeviceView


@dataclass(frozen=True, slots=True)
class Scope:
    """What availability is asked of: the totals' kind and names, and each unit's centre or calendar."""

    label: str
    kind: str
    names: frozenset[str]
    calendars: dict[str, Held]
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class World:
    """The declared and the observed at `now`."""

    inventory: Inventory
    snapshot: Snapshot
    now: int

    def declared(self) -> list[CentreView]:
        """Return the inventory's centres by id."""
        return [self.view(c) for _, c in sorted(self.inventory.centres.items()) if not c.imported]

    def imported(self) -> list[CentreView]:
        """Return the centres that only an imported log knows, by id."""
        return sorted((self.view(c) for c in self._imported()), key=lambda v: v.centre.id)

    def views(self) -> list[CentreView]:
        """Return all centres by id."""
        return sorted((*self.declared(), *self.imported()), key=lambda v: v.centre.id)

    def centres(self) -> list[Centre]:
        """Return all centres' declarations by id."""
        own = (c for c in self.inventory.centres.values() if not c.imported)
        return sorted((*own, *self._imported()), key=lambda c: c.id)

    def _imported(self) -> Iterator[Centre]:
        yield from (c for c in self.inventory.centres.values() if c.imported)
        for ident, row in sorted(self.snapshot.centres.items()):
            if ident not in self.inventory.centres and row.declared:
                yield imported_centre(row, self.inventory.zone)

    def view(self, centre: Centre) -> CentreView:
        """Join a centre's declaration with its live row."""
        declared = self.inventory.devices_of(centre.id)
        return view_centre(centre, declared, self.snapshot.centres.get(centre.id), self.now)

    def centre(self, ident: str) -> Centre:
        """Find a centre, declared or imported."""
        found = self.inventory.centres.get(ident)
        if found is not None:
            return found
        row = self.snapshot.centres.get(ident)
        if row is None or not row.declared:
            kind = "centre"
            raise Unknown(kind, ident)
        return imported_centre(row, self.inventory.zone)

    def device(self, ident: str) -> DeviceView:
        """Find a device, declared or only heard at a centre."""
        declared = self.inventory.devices.get(ident)
        owners = [declared.centre] if declared else [c.id for c in self.centres() if ident.startswith(c.id + "-")]
        for owner in owners:
            for view in self.view(self.centre(owner)).devices:
                if view.now.id == ident:
                    return view
        kind = "device"
        raise Unknown(kind, ident)

    def systems(self) -> list[SystemView]:
        """Return the digital systems by id."""
        return [self.system(ident) for ident in sorted(self.inventory.systems)]

    def system(self, ident: str) -> SystemView:
        """Find a digital system."""
        if ident not in self.inventory.systems:
            kind = "system"
            raise Unknown(kind, ident)
        return SystemView(self.inventory.systems[ident], self.snapshot.systems.get(ident), self.now)

    def scope(self, text: str) -> Scope:
        """Read a scope; a province or the country is the sum of its declared centres."""
        kind, _, ident = text.partition(":")
        if kind == "centre" and ident:
            return of_centres(text, [self.centre(ident)])
        if kind == "device" and ident:
            owner = self.centre(self.device(ident).centre)
            return Scope(text, "device", frozenset({text}), {owner.id: owner}, owner.zone)
        if kind == "system" and ident:
            self.system(ident)
            calendar = self.inventory.systems[ident].calendar(self.inventory.zone)
            return Scope(text, "system", frozenset({text}), {ident: calendar}, self.inventory.zone)
        return self._wide(text, kind, ident)

    def _wide(self, text: str, kind: str, ident: str) -> Scope:
        if text == "country":
            own = [c for c in self.inventory.centres.values() if not c.imported]
            return of_centres(text, own, self.inventory.zone)
        if kind != "province" or not ident:
            raise BadScope(text)
        chosen = [c for c in self.inventory.centres.values() if c.province == ident and not c.imported]
        if not chosen and ident != self.inventory.province:
            raise Unknown(kind, ident)
        return of_centres(text, chosen, self.inventory.zone)


def of_centres(label: str, centres: list[Centre], zone: ZoneInfo | None = None) -> Scope:
    """Return the scope that is the sum of some centres."""
    names = frozenset(f"centre:{c.id}" for c in centres)
    return Scope(label, "centre", names, {c.id: c for c in centres}, zone or centres[0].zone)


def imported_centre(row: CentreNow, zone: ZoneInfo) -> Centre:
    """Return the centre an imported log declares: open round the clock, in the log's zone, in no province."""
    declared = row.declared or {}
    name = declared.get("name_en", row.centre)
    return Centre(
        id=row.centre,
        unit="",
        level="commune",
        name_vi=declared.get("name_vi", name),
        name_en=name,
        province="",
        parent="",
        counters=0,
        hours=ALWAYS,
        services=tuple(s.service for s in row.services),
        zone=_zone(declared.get("zone", ""), zone),
        imported=True,
    )


def _zone(name: str, otherwise: ZoneInfo) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name else otherwise
    except (ZoneInfoNotFoundError, ValueError):
        return otherwise
