"""The cloud's program where several stacks deploy a part of the systems each: together they make the whole, once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
import yaml
from typer.testing import CliRunner

from infra.config.options import INSIDE_AGENTS
from infra.plan.cloud import build_cloud_plan
from infra.program import stacks_beside
from infra.targets.kubernetes.cloud.deploy import deploy_cloud
from infra.targets.kubernetes.cloud.manifests import hosted_manifests
from motcua.cli.app import app
from telemetry.core.cloud.values import Flow
from telemetry.errors import ConfigError
from tests.cloud_examples import ONESTOP, TODAY, component_end, second_system, with_flows
from tests.conftest import CHECKOUT
from tests.hosted_objects import cluster_options
from tests.program.pulumi_monitor import Recorded, run

if TYPE_CHECKING:
    from pathlib import Path

LGSP = "vn83-lgsp"
CALL = Flow(component_end(ONESTOP, "app"), component_end(LGSP, "app"), 8081, "exchange")
WHOLE = with_flows(second_system(LGSP), CALL)
PLAN = build_cloud_plan(WHOLE, province="vn83", stage="prod", today=TODAY)


def deployed(*systems: str, **cloud: Any) -> Recorded:  # noqa: ANN401 - options of a stack
    options = cluster_options(WHOLE, systems=systems, **cloud)

    def program() -> None:
        for name, value in deploy_cloud(PLAN, options, {}).items():
            pulumi.export(name, value)

    return run(program)


def objects_of(recorded: Recorded) -> dict[str, dict[str, Any]]:
    return {one.name: one.inputs for one in recorded.resources if one.type.startswith("kubernetes:")}


def test_two_stacks_make_every_object_of_the_whole_plan_once() -> None:
    parts = [objects_of(deployed(name)) for name in (ONESTOP, LGSP)]
    assert parts[0].keys().isdisjoint(parts[1])
    assert {**parts[0], **parts[1]} == objects_of(deployed())
    assert len(parts[0]) + len(parts[1]) == len(hosted_manifests(PLAN, cluster_options(WHOLE)))


def test_each_end_of_a_connection_is_in_the_stack_of_its_zone() -> None:
    caller, callee = deployed(ONESTOP), deployed(LGSP)
    name = f"{ONESTOP}-server.app-to-{LGSP}-server.app"
    for made, system in ((caller, ONESTOP), (callee, LGSP)):
        ends = [one for key, one in objects_of(made).items() if name in key]
        assert [one["metadata"]["namespace"] for one in ends] == [f"{system}-server"]
    flows = [[one.name for one in made.of("motcua:cloud:Flow") if LGSP in one.name and ONESTOP in one.name]
             for made in (caller, callee)]  # fmt: skip
    assert flows == [
        [f"{ONESTOP}-server.app-{LGSP}-server.app-8081-tcp"], [f"{ONESTOP}-server.app-{LGSP}-server.app-8081-tcp-in"],
    ]  # fmt: skip


def test_a_system_has_all_of_its_resources_below_it_so_that_its_state_moves_as_one() -> None:
    made = deployed()
    above = {one.urn: one.parent for one in made.resources}
    systems = {one.urn: one.name for one in made.of("motcua:cloud:System")}
    for name, body in objects_of(made).items():
        urn = next(one.urn for one in made.resources if one.name == name)
        while urn not in systems:
            urn = above[urn]
        namespace = body["metadata"].get("namespace") or body["metadata"]["name"]
        if namespace.startswith("vn83-"):
            assert namespace.startswith(systems[urn]), name


def test_a_stack_needs_the_digests_of_its_own_systems_only_and_exports_what_it_deploys() -> None:
    own = {one.image for one in WHOLE.components if one.system == LGSP}
    digests = {image: text for image, text in cluster_options(WHOLE).cloud.image_digests.items() if image in own}
    made = deployed(LGSP, image_digests=digests)
    assert made.exports["systems"] == [LGSP]
    other = with_flows(replace(WHOLE, components=tuple(
        replace(one, image="other") if one.system == ONESTOP and one.id == "app" else one for one in WHOLE.components
    )))  # fmt: skip
    plan = build_cloud_plan(other, province="vn83", stage="prod", today=TODAY)
    assert hosted_manifests(plan, cluster_options(WHOLE, systems=(LGSP,)))
    with pytest.raises(ConfigError, match="image 'other' has no digest"):
        hosted_manifests(plan, cluster_options(WHOLE, systems=(ONESTOP,)))


def hosted_file(folder: Path, name: str, *systems: str) -> Path:
    """Write the shipped stack file of hosted systems with a list; without systems it is the shipped one."""
    text = yaml.safe_load((CHECKOUT / "infra/stacks/Pulumi.hosted.yaml").read_text())
    text["config"]["motcua:broker"] = {"host": "mqtt.example"}
    text["config"]["motcua:cloud"] |= {"systems": list(systems), "ownSystem": ""}
    path = folder / "infra/stacks" / f"Pulumi.{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(text))
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the sample inventory and no stack file yet."""
    shutil.copy(CHECKOUT / "Pulumi.yaml", tmp_path)
    shutil.copytree(CHECKOUT / "inventory/bentre-2021", tmp_path / "inventory/bentre-2021")
    return tmp_path


def test_rendering_a_divided_stack_writes_its_systems_and_no_others(project: Path) -> None:
    file = hosted_file(project, "second", "vn83-lgsp", "vn83-eseal")
    words = ["render", "--target", "kubernetes", "--stack-file", str(file), "--out", str(project / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert {path.name for path in (project / "out").iterdir()} == {"vn83-lgsp", "vn83-eseal"}
    hosted_file(project, "second", "vn83-lgsp", INSIDE_AGENTS)
    CliRunner().invoke(app, words)
    written = {path.name for path in (project / "out").iterdir() if any(path.iterdir())}
    assert {"vn83-lgsp", "vn83-cloud-manage1"} <= written


def test_the_command_shows_the_stacks_and_names_what_is_deployed_twice_or_never(project: Path) -> None:
    hosted_file(project, "first", "vn83-lgsp", "vn83-eseal")
    folder = project / "infra/stacks"
    done = CliRunner().invoke(app, ["cloud", "stacks", str(folder)])
    assert done.exit_code == 1
    assert isinstance(done.exception, ConfigError)
    assert "no stack deploys vn83-onestop; list it in one of them" in str(done.exception)
    hosted_file(project, "second", "vn83-lgsp", "vn83-nothing")
    done = CliRunner().invoke(app, ["cloud", "stacks", str(folder)])
    assert "vn83-lgsp is in" in str(done.exception)
    assert "'vn83-nothing' is no hosted system" in str(done.exception)
    for path in folder.iterdir():
        path.unlink()
    hosted_file(project, "hosted")
    done = CliRunner().invoke(app, ["cloud", "stacks", str(folder)])
    assert done.exit_code == 0
    assert "all 11" in done.output


def test_the_program_refuses_a_list_that_another_stack_file_has_too(project: Path) -> None:
    hosted_file(project, "second", LGSP)
    options = cluster_options(WHOLE, stage="stage", systems=(LGSP,)).model_copy(
        update={"inventory": "inventory/bentre-2021"}
    )
    whole = options.model_copy(update={"cloud": options.cloud.model_copy(update={"systems": ()})})

    def program() -> None:
        for own in (options, whole):
            with pytest.raises(ConfigError, match=f"{LGSP} is in .*Pulumi.second.yaml"):
                stacks_beside(PLAN, own, project)

    run(program)
