"""Renders what OpenStack is asked for as one YAML document per project, for reviews; it must not create anything.

Pulumi's file `deploy` sends the same values. A reference is written as `kind name` (and `.output`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.cloud.vantage_points import broker_faults
from infra.targets.openstack.cloud.resources import (
    check_has_systems,
    cloud_settings,
    ground_resources,
    hosted_resources,
)
from infra.targets.openstack.cloud.values import CreatedReference, ExistingReference, ProgramUser
from infra.templates import render_yaml
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan
    from infra.targets.openstack.cloud.values import CloudResource

FOLDER = "cloud"
AGENCIES_FILE = "agencies"
DOCUMENT_HEADERS = {
    part: f"# Written by `motcua render --target openstack` for the part {part}." for part in ("ground", "hosted")
}
"""The first line of a document; without the inventory's version, so that an edit changes the edited system's only."""


def openstack_documents(resources: Iterable[CloudResource], head: str) -> Mapping[str, str]:
    """Return {path: text}: `cloud/PROJECT.yaml` with a project's resources in order, `cloud/agencies.yaml` the groups.

    `head` is the first line of each. One project's document does not depend on another's.
    """
    by_project: dict[str, list[object]] = {}
    for resource in resources:
        by_project.setdefault(document_name(resource), []).append(_as_mapping(resource))
    return {f"{FOLDER}/{name}.yaml": f"{head}\n{render_yaml(listed)}" for name, listed in sorted(by_project.items())}


def stack_documents(plan: CloudPlan, options: StackOptions, agents: Mapping[str, str]) -> Mapping[str, str]:
    """Return the documents of the part that a stack deploys: the ground with the agents, or the hosted systems.

    Raises ConfigError with every fault for which the cloud would refuse it.
    """
    check_has_systems(plan)
    settings = cloud_settings(options)
    if options.cloud.part == "ground":
        if faults := broker_faults(plan, options.broker.host):
            raise ConfigError(faults)
        resources = ground_resources(plan, settings, agents)
    else:
        resources = hosted_resources(plan, settings)
    return openstack_documents(resources, DOCUMENT_HEADERS[options.cloud.part])


def document_name(resource: CloudResource) -> str:
    """Return the document that a resource is written into: its project's, or the agencies'."""
    if resource.project:
        return resource.project
    if resource.kind == "agency-group":
        return AGENCIES_FILE
    return resource.name.partition("/")[0]


def _as_mapping(resource: CloudResource) -> dict[str, object]:
    written: dict[str, object] = {"kind": resource.kind, "name": resource.name}
    if resource.lasting:
        written["protected"] = True
    return {**written, "properties": _as_plain(resource.properties)}


def _as_plain(value: object) -> object:
    """Return a value with each reference as text."""
    if isinstance(value, CreatedReference):
        suffix = "" if value.output == "id" else f".{value.output}"
        return f"<{value.kind} {value.name}{suffix}>"
    if isinstance(value, ExistingReference):
        return f"<existing {value.kind} {value.name}>"
    if isinstance(value, ProgramUser):
        return "<user of the program>"
    if isinstance(value, dict):
        return {key: _as_plain(inner) for key, inner in value.items()}
    return [_as_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
