"""References to the platform's vault, from which External Secrets fills Secrets. Pure; it never holds a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.targets.kubernetes.cloud.objects import object_labels, object_name
from infra.targets.kubernetes.cloud.pods import called_components, credentials_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.cloud.values import ComponentPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest

EXTERNAL_SECRET_KIND = "external-secrets.io/v1 ExternalSecret"  # noqa: S105 - a kind of object
REFRESH = "1h"
CREDENTIAL_KINDS = ("database", "objects", "queue")


def secret_path(component: ComponentPlan) -> str:
    """Return the place of a component's credentials in the vault; it never changes."""
    return f"{component.namespace}/{object_name(component.declared)}"


def external_secret(
    spec: HostedSpec, namespace: str, labels: Mapping[str, str], name: str, path: str, *, kind: str = "Opaque"
) -> Manifest:
    """Return an ExternalSecret that makes the Secret `name` with every value below a path of the vault."""
    store = {"kind": "ClusterSecretStore", "name": spec.options.cloud.secret_store}
    body = {
        "refreshInterval": REFRESH,
        "secretStoreRef": store,
        "target": {"name": name, "creationPolicy": "Owner", "template": {"type": kind}},
        "dataFrom": [{"extract": {"key": path}}],
    }
    version, _, kind_name = EXTERNAL_SECRET_KIND.rpartition(" ")
    meta = {"name": name, "namespace": namespace, "labels": object_labels(labels, name)}
    return {"apiVersion": version, "kind": kind_name, "metadata": meta, "spec": body}


def with_filled_files(secret: Manifest, files: Mapping[str, str]) -> Manifest:
    """Return an ExternalSecret with further keys, whose templates External Secrets fills with the vault's values."""
    target = secret["spec"]["target"]
    template = {**target["template"], "engineVersion": "v2", "mergePolicy": "Merge", "data": dict(files)}
    return {**secret, "spec": {**secret["spec"], "target": {**target, "template": template}}}


def caller_secrets(spec: HostedSpec, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return the credentials that the zone's components need of their own system's data in other namespaces."""
    wanted = {
        (secret_path(target), credentials_name(target)): (target, component)
        for component in zone.components
        for target in called_components(spec, component)
        if target.declared.kind in CREDENTIAL_KINDS
        and target.declared.system == zone.system
        and target.namespace != zone.namespace
    }
    return tuple(
        external_secret(spec, zone.namespace, zone.labels, name, path, kind=_secret_type(target))
        for (path, name), (target, _) in sorted(wanted.items())
    )


def _secret_type(target: ComponentPlan) -> str:
    return "kubernetes.io/basic-auth" if target.declared.kind == "database" else "Opaque"
