"""Makes the cloud's objects by Pulumi. It must not decide what there is: that is the shape's.

Every object names the region, so that nothing of a province lies elsewhere. Secrets are made on the machine: none
is in the state.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_openstack import Provider, blockstorage, compute, images, loadbalancer, networking

from infra.components.component import MotcuaComponent
from infra.targets.openstack.document import left_out, user_data
from infra.targets.openstack.resources import ResourceRef, cloud_resources, exposed_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.targets.openstack.resources import CloudResource
    from telemetry.core.inventory import Inventory

_NO_FILES: Mapping[str, str] = MappingProxyType({})
_RESOURCE_CLASSES: dict[str, Callable[..., pulumi.CustomResource]] = {
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
_ARGUMENT_NAMES = {
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
_FIXED_ARGUMENTS: dict[str, dict[str, Any]] = {
    "listener": {"protocol": "TCP"},
    "pool": {"protocol": "TCP", "lb_method": "SOURCE_IP"},
    "monitor": {"type": "TCP", "delay": 10, "timeout": 5, "max_retries": 3},
}
_IGNORED_CHANGES = ("userData", "imageId", "blockDevices")
"""What counts when a machine is made: a later edit of the inventory, or a newer image, must not replace it."""


class Cloud(MotcuaComponent):
    """Everything of the stack in one region of one cloud."""

    type_key = "cloud"

    def __init__(self, stage: str, region: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud", stage, opts)
        self._region = region
        self._provider = Provider("openstack", region=region, opts=pulumi.ResourceOptions(parent=self))
        self._lookup_options = pulumi.InvokeOptions(parent=self, provider=self._provider)
        self.resources: dict[str, pulumi.CustomResource] = {}

    def create(self, resource: CloudResource) -> None:
        """Make or change a thing; those that it refers to were made before."""
        names = _ARGUMENT_NAMES.get(resource.kind, {})
        arguments = {
            names.get(key, key): self._resolve_value(value) for key, value in resource.values.items() if value != ""
        }
        shaped = {
            **self._shape_arguments(resource.kind, arguments),
            **_FIXED_ARGUMENTS.get(resource.kind, {}),
            "region": self._region,
        }
        self.resources[resource.name] = _RESOURCE_CLASSES[resource.kind](
            resource.name, **shaped, opts=self._resource_options(resource)
        )

    def _resource_options(self, resource: CloudResource) -> pulumi.ResourceOptions:
        child_options = self.child_options(
            protect=resource.keep, after=[self.resources[name] for name in resource.after]
        )
        ignored = list(_IGNORED_CHANGES) if resource.kind == "machine" else None
        more = pulumi.ResourceOptions(provider=self._provider, ignore_changes=ignored)
        return pulumi.ResourceOptions.merge(child_options, more)

    def _resolve_value(self, value: object) -> object:
        if isinstance(value, ResourceRef):
            referenced = self.resources[value.name]
            return referenced.id if value.attribute == "id" else getattr(referenced, f"{value.attribute}_id")
        return [self._resolve_value(item) for item in value] if isinstance(value, list) else value

    def _shape_arguments(self, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return properties whose form differs from ours."""
        remaining = dict(arguments)
        if kind == "router":
            return {"external_network_id": self._external_network_id(remaining.pop("external_network")), **remaining}
        if kind == "port":
            return {
                "fixed_ips": [{"subnet_id": remaining.pop("subnet"), "ip_address": remaining.pop("address")}],
                **remaining,
            }
        if kind == "rule":
            port = remaining.pop("port")
            return {**remaining, "port_range_min": port, "port_range_max": port}
        if kind == "machine":
            return self._machine_arguments(remaining)
        if kind == "listener":
            idle = remaining.pop("idle_ms")
            return {**remaining, "timeout_client_data": idle, "timeout_member_data": idle}
        return remaining

    def _machine_arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        image = self._image_id(arguments.pop("image"))
        disks = [
            _block_device(image, "image", "local", 0, delete_on_termination=True),
            _block_device(arguments.pop("volume"), "volume", "volume", -1),
        ]
        return {"networks": [{"port": arguments.pop("port")}], "image_id": image, "block_devices": disks, **arguments}

    def _image_id(self, name: str) -> pulumi.Output[str]:
        image = images.get_image_output(name=name, most_recent=True, region=self._region, opts=self._lookup_options)
        return image.apply(lambda result: str(result.id))

    def _external_network_id(self, name: str) -> pulumi.Output[str]:
        network = networking.get_network_output(
            name=name, external=True, region=self._region, opts=self._lookup_options
        )
        return network.apply(lambda result: str(result.id))


def _block_device(
    uuid: object, source: str, target: str, order: int, *, delete_on_termination: bool = False
) -> dict[str, object]:
    return {"uuid": uuid, "source_type": source, "destination_type": target, "boot_index": order,
            "delete_on_termination": delete_on_termination}  # fmt: skip


def deploy_cloud(
    plan: StackPlan, options: StackOptions, inventory: Inventory, inventory_files: Mapping[str, str] = _NO_FILES,
    opts: pulumi.ResourceOptions | None = None,
) -> Mapping[str, pulumi.Input[object]]:  # fmt: skip
    """Make or change everything; returns the stack's outputs. Raises ConfigError before the first call."""
    machine_data = user_data(plan, options, inventory, inventory_files)
    if missing := left_out(machine_data, plan.inventory_version):
        pulumi.warn(missing)
    resources = cloud_resources(plan, options, machine_data)
    cloud = Cloud(plan.stage, options.openstack.region, opts)
    for resource in resources:
        cloud.create(resource)
    address: pulumi.Output[str] = cloud.resources["address"].address  # type: ignore[attr-defined]
    open_ports = {exposed_port.name: exposed_port.port for exposed_port in exposed_ports(plan, options.openstack)}
    cloud.register_outputs({"address": address})
    return {
        "address": address,
        "brokerAddress": f"mqtts://{options.broker.host}:{open_ports['broker']}",
        "apiUrl": address.apply(lambda ip: f"https://{ip}/") if "api" in open_ports else "",
        "region": options.openstack.region,
        "next": f"point {options.broker.host} at the address; sign the requests in /etc/motcua/requests on the machine",
    }
