"""Deploys the ground, or the hosted systems, by Pulumi: two stacks. It must not decide what an object holds.

The engine cannot preview an object whose kind is unknown to the cluster; so definitions of other operators' kinds come
before both stacks, and the ground before the systems.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.components import cloud as cloud_components
from infra.components.component import MotcuaComponent, Province
from infra.config.options import INSIDE_AGENTS
from infra.plan.cloud.part_moves import AGENTS_OUTPUT, SYSTEMS_OUTPUT
from infra.plan.cloud.roll_out_order import systems_callees_first
from infra.targets.kubernetes.cloud.files import object_file_name
from infra.targets.kubernetes.cloud.ground import required_kinds
from infra.targets.kubernetes.cloud.manifests import agent_manifests, ground_manifests, hosted_manifests
from infra.targets.kubernetes.cloud.objects import HostedSpec
from infra.targets.kubernetes.cloud.own_system import own_cluster, own_role_manifests
from infra.targets.kubernetes.cloud.target import KubernetesTarget, OwnDeployment
from infra.targets.kubernetes.deploy import cluster_outputs, make_stack_secrets
from infra.targets.kubernetes.manifests import required_secrets
from infra.targets.kubernetes.resources import register_object
from infra.targets.kubernetes.secret_values import complete_secrets, has_placeholders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pulumi_kubernetes as k8s

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan
    from infra.targets.kubernetes.cloud.objects import OwnSystem
    from infra.targets.kubernetes.objects import Manifest

PROTECTED_KINDS = frozenset({"StorageClass"})
"""Kinds of the ground that lead to data."""


class CloudPart(MotcuaComponent):
    """What belongs to no system: the ground of the province's cloud, or the agents inside."""

    type_key = "cloud-part"

    def __init__(
        self, name: str, stage: str, provider: k8s.Provider, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, stage, opts)
        self._provider = provider
        self._namespaces: dict[str, pulumi.Resource] = {}

    def create(self, objects: Iterable[Manifest]) -> None:
        """Create or change objects, each after its namespace."""
        for manifest in objects:
            meta = manifest["metadata"]
            namespace = self._namespaces.get(meta.get("namespace", ""))
            own_options = self.data_options(
                holds_data=manifest["kind"] in PROTECTED_KINDS, after=[namespace] if namespace else []
            )
            opts = pulumi.ResourceOptions.merge(own_options, pulumi.ResourceOptions(provider=self._provider))
            resource = register_object(manifest, object_file_name(manifest), opts)
            if manifest["kind"] == "Namespace":
                self._namespaces[meta["name"]] = resource
        self.register_outputs({})


@dataclass(frozen=True, slots=True)
class OwnInputs:
    """What Motcua as one of the systems needs of the program: itself, the project's folder, the stack's secrets."""

    system: OwnSystem
    root: Path
    secrets: Mapping[str, pulumi.Output[str]]


def deploy_cloud(
    plan: CloudPlan, options: StackOptions, agents: Mapping[str, str], own: OwnInputs | None = None
) -> Mapping[str, pulumi.Input[object]]:
    """Create or change the part that the options choose; returns its outputs. `agents`: device → its agent.toml.

    Raises ConfigError naming everything that no cluster could run, every promise that the ground does not give, and
    every secret that is missing.
    """
    province = Province(plan.province, plan.stage)
    parent = pulumi.ResourceOptions(parent=province)
    if options.cloud.part == "ground":
        objects = ground_manifests(plan, options)
        CloudPart("ground", plan.stage, KubernetesTarget(options).provider, parent).create(objects)
        return _part_outputs(plan, options, objects)
    watching = agent_manifests(plan, options, agents)
    objects = hosted_manifests(plan, options, own.system if own else None)
    made = _deploy_own(plan, own, objects, parent) if own else None
    target = KubernetesTarget(options, own=made.deployment if made else None)
    if watching:
        # `pulumi state move` puts what it moves right below the stack.
        moved = pulumi.ResourceOptions(aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)])
        agents_options = pulumi.ResourceOptions.merge(parent, moved)
        CloudPart(INSIDE_AGENTS, plan.stage, target.provider, agents_options).create(watching)
    deployed = {system.id for system in HostedSpec(plan, options).systems}
    elsewhere = frozenset(system.id for system in plan.systems) - deployed
    args = cloud_components.ProvinceArgs(plan.stage, target, plan.declaration, plan.today, elsewhere)
    cloud = cloud_components.Province(plan.province, args)
    for ident in systems_callees_first(plan):
        if ident in deployed:
            cloud_components.System(ident, None, cloud)
    outputs = _part_outputs(plan, options, (*objects, *watching))
    return {**outputs, AGENTS_OUTPUT: bool(agents), **(made.outputs if made else {})}


def _part_outputs(
    plan: CloudPlan, options: StackOptions, objects: Iterable[Manifest]
) -> dict[str, pulumi.Input[object]]:
    return {"part": options.cloud.part, "requiredKinds": list(required_kinds(objects)),
            SYSTEMS_OUTPUT: [system.id for system in HostedSpec(plan, options).systems]}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _MadeOwn:
    deployment: OwnDeployment
    outputs: Mapping[str, pulumi.Input[object]]


def _deploy_own(
    plan: CloudPlan, own: OwnInputs, objects: Iterable[Manifest], parent: pulumi.ResourceOptions
) -> _MadeOwn:
    """Create or change what Motcua needs besides objects: authorities, certificates, buckets, tokens."""
    system = own.system
    made = make_stack_secrets(system.plan, system.options, own.root, own.secrets, parent)
    values = complete_secrets(made.values, required_secrets(one for one in objects if has_placeholders(one)))
    cluster = own_cluster(HostedSpec(plan, system.options, system), system, plan.system(system.id))
    roles = own_role_manifests(cluster) if system.with_roles else ()
    names = frozenset(object_file_name(one) for one in roles)
    return _MadeOwn(OwnDeployment(system, values, made.after, names), {**made.outputs, **cluster_outputs(cluster)})
