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

    from infra.config.options import Openstack, Options
    from infra.plan import Plan

HTTPS, SSH = 443, 22
IDLE_MS = 300_000
"""A connection may be silent for this long: more than twice an agent's keep-alive, which Octavia's 50 s are not."""
STORE = "/dev/vdb"
"""Where the machine finds the volume: its second disk."""
LARGEST_PREFIX = 26


@dataclass(frozen=True, slots=True)
class Ref:
    """Another thing's id, or its attribute of that name."""

    name: str
    attribute: str = "id"


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of the cloud; one that holds data or secrets is kept: in stage prod it survives its stack."""

    name: str
    kind: str
    values: Mapping[str, Any]
    keep: bool = False
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Door:
    """A port that the outside reaches: who, and the port on the load balancer and the machine."""

    name: str
    port: int
    sources: tuple[str, ...]


def doors(plan: Plan, cloud: Openstack) -> tuple[Door, ...]:
    """Return what is open to the outside, from the plan's flows; without sources nothing is open."""
    broker = next(flow.port for flow in plan.flows if (flow.source, flow.target) == ("devices", "broker"))
    found = [Door("broker", broker, cloud.device_sources)]
    if any((flow.source, flow.target) == ("people", "api") for flow in plan.flows):
        found.append(Door("api", HTTPS, cloud.api_sources))
    return tuple(door for door in found if door.sources)


def things(plan: Plan, options: Options, user_data: str) -> tuple[Thing, ...]:
    """Return everything in the order in which it is made. Raises ConfigError for a network that is too small."""
    cloud, prefix = options.openstack, f"motcua-{plan.province}-{plan.stage}"
    labels = {name.replace("/", ":"): value for name, value in plan.labels.items()}
    tags = [f"{name}={value}" for name, value in labels.items()]
    return (
        *_network(cloud, prefix, tags),
        *_group(plan, cloud, prefix, tags),
        *_machine(plan, cloud, prefix, labels, user_data),
        *_balancer(plan, cloud, prefix, tags),
    )


def host(cloud: Openstack) -> str:
    """Return the machine's address within the network, outside what the network gives away by itself."""
    return str(_subnet(cloud)[10])


def _subnet(cloud: Openstack) -> ipaddress.IPv4Network:
    found = ipaddress.ip_network(cloud.cidr)
    if not isinstance(found, ipaddress.IPv4Network) or found.prefixlen > LARGEST_PREFIX:
        remedy = f"write an IPv4 network of /{LARGEST_PREFIX} or larger"
        raise ConfigError([Fault("stack", 0, "motcua:openstack.cidr", f"{cloud.cidr} is too small", remedy)])
    return found


def _network(cloud: Openstack, prefix: str, tags: list[str]) -> Iterator[Thing]:
    subnet = _subnet(cloud)
    pool = {"start": str(subnet[20]), "end": str(subnet[-2])}
    yield Thing("network", "network", {"name": prefix, "tags": tags})
    inner = {"name": prefix, "network": Ref("network"), "cidr": str(subnet), "pools": [pool], "tags": tags}
    yield Thing("subnet", "subnet", inner)
    yield Thing("router", "router", {"name": prefix, "external_network": cloud.external_network, "tags": tags})
    yield Thing("router-interface", "interface", {"router": Ref("router"), "subnet": Ref("subnet")})


def _group(plan: Plan, cloud: Openstack, prefix: str, tags: list[str]) -> Iterator[Thing]:
    text = "Motcua: the load balancer's way to broker and pages, and the operators'"
    yield Thing("group", "group", {"name": prefix, "description": text, "tags": tags})
    inside = [Door(door.name, door.port, (str(_subnet(cloud)),)) for door in doors(plan, cloud)]
    for door in (*inside, Door("admin", SSH, cloud.admin_sources)):
        for number, source in enumerate(door.sources, 1):
            yield Thing(f"rule-{door.name}-{number}", "rule", _rule(door.port, source))


def _rule(port: int, source: str) -> dict[str, Any]:
    family = "IPv6" if ":" in source else "IPv4"
    return {"group": Ref("group"), "direction": "ingress", "family": family, "protocol": "tcp", "port": port,
            "source": source}  # fmt: skip


def _machine(plan: Plan, cloud: Openstack, prefix: str, labels: Mapping[str, str], user_data: str) -> Iterator[Thing]:
    size = cloud.volume_gb or plan.workload("influxdb").volume_gb
    text = "InfluxDB's data: the only copy but for backups"
    store = {"name": f"{prefix}-store", "description": text, "size": size, "zone": cloud.zone, "metadata": labels}
    yield Thing("store", "volume", store, keep=True)
    tags = [f"{name}={value}" for name, value in labels.items()]
    port = {"name": prefix, "network": Ref("network"), "subnet": Ref("subnet"), "address": host(cloud),
            "groups": [Ref("group")], "tags": tags}  # fmt: skip
    yield Thing("port", "port", port)
    machine = {"name": prefix, "image": cloud.image, "flavour": cloud.flavour, "key_pair": cloud.key_pair,
               "zone": cloud.zone, "port": Ref("port"), "volume": Ref("store"), "metadata": labels,
               "user_data": user_data}  # fmt: skip
    yield Thing("machine", "machine", machine, keep=True)
    if cloud.admin_sources:
        yield Thing(
            "admin-address",
            "address",
            {"pool": cloud.external_network, "port": Ref("port"), "tags": tags},
            after=("router-interface",),
        )


def _balancer(plan: Plan, cloud: Openstack, prefix: str, tags: list[str]) -> Iterator[Thing]:
    """Pass TCP through: certificates are checked on the machine, by broker and nginx."""
    yield Thing("balancer", "balancer", {"name": prefix, "subnet": Ref("subnet"), "tags": tags})
    for door in doors(plan, cloud):
        listener, pool = f"listener-{door.name}", f"pool-{door.name}"
        told = {"name": f"{prefix}-{door.name}", "balancer": Ref("balancer"), "port": door.port,
                "sources": list(door.sources), "idle_ms": IDLE_MS, "tags": tags}  # fmt: skip
        yield Thing(listener, "listener", told)
        yield Thing(pool, "pool", {"name": f"{prefix}-{door.name}", "listener": Ref(listener), "tags": tags})
        member = {"pool": Ref(pool), "address": host(cloud), "port": door.port, "subnet": Ref("subnet"), "tags": tags}
        yield Thing(f"member-{door.name}", "member", member)
        yield Thing(f"monitor-{door.name}", "monitor", {"pool": Ref(pool)})
    where = {"pool": cloud.external_network, "port": Ref("balancer", "vip_port"), "tags": tags}
    yield Thing("address", "address", where, after=("router-interface",))
