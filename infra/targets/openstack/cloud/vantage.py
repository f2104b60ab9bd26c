"""The agents inside the cloud on OpenStack: a machine each in the platform's project, with its group and outbox. Pure.

It must not choose what is dialled: the plan does. Groups of systems are in other projects, so rules here name networks;
each component's own group names this machine's address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from infra.host.systemd_units import ETC, STATE_FOLDER, UNITS_FOLDER, HostLayout, device_units, system_users
from infra.plan.cloud.vantage_points import planned_vantage_points
from infra.targets.openstack.cloud.addresses import (
    platform_network_name,
    site_network,
    vantage_address,
    vantage_site,
    zone_subnets,
)
from infra.targets.openstack.cloud.group_rules import remote_networks
from infra.targets.openstack.cloud.tenancy import DEFAULT_GROUP_RULES, PROGRAM_ROLE, RULES_OF_NEW_GROUP
from infra.targets.openstack.cloud.values import CloudResource, CreatedReference, ExistingReference, ProgramUser
from infra.templates import render_template, render_yaml
from telemetry.core.cloud.address_slots import slot_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint
    from infra.targets.openstack.cloud.values import CloudSettings

HEADER: Final = "# Written by `pulumi up` for an agent inside the province's cloud."
FIRST_BOOT: Final = "usr/local/sbin/motcua-agent-first-boot"
OUTBOX_GB: Final = 1
PLATFORM_RULES: Final = 100
"""Rules for whatever else runs in the platform's project, as the machines of a cluster: Neutron's default."""
HOST_SERVICES: Final = ("time", "registry")
"""What a machine needs beside its probes: a clock, and packages at its first boot."""
_CREATION_PROPERTIES: Final = ("user_data", "image_id", "block_devices")


@dataclass(frozen=True, slots=True, order=True)
class VantageRule:
    """A rule by which an agent's machine calls out: protocol, port, network of the other end."""

    protocol: Literal["tcp", "udp"]
    port: int
    network: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an agent's machine is: its id, the platform's project, the network and the address."""

    device: str
    project: str
    network: CreatedReference
    subnet: CreatedReference
    address: str


def vantage_resources(
    plan: CloudPlan, settings: CloudSettings, project: str, router: str, agents: Mapping[str, str]
) -> Iterator[CloudResource]:
    """Yield the agents' machines with all that they need; `agents`: device → its agent.toml; none of others."""
    points = [point for point in planned_vantage_points(plan) if point.namespace in agents]
    if not points:
        return
    role = {"project_id": CreatedReference("project", project), "user_id": ProgramUser(),
            "role_id": ExistingReference("role", PROGRAM_ROLE)}  # fmt: skip
    yield CloudResource("role-assignment", f"{project}/program", role)
    yield _rule_quota(plan, points, project)
    for point in points:
        yield from _network(plan, point, project, router)
        place = _place(plan, point, project)
        yield from _group(plan, point, place)
        yield from _machine(plan, settings, place, agents[point.namespace])


def _rule_quota(plan: CloudPlan, points: Sequence[Endpoint], project: str) -> CloudResource:
    """Return the room for the agents' rules: they grow with the systems, and a project's default is about a hundred."""
    own = sum(len(vantage_rules(plan, point)) for point in points)
    limit = own + DEFAULT_GROUP_RULES + RULES_OF_NEW_GROUP * len(points) + PLATFORM_RULES
    properties = {"project_id": CreatedReference("project", project), "security_group_rule": limit}
    return CloudResource("network-quota", project, properties)


def vantage_rules(plan: CloudPlan, point: Endpoint) -> tuple[VantageRule, ...]:
    """Return the rules of an agent's group, sorted: what it probes, names, broker, and doors that must refuse it."""
    dialled = [one for one in plan.closed_dials if one.source == point and one.target.kind == "component"]
    allowed = [one for one in plan.platform_connections if one.source == point]
    rules = {rule for one in (*dialled, *allowed) for rule in _rules_of(plan, one)}
    services = (plan.declaration.platform.get(name) for name in HOST_SERVICES)
    hosts = (one for one in services if one is not None and one.address and one.port)
    return tuple(sorted(rules | {
        VantageRule("udp" if one.name == "time" else "tcp", one.port, f"{one.address}/32") for one in hosts
    }))  # fmt: skip


def _rules_of(plan: CloudPlan, dial: AllowedConnection) -> Iterator[VantageRule]:
    protocol: Literal["tcp", "udp"] = "udp" if dial.protocol == "UDP" else "tcp"
    yield from (VantageRule(protocol, dial.port, network) for network in networks_of(plan, dial.target))


def networks_of(plan: CloudPlan, end: Endpoint) -> tuple[str, ...]:
    """Return the networks of what an agent dials: of a component the machines of its zone; empty when none is known."""
    if end.kind != "component":
        return remote_networks(plan, end)
    zones = plan.system(end.system).zones
    return tuple(zone_subnets(zone).machines for zone in zones if zone.zone == end.zone and zone.cidr)


def _place(plan: CloudPlan, point: Endpoint, project: str) -> _Place:
    site = vantage_site(plan.declaration)
    shared = platform_network_name(plan.province, "manage", site)
    name = shared if point.zone == "manage" else point.namespace
    address = vantage_address(plan.declaration, point.zone or "manage")
    return _Place(
        point.namespace, project, CreatedReference("network", name), CreatedReference("subnet", name), address
    )


def _network(plan: CloudPlan, point: Endpoint, project: str, router: str) -> Iterator[CloudResource]:
    """Yield the network of an agent whose zone is the systems': slot 0 there is the platform's own."""
    if point.zone == "manage" or not point.zone:
        return
    owner, name = CreatedReference("project", project), point.namespace
    network = CloudResource(
        "network", name, {"name": name, "port_security_enabled": True, "tenant_id": owner}, project,
        by_administrator=True, lasting=True,
    )  # fmt: skip
    cidr = slot_network(site_network(plan.declaration, point.zone, vantage_site(plan.declaration)), 0)
    properties: dict[str, object] = {
        "name": name, "network_id": network.reference, "cidr": cidr, "ip_version": 4, "tenant_id": owner,
    }  # fmt: skip
    subnet = CloudResource("subnet", name, properties, project, by_administrator=True, lasting=True)
    ends = {"router_id": CreatedReference("router", router), "subnet_id": subnet.reference}
    yield from (network, subnet, CloudResource("router-interface", name, ends, project, by_administrator=True))


def _group(plan: CloudPlan, point: Endpoint, place: _Place) -> Iterator[CloudResource]:
    group = CloudResource(
        "security-group", place.device,
        {"name": place.device, "description": f"the agent in zone {point.zone}", "delete_default_rules": True},
        place.project,
    )  # fmt: skip
    yield group
    for rule in vantage_rules(plan, point):
        properties: dict[str, object] = {
            "security_group_id": group.reference, "direction": "egress", "ethertype": "IPv4",
            "protocol": rule.protocol, "port_range_min": rule.port, "port_range_max": rule.port,
            "remote_ip_prefix": rule.network, "description": f"{place.device} to {rule.network}",
        }  # fmt: skip
        name = f"{place.device}/to-{rule.network}-{rule.port}-{rule.protocol}"
        yield CloudResource("security-group-rule", name, properties, place.project)


def _machine(plan: CloudPlan, settings: CloudSettings, place: _Place, agent_toml: str) -> Iterator[CloudResource]:
    port_properties = {
        "name": place.device, "network_id": place.network,
        "fixed_ips": [{"subnet_id": place.subnet, "ip_address": place.address}],
        "security_group_ids": [CreatedReference("security-group", place.device)], "port_security_enabled": True,
    }  # fmt: skip
    port = CloudResource("port", place.device, port_properties, place.project)
    labels = {"motcua.org:province": plan.province, "motcua.org:stage": plan.stage}
    volume_properties = {"name": place.device, "size": OUTBOX_GB, "volume_type": settings.volume_type,
                         "metadata": labels}  # fmt: skip
    volume = CloudResource("volume", place.device, volume_properties, place.project, lasting=True)
    image = ExistingReference("image", settings.image)
    devices = [
        {"uuid": image, "source_type": "image", "destination_type": "local", "boot_index": 0,
         "delete_on_termination": True},
        {"uuid": volume.reference, "source_type": "volume", "destination_type": "volume", "boot_index": -1,
         "delete_on_termination": False},
    ]  # fmt: skip
    properties: dict[str, object] = {
        "name": place.device, "image_id": image, "flavor_name": smallest_flavor(plan),
        "networks": [{"port": port.reference}], "block_devices": devices, "config_drive": True, "metadata": labels,
        "user_data": agent_user_data(place.device, agent_toml, settings.agent_package),
    }  # fmt: skip
    if settings.key_pair:
        properties["key_pair"] = settings.key_pair
    machine = CloudResource("machine", place.device, properties, place.project, unchanged=_CREATION_PROPERTIES)
    yield from (port, volume, machine)


def smallest_flavor(plan: CloudPlan) -> str:
    """Return the flavor of the smallest declared size that has one; empty when none has."""
    sizes = [size for size in plan.declaration.sizes.values() if size.flavor]
    return min(sizes, key=lambda size: (size.memory_mb, size.cpu_millicores, size.id)).flavor if sizes else ""


def agent_user_data(device: str, agent_toml: str, package: str) -> str:
    """Return cloud-init's configuration of an agent's machine: settings, service, and the request for its certificate.

    The key is made on the machine and never leaves it.
    """
    unit = f"{UNITS_FOLDER}/motcua-agent.service"
    script = render_template(
        "motcua-agent-first-boot.sh.j2", head=HEADER, etc=ETC, state=STATE_FOLDER, package=package, device=device
    )
    files = {
        f"{ETC.lstrip('/')}/agent.toml": agent_toml,
        unit: device_units(HostLayout())[unit],
        FIRST_BOOT: script,
        **system_users(),
    }
    config = {
        "package_update": True,
        "packages": ["openssl", "python3-venv"],
        "timezone": "Asia/Ho_Chi_Minh",
        "write_files": [
            {"path": f"/{path}", "permissions": "0755" if path == FIRST_BOOT else "0644", "defer": True,
             "content": text}
            for path, text in files.items()
        ],
        "runcmd": [[f"/{FIRST_BOOT}"]],
    }  # fmt: skip
    return f"#cloud-config\n{HEADER}\n{render_yaml(config)}"
