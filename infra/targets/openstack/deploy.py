"""Deploys the stage's authority and one machine behind a load balancer in a province's cloud.

It must not decide what the plan decides, nor put a secret into the state: keys of servers and services are made on
the machine, which asks for certificates; only the authority's key is in the state. Every resource names the region,
so that no data of a province are elsewhere.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_openstack import Provider, blockstorage, compute, images, loadbalancer, networking

from infra.components.certificates import Certificates
from infra.components.component import MotcuaComponent, Province
from infra.targets.openstack.document import inventory_warning, pack_user_data, user_data
from infra.targets.shared import StackOutputs, common_outputs, inventory_files, root_inputs
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.config.options import OpenstackOptions, StackOptions
    from infra.plan import StackPlan
    from telemetry.core.inventory import Inventory

HTTPS_PORT, SSH_PORT = 443, 22
IDLE_MS = 300_000
"""How long a connection may be idle: more than twice an agent's keep-alive, which Octavia's default, 50 s, is not."""
LARGEST_PREFIX = 26
_CREATION_PROPERTIES = ["userData", "imageId", "blockDevices"]
"""What counts when a machine is made: a later edit of the inventory, or a newer image, must not replace it."""


@dataclass(frozen=True, slots=True)
class ExposedPort:
    """A port that is reachable from outside: its name, the port on load balancer and machine, the source networks."""

    name: str
    port: int
    sources: tuple[str, ...]


def exposed_ports(plan: StackPlan, cloud: OpenstackOptions) -> tuple[ExposedPort, ...]:
    """Return what is open to the outside, from the plan's flows; without sources no port is open."""
    broker = next(flow.port for flow in plan.flows if (flow.source, flow.target) == ("devices", "broker"))
    candidates = [ExposedPort("broker", broker, cloud.device_sources)]
    if any((flow.source, flow.target) == ("people", "api") for flow in plan.flows):
        candidates.append(ExposedPort("api", HTTPS_PORT, cloud.api_sources))
    return tuple(candidate for candidate in candidates if candidate.sources)


def stack_subnet(cloud: OpenstackOptions) -> ipaddress.IPv4Network:
    """Return the stack's network. Raises ConfigError when it is too small or not IPv4."""
    parsed = ipaddress.ip_network(cloud.cidr)
    if not isinstance(parsed, ipaddress.IPv4Network) or parsed.prefixlen > LARGEST_PREFIX:
        remedy = f"write an IPv4 network of /{LARGEST_PREFIX} or larger"
        raise ConfigError([Fault("stack", 0, "motcua:openstack.cidr", f"{cloud.cidr} is too small", remedy)])
    return parsed


class Cloud(MotcuaComponent):
    """Every resource of the stack in one region of one cloud.

    Raises ConfigError, before the first resource, for a network that is too small.
    """

    type_key = "cloud"

    def __init__(
        self, plan: StackPlan, options: StackOptions, user_data: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        cidr = stack_subnet(options.openstack)
        super().__init__("cloud", plan.stage, opts)
        self._cloud, self._cidr = options.openstack, cidr
        # The machine's address is outside the network's allocation pool.
        self._machine_address = str(cidr[10])
        self._region = options.openstack.region
        self._provider = Provider("openstack", region=self._region, opts=pulumi.ResourceOptions(parent=self))
        self._lookup_options = pulumi.InvokeOptions(parent=self, provider=self._provider)
        self._name = f"motcua-{plan.province}-{plan.stage}"
        self._labels = {name.replace("/", ":"): value for name, value in plan.labels.items()}
        self._tags = [f"{name}={value}" for name, value in self._labels.items()]
        self._exposed_ports = exposed_ports(plan, options.openstack)
        self._create_network()
        self._create_security_group()
        self._create_machine(self._cloud.volume_gb or plan.workload("influxdb").volume_gb, user_data)
        self.address = self._create_balancer()

    def _region_arguments(
        self, *, protect: bool = False, after: list[pulumi.Resource] | None = None, ignore: list[str] | None = None
    ) -> dict[str, Any]:
        """Return region and options of a child; resources with data or secrets are protected, except in stage dev."""
        child_options = self.child_options(protect=protect, after=after)
        more = pulumi.ResourceOptions(provider=self._provider, ignore_changes=ignore)
        return {"region": self._region, "opts": pulumi.ResourceOptions.merge(child_options, more)}

    def _tagged_arguments(self, name: str = "") -> dict[str, Any]:
        """Return the arguments of a child with name and tags; its name in the cloud is the stack's, or `name`."""
        return {"name": name or self._name, "tags": self._tags, **self._region_arguments()}

    def _create_network(self) -> None:
        external = networking.get_network_output(
            name=self._cloud.external_network, external=True, region=self._region, opts=self._lookup_options
        )
        self._network = networking.Network("network", **self._tagged_arguments())
        self._subnet = networking.Subnet(
            "subnet",
            network_id=self._network.id,
            cidr=str(self._cidr),
            allocation_pools=[networking.SubnetAllocationPoolArgs(start=str(self._cidr[20]), end=str(self._cidr[-2]))],
            **self._tagged_arguments(),
        )
        external_id = external.apply(lambda network: str(network.id))
        router = networking.Router("router", external_network_id=external_id, **self._tagged_arguments())
        self._router_interface = networking.RouterInterface(
            "router-interface", router_id=router.id, subnet_id=self._subnet.id, **self._region_arguments()
        )

    def _create_security_group(self) -> None:
        self._group = networking.SecGroup(
            "group",
            description="Motcua: the load balancer's way to broker and pages, and the operators'",
            **self._tagged_arguments(),
        )
        for name, port, source in self._allowed_connections():
            networking.SecGroupRule(
                name,
                security_group_id=self._group.id,
                direction="ingress",
                ethertype="IPv6" if ":" in source else "IPv4",
                protocol="tcp",
                port_range_min=port,
                port_range_max=port,
                remote_ip_prefix=source,
                **self._region_arguments(),
            )

    def _allowed_connections(self) -> Iterator[tuple[str, int, str]]:
        """Yield rule, port and source: the load balancer by the stack's own network, operators by theirs."""
        for exposed_port in self._exposed_ports:
            yield f"rule-{exposed_port.name}-1", exposed_port.port, str(self._cidr)
        for number, source in enumerate(self._cloud.admin_sources, 1):
            yield f"rule-admin-{number}", SSH_PORT, source

    def _create_machine(self, volume_gb: int, user_data: str) -> None:
        cloud = self._cloud
        store = blockstorage.Volume(
            "store",
            name=f"{self._name}-store",
            description="InfluxDB's data: the only copy but for backups",
            size=volume_gb,
            availability_zone=cloud.zone or None,
            metadata=self._labels,
            **self._region_arguments(protect=True),
        )
        port = networking.Port(
            "port",
            network_id=self._network.id,
            fixed_ips=[networking.PortFixedIpArgs(subnet_id=self._subnet.id, ip_address=self._machine_address)],
            security_group_ids=[self._group.id],
            **self._tagged_arguments(),
        )
        image = images.get_image_output(
            name=cloud.image, most_recent=True, region=self._region, opts=self._lookup_options
        )
        image_id = image.apply(lambda result: str(result.id))
        compute.Instance(
            "machine",
            name=self._name,
            image_id=image_id,
            flavor_name=cloud.flavour,
            key_pair=cloud.key_pair or None,
            availability_zone=cloud.zone or None,
            networks=[compute.InstanceNetworkArgs(port=port.id)],
            block_devices=[
                compute.InstanceBlockDeviceArgs(
                    uuid=image_id, source_type="image", destination_type="local", boot_index=0,
                    delete_on_termination=True,
                ),
                compute.InstanceBlockDeviceArgs(
                    uuid=store.id, source_type="volume", destination_type="volume", boot_index=-1,
                    delete_on_termination=False,
                ),
            ],
            metadata=self._labels,
            user_data=user_data,
            **self._region_arguments(protect=True, ignore=_CREATION_PROPERTIES),
        )  # fmt: skip
        if cloud.admin_sources:
            self._create_floating_ip("admin-address", port.id)

    def _create_floating_ip(self, name: str, port_id: pulumi.Output[str]) -> networking.FloatingIp:
        return networking.FloatingIp(
            name,
            pool=self._cloud.external_network,
            port_id=port_id,
            tags=self._tags,
            **self._region_arguments(after=[self._router_interface]),
        )

    def _create_balancer(self) -> pulumi.Output[str]:
        """Create the load balancer, which passes TCP through to the broker's and nginx' TLS; returns its address."""
        balancer = loadbalancer.LoadBalancer("balancer", vip_subnet_id=self._subnet.id, **self._tagged_arguments())
        for exposed_port in self._exposed_ports:
            self._expose_port(balancer, exposed_port)
        return self._create_floating_ip("address", balancer.vip_port_id).address

    def _expose_port(self, balancer: loadbalancer.LoadBalancer, exposed_port: ExposedPort) -> None:
        name = f"{self._name}-{exposed_port.name}"
        listener = loadbalancer.Listener(
            f"listener-{exposed_port.name}",
            loadbalancer_id=balancer.id,
            protocol="TCP",
            protocol_port=exposed_port.port,
            allowed_cidrs=list(exposed_port.sources),
            timeout_client_data=IDLE_MS,
            timeout_member_data=IDLE_MS,
            **self._tagged_arguments(name),
        )
        pool = loadbalancer.Pool(
            f"pool-{exposed_port.name}",
            listener_id=listener.id,
            protocol="TCP",
            lb_method="SOURCE_IP",
            **self._tagged_arguments(name),
        )
        loadbalancer.Member(
            f"member-{exposed_port.name}",
            pool_id=pool.id,
            address=self._machine_address,
            protocol_port=exposed_port.port,
            subnet_id=self._subnet.id,
            tags=self._tags,
            **self._region_arguments(),
        )
        loadbalancer.Monitor(
            f"monitor-{exposed_port.name}",
            pool_id=pool.id,
            type="TCP",
            delay=10,
            timeout=5,
            max_retries=3,
            **self._region_arguments(),
        )


def deploy_cloud(
    plan: StackPlan,
    options: StackOptions,
    inventory: Inventory,
    inventory_files: Mapping[str, str],
    opts: pulumi.ResourceOptions | None = None,
) -> Mapping[str, pulumi.Input[object]]:
    """Create or change the cloud's resources; returns their outputs. Raises ConfigError before the first call."""
    machine_data = user_data(plan, options, inventory, inventory_files)
    if warning := inventory_warning(machine_data, plan.inventory_version):
        pulumi.warn(warning)
    cloud = Cloud(plan, options, pack_user_data(machine_data), opts)
    open_ports = {exposed_port.name: exposed_port.port for exposed_port in exposed_ports(plan, options.openstack)}
    cloud.register_outputs({"address": cloud.address})
    return {
        "address": cloud.address,
        "brokerAddress": f"mqtts://{options.broker.host}:{open_ports['broker']}",
        "apiUrl": cloud.address.apply(lambda ip: f"https://{ip}/") if "api" in open_ports else "",
        "region": options.openstack.region,
        "next": f"point {options.broker.host} at the address; sign the requests in /etc/motcua/requests on the machine",
    }


def deploy_stack(
    plan: StackPlan, options: StackOptions, inventory: Inventory, root: Path, secrets: Mapping[str, pulumi.Output[str]]
) -> StackOutputs:
    """Create or change everything; returns the stack's outputs. Raises ConfigError before the first call."""
    files = inventory_files(root, options)
    parent_options = pulumi.ResourceOptions(parent=Province(plan.province, plan.stage))
    authority = replace(plan.pki, certificates=())
    pki = Certificates(authority, plan.stage, root_inputs(options, root, secrets), parent_options)
    cloud_outputs = deploy_cloud(plan, options, inventory, files, parent_options)
    return {**common_outputs(plan, options, pki), **cloud_outputs}
