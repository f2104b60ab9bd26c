"""Motcua as one of the hosted systems: its own objects, in the zones of the cloud's plan. Pure.

Tenancy, network policies and exposure are those of every hosted system; it must not decide what Motcua's objects hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.own_system import build_own_plan, own_options
from infra.targets.kubernetes.cloud.objects import (
    OwnSystem,
    component_labels,
    image_reference,
    object_labels,
    pod_selector,
)
from infra.targets.kubernetes.cloud.pods import scheduling
from infra.targets.kubernetes.cloud.storage import storage_class_of
from infra.targets.kubernetes.manifests import role_manifests, store_manifests
from infra.targets.kubernetes.objects import ClusterSpec
from infra.targets.kubernetes.proxies import mqtt_proxy_manifests, web_proxy_manifests
from infra.targets.kubernetes.workloads import INVENTORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan, ZonePlan
    from infra.plan.values import Workload
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest
    from telemetry.core.inventory import Inventory

_TENANCY_KINDS = frozenset({"ServiceAccount"})
"""Kinds of objects that the tenancy of a zone has already."""
_HOMES = {INVENTORY: "api"}
"""Parts that are no component, and a component in whose zone they are."""


@dataclass(frozen=True, slots=True)
class ZonePlacement:
    """The components in the zones of their system, with the labels, images and classes of hosted systems."""

    spec: HostedSpec
    system: SystemPlan

    def namespace_of(self, part: str) -> str:
        """Return the namespace of the component's zone."""
        return self._component(part).namespace

    def labels_of(self, part: str) -> dict[str, str]:
        """Return the labels of a component, or those of the zone."""
        if part in _HOMES:
            return object_labels(self._zone(part).labels, part)
        return component_labels(self._component(part))

    def selector_of(self, component: str) -> dict[str, str]:
        """Return the label of the component."""
        return pod_selector(self._component(component).declared)

    def image_of(self, workload: Workload) -> str:
        """Return the declared image by its digest."""
        return image_reference(self.spec, self._component(workload.name))

    def storage_class_of(self, component: str) -> str:
        """Return the class of the zone."""
        return storage_class_of(self.spec, self.system, self._zone(component))

    def scheduling_of(self, component: str, *, spread: bool) -> Manifest:
        """Return where pods of hosted systems run, which are always spread."""
        del spread
        return scheduling(self.system, self._component(component))

    def _component(self, part: str) -> ComponentPlan:
        ident = _HOMES.get(part, part)
        return next(one for one in self.system.components if one.declared.id == ident)

    def _zone(self, part: str) -> ZonePlan:
        namespace = self.namespace_of(part)
        return next(zone for zone in self.system.zones if zone.namespace == namespace)


def plan_own_system(
    inventory: Inventory,
    options: StackOptions,
    cloud: CloudPlan,
    files: Mapping[str, str],
    inventory_files: Mapping[str, str],
) -> OwnSystem:
    """Return Motcua as the hosted system that the options name.

    `files` are dashboards and rules, path → text; the day is the cloud plan's. Raises ConfigError naming everything in
    which the declaration is not what Motcua needs.
    """
    own = own_options(options, cloud)
    plan = build_own_plan(inventory, own, cloud, cloud.today, files)
    return OwnSystem(plan, own, inventory_files)


def own_cluster(spec: HostedSpec, own: OwnSystem, system: SystemPlan) -> ClusterSpec:
    """Return the input of Motcua's own renderers."""
    return ClusterSpec(own.plan, own.options, own.inventory_files, ZonePlacement(spec, system))


def own_manifests(spec: HostedSpec, own: OwnSystem, system: SystemPlan, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return Motcua's objects in a zone: stores and proxies, and what needs a token of InfluxDB."""
    cluster = own_cluster(spec, own, system)
    objects = (*own_base_manifests(cluster), *(own_role_manifests(cluster) if own.with_roles else ()))
    return tuple(one for one in objects if one["metadata"]["namespace"] == zone.namespace)


def own_base_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return what is deployed first: broker, InfluxDB, backups, the way of devices."""
    return _without_tenancy((*store_manifests(cluster), *mqtt_proxy_manifests(cluster)))


def own_role_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return what needs tokens and the inventory, and the way of people to it."""
    return _without_tenancy((*role_manifests(cluster), *web_proxy_manifests(cluster)))


def with_live_data(objects: Iterable[Manifest]) -> Iterator[Manifest]:
    """Yield the objects of an exposure; answers have no limit of time, because live data are a stream."""
    for manifest in objects:
        if manifest["kind"] == "HTTPRoute":
            rules = [{**rule, "timeouts": {"request": "0s"}} for rule in manifest["spec"]["rules"]]
            yield {**manifest, "spec": {**manifest["spec"], "rules": rules}}
        else:
            yield manifest


def _without_tenancy(objects: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    return tuple(one for one in objects if one["kind"] not in _TENANCY_KINDS)
