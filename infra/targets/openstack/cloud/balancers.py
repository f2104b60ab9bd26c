"""A system's balancer on OpenStack: its address in the edge, listeners with their sources, pools. Pure.

It passes TCP through; TLS ends at the component. Only an address of a system that is exposed gets a floating one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.targets.openstack.cloud.addresses import edge_addresses, platform_network_name
from infra.targets.openstack.cloud.exposures import balancer_listeners
from infra.targets.openstack.cloud.machines import machine_count, machine_name
from infra.targets.openstack.cloud.networks import earlier_names
from infra.targets.openstack.cloud.values import CloudResource, CreatedReference, ExistingReference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from infra.targets.openstack.cloud.exposures import BalancerListener
    from infra.targets.openstack.cloud.values import CloudSettings

IDLE_MS = 300_000
"""How long a connection may be idle; Octavia's default, 50 s, ends those of a database's clients."""
PROBE_S, PROBE_TIMEOUT_S, PROBE_RETRIES = 10, 5, 3
NAME_LIFE_S = 300


def balancer_resources(plan: CloudPlan, system: SystemPlan, settings: CloudSettings) -> Iterator[CloudResource]:
    """Yield address, balancer, listeners, pools and members of a system that is called through the edge."""
    listeners, addresses = balancer_listeners(plan, system), edge_addresses(plan, system)
    if not listeners or addresses is None:
        return
    name, at = system.project, system.declared.declared_at
    edge = platform_network_name(plan.province, "edge", system.declared.site)
    port = CloudResource(
        "port", f"{name}/balancer",
        {
            "name": "balancer", "network_id": ExistingReference("network", edge),
            "fixed_ips": [{"subnet_id": ExistingReference("subnet", edge), "ip_address": addresses.balancer}],
            "tenant_id": CreatedReference("project", name), "no_security_groups": True,
        },
        name, by_administrator=True, lasting=True, declared_at=at,
    )  # fmt: skip
    yield port
    balancer = CloudResource(
        "balancer", name, {"name": name, "vip_port_id": port.reference}, name, lasting=True, declared_at=at
    )
    yield balancer
    if any(listener.outside for listener in listeners) and system.declared.exposure == "internet":
        yield from _outside_address(system, settings, port)
    for listener in listeners:
        yield from _listener_resources(system, balancer, listener)


def _outside_address(system: SystemPlan, settings: CloudSettings, port: CloudResource) -> Iterator[CloudResource]:
    name, at = system.project, system.declared.declared_at
    address = CloudResource(
        "floating-address", name,
        {
            "pool": settings.external_network, "port_id": port.reference,
            "tenant_id": CreatedReference("project", name),
        },
        name, by_administrator=True, lasting=True, declared_at=at,
    )  # fmt: skip
    yield address
    if settings.name_zone and system.declared.host:
        record = {
            "zone_id": ExistingReference("name-zone", settings.name_zone), "name": f"{system.declared.host}.",
            "type": "A", "ttl": NAME_LIFE_S,
            "records": [CreatedReference("floating-address", name, "address")],
        }  # fmt: skip
        yield CloudResource("name-record", name, record, declared_at=at)


def _listener_resources(
    system: SystemPlan, balancer: CloudResource, listener: BalancerListener
) -> Iterator[CloudResource]:
    name = f"{system.project}/{listener.component}-{listener.port}"
    project, at = system.project, listener.declared_at
    aliases = earlier_names(system, listener.component, f"{{}}-{listener.port}")
    door = CloudResource(
        "listener", name,
        {
            "name": f"{listener.component}-{listener.port}", "loadbalancer_id": balancer.reference, "protocol": "TCP",
            "protocol_port": listener.port, "allowed_cidrs": list(listener.sources),
            "timeout_client_data": IDLE_MS, "timeout_member_data": IDLE_MS,
        },
        project, aliases=aliases, declared_at=at,
    )  # fmt: skip
    yield door
    pool = CloudResource(
        "pool", name,
        {"name": name.partition("/")[2], "listener_id": door.reference, "protocol": "TCP", "lb_method": "SOURCE_IP"},
        project, aliases=aliases, declared_at=at,
    )  # fmt: skip
    yield pool
    component = next(one for one in system.components if one.declared.id == listener.component)
    for number in range(1, machine_count(system, component) + 1):
        machine = machine_name(component, number)
        properties: dict[str, object] = {
            "name": machine, "pool_id": pool.reference, "protocol_port": listener.component_port,
            "address": CreatedReference("port", f"{project}/{machine}", "first_address"),
            "subnet_id": CreatedReference("subnet", f"{component.namespace}/balancer"),
        }  # fmt: skip
        earlier = tuple(f"{one}/{number}" for one in aliases)
        yield CloudResource("member", f"{name}/{number}", properties, project, aliases=earlier, declared_at=at)
    probe = {
        "pool_id": pool.reference, "type": "TCP", "delay": PROBE_S, "timeout": PROBE_TIMEOUT_S,
        "max_retries": PROBE_RETRIES,
    }  # fmt: skip
    yield CloudResource("monitor", name, probe, project, aliases=aliases, declared_at=at)
