"""The Kubernetes objects of declarations of hosted systems for tests, found by kind, namespace and name.

It must not assert anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from infra.config.options import CloudOptions, KubernetesOptions, StackOptions
from infra.plan.cloud import CloudPlan, build_cloud_plan
from infra.plan.cloud.vantage_points import vantage_namespaces
from infra.targets.kubernetes.cloud.manifests import agent_manifests, ground_manifests, hosted_manifests
from infra.targets.kubernetes.cloud.vantage import AGENT_IMAGE
from tests.cloud_examples import TODAY

if TYPE_CHECKING:
    from datetime import date

    from telemetry.core.cloud.values import CloudDeclaration

Json = dict[str, Any]
AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
"""In the form of a certificate; nothing reads it."""


def cluster_options(declaration: CloudDeclaration, *, stage: str = "prod", **cloud: Any) -> StackOptions:  # noqa: ANN401
    """Return options of a stack with a digest for each image of the declaration."""
    digests = {
        component.image: f"sha256:{sha256(component.image.encode()).hexdigest()}"
        for component in declaration.components
        if component.image
    }
    databases = {component.image for component in declaration.components if component.kind == "database"}
    digests |= {image: f"17.6@{digests[image]}" for image in databases}
    digests |= {AGENT_IMAGE: f"sha256:{sha256(AGENT_IMAGE.encode()).hexdigest()}"}
    return StackOptions.model_validate({
        "stage": stage, "target": "kubernetes",
        "cloud": CloudOptions.model_validate({
            "part": "hosted", "image_digests": digests, "api_server_networks": ["10.84.0.2/32"],
            "internal_authority": AUTHORITY, **cloud,
        }),
        "kubernetes": KubernetesOptions(registry="registry.example"), "broker": {"host": "mqtt.example"},
    })  # fmt: skip


@dataclass(frozen=True)
class HostedObjects:
    """The objects of a declaration: of the ground, of the systems, and of the agents inside."""

    plan: CloudPlan
    ground: tuple[Json, ...]
    hosted: tuple[Json, ...]
    agents: tuple[Json, ...]

    def of(self, *kinds: str) -> list[Json]:
        """Return the systems' objects of some kinds."""
        return [one for one in self.hosted if one["kind"] in kinds]

    def names(self, kind: str) -> list[str]:
        """Return `namespace/name` of the systems' objects of a kind; of a namespace its name."""
        return [object_path(one) for one in self.of(kind)]

    def one(self, kind: str, path: str) -> Json:
        """Return one of the systems' objects by its `namespace/name`."""
        (wanted,) = (one for one in self.of(kind) if object_path(one) == path)
        return wanted


def object_path(manifest: Json) -> str:
    """Return `namespace/name`, or the name of what is in no namespace."""
    meta = manifest["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else str(meta["name"])


def hosted_objects(
    declaration: CloudDeclaration,
    *,
    stage: str = "prod",
    today: date = TODAY,
    **cloud: Any,  # noqa: ANN401 - options
) -> HostedObjects:
    """Return the objects of a declaration."""
    plan = build_cloud_plan(declaration, province="vn83", stage=stage, today=today)
    options = cluster_options(declaration, stage=stage, **cloud)
    settings = dict.fromkeys(vantage_namespaces(plan.province), 'device = "…"\n')
    agents = agent_manifests(plan, options, settings)
    return HostedObjects(plan, ground_manifests(plan, options), hosted_manifests(plan, options), agents)
