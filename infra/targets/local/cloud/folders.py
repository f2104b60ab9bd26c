"""What both clouds would be asked for: a folder of files for each system, inside agent, the ground, agencies. Pure.

It must not write a file or judge an object. A folder's name is physical, so that no rename moves a file, and its files
depend on no other system but by the flows between both.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from infra.host.inside_agents import agent_settings
from infra.plan.cloud.vantage_points import LOCAL_HOSTS, planned_vantage_points
from infra.policy.cloud.admission_checks import SYSTEM_LABEL
from infra.targets.kubernetes.cloud.databases import database_images
from infra.targets.kubernetes.cloud.files import GROUND_FOLDER, HEADERS, manifest_files, objects_of_agent
from infra.targets.kubernetes.cloud.manifests import agent_manifests, ground_manifests, hosted_manifests
from infra.targets.kubernetes.cloud.vantage import AGENT_IMAGE
from infra.targets.openstack.cloud.checks import find_route_faults
from infra.targets.openstack.cloud.document import (
    AGENCIES_FILE,
    DOCUMENT_HEADERS,
    FOLDER,
    document_name,
    openstack_documents,
)
from infra.targets.openstack.cloud.resources import (
    check_has_systems,
    cloud_settings,
    ground_resources,
    hosted_resources,
)
from telemetry.core.cloud.physical_names import first_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan
    from infra.targets.kubernetes.objects import Manifest
    from infra.targets.openstack.cloud.values import CloudResource
    from telemetry.core.inventory import Inventory

KUBERNETES_FOLDER: Final = "kubernetes"
OPENSTACK_FOLDER: Final = "openstack"
PLACEHOLDER_NETWORK: Final = "10.84.0.2/32"
"""Stands for the address of the API server, which a tree to read does not need."""
PLACEHOLDER_AUTHORITY: Final = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
"""Stands for the certificate of the authority inside the cluster; it has the form of one, and nothing reads it."""
PLACEHOLDER_VERSION: Final = "17.6"
"""Stands for the version before the digest of a database's image."""
PLACEHOLDER_BROKER: Final = "mqtt.example"
"""Stands for the broker to which the agents inside report, when the options have none that they could reach."""
MOST_ROUTES: Final = 10_000
"""Stands for the routes that a router may have, when the options do not write `openstack.maxRoutes`: no limit."""


@dataclass(frozen=True, slots=True)
class RenderedFolder:
    """One folder of the tree, and what its files hold.

    `system` is the id of the system that it is for, empty for the ground and the agencies; `was` are earlier ids.
    """

    name: str
    part: Literal["ground", "hosted"]
    objects: tuple[Manifest, ...]
    resources: tuple[CloudResource, ...]
    system: str = ""
    was: tuple[str, ...] = ()

    def files(self) -> dict[str, str]:
        """Return {path in the folder: text}; the texts are those of `motcua render` for each cloud."""
        files: dict[str, str] = {}
        if self.objects:
            objects = manifest_files(HEADERS[self.part], self.objects)
            files |= {f"{KUBERNETES_FOLDER}/{name}": text for name, text in objects.items()}
        for path, text in openstack_documents(self.resources, DOCUMENT_HEADERS[self.part]).items():
            files[f"{OPENSTACK_FOLDER}/{path.removeprefix(f'{FOLDER}/')}"] = text
        return files


def with_placeholders(plan: CloudPlan, options: StackOptions) -> StackOptions:
    """Return the options with a placeholder for what only a real cloud has.

    That is: digests, addresses of the API server, the authority inside, the broker, and how many routes Neutron allows
    where the options do not write it. A placeholder digest is the SHA-256 of the image's name, as in the shipped stack
    file.
    """
    cloud, broker, openstack = options.cloud, options.broker, options.openstack
    versions = dict.fromkeys(database_images(plan), f"{PLACEHOLDER_VERSION}@")
    digests = {
        name: f"{versions.get(name, '')}sha256:{sha256(name.encode()).hexdigest()}"
        for name in missing_digests(plan, options)
    }
    networks = cloud.api_server_networks or (PLACEHOLDER_NETWORK,)
    filled = {
        "image_digests": {**digests, **cloud.image_digests}, "api_server_networks": networks,
        "internal_authority": cloud.internal_authority or PLACEHOLDER_AUTHORITY,
    }  # fmt: skip
    host = PLACEHOLDER_BROKER if broker.host in LOCAL_HOSTS else broker.host
    if "max_routes" not in openstack.model_fields_set:
        openstack = openstack.model_copy(update={"max_routes": MOST_ROUTES})
    updated = {
        "cloud": cloud.model_copy(update=filled), "broker": broker.model_copy(update={"host": host}),
        "openstack": openstack,
    }  # fmt: skip
    return options.model_copy(update=updated)


def missing_routes(folders: Iterable[RenderedFolder], options: StackOptions) -> list[str]:
    """Return what a real Neutron with the options' `maxRoutes` would refuse of rendered folders, each with its remedy.

    Such a tree is to be read, so that this is worth a hint; the target openstack refuses it.
    """
    resources = (resource for folder in folders for resource in folder.resources)
    faults = find_route_faults(resources, options.openstack.max_routes)
    return [f"on OpenStack {fault.problem}: {fault.remedy}" for fault in faults]


def missing_digests(plan: CloudPlan, options: StackOptions) -> list[str]:
    """Return the images that have no digest in the options, sorted."""
    images = {one.declared.image for system in plan.systems for one in system.components if one.declared.image}
    if planned_vantage_points(plan):
        images.add(AGENT_IMAGE)
    return sorted(images - options.cloud.image_digests.keys())


def render_folders(plan: CloudPlan, options: StackOptions, inventory: Inventory) -> tuple[RenderedFolder, ...]:
    """Return the folders of the part that the options choose: of the agents inside, then in order of the systems.

    Raises ConfigError naming everything that one of the chosen clouds could not run.
    """
    check_has_systems(plan)
    filled, clouds = with_placeholders(plan, options), options.local.cloud_forms
    settings = cloud_settings(filled)
    is_ground, with_kubernetes = options.cloud.part == "ground", "kubernetes" in clouds
    objects: tuple[Manifest, ...] = ()
    resources: tuple[CloudResource, ...] = ()
    if with_kubernetes:
        objects = (ground_manifests if is_ground else hosted_manifests)(plan, filled)
    # The ground on Kubernetes runs no agent; the hosted systems do there, and the ground does on OpenStack.
    agents = agent_settings(inventory, plan, filled) if "openstack" in clouds or not is_ground else {}
    if "openstack" in clouds:
        resources = ground_resources(plan, settings, agents) if is_ground else hosted_resources(plan, settings)
    if is_ground:
        return (RenderedFolder(GROUND_FOLDER, "ground", objects, resources),)
    agent_folders = _agent_folders(plan, filled, agents) if with_kubernetes else ()
    return (*agent_folders, *_hosted_folders(plan, objects, resources))


def _agent_folders(plan: CloudPlan, options: StackOptions, agents: Mapping[str, str]) -> Iterator[RenderedFolder]:
    objects = agent_manifests(plan, options, agents)
    for device in agents:
        yield RenderedFolder(device, "hosted", objects_of_agent(objects, device), ())


def _hosted_folders(
    plan: CloudPlan, objects: tuple[Manifest, ...], resources: tuple[CloudResource, ...]
) -> Iterator[RenderedFolder]:
    for system in plan.systems:
        yield RenderedFolder(
            first_id(plan.declaration, system.declared),
            "hosted",
            tuple(one for one in objects if one["metadata"]["labels"][SYSTEM_LABEL] == system.id),
            tuple(one for one in resources if document_name(one) == system.project),
            system.id,
            system.declared.was,
        )
    agencies = tuple(one for one in resources if document_name(one) == AGENCIES_FILE)
    if agencies:
        yield RenderedFolder(AGENCIES_FILE, "hosted", (), agencies)
