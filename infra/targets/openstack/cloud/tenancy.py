"""A system's tenancy on OpenStack: its project, its agencies' roles, the program's credential, its quotas. Pure.

It must not name an agency or a level in anything but a role assignment: both change while names stay.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.cloud.tenancy import instances_of
from infra.targets.openstack.cloud.exposures import balancer_listeners
from infra.targets.openstack.cloud.group_rules import group_rules
from infra.targets.openstack.cloud.values import CloudResource, CreatedReference, ExistingReference, ProgramUser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan, ZonePlan
    from telemetry.core.cloud.values import ComponentSize

SCS_FLAVOR = re.compile(r"SCS-(\d+)[VTLC]i?-(\d+(?:\.\d+)?)")
"""Processors and memory (GiB) in a flavor's name by SCS standard 0100."""
DEFAULT_GROUP_RULES = 4
"""Rules of the group `default`, which Neutron gives every project: out over IPv4 and IPv6, in from itself."""
RULES_OF_NEW_GROUP = 2
"""Rules that a new group has until they are deleted: out over IPv4 and IPv6."""
NAME_SERVER_PORTS = 2
"""Ports that Neutron's agents may have in a network for addresses and names."""
BALANCER_PORTS = 3
"""Octavia's ports of one balancer in a network: its address, and a pair of machines."""
OWNER_ROLE, OPERATOR_ROLE, PROGRAM_ROLE = "reader", "member", "member"


@dataclass(frozen=True, slots=True)
class MachineCapacity:
    """What one machine takes of a quota: whole processors, memory in MB."""

    cores: int
    memory_mb: int


def machine_capacity(size: ComponentSize) -> MachineCapacity:
    """Return what a machine of a size takes: what its flavor's name says, else the size with whole processors."""
    named = SCS_FLAVOR.match(size.flavor)
    if named:
        return MachineCapacity(int(named[1]), math.ceil(float(named[2]) * 1024))
    return MachineCapacity(max(1, math.ceil(size.cpu_millicores / 1000)), size.memory_mb)


def components_with_machines(zone: ZonePlan) -> tuple[ComponentPlan, ...]:
    """Return a zone's components that run on machines: all but containers of objects."""
    return tuple(one for one in zone.components if one.declared.kind != "objects")


def agency_group_name(plan: CloudPlan, agency: str) -> str:
    """Return the name of an agency's group: each stage has its own, since stages may share a cloud."""
    return f"{agency}-{plan.stage}"


def agency_groups(plan: CloudPlan) -> tuple[CloudResource, ...]:
    """Return the group of each agency that has a role in a project; who is in it, the agency's directory says."""
    agencies = {agency for system in plan.systems for agency in (system.declared.owner, system.declared.operator)}
    groups = []
    for agency in sorted(agencies & plan.declaration.agencies.keys()):
        name = agency_group_name(plan, agency)
        properties = {"name": name, "description": plan.declaration.agencies[agency].name_en}
        groups.append(CloudResource("agency-group", name, properties, lasting=True))
    return tuple(groups)


def tenancy_resources(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudResource]:
    """Yield project, role assignments, quotas and the program's credential of a system."""
    name, at = system.project, system.declared.declared_at
    project = CreatedReference("project", name)
    yield CloudResource(
        "project", name,
        {"name": name, "description": f"hosted system {system.id}", "tags": _tags(system.labels)},
        lasting=True, aliases=tuple(one for one in system.aliases if one != name), declared_at=at,
    )  # fmt: skip
    roles = (("owner", system.declared.owner, OWNER_ROLE), ("operator", system.declared.operator, OPERATOR_ROLE))
    for purpose, agency, role in roles:
        if agency in plan.declaration.agencies:
            properties: dict[str, object] = {
                "project_id": project, "group_id": CreatedReference("agency-group", agency_group_name(plan, agency)),
                "role_id": ExistingReference("role", role),
            }  # fmt: skip
            yield CloudResource("role-assignment", f"{name}/{purpose}", properties, declared_at=at)
    program = {"project_id": project, "user_id": ProgramUser(), "role_id": ExistingReference("role", PROGRAM_ROLE)}
    yield CloudResource("role-assignment", f"{name}/program", program, declared_at=at)
    yield from quota_resources(plan, system)
    credential = {"name": f"motcua-{name}", "roles": [PROGRAM_ROLE], "unrestricted": False}
    yield CloudResource("application-credential", name, credential, project=name, declared_at=at)


def _tags(labels: Mapping[str, str]) -> list[str]:
    """Return labels as tags of Keystone, which allow no slash and no comma."""
    return [f"{name.replace('/', ':')}={value}" for name, value in sorted(labels.items())]


def quota_resources(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudResource]:
    """Yield the quotas of a project: what is declared, and a roll-out; nothing else fits."""
    limits_by_kind: Mapping[str, Mapping[str, int]] = {
        "compute": _compute_limits(system), "network": _network_limits(plan, system),
        "volume": _volume_limits(system), "balancer": _balancer_limits(plan, system),
    }  # fmt: skip
    project = CreatedReference("project", system.project)
    for kind in ("compute", "network", "volume", "balancer"):
        yield CloudResource(
            f"{kind}-quota",  # type: ignore[arg-type] # each is a kind
            system.project, {"project_id": project, **limits_by_kind[kind]},
            declared_at=system.declared.declared_at,
        )  # fmt: skip


def _compute_limits(system: SystemPlan) -> dict[str, int]:
    """Return processors, memory and machines: the most of each component, and in each zone the largest once more."""
    cores = memory_mb = groups = 0
    for zone in system.zones:
        components = components_with_machines(zone)
        sizes = [(machine_capacity(one.size), instances_of(system.declared, one.declared)) for one in components]
        cores += sum(size.cores * count for size, count in sizes) + max((size.cores for size, _ in sizes), default=0)
        memory_mb += sum(size.memory_mb * count for size, count in sizes)
        memory_mb += max((size.memory_mb for size, _ in sizes), default=0)
        groups += len(components)
    instances = sum(zone.quota.instances for zone in system.zones)
    return {
        "cores": cores, "ram": memory_mb, "instances": instances, "server_groups": groups,
        "server_group_members": instances, "key_pairs": 1,
    }  # fmt: skip


def _network_limits(plan: CloudPlan, system: SystemPlan) -> dict[str, int]:
    zones = [zone for zone in system.zones if components_with_machines(zone)]
    listeners = balancer_listeners(plan, system)
    called = {listener.component for listener in listeners}
    with_balancer = sum(any(one.declared.id in called for one in zone.components) for zone in zones)
    subnets = len(zones) + with_balancer
    groups = sum(len(components_with_machines(zone)) for zone in zones)
    instances = sum(zone.quota.instances for zone in system.zones)
    balancer_ports = BALANCER_PORTS * (with_balancer + 1) if listeners else 0
    rules = len(group_rules(plan, system)) + DEFAULT_GROUP_RULES + RULES_OF_NEW_GROUP * groups
    return {
        "network": len(zones), "subnet": subnets, "router": 1 if zones else 0,
        "port": instances + subnets + NAME_SERVER_PORTS * len(zones) + balancer_ports,
        "security_group": groups + 1, "security_group_rule": rules,
        "floatingip": 1 if any(one.outside for one in listeners) else 0, "rbac_policy": 0, "subnetpool": 0,
    }  # fmt: skip


def _volume_limits(system: SystemPlan) -> dict[str, int]:
    with_disk = [one for one in system.components if one.declared.disk_gb and one.declared.kind != "objects"]
    counts = {one.declared.id: instances_of(system.declared, one.declared) for one in with_disk}
    return {
        "volumes": sum(counts.values()),
        "gigabytes": sum(one.declared.disk_gb * counts[one.declared.id] for one in with_disk),
        "per_volume_gigabytes": max((one.declared.disk_gb for one in with_disk), default=0),
    }


def _balancer_limits(plan: CloudPlan, system: SystemPlan) -> dict[str, int]:
    listeners = balancer_listeners(plan, system)
    most = {one.declared.id: instances_of(system.declared, one.declared) for one in system.components}
    return {
        "loadbalancer": 1 if listeners else 0, "listener": len(listeners), "pool": len(listeners),
        "health_monitor": len(listeners), "member": sum(most[listener.component] for listener in listeners),
    }  # fmt: skip
