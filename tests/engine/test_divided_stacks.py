"""Hosted systems go from one stack to two by the real engine on a real API server: nothing is made twice or deleted."""

from __future__ import annotations

import copy
import re
import shlex
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pulumi import automation

from infra.config.options import INSIDE_AGENTS
from infra.plan.cloud import build_cloud_plan
from infra.targets.kubernetes.cloud.manifests import hosted_manifests
from telemetry.core.cloud.values import Component, Flow
from tests.cloud_examples import ONESTOP, TODAY, component_end, second_system
from tests.cloud_files import write_inventory
from tests.engine.stack import Project
from tests.engine.test_kubernetes_stack import MAIN
from tests.hosted_objects import cluster_options

if TYPE_CHECKING:
    from pathlib import Path

    from infra.config.options import StackOptions
    from telemetry.core.cloud.values import CloudDeclaration
    from tests.kube_server import KubeServer

LGSP = "vn83-lgsp"


def configured(project: Project, options: StackOptions, *systems: str) -> None:
    cloud = options.cloud.model_dump(by_alias=True, exclude_unset=True, mode="json")
    project.configure({
        "stage": "stage", "target": "kubernetes", "broker": {"host": "mqtt.example"}, "today": str(TODAY),
        "cloud": {**cloud, "systems": list(systems)},
    })  # fmt: skip


def beside(project: Project, name: str) -> Project:
    """Return another stack of the same project."""
    other = copy.copy(project)
    work = automation.LocalWorkspace(work_dir=str(project.root), env_vars=project.env)
    other.name, other.stack = name, automation.Stack.create_or_select(name, work)
    return other


def move_command(project: Project) -> list[str]:
    """Return the command that a refused preview asks for."""
    with pytest.raises(automation.errors.CommandError) as refused:
        project.preview()
    text = re.sub(r"\s+", " ", str(refused.value))
    (command,) = set(re.findall(r"`(pulumi state move [^`]+)`", text))
    return shlex.split(command)


def two_systems() -> CloudDeclaration:
    """Return a declaration of two systems, one of which calls the other's gateway."""
    gate = Component(LGSP, "gate", "gateway", "server", "M", 2, 2, port=8443, image="lgsp")
    both = second_system(LGSP)
    call = Flow(component_end(ONESTOP, "app"), component_end(LGSP, "gate"), 8443, "exchange")
    # Without databases: the definitions of their kinds are in no archive.
    components = (*(one for one in both.components if one.kind != "database"), gate)
    known = {component_end(one.system, one.id) for one in components}
    flows = (one for one in both.flows if one.target in known)
    return replace(both, components=components, flows=(*flows, call))


def test_a_divided_stack_touches_no_object_once_its_state_was_moved(api_server: KubeServer, tmp_path: Path) -> None:
    declared = two_systems()
    plan = build_cloud_plan(declared, province="vn83", stage="stage", today=TODAY)
    options = cluster_options(declared, stage="stage")
    secret = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret"}
    api_server.define_kinds([*hosted_manifests(plan, options), secret])
    velero = options.cloud.copy_operator_namespace
    api_server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": velero}})
    project = Project(tmp_path / "p", "hosted", {"KUBECONFIG": str(api_server.kubeconfig())})
    (project.root / "infra" / "__main__.py").write_text(MAIN)
    for path in project.inventory.iterdir():
        if path.is_file():
            path.unlink()
    write_inventory(project.inventory, declared)
    configured(project, options)
    project.up()
    policy = f"/apis/networking.k8s.io/v1/namespaces/{LGSP}-server/networkpolicies"
    before = {one["metadata"]["name"]: one["metadata"]["uid"] for one in api_server.read_path(policy)["items"]}
    second = beside(project, "hosted-2")
    configured(project, options, ONESTOP, INSIDE_AGENTS)
    configured(second, options, LGSP)
    assert move_command(project)[:7] == ["pulumi", "state", "move", "--source", "hosted", "--dest", "OTHER"]
    command = move_command(second)
    subprocess.run([*command, "--yes"], cwd=project.root, env=project.env, check=True, capture_output=True)
    for stack, made in ((second, {"vn83"}), (project, set[str]())):
        done = stack.up()
        assert set(done.touched) - {"motcua-hosted", "motcua-hosted-2", "default"} == made, done.text
        assert not {"delete", "replace"} & set(done.counts), done.text
    after = {one["metadata"]["name"]: one["metadata"]["uid"] for one in api_server.read_path(policy)["items"]}
    assert after == before
    assert second.outputs()["systems"] == [LGSP]
    assert project.outputs()["systems"] == [ONESTOP]
    for stack in (second, project):
        assert set(stack.preview().counts) == {"same"}
