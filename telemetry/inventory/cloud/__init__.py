"""Builds what an inventory declares of the province's own cloud, from its files and the tables `[system.hosted]`.

Faults go to the folder; it must not judge a level or any other rule of the policy, and must not write a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.cloud.values import CloudDeclaration
from telemetry.inventory.cloud import surroundings
from telemetry.inventory.cloud.addresses import (
    LOCK_FILE,
    LOCK_KEYS,
    build_lock,
    build_zone_networks,
    check_overlaps,
    check_slots,
    line_of,
)
from telemetry.inventory.cloud.agencies import AGENCIES_FILE, AGENCY_KEYS, build_agencies
from telemetry.inventory.cloud.components import COMPONENT_KEYS, COMPONENTS_FILE, build_components
from telemetry.inventory.cloud.flows import FLOW_KEYS, FLOWS_FILE, DeclaredEnds, build_flows
from telemetry.inventory.cloud.hosted_systems import CLOUD_FILE, build_hosted_systems, has_hosted_systems

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory
    from telemetry.inventory.files import InventoryFolder, TomlDocument

__all__ = ["build_cloud"]

SYSTEMS_FILE = "systems.toml"
NEEDED_FILES = (AGENCIES_FILE, COMPONENTS_FILE, FLOWS_FILE, CLOUD_FILE)
"""Files that an inventory has together; the lock is written afterwards."""


def build_cloud(folder: InventoryFolder, systems_doc: TomlDocument, inventory: Inventory) -> CloudDeclaration:
    """Build the declaration, empty when nothing is hosted; `inventory` has units, centres, devices and systems.

    `systems_doc` is systems.toml, of which only the tables `hosted` are read.
    """
    has_hosted = has_hosted_systems(systems_doc)
    if not has_hosted and not any((folder.path / name).exists() for name in (*NEEDED_FILES, LOCK_FILE)):
        return CloudDeclaration()
    _check_files(folder, has_hosted=has_hosted)
    doc = folder.read_toml(CLOUD_FILE)
    doc.record(surroundings.CLOUD_KEYS)
    agencies = build_agencies(folder.read_csv(AGENCIES_FILE, AGENCY_KEYS), inventory.units)
    sites, sizes, peers = surroundings.build_sites(doc), surroundings.build_sizes(doc), surroundings.build_peers(doc)
    platform = surroundings.build_platform(doc)
    systems = build_hosted_systems(systems_doc, inventory.systems, agencies, sites)
    components = build_components(folder.read_csv(COMPONENTS_FILE, COMPONENT_KEYS), systems, sizes)
    by_path = {component.path: component for component in components}
    zone_networks = build_zone_networks(doc, sites)
    check_overlaps(doc, zone_networks, peers, platform)
    declaration = CloudDeclaration(
        agencies=agencies, systems=systems, components=components,
        flows=build_flows(folder.read_csv(FLOWS_FILE, FLOW_KEYS), DeclaredEnds(systems, by_path, peers, platform)),
        sites=sites, zone_networks=zone_networks, sizes=sizes, peers=peers, platform=platform,
        logs=surroundings.build_logs(doc), backups=surroundings.build_backups(doc, sites),
        drills=surroundings.build_drills(doc, systems), protections=surroundings.build_protections(doc),
        exceptions=surroundings.build_exceptions(doc, agencies, systems, by_path),
        ground=surroundings.build_ground(doc), prices=surroundings.build_prices(doc),
        lock=build_lock(folder.read_csv(LOCK_FILE, LOCK_KEYS), systems),
    )  # fmt: skip
    check_slots(doc, declaration)
    _check_components(folder, declaration)
    _check_derived_ids(folder, declaration, inventory)
    return declaration


def _check_files(folder: InventoryFolder, *, has_hosted: bool) -> None:
    """Add a fault for each file that is missing beside the others."""
    present = [name for name in (*NEEDED_FILES, LOCK_FILE) if (folder.path / name).exists()]
    for name in NEEDED_FILES:
        if name in present:
            continue
        beside = "systems.toml has hosted systems" if has_hosted else f"{present[0]} is there"
        remedy = "add it (docs/reference/hosted-systems.md), or remove what is declared of the province's own cloud"
        folder.add_fault(name, 1, "file", f"is missing, though {beside}", remedy)
        folder.faults.unread_files.add(name.partition(".")[0])


def _check_components(folder: InventoryFolder, declaration: CloudDeclaration) -> None:
    """Add a fault for each hosted system without a component."""
    if "components" in folder.faults.unread_files:
        return
    for ident, system in declaration.systems.items():
        if not declaration.components_of(ident):
            remedy = f"declare what runs for it in {COMPONENTS_FILE}, or remove the table"
            folder.add_fault(SYSTEMS_FILE, line_of(system.declared_at), "hosted", f"{ident} has no component", remedy)


def _check_derived_ids(folder: InventoryFolder, declaration: CloudDeclaration, inventory: Inventory) -> None:
    """Add a fault for each id that a vantage point in the cloud, or a part of a hosted system, may have."""
    cloud = f"{inventory.province}-cloud"
    parts = tuple(f"{system}--" for system in declaration.systems)
    declared = {"centres.csv": inventory.centres, "devices.csv": inventory.devices, SYSTEMS_FILE: inventory.systems}
    for name, idents in declared.items():
        for ident in idents:
            if ident == cloud or ident.startswith((f"{cloud}-", *parts)):
                problem = f"{ident!r} is for a vantage point in the province's cloud, or for a part of a hosted system"
                folder.add_fault(name, 1, "id", problem, "use another id")
