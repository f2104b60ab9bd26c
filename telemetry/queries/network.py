"""Everything there is at one moment: the inventory, the live rows and imported centres; finds things by id. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from telemetry.core.inventory import ALWAYS_OPEN, Centre
from telemetry.queries.errors import BadScope, NotFound
from telemetry.queries.views import CentreView, SystemView, build_centre_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.fold.live_row_types import CentreNow
    from telemetry.core.inventory import Inventory
    from telemetry.queries.buckets import CalendarSource
    from telemetry.queries.snapshot import Snapshot
    from telemetry.queries.views import DeviceView


@dataclass(frozen=True, slots=True)
class QueryScope:
    """What availability is asked of: the totals' kind and names, and each unit's centre or calendar."""

    label: str
    kind: str
    names: frozenset[str]
    calendars: dict[str, CalendarSource]
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class NetworkView:
    """The declared and the observed at `now`."""

    inventory: Inventory
    snapshot: Snapshot
    now: int

    def declared_centres(self) -> list[CentreView]:
        """Return the inventory's centres by id."""
        return [self.centre_view(c) for _, c in sorted(self.inventory.centres.items()) if not c.imported]

    def imported_centres(self) -> list[CentreView]:
        """Return the centres that only an imported log knows, by id."""
        return sorted((self.centre_view(c) for c in self._imported_declarations()), key=lambda v: v.centre.id)

    def centre_views(self) -> list[CentreView]:
        """Return all centres by id."""
        return sorted((*self.declared_centres(), *self.imported_centres()), key=lambda v: v.centre.id)

    def centres(self) -> list[Centre]:
        """Return all centres' declarations by id."""
        declared = (c for c in self.inventory.centres.values() if not c.imported)
        return sorted((*declared, *self._imported_declarations()), key=lambda c: c.id)

    def _imported_declarations(self) -> Iterator[Centre]:
        yield from (c for c in self.inventory.centres.values() if c.imported)
        for ident, row in sorted(self.snapshot.centres.items()):
            if ident not in self.inventory.centres and row.declared:
                yield build_imported_centre(row, self.inventory.zone)

    def centre_view(self, centre: Centre) -> CentreView:
        """Join a centre's declaration with its live row."""
        declared = self.inventory.devices_of(centre.id)
        return build_centre_view(centre, declared, self.snapshot.centres.get(centre.id), self.now)

    def centre(self, ident: str) -> Centre:
        """Find a centre, declared or imported."""
        declared = self.inventory.centres.get(ident)
        if declared is not None:
            return declared
        row = self.snapshot.centres.get(ident)
        if row is None or not row.declared:
            kind = "centre"
            raise NotFound(kind, ident)
        return build_imported_centre(row, self.inventory.zone)

    def device(self, ident: str) -> DeviceView:
        """Find a device, declared or only heard at a centre."""
        declared = self.inventory.devices.get(ident)
        owners = [declared.centre] if declared else [c.id for c in self.centres() if ident.startswith(c.id + "-")]
        for owner in owners:
            for view in self.centre_view(self.centre(owner)).devices:
                if view.now.id == ident:
                    return view
        kind = "device"
        raise NotFound(kind, ident)

    def systems(self) -> list[SystemView]:
        """Return the digital systems by id."""
        return [self.system(ident) for ident in sorted(self.inventory.systems)]

    def system(self, ident: str) -> SystemView:
        """Find a digital system."""
        if ident not in self.inventory.systems:
            kind = "system"
            raise NotFound(kind, ident)
        return SystemView(self.inventory.systems[ident], self.snapshot.systems.get(ident), self.now)

    def parse_scope(self, text: str) -> QueryScope:
        """Read a scope; a province or the country is the sum of its declared centres."""
        kind, _, ident = text.partition(":")
        if kind == "centre" and ident:
            return scope_of_centres(text, [self.centre(ident)])
        if kind == "device" and ident:
            owner = self.centre(self.device(ident).centre)
            return QueryScope(text, "device", frozenset({text}), {owner.id: owner}, owner.zone)
        if kind == "system" and ident:
            self.system(ident)
            calendar = self.inventory.systems[ident].calendar(self.inventory.zone)
            return QueryScope(text, "system", frozenset({text}), {ident: calendar}, self.inventory.zone)
        return self._multi_centre_scope(text, kind, ident)

    def _multi_centre_scope(self, text: str, kind: str, ident: str) -> QueryScope:
        if text == "country":
            declared = [c for c in self.inventory.centres.values() if not c.imported]
            return scope_of_centres(text, declared, self.inventory.zone)
        if kind != "province" or not ident:
            raise BadScope(text)
        in_province = [c for c in self.inventory.centres.values() if c.province == ident and not c.imported]
        if not in_province and ident != self.inventory.province:
            raise NotFound(kind, ident)
        return scope_of_centres(text, in_province, self.inventory.zone)


def scope_of_centres(label: str, centres: list[Centre], zone: ZoneInfo | None = None) -> QueryScope:
    """Return the scope that is the sum of some centres."""
    names = frozenset(f"centre:{c.id}" for c in centres)
    return QueryScope(label, "centre", names, {c.id: c for c in centres}, zone or centres[0].zone)


def build_imported_centre(row: CentreNow, zone: ZoneInfo) -> Centre:
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
        hours=ALWAYS_OPEN,
        services=tuple(s.service for s in row.services),
        zone=_zone_or_default(declared.get("zone", ""), zone),
        imported=True,
    )


def _zone_or_default(name: str, default: ZoneInfo) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name else default
    except (ZoneInfoNotFoundError, ValueError):
        return default
