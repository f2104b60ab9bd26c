"""Makes the cloud's objects by Pulumi. It must not decide what there is: that is the shape's.

Every object names the region, so that nothing of a province lies elsewhere. Secrets are made on the machine: none
is in the state.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_openstack import Provider, blockstorage, compute, images, loadbalancer, networking

from infra.components.part import Part
from infra.targets.openstack.document import left_out, user_data
from infra.targets.openstack.resources import Ref, doors, things

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.config.options import Options
    from infra.plan import Plan
    from infra.targets.openstack.resources import Thing
    from telemetry.core.inventory import Inventory

_NONE: Mapping[str, str] = MappingProxyType({})
_KINDS: dict[str, Callable[..., pulumi.CustomResource]] = {
    "network": networking.Network,
    "subnet": networking.Subnet,
    "router": networking.Router,
    "interface": networking.RouterInterface,
    "group": networking.SecGroup,
    "rule": networking.SecGroupRule,
    "port": networking.Port,
    "address": networking.FloatingIp,
    "volume": blockstorage.Volume,
    "machine": compute.Instance,
    "balancer": loadbalancer.LoadBalancer,
    "listener": loadbalancer.Listener,
    "pool": loadbalancer.Pool,
    "member": loadbalancer.Member,
    "monitor": loadbalancer.Monitor,
}
_NAMES = {
    "subnet": {"network": "network_id", "pools": "allocation_pools"},
    "interface": {"router": "router_id", "subnet": "subnet_id"},
    "rule": {"group": "security_group_id", "family": "ethertype", "source": "remote_ip_prefix"},
    "port": {"network": "network_id", "groups": "security_group_ids"},
    "address": {"port": "port_id"},
    "volume": {"zone": "availability_zone"},
    "machine": {"flavour": "flavor_name", "zone": "availability_zone"},
    "balancer": {"subnet": "vip_subnet_id"},
    "listener": {"balancer": "loadbalancer_id", "port": "protocol_port", "sources": "allowed_cidrs"},
    "pool": {"listener": "listener_id"},
    "member": {"pool": "pool_id", "port": "protocol_port", "subnet": "subnet_id"},
    "monitor": {"pool": "pool_id"},
}
_ADDED: dict[str, dict[str, Any]] = {
    "listener": {"protocol": "TCP"},
    "pool": {"protocol": "TCP", "lb_method": "SOURCE_IP"},
    "monitor": {"type": "TCP", "delay": 10, "timeout": 5, "max_retries": 3},
}
_FIRST_ONLY = ("userData", "imageId", "blockDevices")
"""What counts when a machine is made: a later edit of the inventory, or a newer image, must not replace it."""


class Cloud(Part):
    """Everything of the stack in one region of one cloud."""

    part = "cloud"

    def __init__(self, stage: str, region: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud", stage, opts)
        self._region = region
        self._provider = Provider("openstack", region=region, opts=pulumi.ResourceOptions(parent=self))
        self._asked = pulumi.InvokeOptions(parent=self, provider=self._provider)
        self.made: dict[str, pulumi.CustomResource] = {}

    def make(self, one: Thing) -> None:
        """Make or change a thing; those that it refers to were made before."""
        names = _NAMES.get(one.kind, {})
        given = {names.get(key, key): self._value(value) for key, value in one.values.items() if value != ""}
        shaped = {**self._shaped(one.kind, given), **_ADDED.get(one.kind, {}), "region": self._region}
        self.made[one.name] = _KINDS[one.kind](one.name, **shaped, opts=self._options(one))

    def _options(self, one: Thing) -> pulumi.ResourceOptions:
        made = self.child(protect=one.keep, after=[self.made[name] for name in one.after])
        kept = list(_FIRST_ONLY) if one.kind == "machine" else None
        more = pulumi.ResourceOptions(provider=self._provider, ignore_changes=kept)
        return pulumi.ResourceOptions.merge(made, more)

    def _value(self, value: object) -> object:
        if isinstance(value, Ref):
            found = self.made[value.name]
            return found.id if value.attribute == "id" else getattr(found, f"{value.attribute}_id")
        return [self._value(one) for one in value] if isinstance(value, list) else value

    def _shaped(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return properties whose form differs from ours."""
        rest = dict(given)
        if kind == "router":
            return {"external_network_id": self._outside(rest.pop("external_network")), **rest}
        if kind == "port":
            return {"fixed_ips": [{"subnet_id": rest.pop("subnet"), "ip_address": rest.pop("address")}], **rest}
        if kind == "rule":
            port = rest.pop("port")
            return {**rest, "port_range_min": port, "port_range_max": port}
        if kind == "machine":
            return self._machine(rest)
        if kind == "listener":
            idle = rest.pop("idle_ms")
            return {**rest, "timeout_client_data": idle, "timeout_member_data": idle}
        return rest

    def _machine(self, rest: dict[str, Any]) -> dict[str, Any]:
        image = self._image(rest.pop("image"))
        disks = [_disk(image, "image", "local", 0, goes=True), _disk(rest.pop("volume"), "volume", "volume", -1)]
        return {"networks": [{"port": rest.pop("port")}], "image_id": image, "block_devices": disks, **rest}

    def _image(self, name: str) -> pulumi.Output[str]:
        found = images.get_image_output(name=name, most_recent=True, region=self._region, opts=self._asked)
        return found.apply(lambda one: str(one.id))

    def _outside(self, name: str) -> pulumi.Output[str]:
        found = networking.get_network_output(name=name, external=True, region=self._region, opts=self._asked)
        return found.apply(lambda one: str(one.id))


def _disk(uuid: object, source: str, target: str, order: int, *, goes: bool = False) -> dict[str, object]:
    return {"uuid": uuid, "source_type": source, "destination_type": target, "boot_index": order,
            "delete_on_termination": goes}  # fmt: skip


def deploy(
    plan: Plan, options: Options, world: Inventory, inventory_files: Mapping[str, str] = _NONE,
    opts: pulumi.ResourceOptions | None = None,
) -> Mapping[str, pulumi.Input[object]]:  # fmt: skip
    """Make or change everything; returns the stack's outputs. Raises ConfigError before the first call."""
    told = user_data(plan, options, world, inventory_files)
    if missing := left_out(told, plan.inventory_version):
        pulumi.warn(missing)
    made = things(plan, options, told)
    cloud = Cloud(plan.stage, options.openstack.region, opts)
    for one in made:
        cloud.make(one)
    address: pulumi.Output[str] = cloud.made["address"].address  # type: ignore[attr-defined]
    open_ports = {door.name: door.port for door in doors(plan, options.openstack)}
    cloud.register_outputs({"address": address})
    return {
        "address": address,
        "brokerAddress": f"mqtts://{options.broker.host}:{open_ports['broker']}",
        "apiUrl": address.apply(lambda found: f"https://{found}/") if "api" in open_ports else "",
        "region": options.openstack.region,
        "next": f"point {options.broker.host} at the address; sign the requests in /etc/motcua/requests on the machine",
    }
