"""What a stack consists of in an OpenStack cloud, as values for the program. Pure.

Names of kinds and properties are neutral; `Ref` stands for what only the cloud knows.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.config.options import OpenstackOptions, StackOptions
    from infra.plan import StackPlan

HTTPS_PORT, SSH_PORT = 443, 22
IDLE_MS = 300_000
"""A connection may be silent for this long: more than twice an agent's keep-alive, which Octavia's 50 s are not."""
STORE_DEVICE = "/dev/vdb"
"""Where the machine finds the volume: its second disk."""
LARGEST_PREFIX = 26


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """Another thing's id, or its attribute of that name."""

    name: str
    attribute: str = "id"


@dataclass(frozen=True, slots=True)
class CloudResource:
    """One object of the cloud; one that holds data or secrets is kept: in stage prod it survives its stack."""

    name: str
    kind: str
    values: Mapping[str, Any]
    keep: bool = False
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExposedPort:
    """A port that the outside reaches: who, and the port on the load balancer and the machine."""

    name: str
    port: int
    sources: tuple[str, ...]


def exposed_ports(plan: StackPlan, cloud: OpenstackOptions) -> tuple[ExposedPort, ...]:
    """Return what is open to the outside, from the plan's flows; without sources nothing is open."""
    broker = next(flow.port for flow in plan.flows if (flow.source, flow.target) == ("devices", "broker"))
    candidates = [ExposedPort("broker", broker, cloud.device_sources)]
    if any((flow.source, flow.target) == ("people", "api") for flow in plan.flows):
        candidates.append(ExposedPort("api", HTTPS_PORT, cloud.api_sources))
    return tuple(candidate for candidate in candidates if candidate.sources)


def cloud_resources(plan: StackPlan, options: StackOptions, user_data: str) -> tuple[CloudResource, ...]:
    """Return everything in the order in which it is made. Raises ConfigError for a network that is too small."""
    cloud, prefix = options.openstack, f"motcua-{plan.province}-{plan.stage}"
    labels = {name.replace("/", ":"): value for name, value in plan.labels.items()}
    tags = [f"{name}={value}" for name, value in labels.items()]
    return (
        *_network_resources(cloud, prefix, tags),
        *_security_group_resources(plan, cloud, prefix, tags),
        *_machine_resources(plan, cloud, prefix, labels, user_data),
        *_balancer_resources(plan, cloud, prefix, tags),
    )


def machine_address(cloud: OpenstackOptions) -> str:
    """Return the machine's address within the network, outside what the network gives away by itself."""
    return str(_parse_subnet(cloud)[10])


def _parse_subnet(cloud: OpenstackOptions) -> ipaddress.IPv4Network:
    parsed = ipaddress.ip_network(cloud.cidr)
    if not isinstance(parsed, ipaddress.IPv4Network) or parsed.prefixlen > LARGEST_PREFIX:
        remedy = f"write an IPv4 network of /{LARGEST_PREFIX} or larger"
        raise ConfigError([Fault("stack", 0, "motcua:openstack.cidr", f"{cloud.cidr} is too small", remedy)])
    return parsed


def _network_resources(cloud: OpenstackOptions, prefix: str, tags: list[str]) -> Iterator[CloudResource]:
    subnet = _parse_subnet(cloud)
    pool = {"start": str(subnet[20]), "end": str(subnet[-2])}
    yield CloudResource("network", "network", {"name": prefix, "tags": tags})
    inner = {"name": prefix, "network": ResourceRef("network"), "cidr": str(subnet), "pools": [pool], "tags": tags}
    yield CloudResource("subnet", "subnet", inner)
    yield CloudResource("router", "router", {"name": prefix, "external_network": cloud.external_network, "tags": tags})
    yield CloudResource(
        "router-interface", "interface", {"router": ResourceRef("router"), "subnet": ResourceRef("subnet")}
    )


def _security_group_resources(
    plan: StackPlan, cloud: OpenstackOptions, prefix: str, tags: list[str]
) -> Iterator[CloudResource]:
    text = "Motcua: the load balancer's way to broker and pages, and the operators'"
    yield CloudResource("group", "group", {"name": prefix, "description": text, "tags": tags})
    inside = [
        ExposedPort(exposed_port.name, exposed_port.port, (str(_parse_subnet(cloud)),))
        for exposed_port in exposed_ports(plan, cloud)
    ]
    for exposed_port in (*inside, ExposedPort("admin", SSH_PORT, cloud.admin_sources)):
        for number, source in enumerate(exposed_port.sources, 1):
            yield CloudResource(f"rule-{exposed_port.name}-{number}", "rule", _group_rule(exposed_port.port, source))


def _group_rule(port: int, source: str) -> dict[str, Any]:
    family = "IPv6" if ":" in source else "IPv4"
    return {"group": ResourceRef("group"), "direction": "ingress", "family": family, "protocol": "tcp", "port": port,
            "source": source}  # fmt: skip


def _machine_resources(
    plan: StackPlan, cloud: OpenstackOptions, prefix: str, labels: Mapping[str, str], user_data: str
) -> Iterator[CloudResource]:
    size = cloud.volume_gb or plan.workload("influxdb").volume_gb
    text = "InfluxDB's data: the only copy but for backups"
    store = {"name": f"{prefix}-store", "description": text, "size": size, "zone": cloud.zone, "metadata": labels}
    yield CloudResource("store", "volume", store, keep=True)
    tags = [f"{name}={value}" for name, value in labels.items()]
    port = {"name": prefix, "network": ResourceRef("network"), "subnet": ResourceRef("subnet"),
            "address": machine_address(cloud),
            "groups": [ResourceRef("group")], "tags": tags}  # fmt: skip
    yield CloudResource("port", "port", port)
    machine = {"name": prefix, "image": cloud.image, "flavour": cloud.flavour, "key_pair": cloud.key_pair,
               "zone": cloud.zone, "port": ResourceRef("port"), "volume": ResourceRef("store"), "metadata": labels,
               "user_data": user_data}  # fmt: skip
    yield CloudResource("machine", "machine", machine, keep=True)
    if cloud.admin_sources:
        yield CloudResource(
            "admin-address",
            "address",
            {"pool": cloud.external_network, "port": ResourceRef("port"), "tags": tags},
            after=("router-interface",),
        )


def _balancer_resources(
    plan: StackPlan, cloud: OpenstackOptions, prefix: str, tags: list[str]
) -> Iterator[CloudResource]:
    """Pass TCP through: certificates are checked on the machine, by broker and nginx."""
    yield CloudResource("balancer", "balancer", {"name": prefix, "subnet": ResourceRef("subnet"), "tags": tags})
    for exposed_port in exposed_ports(plan, cloud):
        listener, pool = f"listener-{exposed_port.name}", f"pool-{exposed_port.name}"
        listener_values = {"name": f"{prefix}-{exposed_port.name}", "balancer": ResourceRef("balancer"),
                           "port": exposed_port.port,
                "sources": list(exposed_port.sources), "idle_ms": IDLE_MS, "tags": tags}  # fmt: skip
        yield CloudResource(listener, "listener", listener_values)
        yield CloudResource(
            pool, "pool", {"name": f"{prefix}-{exposed_port.name}", "listener": ResourceRef(listener), "tags": tags}
        )
        member = {
            "pool": ResourceRef(pool),
            "address": machine_address(cloud),
            "port": exposed_port.port,
            "subnet": ResourceRef("subnet"),
            "tags": tags,
        }
        yield CloudResource(f"member-{exposed_port.name}", "member", member)
        yield CloudResource(f"monitor-{exposed_port.name}", "monitor", {"pool": ResourceRef(pool)})
    where = {"pool": cloud.external_network, "port": ResourceRef("balancer", "vip_port"), "tags": tags}
    yield CloudResource("address", "address", where, after=("router-interface",))
