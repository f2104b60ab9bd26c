"""Deploys the ground, or the hosted systems, by Pulumi: two stacks. It must not decide what an object holds.

The engine cannot preview an object whose kind is unknown to the cluster; so definitions of other operators' kinds come
before both stacks, and the ground before the systems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from infra.components import cloud as cloud_components
from infra.components.component import MotcuaComponent, Province
from infra.plan.cloud.roll_out_order import systems_callees_first
from infra.targets.kubernetes.cloud.files import object_file_name
from infra.targets.kubernetes.cloud.ground import required_kinds
from infra.targets.kubernetes.cloud.manifests import agent_manifests, ground_manifests, hosted_manifests
from infra.targets.kubernetes.cloud.target import KubernetesTarget
from infra.targets.kubernetes.resources import register_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pulumi_kubernetes as k8s

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan
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


def deploy_cloud(
    plan: CloudPlan, options: StackOptions, agents: Mapping[str, str]
) -> Mapping[str, pulumi.Input[object]]:
    """Create or change the part that the options choose; returns its outputs. `agents`: device → its agent.toml.

    Raises ConfigError naming everything that no cluster could run, and every promise that the ground does not give.
    """
    is_ground = options.cloud.part == "ground"
    watching = () if is_ground else agent_manifests(plan, options, agents)
    objects = (ground_manifests if is_ground else hosted_manifests)(plan, options)
    target = KubernetesTarget(options)
    province = Province(plan.province, plan.stage)
    parent = pulumi.ResourceOptions(parent=province)
    if is_ground:
        CloudPart("ground", plan.stage, target.provider, parent).create(objects)
    else:
        CloudPart("inside-agents", plan.stage, target.provider, parent).create(watching)
        cloud = cloud_components.Province(
            plan.province, cloud_components.ProvinceArgs(plan.stage, target, plan.declaration, plan.today)
        )
        for ident in systems_callees_first(plan):
            cloud_components.System(ident, None, cloud)
    return {"part": options.cloud.part, "requiredKinds": list(required_kinds((*objects, *watching))),
            "systems": [system.id for system in plan.systems]}  # fmt: skip
