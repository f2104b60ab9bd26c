"""Ground and hosted systems on target `local` by the real engine: a tree of files, and what an edit may do to it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from pulumi import automation

from infra.plan.cloud.lock import extended_lock
from tests.cloud_examples import (
    AGENCIES,
    ONESTOP,
    TODAY,
    changed_components,
    second_system,
    with_components,
)
from tests.cloud_files import write_inventory
from tests.engine.stack import Done, Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry.core.cloud.values import CloudDeclaration, Flow

AGENTS = {"vn83-cloud-dmz1", "vn83-cloud-manage1", "vn83-cloud-server1"}
FORMS, RENAMED, SUCCESSOR = "vn83-forms", "vn83-motcua", "vn86-ubnd"
REPLACEMENTS = {"create", "delete", "replace", "create-replacement", "delete-replaced"}


def git(folder: Path, *words: str) -> str:
    names = ("-c", "user.name=t", "-c", "user.email=t@example.vn")
    done = subprocess.run(["git", "-C", folder, *names, *words], check=True, capture_output=True, text=True)
    return done.stdout


@dataclass
class Rendered:
    """The stacks `ground` and `hosted` of one province in stage prod, the tree that both write, what is declared."""

    ground: Project
    hosted: Project
    tree: Path
    declared: CloudDeclaration

    def up(self, declaration: CloudDeclaration) -> Done:
        """Commit the tree as it is, declare something, and run both stacks; returns what `hosted` did."""
        git(self.tree, "add", "--all")
        git(self.tree, "commit", "--allow-empty", "--quiet", "--message", "before")
        for project in (self.ground, self.hosted):
            write_inventory(project.inventory, declaration)
        done = self.hosted.up()
        self.ground.up()
        self.declared = declaration
        return done

    def changed(self) -> dict[str, str]:
        """What git says of each file of the tree since the last run."""
        git(self.tree, "add", "--all")
        lines = git(self.tree, "diff", "--cached", "--name-status", "--no-renames").splitlines()
        return {path: status for status, _, path in (line.partition("\t") for line in lines) if "/.motcua-" not in path}

    def added_lines(self, *folders: str) -> list[str]:
        """The lines of objects and documents that are new since the last run."""
        shown = git(self.tree, "diff", "--cached", "--unified=0", "--", *folders, ":(exclude)*/.motcua-*").splitlines()
        return [line for line in shown if line.startswith("+") and not line.startswith("+++")]

    def refused(self, declaration: CloudDeclaration) -> str:
        """The message with which a run is refused; nothing of the tree changes by it."""
        declared = self.declared
        with pytest.raises(automation.CommandError) as caught:
            self.up(declaration)
        assert self.changed() == {}
        self.declared = declared
        return str(caught.value)


@pytest.fixture(scope="module")
def rendered(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rendered]:
    """Both stacks after their first roll-out: two systems in stage prod. At the end both are destroyed."""
    assert engine
    folder = tmp_path_factory.mktemp("rendered")
    tree = folder / "tree"
    tree.mkdir()
    git(tree, "init", "--quiet")
    projects = []
    for part in ("ground", "hosted"):
        project = Project(folder / part, part)
        project.configure({
            "stage": "prod", "target": "local", "today": str(TODAY), "cloud": {"part": part},
            "local": {"cloudFolder": str(tree)},
        })  # fmt: skip
        for path in [path for path in project.inventory.iterdir() if path.is_file()]:
            path.unlink()
        projects.append(project)
    both = Rendered(projects[0], projects[1], tree, second_system(FORMS))
    both.up(both.declared)
    yield both
    both.hosted.destroy()
    both.ground.destroy()
    assert {path.name for path in tree.iterdir()} == {".git"}


def renamed(declaration: CloudDeclaration, was: tuple[str, ...]) -> CloudDeclaration:
    """The one-stop system under another id."""

    def moved(flow: Flow) -> Flow:
        ends = [replace(end, system=RENAMED) if end.system == ONESTOP else end for end in (flow.source, flow.target)]
        return replace(flow, source=ends[0], target=ends[1])

    systems = {ident: system for ident, system in declaration.systems.items() if ident != ONESTOP}
    return replace(
        declaration,
        systems={**systems, RENAMED: replace(declaration.systems[ONESTOP], id=RENAMED, was=was)},
        components=changed_components(declaration.components, lambda one: one.system == ONESTOP, system=RENAMED),
        flows=tuple(moved(flow) for flow in declaration.flows),
        drills=tuple(replace(one, system=RENAMED) if one.system == ONESTOP else one for one in declaration.drills),
    )


def without(declaration: CloudDeclaration, ident: str) -> CloudDeclaration:
    return replace(
        declaration,
        systems={one: system for one, system in declaration.systems.items() if one != ident},
        components=tuple(one for one in declaration.components if one.system != ident),
        flows=tuple(one for one in declaration.flows if ident not in {one.source.system, one.target.system}),
        drills=tuple(one for one in declaration.drills if one.system != ident),
    )


def test_two_stacks_write_one_tree_and_a_second_run_changes_nothing(rendered: Rendered) -> None:
    assert {path.name for path in rendered.tree.iterdir()} == {".git", "ground", "agencies", *AGENTS, ONESTOP, FORMS}
    for project in (rendered.ground, rendered.hosted):
        assert set(project.preview().counts) == {"same"}
        assert set(project.up().counts) == {"same"}
    assert rendered.hosted.outputs()["enforces"].startswith("nothing")


def test_an_edit_of_one_system_touches_the_files_of_that_system_only(rendered: Rendered) -> None:
    done = rendered.up(with_components(rendered.declared, f"{FORMS}/app", least=3, most=3))
    assert [name for name in done.touched if name.startswith("files-")] == [f"files-{FORMS}"]
    assert {path.partition("/")[0] for path in rendered.changed()} == {FORMS}


def test_a_system_renamed_without_was_is_refused_because_its_data_would_go(rendered: Rendered) -> None:
    other = renamed(rendered.declared, ())
    assert "cloud.lock has no entry" in rendered.refused(other)
    text = rendered.refused(replace(other, lock=extended_lock(other)))
    assert "would delete data (db 200 GB)" in text
    assert "name its earlier id in `was`" in text


def test_a_database_moved_to_another_zone_is_refused(rendered: Rendered) -> None:
    text = rendered.refused(with_components(rendered.declared, f"{ONESTOP}/db", zone="server"))
    assert f"{ONESTOP}/db" in text
    assert "database" in text


def test_a_merged_province_gives_a_system_another_owner_by_labels_only(rendered: Rendered) -> None:
    """The province's committee ends and a successor begins: what the merger of 2025 did to every system."""
    declared = rendered.declared
    agencies = {**AGENCIES, SUCCESSOR: replace(AGENCIES["vn83-ubnd"], id=SUCCESSOR)}
    systems = {ident: replace(system, owner=SUCCESSOR) for ident, system in declared.systems.items()}
    done = rendered.up(replace(declared, agencies=agencies, systems=systems))
    assert not REPLACEMENTS & set(done.counts), done.text
    changed = rendered.changed()
    assert {path.partition("/")[0] for path in changed} == {ONESTOP, FORMS, "ground", "agencies"}
    assert set(changed.values()) == {"M"}, "no file comes or goes"
    assert all(
        SUCCESSOR in line for line in rendered.added_lines("ground", f"{ONESTOP}/kubernetes", f"{FORMS}/kubernetes")
    )


def test_a_renamed_system_keeps_every_name_and_only_labels_change(rendered: Rendered) -> None:
    done = rendered.up(renamed(rendered.declared, (ONESTOP,)))
    assert not REPLACEMENTS & set(done.counts), done.text
    changed = rendered.changed()
    assert set(changed.values()) == {"M"}, "no file comes or goes"
    assert {path.partition("/")[0] for path in changed} == {ONESTOP, "ground", *AGENTS}
    assert all(RENAMED in line for line in rendered.added_lines(ONESTOP, "ground"))


def test_a_removed_system_is_refused_in_prod_until_the_words_are_given_and_then_its_files_go(
    rendered: Rendered,
) -> None:
    left, lost = without(rendered.declared, RENAMED), f"delete {RENAMED}/db"
    assert f'to accept it, write cloud.allowDataLoss: "{lost}"' in rendered.refused(left)
    rendered.hosted.configure({"cloud": {"part": "hosted", "allowDataLoss": lost}})
    rendered.up(left)
    changed = rendered.changed()
    assert {path.partition("/")[0] for path, status in changed.items() if status == "D"} >= {ONESTOP}
    assert not {path for path in changed if path.startswith(f"{FORMS}/")}
    assert not (rendered.tree / ONESTOP).exists()
