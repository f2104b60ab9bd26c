"""The objects as YAML files for `kubectl apply --server-side -k`: a folder per system, agent, and the ground. Pure.

A renamed system keeps its folder. A file holds one object and nothing that another edit of the inventory would change,
such as its version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.policy.cloud.admission_checks import SYSTEM_LABEL
from infra.targets.kubernetes.cloud.drills import drill_manifests
from infra.targets.kubernetes.cloud.manifests import agent_manifests, ground_manifests, hosted_manifests
from infra.targets.kubernetes.cloud.objects import HostedSpec
from infra.targets.kubernetes.kustomize import SECRETS_FILE, secrets_page
from infra.templates import render_yaml
from telemetry.core.cloud.physical_names import first_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan
    from infra.targets.kubernetes.cloud.objects import OwnSystem
    from infra.targets.kubernetes.objects import Manifest

HEADERS = {
    "ground": "# Written by `motcua render --target kubernetes`: the ground of the province's cloud.\n",
    "hosted": "# Written by `motcua render --target kubernetes`: a hosted system of the province's cloud.\n",
}
"""The first line of each file by part."""
GROUND_FOLDER = "ground"
DRILL_HEADER = "# Written by `motcua render --drill`: a restore drill of a hosted system.\n"


def cloud_files(
    plan: CloudPlan, options: StackOptions, agents: Mapping[str, str], own: OwnSystem | None = None
) -> dict[str, str]:
    """Return {path: text} of the part that the options choose; `agents`: device inside the cloud → its agent.toml.

    The Secrets of the system that is `own` are a page: their values must not be written to disk. Raises ConfigError as
    `hosted_manifests` does.
    """
    if options.cloud.part == "ground":
        return _folder_files(HEADERS["ground"], GROUND_FOLDER, ground_manifests(plan, options))
    files: dict[str, str] = {}
    watching, objects = agent_manifests(plan, options, agents), hosted_manifests(plan, options, own)
    for device in agents:
        files |= _folder_files(HEADERS["hosted"], device, objects_of_agent(watching, device))
    for system in HostedSpec(plan, options).systems:
        of_system = [one for one in objects if one["metadata"]["labels"][SYSTEM_LABEL] == system.id]
        folder = first_id(plan.declaration, system.declared)
        plain = tuple(one for one in of_system if one["kind"] != "Secret")
        files |= _folder_files(HEADERS["hosted"], folder, plain)
        if own and own.id == system.id:
            files[f"{folder}/{SECRETS_FILE}"] = _secrets_text(of_system)
    return files


def drill_files(plan: CloudPlan, options: StackOptions, system: str) -> dict[str, str]:
    """Return {path: text} of a restore drill, in a folder of the system. Raises ConfigError as `drill_manifests`."""
    return _folder_files(DRILL_HEADER, system, drill_manifests(plan, options, system))


def objects_of_agent(objects: tuple[Manifest, ...], device: str) -> tuple[Manifest, ...]:
    """Return the objects of one agent inside the cloud: its namespace, and what is in it."""
    return tuple(one for one in objects if device in {one["metadata"]["name"], one["metadata"].get("namespace")})


def _secrets_text(objects: Sequence[Manifest]) -> str:
    first = [f"{object_file_name(one)}.yaml" for one in objects if one["kind"] == "Namespace"]
    monitoring = next(one["metadata"]["namespace"] for one in objects if one["metadata"]["name"] == "alertmanager")
    return f"<!-- {HEADERS['hosted'].strip()} -->\n\n{secrets_page(objects, first, monitoring)}"


def object_file_name(manifest: Manifest) -> str:
    """Return an object's name among files and resources: of physical names only, so that no rename changes it."""
    meta = manifest["metadata"]
    parts = (manifest["kind"].lower(), meta.get("namespace", ""), meta["name"])
    return "-".join(part for part in parts if part)


def manifest_files(header: str, objects: tuple[Manifest, ...]) -> dict[str, str]:
    """Return {name: text} of a folder that kustomize reads: a file for each object, and their list."""
    files = {f"{object_file_name(one)}.yaml": header + render_yaml(one) for one in objects}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(files),
    }
    return {**files, "kustomization.yaml": header + render_yaml(kustomization)}


def _folder_files(header: str, folder: str, objects: tuple[Manifest, ...]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in manifest_files(header, objects).items()}
