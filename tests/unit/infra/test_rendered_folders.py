"""The tree of target `local`: the texts of both clouds, a folder for each system, and the rules over what it holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.config.options import StackOptions, parse_options
from infra.host.inside_agents import agent_settings
from infra.policy.cloud.manifests import KnownExceptions
from infra.targets.kubernetes.cloud.files import cloud_files
from infra.targets.local.cloud.checks import check_folders
from infra.targets.local.cloud.folders import (
    MOST_ROUTES,
    missing_digests,
    missing_routes,
    render_folders,
    with_placeholders,
)
from infra.targets.openstack.cloud.document import stack_documents
from telemetry.core.cloud.values import CloudDeclaration
from telemetry.core.hosted.derived_systems import derive_monitoring
from telemetry.errors import ConfigError
from tests.cloud_examples import ONESTOP, TODAY, base_declaration, planned, renamed_system, second_system
from tests.hosted_network import hosting
from tests.hosted_objects import cluster_options
from tests.program.network import inventory

if TYPE_CHECKING:
    from infra.targets.local.cloud.folders import RenderedFolder
    from telemetry.core.inventory import Inventory

FORMS, RENAMED = "vn83-forms", "vn83-motcua"
AGENTS = ("vn83-cloud-dmz1", "vn83-cloud-manage1", "vn83-cloud-server1")


def local_options(part: str = "hosted", **local: object) -> StackOptions:
    return parse_options({"stage": "prod", "target": "local", "cloud": {"part": part}, "local": local}, "stack")


def rendered(declaration: CloudDeclaration, options: StackOptions) -> tuple[RenderedFolder, ...]:
    return render_folders(planned(declaration), options, world_of(declaration))


def world_of(declaration: CloudDeclaration) -> Inventory:
    """Return an inventory that monitors the declared systems, with the agents inside."""
    world, onestop = inventory(), hosting().systems[ONESTOP]
    systems = {ident: replace(onestop, id=ident) for ident in declaration.systems}
    return derive_monitoring(replace(world, systems=systems, cloud=declaration))


def folder_of(system: str) -> RenderedFolder:
    return next(one for one in rendered(base_declaration(), local_options()) if one.system == system)


def tree(declaration: CloudDeclaration, part: str = "hosted") -> dict[str, str]:
    folders = rendered(declaration, local_options(part))
    return {f"{folder.name}/{path}": text for folder in folders for path, text in folder.files().items()}


def test_routes_beyond_neutrons_own_limit_are_a_hint_on_a_tree_to_read_and_a_written_limit_is_kept() -> None:
    values = {"stage": "prod", "target": "local", "cloud": {"part": "hosted"}, "openstack": {"maxRoutes": 2}}
    written, unwritten = parse_options(values, "stack"), local_options()
    assert with_placeholders(planned(base_declaration()), unwritten).openstack.max_routes == MOST_ROUTES
    folders = rendered(base_declaration(), unwritten)
    assert missing_routes(folders, unwritten) == [], "3 routes of 30"
    (hint,) = missing_routes(folders, written)
    assert "router vn83-platform-main gets 3 routes" in hint
    assert "write openstack.maxRoutes: 3 in the stack file" in hint
    with pytest.raises(ConfigError, match="gets 3 routes"):
        rendered(base_declaration(), written)


@pytest.mark.parametrize("part", ["ground", "hosted"])
def test_every_text_is_that_of_the_two_clouds(part: str) -> None:
    declared = second_system(FORMS)
    plan, cluster = planned(declared), cluster_options(declared, part=part, registry="registry.example/motcua")
    agents = agent_settings(world_of(declared), plan, cluster)
    objects = {
        f"{folder}/kubernetes/{name}": text
        for path, text in cloud_files(plan, cluster, agents).items()
        for folder, _, name in [path.partition("/")]
    }
    documents = set(stack_documents(plan, cluster, agents).values())
    found = tree(declared, part)
    assert {path: text for path, text in found.items() if "/kubernetes/" in path} == objects
    assert {text for path, text in found.items() if "/openstack/" in path} == documents
    assert len(found) == len(objects) + len(documents)


def test_a_system_more_touches_its_own_folder_only() -> None:
    before, after = tree(base_declaration()), tree(second_system(FORMS))
    changed = {path for path in after if after[path] != before.get(path)}
    assert {path.partition("/")[0] for path in changed} == {FORMS, *AGENTS}, "and the settings of those that probe it"
    assert {
        path: text for path, text in before.items() if path.partition("/")[0] not in AGENTS
    }.items() <= after.items()


def test_a_renamed_system_keeps_its_folder_and_all_its_files() -> None:
    declared = base_declaration()
    renamed = renamed_system(declared, RENAMED, ONESTOP)
    assert tree(renamed).keys() == tree(declared).keys()
    (folder,) = (one for one in rendered(renamed, local_options()) if one.system)
    assert (folder.name, folder.system, folder.was) == (ONESTOP, RENAMED, (ONESTOP,))


def test_one_of_the_clouds_can_be_chosen() -> None:
    for form in ("kubernetes", "openstack"):
        folders = rendered(base_declaration(), local_options(cloudForms=[form]))
        assert {path.partition("/")[0] for folder in folders for path in folder.files()} == {form}


def test_digests_that_are_given_stay_and_the_others_are_placeholders() -> None:
    plan, given = planned(base_declaration()), f"sha256:{'5' * 64}"
    cloud = {"part": "hosted", "imageDigests": {"onestop-web": given}}
    options = parse_options({"stage": "prod", "target": "local", "cloud": cloud}, "stack")
    assert missing_digests(plan, options) == ["motcua-agent", "onestop-app", "postgresql"]
    text = "".join(text for folder in rendered(base_declaration(), options) for text in folder.files().values())
    assert f"onestop-web@{given}" in text
    assert "onestop-app@sha256:" in text


def test_nothing_hosted_and_what_a_cloud_cannot_run_are_faults() -> None:
    with pytest.raises(ConfigError, match="the inventory hosts no system"):
        rendered(CloudDeclaration(), local_options())
    unlocked = replace(base_declaration(), lock=())
    with pytest.raises(ConfigError, match="motcua cloud lock"):
        rendered(unlocked, local_options())


def test_an_exception_that_nobody_declared_is_found_in_the_tree() -> None:
    folder = folder_of(ONESTOP)
    service = next(one for one in folder.objects if one["kind"] == "Service")
    label = {"motcua.org/exception-admin-port": (TODAY + timedelta(days=9)).isoformat()}
    labels = {**service["metadata"]["labels"], **label}
    excepted = {**service, "metadata": {**service["metadata"], "labels": labels}}
    (finding,) = check_folders([replace(folder, objects=(excepted,), resources=())], KnownExceptions(TODAY, ()))
    assert finding.rule == "exception-dated"
    assert "nobody declared it" in finding.problem


@pytest.mark.parametrize("part", ["ground", "hosted"])
def test_no_rule_is_broken_by_what_is_rendered(part: str) -> None:
    assert check_folders(rendered(second_system(FORMS), local_options(part))) == []


def changed(folder: RenderedFolder, kind: str, **properties: object) -> RenderedFolder:
    resources = tuple(
        replace(one, properties={**one.properties, **properties}) if one.kind == kind else one
        for one in folder.resources
    )
    return replace(folder, resources=resources)


def opened(folder: RenderedFolder) -> RenderedFolder:
    """Return the folder with Services that are open outside the cluster."""
    objects: list[dict[str, Any]] = [
        {**one, "spec": {**one["spec"], "type": "NodePort"}} if one["kind"] == "Service" else dict(one)
        for one in folder.objects
    ]
    return replace(folder, objects=tuple(objects))


def test_a_broken_rule_names_the_file_that_holds_the_object() -> None:
    folder = folder_of(ONESTOP)
    (finding, *_) = check_folders([opened(folder)])
    assert (finding.rule, finding.severity) == ("admin-port", "mandatory")
    assert finding.where == f"Service app ({ONESTOP}/kubernetes/service-{ONESTOP}-server-app.yaml)"


@pytest.mark.parametrize(
    ("kind", "properties", "rule"),
    [
        ("machine", {"scheduler_hints": []}, "replicas"),
        ("volume", {"volume_type": ""}, "system-apart"),
        ("security-group", {"delete_default_rules": False}, "egress-closed"),
        ("security-group-rule", {"remote_group_id": None, "remote_ip_prefix": "0.0.0.0/0"}, "flow-declared"),
        ("network", {"port_security_enabled": False}, "port-security"),
        ("port", {"port_security_enabled": False}, "port-security"),
        ("listener", {"allowed_cidrs": []}, "balancer-sources"),
    ],
)
def test_every_kind_of_resource_that_a_rule_is_about_is_judged(
    kind: str, properties: dict[str, object], rule: str
) -> None:
    folder = folder_of(ONESTOP)
    findings = check_folders([changed(folder, kind, **properties)])
    assert rule in {finding.rule for finding in findings}
    assert all(f"({ONESTOP}/openstack/{ONESTOP}-prod.yaml)" in finding.where for finding in findings)
