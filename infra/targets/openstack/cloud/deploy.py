"""Gives the values of `resources` to Pulumi: one class for each kind, one provider for each project.

It must not decide anything about a resource: its properties are the value's. What belongs to a project is created
inside of it, by the program as its member; what members may not create, by the administrator for it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_openstack import (
    Provider,
    blockstorage,
    compute,
    dns,
    identity,
    images,
    loadbalancer,
    networking,
    objectstorage,
)

from infra.components.component import PROTECTED_STAGES, MotcuaComponent, Province
from infra.plan.cloud.vantage_points import broker_faults
from infra.targets.openstack.cloud.resources import (
    check_has_systems,
    cloud_settings,
    ground_resources,
    hosted_resources,
)
from infra.targets.openstack.cloud.values import CreatedReference, ExistingReference, ProgramUser, property_name
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan
    from infra.targets.openstack.cloud.values import (
        CloudResource,
        CloudResourceKind,
        CloudSettings,
        ExistingKind,
    )

_CLASSES: Mapping[CloudResourceKind, Callable[..., pulumi.CustomResource]] = {
    "project": identity.Project,
    "agency-group": identity.GroupV3,
    "role-assignment": identity.RoleAssignment,
    "application-credential": identity.ApplicationCredential,
    "compute-quota": compute.QuotaSetV2,
    "network-quota": networking.QuotaV2,
    "volume-quota": blockstorage.QuoteSetV3,
    "balancer-quota": loadbalancer.Quota,
    "network": networking.Network,
    "subnet": networking.Subnet,
    "router": networking.Router,
    "router-interface": networking.RouterInterface,
    "route": networking.RouterRoute,
    "security-group": networking.SecGroup,
    "security-group-rule": networking.SecGroupRule,
    "port": networking.Port,
    "floating-address": networking.FloatingIp,
    "server-group": compute.ServerGroup,
    "volume": blockstorage.Volume,
    "machine": compute.Instance,
    "balancer": loadbalancer.LoadBalancer,
    "listener": loadbalancer.Listener,
    "pool": loadbalancer.Pool,
    "member": loadbalancer.Member,
    "monitor": loadbalancer.Monitor,
    "container": objectstorage.Container,
    "name-record": dns.RecordSet,
}
_LOOKUPS: Mapping[ExistingKind, Callable[..., pulumi.Output[Any]]] = {
    "network": networking.get_network_output,
    "subnet": networking.get_subnet_output,
    "router": networking.get_router_output,
    "image": lambda **asked: images.get_image_output(most_recent=True, **asked),
    "role": identity.get_role_output,
    "name-zone": dns.get_dns_zone_output,
}
_UNIQUE_IN_THE_CLOUD: frozenset[CloudResourceKind] = frozenset({"security-group-rule", "route", "router-interface"})
"""An equal one cannot exist beside the old one, so that is deleted before its replacement is created."""


class CloudProject(MotcuaComponent):
    """One project with everything in it."""

    type_key = "project"


class CloudProgram:
    """Creates resources in their order and remembers them for those that refer to them."""

    def __init__(self, region: str, stage: str, opts: pulumi.ResourceOptions | None) -> None:
        self._region, self._stage, self._opts = region, stage, opts
        self._administrator = Provider("openstack", region=region, opts=opts)
        self._created: dict[tuple[str, str], pulumi.CustomResource] = {}
        self._components: dict[str, CloudProject] = {}
        self._members: dict[str, Provider] = {}
        self._looked_up: dict[ExistingReference, pulumi.Output[str]] = {}
        self._before_members: dict[str, list[pulumi.Resource]] = {}

    def create(self, resource: CloudResource, secrets: tuple[str, ...] = ()) -> None:
        """Create one resource; everything it refers to was created before."""
        options = self._options(resource)
        if secrets:
            more = pulumi.ResourceOptions(additional_secret_outputs=list(secrets))
            options = pulumi.ResourceOptions.merge(options, more)
        properties = {name: self._resolve(value) for name, value in resource.properties.items()}
        created = _CLASSES[resource.kind](resource.name, region=self._region, opts=options, **properties)
        self._created[resource.kind, resource.name] = created
        if not resource.project:
            self._before_members.setdefault(_project_of(resource), []).append(created)

    def output(self, reference: CreatedReference) -> pulumi.Output[Any]:
        """Return an output of a created resource. Raises KeyError when it was not created."""
        created: Any = self._created[reference.kind, reference.name]
        if reference.output == "first_address":
            addresses: pulumi.Output[Any] = created.all_fixed_ips
            return addresses.apply(lambda listed: listed[0] if listed else "")
        output: pulumi.Output[Any] = getattr(created, reference.output)
        return output

    def _options(self, resource: CloudResource) -> pulumi.ResourceOptions:
        project = _project_of(resource)
        by_member = bool(resource.project) and not resource.by_administrator
        component = self._component(project) if project else None
        is_protected = resource.lasting and self._stage in PROTECTED_STAGES
        if component is None:
            base = pulumi.ResourceOptions.merge(self._opts, pulumi.ResourceOptions(protect=is_protected))
        else:
            base = component.child_options(protect=resource.lasting)
        own = pulumi.ResourceOptions(
            provider=self._member(project) if by_member else self._administrator,
            ignore_changes=[property_name(name) for name in resource.unchanged] or None,
            aliases=[pulumi.Alias(name=name) for name in resource.aliases] or None,
            delete_before_replace=resource.kind in _UNIQUE_IN_THE_CLOUD or None,
            depends_on=[self._created[one.kind, one.name] for one in resource.after] or None,
        )
        return pulumi.ResourceOptions.merge(base, own)

    def _component(self, project: str) -> CloudProject:
        if project not in self._components:
            self._components[project] = CloudProject(project, self._stage, self._opts)
        return self._components[project]

    def _member(self, project: str) -> Provider:
        """Return the provider inside of a project; it waits for the program's role there, and for the quotas."""
        if project not in self._members:
            options = pulumi.ResourceOptions(
                parent=self._component(project), depends_on=self._before_members.get(project, [])
            )
            tenant = self.output(CreatedReference("project", project))
            self._members[project] = Provider(
                f"openstack-{project}", region=self._region, tenant_id=tenant, opts=options
            )
        return self._members[project]

    def _resolve(self, value: object) -> object:
        if isinstance(value, CreatedReference):
            return self.output(value)
        if isinstance(value, ExistingReference):
            if value not in self._looked_up:
                self._looked_up[value] = self._look_up(value)
            return self._looked_up[value]
        if isinstance(value, ProgramUser):
            scope = identity.get_auth_scope_output(name="motcua", region=self._region, opts=self._invoke_options())
            return scope.apply(lambda answer: str(answer.user_id))
        if isinstance(value, dict):
            return {name: self._resolve(inner) for name, inner in value.items()}
        return [self._resolve(inner) for inner in value] if isinstance(value, list | tuple) else value

    def _look_up(self, reference: ExistingReference) -> pulumi.Output[str]:
        asked = {"name": reference.name, "region": self._region, "opts": self._invoke_options()}
        return _LOOKUPS[reference.kind](**asked).apply(lambda answer: str(answer.id))

    def _invoke_options(self) -> pulumi.InvokeOptions:
        return pulumi.InvokeOptions(provider=self._administrator)


def deploy_ground(
    plan: CloudPlan,
    settings: CloudSettings,
    opts: pulumi.ResourceOptions | None = None,
    agents: Mapping[str, str] = MappingProxyType({}),
) -> Mapping[str, pulumi.Input[object]]:
    """Create or change the platform below the systems, and the agents: device → agent.toml.

    Raises ConfigError before the first call.
    """
    _create_all(ground_resources(plan, settings, agents), plan, settings, opts)
    return {"region": settings.region}


def deploy_hosted(
    plan: CloudPlan, settings: CloudSettings, opts: pulumi.ResourceOptions | None = None
) -> Mapping[str, pulumi.Input[object]]:
    """Create or change all hosted systems; returns outside addresses. Raises ConfigError before the first call."""
    resources = hosted_resources(plan, settings)
    program = _create_all(resources, plan, settings, opts)
    return {
        "region": settings.region,
        "addresses": {
            one.project: program.output(CreatedReference("floating-address", one.name, "address"))
            for one in resources
            if one.kind == "floating-address"
        },
    }


def deploy_part(
    plan: CloudPlan, options: StackOptions, agents: Mapping[str, str]
) -> Mapping[str, pulumi.Input[object]]:
    """Create or change what the stack's `cloud.part` names; `agents`: device inside the cloud → its agent.toml.

    Raises ConfigError before the first call.
    """
    check_has_systems(plan)
    settings = cloud_settings(options)
    if options.cloud.part == "ground" and (faults := broker_faults(plan, options.broker.host)):
        raise ConfigError(faults)
    parent = pulumi.ResourceOptions(parent=Province(plan.province, plan.stage))
    if options.cloud.part == "ground":
        return deploy_ground(plan, settings, parent, agents)
    return deploy_hosted(plan, settings, parent)


def _create_all(
    resources: Iterable[CloudResource], plan: CloudPlan, settings: CloudSettings, opts: pulumi.ResourceOptions | None
) -> CloudProgram:
    program = CloudProgram(settings.region, plan.stage, opts)
    for resource in resources:
        program.create(resource, ("secret",) if resource.kind == "application-credential" else ())
    return program


def _project_of(resource: CloudResource) -> str:
    """Return the project that a resource is shown below; empty for the cloud's own."""
    if resource.project or resource.kind == "agency-group":
        return resource.project
    return resource.name.partition("/")[0]
