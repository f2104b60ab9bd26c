"""A system's machines on OpenStack: ports, encrypted volumes, server groups, containers of objects. Pure.

It must not install anything: image and database are the vendor's; a machine with data gets a timer that calls the
image's own backup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.cloud.tenancy import LEAST_DATABASE_INSTANCES
from infra.targets.openstack.cloud.networks import earlier_names, group_name
from infra.targets.openstack.cloud.tenancy import components_with_machines
from infra.targets.openstack.cloud.user_data import machine_user_data
from infra.targets.openstack.cloud.values import CloudResource, CreatedReference, ExistingReference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan, ZonePlan
    from infra.targets.openstack.cloud.values import CloudResourceKind, CloudSettings

APART_LEVEL = 3
"""From this level two machines of a component never share a host; below it they avoid it."""
GIGABYTE = 10**9
_CREATION_PROPERTIES = ("user_data", "image_id", "block_devices")
"""What counts when a machine is made: a newer image must not replace it."""


def machine_count(system: SystemPlan, component: ComponentPlan) -> int:
    """Return the machines of a component: the least it needs; nobody adds machines by load here."""
    if component.declared.kind == "database" and system.declared.level >= APART_LEVEL:
        return max(component.declared.least, LEAST_DATABASE_INSTANCES)
    return component.declared.least


def machine_name(component: ComponentPlan, number: int) -> str:
    """Return the name of a machine in its project; numbers begin with 1."""
    return f"{component.declared.id}-{number}"


@dataclass(frozen=True, slots=True)
class _Machine:
    """One machine: its component and number in its system."""

    system: SystemPlan
    component: ComponentPlan
    number: int
    settings: CloudSettings

    @property
    def name(self) -> str:
        return machine_name(self.component, self.number)

    @property
    def labels(self) -> dict[str, str]:
        return {key.replace("/", ":"): value for key, value in self.component.labels.items()}

    @property
    def availability_zone(self) -> str:
        return self.settings.availability_zones.get(self.system.declared.site, "")

    def resource(
        self,
        kind: CloudResourceKind,
        properties: Mapping[str, object],
        *,
        lasting: bool = False,
        unchanged: tuple[str, ...] = (),
    ) -> CloudResource:
        """Return a resource of this machine: it has the machine's name, and those it had before."""
        declared, project = self.component.declared, self.system.project
        aliases = earlier_names(self.system, declared.id, f"{{}}-{self.number}")
        return CloudResource(
            kind, f"{project}/{self.name}", properties, project, lasting=lasting, unchanged=unchanged,
            aliases=aliases, declared_at=declared.declared_at,
        )  # fmt: skip


def machine_resources(plan: CloudPlan, system: SystemPlan, settings: CloudSettings) -> Iterator[CloudResource]:
    """Yield server groups, ports, volumes and machines of a system, then its containers of objects."""
    affinity = "anti-affinity" if system.declared.level >= APART_LEVEL else "soft-anti-affinity"
    for zone in system.zones:
        for component in components_with_machines(zone):
            yield CloudResource(
                "server-group", group_name(system, component.declared.id),
                {"name": component.declared.id, "policies": affinity}, system.project,
                aliases=earlier_names(system, component.declared.id), declared_at=component.declared.declared_at,
            )  # fmt: skip
            user_data = machine_user_data(plan, system, component)
            for number in range(1, machine_count(system, component) + 1):
                machine = _Machine(system, component, number, settings)
                port, volume = _port(machine, zone), _volume(machine)
                yield from (port, volume) if volume else (port,)
                yield _server(machine, port, volume, user_data)
    yield from container_resources(system)


def _port(machine: _Machine, zone: ZonePlan) -> CloudResource:
    group = group_name(machine.system, machine.component.declared.id)
    properties = {
        "name": machine.name, "network_id": CreatedReference("network", zone.namespace),
        "fixed_ips": [{"subnet_id": CreatedReference("subnet", zone.namespace)}],
        "security_group_ids": [CreatedReference("security-group", group)], "port_security_enabled": True,
    }  # fmt: skip
    return machine.resource("port", properties)


def _volume(machine: _Machine) -> CloudResource | None:
    if not machine.component.declared.disk_gb:
        return None
    properties: dict[str, object] = {
        "name": machine.name, "size": machine.component.declared.disk_gb,
        "volume_type": machine.settings.volume_type, "metadata": machine.labels,
    }  # fmt: skip
    if machine.availability_zone:
        properties["availability_zone"] = machine.availability_zone
    return machine.resource("volume", properties, lasting=True)


def _server(machine: _Machine, port: CloudResource, volume: CloudResource | None, user_data: str) -> CloudResource:
    declared, settings = machine.component.declared, machine.settings
    image = ExistingReference("image", declared.image or settings.image)
    devices: list[dict[str, object]] = [{
        "uuid": image, "source_type": "image", "destination_type": "local", "boot_index": 0,
        "delete_on_termination": True,
    }]  # fmt: skip
    if volume:
        devices.append({
            "uuid": volume.reference, "source_type": "volume", "destination_type": "volume", "boot_index": -1,
            "delete_on_termination": False,
        })  # fmt: skip
    properties: dict[str, object] = {
        "name": machine.name, "image_id": image, "flavor_name": machine.component.size.flavor,
        "networks": [{"port": port.reference}], "block_devices": devices, "config_drive": True,
        "metadata": machine.labels,
        "scheduler_hints": [{"group": CreatedReference("server-group", group_name(machine.system, declared.id))}],
    }  # fmt: skip
    optional = {
        "key_pair": settings.key_pair, "availability_zone": machine.availability_zone, "user_data": user_data,
    }  # fmt: skip
    properties |= {key: value for key, value in optional.items() if value}
    return machine.resource("machine", properties, lasting=volume is not None, unchanged=_CREATION_PROPERTIES)


def container_resources(system: SystemPlan) -> Iterator[CloudResource]:
    """Yield a container with versions for each component of objects, limited to its declared size."""
    for component in system.components:
        declared = component.declared
        if declared.kind == "objects":
            properties: dict[str, object] = {"name": declared.id, "versioning": True}
            if declared.disk_gb:
                properties["metadata"] = {"Quota-Bytes": str(declared.disk_gb * GIGABYTE)}
            yield CloudResource(
                "container", group_name(system, declared.id), properties, system.project, lasting=True,
                aliases=earlier_names(system, declared.id), declared_at=declared.declared_at,
            )  # fmt: skip
