"""Deploys the ground, or the hosted systems, by Pulumi: two stacks. It must not decide what an object holds.

The engine cannot preview an object whose kind is unknown to the cluster; so definitions of other operators' kinds come
before both stacks, and the ground before the systems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as k8s

from infra.components.component import MotcuaComponent, Province
from infra.policy.cloud.admission_checks import SYSTEM_LABEL, ZONE_LABEL
from infra.targets.kubernetes.cloud.files import object_file_name
from infra.targets.kubernetes.cloud.ground import required_kinds
from infra.targets.kubernetes.cloud.manifests import ground_manifests, hosted_manifests
from infra.targets.kubernetes.cloud.objects import COMPONENT_LABEL
from infra.targets.kubernetes.resources import register_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set as AbstractSet

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from infra.targets.kubernetes.objects import Manifest

PROTECTED_KINDS = frozenset({"Cluster", "RabbitmqCluster", "StorageClass", "ObjectStore"})
"""Kinds that hold data or lead to it."""
SCALED_BY_OTHERS = ("spec.replicas",)
"""What an autoscaler owns: the engine must not write it."""
PROVIDER_NAME = "cluster"
"""The provider's name never changes: another one would replace every object."""


class CloudPart(MotcuaComponent):
    """One part of the province's cloud: the ground, or one hosted system."""

    type_key = "cloud-part"

    def __init__(
        self, name: str, stage: str, provider: k8s.Provider, opts: pulumi.ResourceOptions | None = None,
        earlier_names: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        aliases = pulumi.ResourceOptions(aliases=[pulumi.Alias(name=earlier) for earlier in earlier_names])
        super().__init__(name, stage, pulumi.ResourceOptions.merge(opts, aliases))
        self._provider = provider
        self._namespaces: dict[str, pulumi.Resource] = {}

    def create(self, objects: Iterable[Manifest]) -> None:
        """Create or change objects, each after its namespace."""
        wanted = tuple(objects)
        scaled = {_component_place(one) for one in wanted if one["kind"] == "HorizontalPodAutoscaler"}
        data = {one["metadata"].get("namespace", "") for one in wanted if one["kind"] in PROTECTED_KINDS}
        for manifest in wanted:
            holds_data = manifest["kind"] in PROTECTED_KINDS or _is_data_namespace(manifest, data)
            is_scaled = manifest["kind"] == "Deployment" and _component_place(manifest) in scaled
            self._create_object(manifest, holds_data=holds_data, ignored=SCALED_BY_OTHERS if is_scaled else ())

    def _create_object(self, manifest: Manifest, *, holds_data: bool, ignored: tuple[str, ...]) -> None:
        meta = manifest["metadata"]
        namespace = self._namespaces.get(meta.get("namespace", ""))
        own_options = pulumi.ResourceOptions(
            provider=self._provider,
            ignore_changes=list(ignored),
            # In stage prod data stay in the cluster even when their object leaves the stack.
            retain_on_delete=holds_data and self._stage == "prod",
        )
        child_options = self.child_options(protect=holds_data, after=[namespace] if namespace else [])
        opts = pulumi.ResourceOptions.merge(child_options, own_options)
        resource = register_object(manifest, object_file_name(manifest), opts)
        if manifest["kind"] == "Namespace":
            self._namespaces[meta["name"]] = resource


def _is_data_namespace(manifest: Manifest, data: AbstractSet[str]) -> bool:
    """Return whether it is the namespace of a database zone, or of another zone with data."""
    meta = manifest["metadata"]
    return manifest["kind"] == "Namespace" and (meta["labels"].get(ZONE_LABEL) == "database" or meta["name"] in data)


def _component_place(manifest: Manifest) -> tuple[str, str]:
    """Return namespace and component of an object."""
    meta = manifest["metadata"]
    return meta.get("namespace", ""), meta["labels"][COMPONENT_LABEL]


def deploy_cloud(plan: CloudPlan, options: StackOptions) -> Mapping[str, pulumi.Input[object]]:
    """Create or change the part that the options choose; returns its outputs.

    Raises ConfigError naming everything that no cluster could run, and every promise that the ground does not give.
    """
    objects = (ground_manifests if options.cloud.part == "ground" else hosted_manifests)(plan, options)
    province = Province(plan.province, plan.stage)
    opts = pulumi.ResourceOptions(parent=province)
    provider = k8s.Provider(
        PROVIDER_NAME,
        context=options.kubernetes.context or None,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        opts=opts,
    )
    if options.cloud.part == "ground":
        part = CloudPart("ground", plan.stage, provider, opts)
        part.create(objects)
        part.register_outputs({})
    else:
        for system in plan.systems:
            hosted = CloudPart(system.id, plan.stage, provider, opts, system.declared.was)
            hosted.create(_objects_of(system, objects))
            hosted.register_outputs({})
    return {"part": options.cloud.part, "requiredKinds": list(required_kinds(objects)),
            "systems": [system.id for system in plan.systems]}  # fmt: skip


def _objects_of(system: SystemPlan, objects: Iterable[Manifest]) -> tuple[Manifest, ...]:
    return tuple(one for one in objects if one["metadata"]["labels"][SYSTEM_LABEL] == system.id)
