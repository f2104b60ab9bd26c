"""Which scopes each objective holds for; it must judge nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.slo.evaluation import Aimed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.inventory import Centre, Inventory, Objective

CENTRES = ("centre", "province", "district", "commune")


def aims(inventory: Inventory) -> tuple[Aimed, ...]:
    """Return every objective at every scope it holds for, by objective and scope."""
    return tuple(aimed for objective in inventory.objectives for aimed in of(objective, inventory))


def of(objective: Objective, inventory: Inventory) -> list[Aimed]:
    """Return one objective at its scopes, by scope; what is named but not declared has none."""
    word, _, ident = objective.scope.partition(":")
    if word in CENTRES:
        found = _centres(objective, inventory, word, ident)
    elif word == "system":
        found = _systems(objective, inventory, ident)
    else:
        found = _devices(objective, inventory, word, ident)
    return sorted(found, key=lambda aimed: aimed.scope)


def _own(inventory: Inventory) -> dict[str, Centre]:
    return {ident: centre for ident, centre in inventory.centres.items() if not centre.imported}


def _centres(objective: Objective, inventory: Inventory, level: str, ident: str) -> Iterator[Aimed]:
    for centre in _own(inventory).values():
        if ident in ("", centre.id) and level in ("centre", centre.level):
            heard = [d.every_ms for d in inventory.devices_of(centre.id) if d.critical and d.kind != "replay"]
            yield Aimed(objective, f"centre:{centre.id}", centre.id, centre, min(heard, default=60_000))


def _systems(objective: Objective, inventory: Inventory, ident: str) -> Iterator[Aimed]:
    for system in inventory.systems.values():
        if ident in ("", system.id):
            yield Aimed(objective, f"system:{system.id}", system.id, None, system.every_ms)


def _devices(objective: Objective, inventory: Inventory, kind: str, ident: str) -> Iterator[Aimed]:
    own = _own(inventory)
    for device in (d for d in inventory.devices.values() if d.kind != "replay"):
        if device.centre in own and ident in ("", device.id) and kind in ("device", device.kind):
            yield Aimed(objective, f"device:{device.id}", device.centre, own[device.centre], device.every_ms)
