"""Kubernetes as the target of the cloud's components: their objects by zone, component and flow, and a provider.

It must not decide what an object holds: `manifests` and `network` do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pulumi

from infra.components.cloud import CloudObject
from infra.targets.kubernetes.cloud.files import object_file_name
from infra.targets.kubernetes.cloud.manifests import hosted_faults, system_manifests
from infra.targets.kubernetes.cloud.network import network_manifests
from infra.targets.kubernetes.cloud.objects import COMPONENT_LABEL, HostedSpec, object_name, with_exceptions
from infra.targets.kubernetes.provider import make_provider
from infra.targets.kubernetes.resources import IMMUTABLE_FIELDS, register_object
from infra.targets.kubernetes.roll_out import AWAITED_KINDS, without_waiting
from infra.targets.kubernetes.secret_values import SecretValues
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pulumi_kubernetes as k8s

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import AllowedConnection, CloudPlan, SystemPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import OwnSystem
    from infra.targets.kubernetes.objects import Manifest

PROTECTED_KINDS = frozenset({"Cluster", "RabbitmqCluster", "StorageClass", "ObjectStore", "PersistentVolumeClaim"})
"""Kinds that hold data or lead to it."""
SCALED_BY_OTHERS = ("spec.replicas",)
"""What an autoscaler owns: the engine must not write it."""
PROVIDER_NAME = "cluster"
"""The provider's name never changes: another one would replace every object."""


@dataclass(frozen=True, slots=True)
class OwnDeployment:
    """Motcua as one of the systems: values of its secrets by name, and what its roles come after.

    `role_names` are the Pulumi names of the objects that need a token of InfluxDB.
    """

    system: OwnSystem
    values: Mapping[str, pulumi.Input[str]]
    after: Sequence[pulumi.Resource] = ()
    role_names: frozenset[str] = frozenset()


class KubernetesTarget:
    """One cluster, with the stack's options.

    `provider` is the one given, else that of the option `kubernetes.context`. `own` is Motcua where it is one of the
    systems, with the values of its secrets.
    """

    def __init__(
        self, options: StackOptions, provider: k8s.Provider | None = None, own: OwnDeployment | None = None
    ) -> None:
        self._options = options
        self._own = own
        self._values = SecretValues(own.values if own else {})
        self._checked_plan: CloudPlan | None = None
        self.provider = provider or make_provider(PROVIDER_NAME, options.kubernetes)

    def system_objects(self, plan: CloudPlan, system: SystemPlan) -> Sequence[CloudObject]:
        """Return the objects of a system but for the policies of its flows. Raises ConfigError with what cannot run."""
        spec = HostedSpec(with_exceptions(plan), self._options, self._own.system if self._own else None)
        if self._checked_plan is not plan:
            faults = hosted_faults(spec)
            if faults:
                raise ConfigError(sorted(faults))
            self._checked_plan = plan
        system = spec.plan.system(system.id)
        without = HostedSpec(replace(spec.plan, connections=()), self._options)
        base_keys = {object_file_name(one) for zone in system.zones for one in network_manifests(without, zone)}
        objects = [
            one
            for one in system_manifests(spec, system)
            if one["kind"] != "NetworkPolicy" or object_file_name(one) in base_keys
        ]
        self._values.note(objects)
        return [*_cloud_objects(system, objects)]

    def flow_objects(self, plan: CloudPlan, connection: AllowedConnection) -> Mapping[str, Sequence[CloudObject]]:
        """Return the two policies of a connection, by the system in whose zone each is."""
        plan = with_exceptions(plan)
        without = HostedSpec(replace(plan, connections=()), self._options)
        alone = HostedSpec(replace(plan, connections=(connection,)), self._options)
        ends = [end for end in (connection.source, connection.target) if end.kind == "component"]
        objects: dict[str, list[CloudObject]] = {}
        for system, zone in {(end.system, end.zone): None for end in ends}:
            planned = plan.system(system)
            (own_zone,) = [one for one in planned.zones if one.zone == zone]
            base_keys = {object_file_name(one) for one in network_manifests(without, own_zone)}
            added = [one for one in network_manifests(alone, own_zone) if object_file_name(one) not in base_keys]
            objects.setdefault(system, []).extend(_cloud_objects(planned, added))
        return objects

    def register(self, wanted: CloudObject, opts: pulumi.ResourceOptions) -> pulumi.Resource:
        """Register an object with the cluster's provider; what reads tokens comes after InfluxDB's buckets."""
        after = self._own.after if self._own and wanted.name in self._own.role_names else ()
        more = pulumi.ResourceOptions(provider=self.provider, depends_on=list(after))
        body = without_waiting(self._values.fill(dict(wanted.body)))
        return register_object(body, wanted.name, pulumi.ResourceOptions.merge(opts, more))


def _cloud_objects(system: SystemPlan, objects: Sequence[Manifest]) -> Iterator[CloudObject]:
    """Yield the objects with the zone and the component to which each belongs."""
    scaled = {(_namespace_of(one), _part_of(one)) for one in objects if one["kind"] == "HorizontalPodAutoscaler"}
    data = {_namespace_of(one) for one in objects if _is_data(one)}
    zones = {zone.namespace: zone for zone in system.zones}
    for manifest in objects:
        namespace = _namespace_of(manifest)
        zone = zones.get(namespace) or system.zones[-1]
        is_zone = manifest["kind"] == "Namespace"
        is_data_zone = is_zone and (zone.zone == "database" or namespace in data)
        is_scaled = manifest["kind"] == "Deployment" and (namespace, _part_of(manifest)) in scaled
        yield CloudObject(
            object_file_name(manifest), zone.zone, manifest, _component_of(zone, manifest),
            holds_data=is_data_zone or _is_data(manifest), opens_zone=is_zone,
            is_awaited=manifest["kind"] in AWAITED_KINDS,
            ignored=SCALED_BY_OTHERS if is_scaled else tuple(IMMUTABLE_FIELDS.get(manifest["kind"], ())),
        )  # fmt: skip


def _is_data(manifest: Manifest) -> bool:
    """Return whether an object holds data or leads to it."""
    return manifest["kind"] in PROTECTED_KINDS or "volumeClaimTemplates" in manifest.get("spec", {})


def _namespace_of(manifest: Manifest) -> str:
    meta = manifest["metadata"]
    return str(meta["name"] if manifest["kind"] == "Namespace" else meta.get("namespace", ""))


def _part_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["labels"].get(COMPONENT_LABEL, ""))


def _component_of(zone: ZonePlan, manifest: Manifest) -> str:
    """Return the component that an object is for, empty for what the zone has as a whole."""
    labels = manifest["metadata"]["labels"]
    names = {object_name(one.declared): one.declared.id for one in zone.components}
    if "motcua.org/component" in labels or manifest["kind"] == "ServiceAccount":
        return names.get(_part_of(manifest), "")
    return ""
