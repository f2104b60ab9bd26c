"""The objects of a restore drill: a namespace beside a zone, in which its databases are made from their copies. Pure.

The zone's own quota stays what its system may use; nothing of the running system changes, and nothing of it may call
the drill. It must not write copies: they would be taken for the system's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from infra.plan.cloud.names import drill_name
from infra.plan.cloud.tenancy import drill_quota
from infra.policy.cloud.admission_checks import DRILL_LABEL
from infra.targets.kubernetes.cloud.databases import (
    database_manifests,
)
from infra.targets.kubernetes.cloud.manifests import hosted_faults
from infra.targets.kubernetes.cloud.network import network_manifests
from infra.targets.kubernetes.cloud.objects import SEPARATED_LEVEL, HostedSpec, with_exceptions
from infra.targets.kubernetes.cloud.storage import zone_storage_class
from infra.targets.kubernetes.cloud.tenancy import tenancy_manifests
from telemetry.core.hosted.database_figures import has_copies
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan, ZonePlan
    from infra.targets.kubernetes.objects import Manifest

COPIES: Final = "copies"
_LEFT_OUT: Final = frozenset({"ScheduledBackup", "PodMonitor", "PrometheusRule"})
"""What a drill would write copies with, or raise alerts by."""


def drill_manifests(plan: CloudPlan, options: StackOptions, ident: str) -> tuple[Manifest, ...]:
    """Return the objects of a drill of all databases of a system: each zone's namespace is before what is in it.

    Raises ConfigError as `hosted_manifests` does, and for a system without databases that have copies.
    """
    spec = HostedSpec(with_exceptions(plan), options)
    faults = hosted_faults(spec) or list(_drill_faults(spec, ident))
    if faults:
        raise ConfigError(sorted(faults))
    system = spec.plan.system(ident)
    return tuple(
        manifest for zone in system.zones if _databases(zone) for manifest in _zone_manifests(spec, system, zone)
    )


def _databases(zone: ZonePlan) -> tuple[ComponentPlan, ...]:
    return tuple(one for one in zone.components if one.declared.kind == "database")


def _drill_faults(spec: HostedSpec, ident: str) -> Iterator[Fault]:
    with_databases = sorted(one.id for one in spec.plan.systems if any(_databases(zone) for zone in one.zones))
    if ident not in with_databases:
        problem = f"{ident!r} is no hosted system with a database"
        yield Fault("command line", 0, "--drill", problem, f"give one of: {', '.join(with_databases) or 'none'}")
    if not has_copies(spec.plan.declaration):
        problem = "no store of copies is declared from which a database could be made"
        yield Fault("cloud.toml", 0, "[[backup]]", problem, "declare one of medium objects, and [platform.backup]")


def _zone_manifests(spec: HostedSpec, system: SystemPlan, zone: ZonePlan) -> Iterator[Manifest]:
    """Yield the drill's tenancy with a quota of its own, its network, its storage class, its databases."""
    single = tuple(_single_instance(one) for one in _databases(zone))
    place = replace(
        zone,
        namespace=drill_name(zone.namespace),
        quota=drill_quota(zone.components),
        components=single,
        labels={**zone.labels, DRILL_LABEL: "true"},
    )
    yield from tenancy_manifests(spec, system, place)
    if system.declared.level >= SEPARATED_LEVEL:
        # Its volumes go with the drill: they are copies of the data, and nobody would look for them.
        yield {**zone_storage_class(spec, place), "reclaimPolicy": "Delete"}
    yield from network_manifests(HostedSpec(_platform_only(spec.plan), spec.options), place)
    for manifest in database_manifests(spec, system, replace(zone, components=single)):
        if manifest["kind"] not in _LEFT_OUT:
            yield _move_object(manifest, place, system)


def _single_instance(component: ComponentPlan) -> ComponentPlan:
    """Return the component with one instance; by the label a database of level 3 may have only one."""
    single = replace(component.declared, least=1, most=1)
    return replace(component, declared=single, labels={**component.labels, DRILL_LABEL: "true"})


def _platform_only(plan: CloudPlan) -> CloudPlan:
    """Return the plan without the connections between components: what is drilled is called by nobody."""
    platform = tuple(
        one for one in plan.platform_connections if one.source.kind != "component" or one.target.kind != "component"
    )
    return replace(plan, connections=(), platform_connections=platform)


def _move_object(manifest: Manifest, place: ZonePlan, system: SystemPlan) -> Manifest:
    """Return an object in the drill's namespace; a database is made from the copies, and writes none."""
    meta = {**manifest["metadata"], "namespace": place.namespace}
    if manifest["kind"] != "Cluster":
        return {**manifest, "metadata": meta}
    spec = dict(manifest["spec"])
    (plugin,) = spec.pop("plugins")
    spec.pop("certificates")  # Nobody calls it: the operator's own will do.
    initial = spec["bootstrap"]["initdb"]
    spec |= {
        "instances": 1,
        "enablePDB": False,
        "bootstrap": {"recovery": {"source": COPIES, **initial}},
        "externalClusters": [{"name": COPIES, "plugin": {"name": plugin["name"], "parameters": plugin["parameters"]}}],
        "postgresql": {name: value for name, value in spec["postgresql"].items() if name != "synchronous"},
    }
    if system.declared.level >= SEPARATED_LEVEL:
        spec["storage"] = {**spec["storage"], "storageClass": place.namespace}
    return {**manifest, "metadata": meta, "spec": spec}
