"""Builds the components of components.csv and checks that each fits its kind, its zone and its system.

Faults go to the records; it must not judge what a level needs (instances, zones): that is policy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast, get_args

from telemetry.core.cloud.values import DATA_ZONE_KINDS, Component, ComponentKind, ComponentZone
from telemetry.inventory.cloud.hosted_systems import CLOUD_FILE, check_former_ids, check_part_of_name
from telemetry.inventory.record import AllowedKeys

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from telemetry.core.cloud.values import HostedSystem
    from telemetry.inventory.record import Record

COMPONENTS_FILE = "components.csv"
COMPONENT_KEYS = AllowedKeys(
    ("system", "id", "kind", "zone", "size", "least", "most"),
    ("disk_gb", "port", "health", "image", "was", "health_port"),
)
COMPONENT_ZONES: Mapping[ComponentKind, tuple[ComponentZone, ...]] = {
    "web": ("dmz", "server"),
    "gateway": ("dmz", "server"),
    "app": ("dmz", "server"),
    "job": ("server",),
    "cache": ("server",),
    "queue": ("server", "database"),
    "database": ("server", "database"),
    "objects": ("server", "database"),
}
"""The zones that a component of a kind may be in, whatever the level of its system."""
STORING_KINDS: frozenset[ComponentKind] = frozenset({"app"})
"""Kinds that may be in the zone database if they have a disk: a store that the platform's database cannot be."""
PORTLESS_KINDS: frozenset[ComponentKind] = frozenset({"job", "objects"})
"""Kinds that listen on no port of their own: nobody calls a job, and a bucket is in the platform's object store."""
OPERATED_KINDS: frozenset[ComponentKind] = frozenset({"database", "queue"})
"""Kinds whose ports for health and figures are those of the operator that runs them."""
MAX_INSTANCES = 100
MAX_DISK_GB = 1_000_000
_IMAGE = re.compile(r"(?=.{1,200}$)[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_HEALTH = re.compile(r"/[!-~]{0,199}")
HOSTED_REMEDY = "give the system a table [system.hosted], or name one that has it"


def build_components(
    records: list[Record], systems: Mapping[str, HostedSystem], sizes: Container[str]
) -> tuple[Component, ...]:
    """Build the components in order of the file; an id is unique in its system."""
    built = tuple(_build_component(record, sizes) for record in records)
    first: dict[str, int] = {}
    for record, component in zip(records, built, strict=True):
        check_hosted(record, "system", component.system, systems)
        line = first.setdefault(component.path, record.line)
        if line != record.line and component.id:
            record.add_fault("id", f"{component.path} is already on line {line}", "use another, or remove this one")
        siblings = [one for one in built if one.system == component.system and one.id != component.id]
        former = {old for one in siblings for old in one.was}
        in_use = {one.id for one in built if one.system == component.system}
        check_former_ids(record, component.was, in_use, former, "component")
    return built


def check_hosted(r: Record, key: str, ident: str, systems: Mapping[str, HostedSystem]) -> None:
    """Add a fault when a value names no hosted system."""
    if ident and ident not in systems and "systems" not in r.faults.unread_files:
        r.add_fault(key, f"there is no hosted system {ident!r}", HOSTED_REMEDY)


def _build_component(r: Record, sizes: Container[str]) -> Component:
    kind = cast("ComponentKind", r.choice("kind", get_args(ComponentKind)))
    zone = cast("ComponentZone", r.choice("zone", get_args(ComponentZone)))
    size = r.text("size")
    r.check_reference("size", size, sizes, "size", CLOUD_FILE)
    least, most = r.integer("least", 1, MAX_INSTANCES), r.integer("most", 1, MAX_INSTANCES)
    if least > most:
        r.add_fault("most", f"{most} is fewer than least, {least}", "write the same number, or a higher one")
    component = Component(
        r.text("system"), r.identifier("id"), kind, zone, size, least, most,
        disk_gb=r.integer("disk_gb", 0, MAX_DISK_GB, 0), port=r.integer("port", 1, 65_535, 0),
        health=r.text("health", ""), image=r.text("image", ""), was=r.text_list("was"),
        health_port=r.integer("health_port", 1, 65_535, 0), declared_at=r.declared_at,
    )  # fmt: skip
    if r.values.get("kind") == kind:
        _check_kind(r, component)
    check_part_of_name(r, "id", component.id)
    _check_texts(r, component)
    _check_health_port(r, component)
    return component


def _check_kind(r: Record, component: Component) -> None:
    kind, allowed = component.kind, COMPONENT_ZONES[component.kind]
    if kind in STORING_KINDS and component.disk_gb:
        allowed = (*allowed, "database")
    if r.values.get("zone") == component.zone and component.zone not in allowed:
        r.add_fault("zone", f"a component of kind {kind} cannot be in {component.zone}", f"use {' or '.join(allowed)}")
    if kind in DATA_ZONE_KINDS and r.values.get("disk_gb", "") in {"", "0"}:
        r.add_fault("disk_gb", f"is missing: a component of kind {kind} stores data", "write how many GB it may store")
    if kind in PORTLESS_KINDS and component.port:
        r.add_fault("port", f"a component of kind {kind} listens on none", "leave it empty")
    if kind not in PORTLESS_KINDS and r.values.get("port", "") == "":
        r.add_fault("port", f"is missing for a component of kind {kind}", "write the TCP port on which it listens")
    if kind != "objects" and not component.image:
        r.add_fault("image", f"is missing for a component of kind {kind}", "write the name of its image")


def _check_texts(r: Record, component: Component) -> None:
    if component.image and not _IMAGE.fullmatch(component.image):
        remedy = "write the name alone, as onestop/web; the digest stays in the stack file"
        r.add_fault("image", f"{component.image!r} is not the name of an image", remedy)
    if component.health and not _HEALTH.fullmatch(component.health):
        r.add_fault("health", f"{component.health!r} is not a path", "write the path that answers 200, as /healthz")
    if component.health and not component.port:
        r.add_fault("health", "cannot be asked without a port", "remove it, or write the port")


def _check_health_port(r: Record, component: Component) -> None:
    """Add a fault for a port of health that no instance could have apart from its service."""
    kind, port = component.kind, component.health_port
    if not port:
        return
    if kind in PORTLESS_KINDS:
        r.add_fault("health_port", f"a component of kind {kind} listens on none", "leave it empty")
    elif kind in OPERATED_KINDS:
        problem = f"a component of kind {kind} has that of its operator"
        r.add_fault("health_port", problem, "leave it empty")
    elif port == component.port:
        problem = f"{port} is the port of the service, too"
        r.add_fault("health_port", problem, "write a port of its own, or leave it empty")
