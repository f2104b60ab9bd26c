"""The stack as a Heat template and its user data, for people without Pulumi. Pure; it holds no secret.

`openstack --os-region-name REGION stack create -t stack.yaml NAME` makes the same things as the program does.
"""

from __future__ import annotations

import base64
import gzip
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from infra.host import cloud_init
from infra.host.bundle import CLOUD_INIT, COMMANDS, Machine, bundle
from infra.host.text import block
from infra.host.units import ETC, Layout
from infra.targets.openstack.shape import IDLE_MS, STORE, Ref, things
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.options import Options
    from infra.plan import Plan
    from infra.targets.openstack.shape import Thing
    from telemetry.core.inventory import Inventory

MARK = "# Written by `motcua render --target openstack` from inventory "
INVENTORY = f"{ETC}/inventory"
LIMIT = 65_535
"""Nova takes no more user data, bytes in base64."""
VERSION = "2018-08-31"
_NONE: Mapping[str, str] = MappingProxyType({})
_TYPES = {
    "network": "OS::Neutron::Net",
    "subnet": "OS::Neutron::Subnet",
    "router": "OS::Neutron::Router",
    "interface": "OS::Neutron::RouterInterface",
    "group": "OS::Neutron::SecurityGroup",
    "rule": "OS::Neutron::SecurityGroupRule",
    "port": "OS::Neutron::Port",
    "address": "OS::Neutron::FloatingIP",
    "volume": "OS::Cinder::Volume",
    "machine": "OS::Nova::Server",
    "balancer": "OS::Octavia::LoadBalancer",
    "listener": "OS::Octavia::Listener",
    "pool": "OS::Octavia::Pool",
    "member": "OS::Octavia::PoolMember",
    "monitor": "OS::Octavia::HealthMonitor",
}
_NAMES = {
    "subnet": {"pools": "allocation_pools"},
    "rule": {"group": "security_group", "family": "ethertype", "source": "remote_ip_prefix"},
    "port": {"groups": "security_groups"},
    "address": {"pool": "floating_network", "port": "port_id"},
    "volume": {"zone": "availability_zone"},
    "machine": {"flavour": "flavor", "key_pair": "key_name", "zone": "availability_zone"},
    "balancer": {"subnet": "vip_subnet"},
    "listener": {"balancer": "loadbalancer", "port": "protocol_port", "sources": "allowed_cidrs"},
    "member": {"port": "protocol_port"},
}
_UNTAGGED = frozenset({"address", "group", "balancer", "listener", "pool", "member"})
_ADDED: dict[str, dict[str, Any]] = {
    "pool": {"protocol": "TCP", "lb_algorithm": "SOURCE_IP"},
    "monitor": {"type": "TCP", "delay": 10, "timeout": 5, "max_retries": 3},
}


def files(plan: Plan, options: Options, world: Inventory, inventory_files: Mapping[str, str] = _NONE) -> dict[str, str]:
    """Return {path: text} of template and user data. Raises ConfigError when the user data is too large for Nova."""
    head = f"{MARK}{plan.inventory_version}."
    after = (
        f"# Make it in region {options.openstack.region}: `openstack --os-region-name {options.openstack.region} stack "
        f"create -t stack.yaml NAME`.\n# Heat cannot say how long a connection may be silent; afterwards, for each "
        f"listener:\n# openstack loadbalancer listener set --timeout-client-data {IDLE_MS} --timeout-member-data "
        f"{IDLE_MS} LISTENER\n"
    )
    return {
        "stack.yaml": f"{head}\n{after}{block(template(plan, options))}",
        CLOUD_INIT: user_data(plan, options, world, inventory_files),
    }


def user_data(plan: Plan, options: Options, world: Inventory, inventory_files: Mapping[str, str] = _NONE) -> str:
    """Return the machine's user data, with the whole inventory when it fits, else with none of it.

    A part would be another version that nobody has reviewed. Raises ConfigError when it does not fit without either.
    """
    carried = {f"{INVENTORY.lstrip('/')}/{name}": text for name, text in inventory_files.items()}
    for extra in (carried, {}):
        text = _user_data(plan, options, world, extra)
        size = 4 * -(-len(text.encode()) // 3)
        if size <= LIMIT:
            return text
    problem = f"is {size} bytes in base64, and Nova takes {LIMIT}"
    raise ConfigError([Fault(CLOUD_INIT, 0, "user data", problem, "make the rules that it carries fewer or shorter")])


def left_out(text: str, version: str) -> str:
    """Return what is to be said of user data in which the inventory has no place; empty when it has."""
    if f"{INVENTORY}/" in text:
        return ""
    return (
        f"{CLOUD_INIT}: inventory {version} does not fit beside the rest into {LIMIT} bytes; after the first boot "
        f"bring the whole folder, with published/, to {INVENTORY} on the machine"
    )


def _user_data(plan: Plan, options: Options, world: Inventory, extra: Mapping[str, str]) -> str:
    layout = Layout(workers=tuple(str(number) for number in range(1, options.workers + 1)))
    made = bundle(world, layout, found=plan, machine=Machine(options.openstack.package, STORE))
    server = {path.removeprefix("server/"): text for path, text in made.items() if path.startswith("server/")}
    return cloud_init.user_data(f"{MARK}{plan.inventory_version}.", {**server, **extra}, COMMANDS, pack)


def pack(text: str) -> str:
    """Return a text as gzip in base64, the same on every day."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def template(plan: Plan, options: Options) -> dict[str, Any]:
    """Return the Heat template."""
    made = things(plan, options, "")
    return {
        "heat_template_version": VERSION,
        "description": f"Motcua, province {plan.province}, stage {plan.stage}",
        "resources": {one.name: _resource(one, plan.stage) for one in made},
        "outputs": {
            "address": {
                "description": "What devices and people reach: broker and pages",
                "value": {"get_attr": ["address", "floating_ip_address"]},
            }
        },
    }


def _resource(one: Thing, stage: str) -> dict[str, Any]:
    names = _NAMES.get(one.kind, {})
    given = {names.get(key, key): _value(value) for key, value in one.values.items() if value != ""}
    if one.kind in _UNTAGGED:
        given.pop("tags", None)
    shaped = {"type": _TYPES[one.kind], "properties": _shaped(one.kind, given)}
    order = {"depends_on": list(one.after)} if one.after else {}
    kept = {"deletion_policy": "Retain"} if one.keep and stage == "prod" else {}
    return {**shaped, **order, **kept}


def _value(value: object) -> object:
    if isinstance(value, Ref):
        return {"get_resource": value.name} if value.attribute == "id" else {"get_attr": [value.name, "vip_port_id"]}
    return [_value(one) for one in value] if isinstance(value, list) else value


def _shaped(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return properties whose form differs from ours."""
    rest = dict(given)
    if kind == "router":
        return {"external_gateway_info": {"network": rest.pop("external_network")}, **rest}
    if kind == "port":
        return {"fixed_ips": [{"subnet": rest.pop("subnet"), "ip_address": rest.pop("address")}], **rest}
    if kind == "rule":
        port = rest.pop("port")
        return {**rest, "port_range_min": port, "port_range_max": port}
    if kind == "machine":
        disk = {"volume_id": rest.pop("volume"), "boot_index": -1, "delete_on_termination": False}
        told: dict[str, Any] = {"networks": [{"port": rest.pop("port")}], "block_device_mapping_v2": [disk]}
        told |= {"user_data_format": "RAW", "user_data_update_policy": "IGNORE"}
        return {**rest, **told, "user_data": {"get_file": CLOUD_INIT}}
    if kind == "listener":
        rest.pop("idle_ms")
        return {**rest, "protocol": "TCP"}
    return {**rest, **_ADDED.get(kind, {})}
