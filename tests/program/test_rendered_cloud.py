"""Target `local` for hosted systems by `motcua render` and the program: what they write, refuse and leave alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from infra.config.stack_file import EngineConfig, load_options
from infra.program import deploy_cloud_part
from infra.targets.kubernetes.cloud import manifests
from infra.targets.kubernetes.cloud.workloads import workload_manifests
from motcua.cli.app import app
from motcua.cli.cloud import rendered_parts
from telemetry.errors import ConfigError
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_declaration,
    renamed_system,
    second_system,
    with_components,
)
from tests.cloud_files import write_inventory
from tests.conftest import CHECKOUT
from tests.kubernetes import SHIPPED
from tests.program.pulumi_monitor import Recorded, run
from tests.unit.infra.test_rendered_folders import AGENTS, FORMS, RENAMED, local_options, world_of

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from telemetry.core.cloud.values import CloudDeclaration

STACK = """\
config:
  motcua:stage: prod
  motcua:target: local
  motcua:today: {today}
  motcua:cloud: {{part: {part}}}
"""

CONFIG = EngineConfig("Pulumi.hosted.yaml", {}, frozenset())


def render(folder: Path, declaration: CloudDeclaration, part: str = "hosted") -> Result:
    """Run the command on a declaration; the tree is in `folder/tree`."""
    stack = folder / f"Pulumi.{part}.yaml"
    stack.write_text(STACK.format(today=TODAY, part=part))
    declared = write_inventory(folder / "inventory", declaration)
    words = ["render", "--target", "local", "--stack-file", str(stack), "--inventory", str(declared)]
    return CliRunner().invoke(app, [*words, "--out", str(folder / "tree")], standalone_mode=False)


def written(folder: Path) -> dict[str, str]:
    tree = folder / "tree"
    return {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}


def test_ground_and_systems_stand_in_one_tree_and_a_system_that_is_gone_leaves_it(tmp_path: Path) -> None:
    for part in ("ground", "hosted"):
        done = render(tmp_path, second_system(FORMS), part)
        assert done.exception is None
    assert "it enforces nothing" in done.output
    assert "0 faults" in done.output
    assert "4 images have no digest" in done.output
    tree = tmp_path / "tree"
    assert {path.name for path in tree.iterdir()} == {"ground", "agencies", ONESTOP, FORMS, *AGENTS}
    (tree / ONESTOP / "kubernetes" / "notes.yaml").write_text("by: hand\n")
    before, times = written(tmp_path), {path: path.stat().st_mtime_ns for path in tree.rglob("*.yaml")}
    assert render(tmp_path, base_declaration()).exception is None
    assert {path.name for path in tree.iterdir()} == {"ground", "agencies", ONESTOP, *AGENTS}
    others = (f"{FORMS}/", *(f"{agent}/" for agent in AGENTS))
    assert {path: text for path, text in written(tmp_path).items() if not path.startswith(others)} == {
        path: text for path, text in before.items() if not path.startswith(others)
    }
    same = [path for path in tree.rglob("*.yaml") if not str(path.relative_to(tree)).startswith(others)]
    assert all(path.stat().st_mtime_ns == times[path] for path in same), "what is equal is not written"


def test_what_is_refused_or_cannot_be_written_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    assert render(tmp_path, base_declaration()).exception is None
    (tmp_path / "tree" / FORMS).write_text("in the way\n")
    before = written(tmp_path)
    for declaration, named in (
        (with_components(base_declaration(), f"{ONESTOP}/app", least=1), "replicas"),
        (second_system(FORMS), f"tree/{FORMS}"),
    ):
        done = render(tmp_path, declaration)
        assert isinstance(done.exception, ConfigError)
        assert named in str(done.exception)
        assert written(tmp_path) == before


def test_a_limit_of_routes_that_the_stack_file_writes_is_refused_at_its_line(tmp_path: Path) -> None:
    stack = tmp_path / "Pulumi.few.yaml"
    stack.write_text(STACK.format(today=TODAY, part="hosted") + "  motcua:openstack: {maxRoutes: 2}\n")
    declared = str(write_inventory(tmp_path / "inventory", base_declaration()))
    words = ["render", "--target", "local", "--stack-file", str(stack), "--inventory", declared]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "tree")], standalone_mode=False)
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith(f"{stack}:6: motcua:openstack.maxRoutes: router")


def test_a_system_that_is_not_in_the_lock_is_not_rendered(tmp_path: Path) -> None:
    declared = second_system(FORMS)
    done = render(tmp_path, replace(declared, lock=declared.lock[:-1]))
    assert isinstance(done.exception, ConfigError)
    assert f"{FORMS}: cloud.lock has no entry for zone database; run `motcua cloud lock`" in str(done.exception)
    assert not (tmp_path / "tree").exists()
    ground = render(tmp_path, replace(declared, lock=()), "ground")
    assert "cloud.lock has no entry for zone dmz, server, database" in str(ground.exception), "the agents call them"


def open_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the renderer write Services that are open outside the cluster."""
    rendered = workload_manifests

    def opened(*given: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - passed on
        return [
            {**one, "spec": {**one["spec"], "type": "NodePort"}} if one["kind"] == "Service" else one
            for one in rendered(*given)
        ]

    monkeypatch.setattr(manifests, "workload_manifests", opened)


def test_a_broken_rule_of_an_object_is_refused_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_services(monkeypatch)
    done = render(tmp_path, base_declaration())
    assert isinstance(done.exception, ConfigError)
    assert f"{ONESTOP}/kubernetes/service-{ONESTOP}-server-app.yaml" in str(done.exception)
    assert "is open outside the cluster as NodePort" in str(done.exception)
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--target", "openstack", "--part", "ground"), "no shipped stack file for target openstack"),
        (("--target", "local", "--part", "ground", "--stack-file", "Pulumi.x.yaml"), "is for a shipped stack file"),
    ],
)
def test_a_part_without_a_shipped_stack_file_is_refused(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    done = CliRunner().invoke(app, ["render", *words, "--out", str(tmp_path)], standalone_mode=False)
    assert isinstance(done.exception, ConfigError)
    assert named in str(done.exception)


def test_every_part_with_a_shipped_stack_file_is_rendered_by_its_name(tmp_path: Path) -> None:
    for (target, part), name in rendered_parts.SHIPPED_PARTS.items():
        options = load_options(SHIPPED.with_name(f"Pulumi.{name}.yaml"))
        assert (options.target, options.cloud.part) == (target, part)
    declared = str(write_inventory(tmp_path / "inventory", base_declaration()))
    words = ["render", "--target", "local", "--part", "ground", "--inventory", declared, "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, words, standalone_mode=False).exception is None
    assert {path.name for path in (tmp_path / "out" / "ground").iterdir()} == {"kubernetes", "openstack"}


def deployed(declaration: CloudDeclaration, earlier: dict[str, object] | None = None, part: str = "hosted") -> Recorded:
    import pulumi

    world, options = world_of(declaration), local_options(part)

    def program() -> None:
        for name, value in deploy_cloud_part(options, world, TODAY, earlier or {}, CONFIG, CHECKOUT).items():
            pulumi.export(name, value)

    return run(program)


def test_the_program_writes_each_system_by_a_resource_of_its_own() -> None:
    found = deployed(second_system(FORMS))
    files = [one for one in found.resources if one.name.startswith("files-")]
    agents = [f"files-{agent}" for agent in AGENTS]
    assert {one.name for one in files} == {*agents, f"files-{FORMS}", f"files-{ONESTOP}", "files-agencies"}
    assert all(one.inputs["folder"].endswith(f".local/cloud/{one.name.removeprefix('files-')}") for one in files)
    assert found.exports["enforces"].startswith("nothing")
    (ground,) = (one for one in deployed(base_declaration(), part="ground").resources if one.name == "files-ground")
    assert "openstack/vn83-platform-prod.yaml" in ground.inputs["files"]


def test_a_renamed_system_is_the_same_resource() -> None:
    found = deployed(renamed_system(base_declaration(), RENAMED, ONESTOP))
    aliases = found.one(RENAMED, "motcua:cloud:System").aliases
    assert any(alias.endswith((f"::{ONESTOP}", f"|{ONESTOP}")) for alias in aliases)
    assert found.one(f"files-{ONESTOP}").inputs["folder"].endswith(f"/{ONESTOP}")


def test_the_program_refuses_an_object_that_breaks_a_rule_before_it_registers_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_services(monkeypatch)
    registered = []

    def program() -> None:
        with pytest.raises(ConfigError, match="is open outside the cluster as NodePort"):
            deploy_cloud_part(local_options(), world_of(base_declaration()), TODAY, {}, CONFIG, CHECKOUT)
        registered.append("refused")

    assert not run(program).resources
    assert registered == ["refused"]
