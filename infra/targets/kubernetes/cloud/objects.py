"""Names, labels and the plain objects that every part of a hosted system shares. Pure; it decides no content.

Names of objects come from physical names of zones and from the first id of a component, so that a renamed system or
component keeps its objects. A manifest holds references to secrets only, never a value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infra.config.options import is_listed
from infra.policy.cloud.admission_checks import KIND_LABEL
from infra.policy.cloud.exceptions import exception_labels
from infra.targets.kubernetes.network import INSIDE_AGENT
from infra.targets.kubernetes.objects import dns_name, label_value
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.plan.cloud.values import AllowedConnection, CloudPlan, ComponentPlan, SystemPlan, ZonePlan
    from infra.targets.kubernetes.objects import Manifest
    from telemetry.core.cloud.values import Component, Ground, PlatformName

COMPONENT_LABEL, PART_OF_LABEL = "app.kubernetes.io/component", "app.kubernetes.io/part-of"
HTTPS_PORT = 443
AGENT = INSIDE_AGENT
"""The name of an agent's objects, and what the label of its pod says."""
DATABASE_CLUSTER_LABEL = "cnpg.io/cluster"
"""The label of every pod of a database, with the name of its Cluster."""
SEPARATED_LEVEL = 3
"""From this level on systems are separated: own storage, spread instances, a port apart for health."""
_NO_DIGEST_REMEDY = "add it to cloud.imageDigests as `{}: sha256:…`"


@dataclass(frozen=True, slots=True)
class OwnSystem:
    """Motcua as one of the hosted systems: its plan and options (`infra.plan.own_system`), the inventory's files.

    Without `with_roles` what needs a token of InfluxDB is left out, as in the first run.
    """

    plan: StackPlan
    options: StackOptions
    inventory_files: Mapping[str, str]
    with_roles: bool = True

    @property
    def id(self) -> str:
        """Return the id of the declared system."""
        return self.options.cloud.own_system


@dataclass(frozen=True, slots=True)
class HostedSpec:
    """The input of all objects: the plan and the stack's options, and Motcua where it is one of the systems."""

    plan: CloudPlan
    options: StackOptions
    own: OwnSystem | None = None

    @property
    def ground(self) -> Ground:
        """Return what the cluster promises."""
        return self.plan.declaration.ground

    @property
    def systems(self) -> tuple[SystemPlan, ...]:
        """Return the systems that the stack deploys; the plan has those of other stacks, too."""
        listed = self.options.cloud.systems
        return tuple(system for system in self.plan.systems if is_listed(system.id, listed))

    @property
    def placed_zones(self) -> Iterator[tuple[SystemPlan, ZonePlan]]:
        """Yield every zone with its system, in order of the plan."""
        return ((system, zone) for system in self.plan.systems for zone in system.zones)


def with_exceptions(plan: CloudPlan) -> CloudPlan:
    """Return the plan with the labels of dated exceptions on what they hold for in namespaces: zones and components."""

    def labels_of(place: str) -> dict[str, str]:
        return exception_labels(plan.declaration, place, plan.today)

    return replace(
        plan,
        systems=tuple(
            replace(
                system,
                zones=tuple(
                    replace(
                        zone,
                        labels={**zone.labels, **labels_of(system.id)},
                        components=tuple(
                            replace(component, labels={**component.labels, **labels_of(component.declared.path)})
                            for component in zone.components
                        ),
                    )
                    for zone in system.zones
                ),
            )
            for system in plan.systems
        ),
    )


def object_name(component: Component) -> str:
    """Return the name of a component's objects: its first id, which a rename does not change."""
    return dns_name(component.first_id)


def keeps_volumes(component: Component) -> bool:
    """Return whether a component is a store that no operator runs: a program with a disk."""
    return component.kind == "app" and component.disk_gb > 0


def has_own_pods(component: Component) -> bool:
    """Return whether the program describes a component's pods itself: no operator does, and it is no bucket."""
    return component.kind not in {"objects", "queue", "database"}


def pod_selector(component: Component) -> dict[str, str]:
    """Return the labels that select a component's pods in its namespace; they never change."""
    return {COMPONENT_LABEL: label_value(object_name(component))}


def policy_selector(component: Component) -> dict[str, str]:
    """Return the labels by which network policies select a component's pods.

    Pods of databases and queues get their labels from their operators, also those of the jobs that set them up.
    """
    name = label_value(object_name(component))
    if component.kind == "database":
        return {DATABASE_CLUSTER_LABEL: name}
    if component.kind == "queue":
        return {"app.kubernetes.io/name": name, COMPONENT_LABEL: "rabbitmq"}
    return {**pod_selector(component), KIND_LABEL: component.kind}


def platform_url(spec: HostedSpec, name: PlatformName) -> str:
    """Return the HTTPS address of a service of the platform for pods, "" where it is not declared."""
    service = spec.plan.declaration.platform.get(name)
    if service is None:
        return ""
    host = f"{name}.{service.namespace}.svc" if service.namespace else service.address
    return f"https://{host}:{service.port or HTTPS_PORT}"


def object_labels(labels: Mapping[str, str], part: str) -> dict[str, str]:
    """Return every label of an object; `part` is the component, or what the object is for."""
    own = {name: label_value(value) for name, value in labels.items()}
    managed = {PART_OF_LABEL: "motcua", "app.kubernetes.io/managed-by": "pulumi"}
    return {**managed, **own, COMPONENT_LABEL: label_value(part)}


def platform_manifest(spec: HostedSpec, kind: str, namespace: str, name: str, part: str, body: Manifest) -> Manifest:
    """Return an object of a kind (`group/version Kind`) that belongs to no system; `body` is its spec."""
    version, _, kind_name = kind.rpartition(" ")
    meta = {"name": name, "namespace": namespace, "labels": object_labels(platform_labels(spec), part)}
    return {"apiVersion": version, "kind": kind_name, "metadata": meta, "spec": body}


def zone_manifest(zone: ZonePlan, kind: str, name: str, part: str, **body: Any) -> Manifest:  # noqa: ANN401 - JSON
    """Return an object of a kind (`group/version Kind`) in the zone's namespace."""
    version, _, kind_name = kind.rpartition(" ")
    meta = {"name": name, "namespace": zone.namespace, "labels": object_labels(zone.labels, part)}
    return {"apiVersion": version, "kind": kind_name, "metadata": meta, **body}


def component_manifest(component: ComponentPlan, kind: str, name: str = "", **body: Any) -> Manifest:  # noqa: ANN401
    """Return an object of a component, by default of its own name."""
    own_name = object_name(component.declared)
    version, _, kind_name = kind.rpartition(" ")
    meta = {
        "name": name or own_name,
        "namespace": component.namespace,
        "labels": component_labels(component),
    }
    return {"apiVersion": version, "kind": kind_name, "metadata": meta, **body}


def component_labels(component: ComponentPlan) -> dict[str, str]:
    """Return every label of a component's objects and pods."""
    return {
        **object_labels(component.labels, object_name(component.declared)), KIND_LABEL: component.declared.kind,
    }  # fmt: skip


def image_reference(spec: HostedSpec, component: ComponentPlan) -> str:
    """Return a component's image in the stack's registry by its digest. Raises ConfigError when it has none."""
    return digest_reference(spec, component.declared.image, component.declared.path)


def digest_reference(spec: HostedSpec, image: str, user: str) -> str:
    """Return an image of the stack's registry by its digest; `user` is who needs it. Raises ConfigError without one."""
    digest = spec.options.cloud.image_digests.get(image)
    if digest is None:
        problem = f"{user}: image {image!r} has no digest"
        raise ConfigError([Fault("stack configuration", 0, "motcua:cloud.imageDigests", problem,
                                 _NO_DIGEST_REMEDY.format(image))])  # fmt: skip
    tagged = f":{digest}" if "@" in digest else f"@{digest}"
    return f"{spec.options.cloud.registry or spec.options.kubernetes.registry}/{image}{tagged}"


def platform_labels(spec: HostedSpec) -> dict[str, str]:
    """Return the labels of what belongs to no system."""
    return {
        "motcua.org/province": spec.plan.province,
        "motcua.org/stage": spec.plan.stage,
        "motcua.org/owner": spec.options.owner,
        "motcua.org/data-class": "operational",
    }


def exposures_of(spec: HostedSpec, component: ComponentPlan) -> tuple[AllowedConnection, ...]:
    """Return the connections by which gateways of the edge reach a component."""
    return tuple(
        connection
        for connection in spec.plan.connections_of(component.declared.system, component.declared.id)
        if connection.source.kind == "edge" and is_end(component, connection, of_source=False)
    )


def is_end(component: ComponentPlan, connection: AllowedConnection, *, of_source: bool) -> bool:
    """Return whether a component is the source, or the target, of a connection."""
    end = connection.source if of_source else connection.target
    return end.kind == "component" and (end.system, end.name) == (component.declared.system, component.declared.id)
