"""Which scopes each objective holds for; it must judge nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.slo.evaluation import ScopedObjective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.inventory import Centre, Inventory, Objective

CENTRE_LEVELS = ("centre", "province", "district", "commune")


def scoped_objectives(inventory: Inventory) -> tuple[ScopedObjective, ...]:
    """Return every objective at every scope it holds for, by objective and scope."""
    return tuple(scoped for objective in inventory.objectives for scoped in scopes_of(objective, inventory))


def scopes_of(objective: Objective, inventory: Inventory) -> list[ScopedObjective]:
    """Return one objective at its scopes, by scope; what is named but not declared has none."""
    scope_kind, _, ident = objective.scope.partition(":")
    if scope_kind in CENTRE_LEVELS:
        targets_of_kind = _centre_objectives(objective, inventory, scope_kind, ident)
    elif scope_kind == "system":
        targets_of_kind = _system_objectives(objective, inventory, ident)
    else:
        targets_of_kind = _device_objectives(objective, inventory, scope_kind, ident)
    return sorted(targets_of_kind, key=lambda scoped: scoped.scope)


def _own_centres(inventory: Inventory) -> dict[str, Centre]:
    return {ident: centre for ident, centre in inventory.centres.items() if not centre.imported}


def _centre_objectives(objective: Objective, inventory: Inventory, level: str, ident: str) -> Iterator[ScopedObjective]:
    for centre in _own_centres(inventory).values():
        if ident in ("", centre.id) and level in ("centre", centre.level):
            report_intervals = [
                d.every_ms for d in inventory.devices_of(centre.id) if d.critical and d.kind != "replay"
            ]
            yield ScopedObjective(
                objective, f"centre:{centre.id}", centre.id, centre, min(report_intervals, default=60_000)
            )


def _system_objectives(objective: Objective, inventory: Inventory, ident: str) -> Iterator[ScopedObjective]:
    for system in inventory.systems.values():
        if ident in ("", system.id):
            yield ScopedObjective(objective, f"system:{system.id}", system.id, None, system.every_ms)


def _device_objectives(objective: Objective, inventory: Inventory, kind: str, ident: str) -> Iterator[ScopedObjective]:
    own_centres = _own_centres(inventory)
    for device in (d for d in inventory.devices.values() if d.kind != "replay"):
        if device.centre in own_centres and ident in ("", device.id) and kind in ("device", device.kind):
            yield ScopedObjective(
                objective, f"device:{device.id}", device.centre, own_centres[device.centre], device.every_ms
            )
