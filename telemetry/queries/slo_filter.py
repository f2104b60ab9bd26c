"""Which objectives at which places are asked for: by district, level, kind of place, indicator and state. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from telemetry.core.administrative_tree import is_within
from telemetry.core.inventory import AdministrativeLevel, SliKind
from telemetry.core.scope import Scope
from telemetry.queries.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.fold.live_row_types import SloState
    from telemetry.core.inventory import Inventory, Objective
    from telemetry.queries.slos import ScopedSlo

PlaceKind = Literal["centre", "device", "system"]
PLACE_KINDS: tuple[PlaceKind, ...] = get_args(PlaceKind)
LEVELS: tuple[AdministrativeLevel, ...] = get_args(AdministrativeLevel)
SLI_KINDS: tuple[SliKind, ...] = get_args(SliKind)
_DEVICE_SCOPES = frozenset({"device", "gateway", "kiosk", "display", "tablet", "counter", "host"})


def place_kind(objective: Objective) -> PlaceKind:
    """Return whether an objective is about centres, devices or systems."""
    kind = objective.scope.partition(":")[0]
    return "device" if kind in _DEVICE_SCOPES else "system" if kind == "system" else "centre"


def centre_of_scope(scope: str, inventory: Inventory) -> str:
    """Return the centre of a centre's or device's scope, empty for a system."""
    place = Scope(scope)
    if place.kind == "device":
        device = inventory.devices.get(place.id)
        return "" if device is None else device.centre
    return place.id if place.kind == "centre" else ""


def check_unit(code: str, inventory: Inventory) -> str:
    """Return the code of a unit that is declared; raises NotFound."""
    if code not in inventory.units:
        raise NotFound(code, "unit")
    return code


@dataclass(frozen=True, slots=True)
class SloFilter:
    """What is asked for; None narrows nothing. `district` is the code of a unit, `objective` an id."""

    objective: str | None = None
    status: SloState | None = None
    sli: SliKind | None = None
    kind: PlaceKind | None = None
    district: str | None = None
    level: AdministrativeLevel | None = None

    def includes_objective(self, objective: Objective) -> bool:
        """Return whether an objective is asked for, wherever it applies."""
        kind = place_kind(objective)
        return (
            self.objective in {None, objective.id} and self.sli in {None, objective.sli} and self.kind in {None, kind}
        )

    def narrow(self, slos: Iterable[ScopedSlo], inventory: Inventory) -> list[ScopedSlo]:
        """Return the objectives at places that are asked for, in their order."""
        return [
            slo
            for slo in slos
            if self.status in {None, slo.slo_state}
            and self.includes_objective(slo.objective)
            and self._includes_place(slo.scope, inventory)
        ]

    def _includes_place(self, scope: str, inventory: Inventory) -> bool:
        if self.district is None and self.level is None:
            return True
        centre = inventory.centres.get(centre_of_scope(scope, inventory))
        if centre is None:
            return False
        in_district = self.district is None or is_within(centre.unit, self.district, inventory)
        return in_district and self.level in {None, centre.level}
