"""The whole of what OpenStack is asked for, in order of creation: every reference leads to an earlier resource. Pure.

It must not ask the cloud what exists; names of what it has are in the settings.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from infra.targets.openstack.cloud.addresses import vantage_site
from infra.targets.openstack.cloud.balancers import balancer_resources
from infra.targets.openstack.cloud.checks import (
    find_plan_faults,
    find_resource_faults,
    find_route_faults,
    find_vantage_faults,
)
from infra.targets.openstack.cloud.machines import machine_resources
from infra.targets.openstack.cloud.networks import (
    group_resources,
    network_resources,
    platform_project,
    platform_resources,
    platform_router_name,
)
from infra.targets.openstack.cloud.tenancy import agency_groups, tenancy_resources
from infra.targets.openstack.cloud.values import CloudSettings
from infra.targets.openstack.cloud.vantage import vantage_resources
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from infra.targets.openstack.cloud.values import CloudResource

_NO_AGENTS: Mapping[str, str] = MappingProxyType({})


def cloud_settings(options: StackOptions) -> CloudSettings:
    """Return the settings of a stack file."""
    cloud = options.openstack
    return CloudSettings(
        cloud.region, cloud.external_network, cloud.image, cloud.key_pair, cloud.volume_type, cloud.name_zone,
        cloud.site_zones, cloud.agent_package, cloud.max_routes,
    )  # fmt: skip


def check_has_systems(plan: CloudPlan) -> None:
    """Refuse a stack of hosted systems without any. Raises ConfigError."""
    if not plan.systems:
        problem, remedy = "the inventory hosts no system", "declare one in systems.toml: [system.hosted]"
        raise ConfigError([Fault("stack", 0, "motcua:cloud.part", problem, remedy)])


def ground_resources(
    plan: CloudPlan, settings: CloudSettings, agents: Mapping[str, str] = _NO_AGENTS
) -> tuple[CloudResource, ...]:
    """Return what belongs to no system: the platform's project, networks and router at each site, and the agents.

    `agents`: device inside the cloud → its agent.toml. Raises ConfigError with every fault for which the cloud would
    refuse it.
    """
    if agents and (faults := find_vantage_faults(plan)):
        raise ConfigError(faults)
    project = platform_project(plan)
    router = platform_router_name(plan.province, vantage_site(plan.declaration))
    watching = vantage_resources(plan, settings, project, router, agents)
    return _without_faults((*platform_resources(plan, settings), *watching), settings)


def hosted_resources(plan: CloudPlan, settings: CloudSettings) -> tuple[CloudResource, ...]:
    """Return everything of all hosted systems, but of those that no shared cloud may host.

    Raises ConfigError with every fault for which the cloud would refuse it, before anything is sent.
    """
    if faults := find_plan_faults(plan):
        raise ConfigError(faults)
    systems = (one for system in plan.systems for one in system_resources(plan, system, settings))
    return _without_faults((*agency_groups(plan), *systems), settings)


def _without_faults(resources: tuple[CloudResource, ...], settings: CloudSettings) -> tuple[CloudResource, ...]:
    faults = [*find_resource_faults(resources), *find_route_faults(resources, settings.max_routes)]
    if faults:
        raise ConfigError(sorted(faults))
    return resources


def system_resources(plan: CloudPlan, system: SystemPlan, settings: CloudSettings) -> Iterator[CloudResource]:
    """Yield everything of one system: another system's row changes nothing of it but the sources that call it."""
    yield from tenancy_resources(plan, system)
    yield from network_resources(plan, system)
    yield from group_resources(plan, system)
    yield from machine_resources(plan, system, settings)
    yield from balancer_resources(plan, system, settings)
