"""What `cloud.lock` lacks: address slots and physical names for new zones of systems. Pure.

It only appends: a slot or name that is once given never changes and is never given again, not even after its system
is gone. A renamed system (`was`) has the entries of its earlier id.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from infra.plan.cloud.least_level import refusal_clause
from infra.plan.cloud.tenancy import ZONE_ORDER
from telemetry.core.cloud.address_slots import FIRST_SLOT, slot_count
from telemetry.core.cloud.physical_names import first_id, lock_entry, short_name, zone_name
from telemetry.core.cloud.values import LockEntry
from telemetry.errors import ConfigError, Fault, declaration_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.config.options import StackOptions
    from telemetry.core.cloud.values import CloudDeclaration, ComponentZone, HostedSystem

LOCK_FILE = "cloud.lock"


def extended_lock(declaration: CloudDeclaration) -> tuple[LockEntry, ...]:
    """Return the lock with an entry for each declared zone, sorted; those that it has stay as they are.

    Raises ConfigError when the lock contradicts itself, or a zone's network has no room for another system.
    """
    faults = list(lock_faults(declaration))
    if faults:
        raise ConfigError(faults)
    extended = declaration
    for _, system in sorted(declaration.systems.items()):
        for zone in zones_without_entry(declaration, system):
            entry = _new_entry(extended, system, zone)
            extended = replace(extended, lock=(*extended.lock, entry))
            faults += _room_faults(declaration, system, entry)
    if faults:
        raise ConfigError(faults)
    return tuple(sorted(extended.lock))


def missing_entries(declaration: CloudDeclaration) -> tuple[LockEntry, ...]:
    """Return the entries that the lock lacks, sorted. Raises ConfigError as `extended_lock` does."""
    return tuple(entry for entry in extended_lock(declaration) if entry not in declaration.lock)


def lock_faults(declaration: CloudDeclaration) -> Iterator[Fault]:
    """Yield what no lock may hold: a slot or name of two systems, an earlier id that another system has."""
    names_by_slot: dict[tuple[str, int], set[str]] = defaultdict(set)
    slots_by_name: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for entry in declaration.lock:
        names_by_slot[entry.zone, entry.slot].add(entry.name)
        slots_by_name[entry.name].add((entry.zone, entry.slot))
    remedy = "restore the file from version control; only `motcua cloud lock` writes it"
    for (zone, slot), names in sorted(names_by_slot.items()):
        if len(names) > 1:
            yield Fault(
                LOCK_FILE, 0, "slot", f"slot {slot} of {zone} has two names: {', '.join(sorted(names))}", remedy
            )
    for name, slots in sorted(slots_by_name.items()):
        if len(slots) > 1:
            yield Fault(LOCK_FILE, 0, "name", f"{name} has {len(slots)} slots", remedy)
    for _, system in sorted(declaration.systems.items()):
        for ident in sorted({*system.was} & {*declaration.systems}):
            problem = f"{ident} is the earlier id of {system.id} and the id of another system"
            yield Fault("systems.toml", 0, "was", problem, "give the other system an id that was never used")


def zones_without_entry(declaration: CloudDeclaration, system: HostedSystem) -> list[ComponentZone]:
    """Return the zones of a system that the lock lacks, in order; none of a system that no shared cloud may host."""
    if refusal_clause(system):
        return []
    used = {component.zone for component in declaration.components_of(system.id)}
    return [zone for zone in ZONE_ORDER if zone in used and lock_entry(declaration, system, zone) is None]


def needs_lock(options: StackOptions) -> bool:
    """Return whether a stack's part needs every entry: the ground does where agents reach components by address."""
    return options.cloud.part == "hosted" or options.target != "kubernetes"


def entry_faults(declaration: CloudDeclaration) -> list[Fault]:
    """Return a fault for each system of which the lock lacks a zone, sorted.

    Nothing is rendered or deployed without its entry: a slot and a name that are not written down could be given to
    another system later.
    """
    faults = []
    for system in declaration.systems.values():
        zones = zones_without_entry(declaration, system)
        if zones:
            problem = f"{LOCK_FILE} has no entry for zone {', '.join(zones)}"
            remedy = f"run `motcua cloud lock` and commit {LOCK_FILE}"
            faults.append(declaration_fault(system.declared_at, "systems.toml", system.id, problem, remedy))
    return sorted(faults)


def _new_entry(declaration: CloudDeclaration, system: HostedSystem, zone: ComponentZone) -> LockEntry:
    name = _free_name(zone_name(first_id(declaration, system), zone), {entry.name for entry in declaration.lock})
    return LockEntry(system.id, zone, _free_slot(declaration, system, zone), name)


def _free_slot(declaration: CloudDeclaration, system: HostedSystem, zone: ComponentZone) -> int:
    """Return the slot that the system has in its other zones if nobody has it here, else the next one of all zones."""
    taken = {entry.slot for entry in declaration.lock if entry.zone == zone}
    own = [entry.slot for entry in declaration.lock if entry.system in {system.id, *system.was}]
    free = [slot for slot in sorted(own) if slot not in taken]
    return free[0] if free else max((entry.slot for entry in declaration.lock), default=FIRST_SLOT - 1) + 1


def _free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return the wanted name, or one that no earlier system had."""
    names, number = set(taken), 1
    name = wanted
    while name in names:
        number += 1
        name = short_name(wanted, str(number))
    return name


def _room_faults(declaration: CloudDeclaration, system: HostedSystem, entry: LockEntry) -> Iterator[Fault]:
    for network in declaration.zone_networks:
        if network.zone == entry.zone and network.site == system.site and entry.slot >= slot_count(network.cidr):
            problem = f"{network.cidr} of zone {entry.zone} at site {network.site} has no slot {entry.slot}"
            file, _, line = network.declared_at.partition(":")
            remedy = f"declare a larger network that holds the present one, for {system.id}"
            yield Fault(file or "cloud.toml", int(line or 0), "cidr", problem, remedy)
