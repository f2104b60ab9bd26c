"""Every rule over single objects and resources, on a rendered tree: what the policy pack judges in a roll-out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from infra.policy.cloud.manifests import NOTHING_KNOWN, KnownExceptions
from infra.policy.manifests import UNKNOWN
from infra.policy.resources import resource_violations
from infra.targets.kubernetes.cloud.files import object_file_name
from infra.targets.local.cloud.folders import KUBERNETES_FOLDER, OPENSTACK_FOLDER
from infra.targets.openstack.cloud.document import document_name
from infra.targets.openstack.cloud.values import ResourceReference, property_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.policy.catalogue import Finding
    from infra.targets.local.cloud.folders import RenderedFolder
    from infra.targets.openstack.cloud.values import CloudResourceKind

JUDGED_TYPES: Final[Mapping[CloudResourceKind, str]] = {
    "machine": "Instance", "volume": "Volume", "security-group": "SecGroup", "security-group-rule": "SecGroupRule",
    "network": "Network", "port": "Port", "listener": "Listener",
}  # fmt: skip
"""The provider's type of each kind of resource that a rule is about."""
METADATA: Final = "metadata"
"""The property whose keys are labels, which keep their names."""


def check_folders(folders: Iterable[RenderedFolder], known: KnownExceptions = NOTHING_KNOWN) -> list[Finding]:
    """Return every finding at an object or resource of the tree, each with the file that holds it, sorted."""
    return sorted(
        finding for folder in folders for finding in (*_object_findings(folder, known), *_resource_findings(folder))
    )


def _object_findings(folder: RenderedFolder, known: KnownExceptions) -> Iterator[Finding]:
    for manifest in folder.objects:
        path = f"{folder.name}/{KUBERNETES_FOLDER}/{object_file_name(manifest)}.yaml"
        for finding in resource_violations(f"kubernetes:{manifest['kind']}", manifest, known=known):
            yield replace(finding, where=f"{finding.where} ({path})")


def _resource_findings(folder: RenderedFolder) -> Iterator[Finding]:
    for resource in folder.resources:
        type_name = JUDGED_TYPES.get(resource.kind)
        if type_name is not None:
            path = f"{folder.name}/{OPENSTACK_FOLDER}/{document_name(resource)}.yaml"
            properties = {
                property_name(name): _preview_value(value, name) for name, value in resource.properties.items()
            }
            for finding in resource_violations(f"openstack:{type_name}", properties, resource.name):
                yield replace(finding, where=f"{resource.kind} {finding.where} ({path})")


def _preview_value(value: object, name: str = "") -> object:
    """Return a property as the engine has it in a preview: what refers to another resource is unknown."""
    if isinstance(value, ResourceReference):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key if name == METADATA else property_name(key): _preview_value(inner) for key, inner in value.items()}
    return [_preview_value(inner) for inner in value] if isinstance(value, list | tuple) else value
