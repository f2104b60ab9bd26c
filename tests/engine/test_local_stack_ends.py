"""A run that is killed in the middle goes on where it was, and `destroy` leaves what is not ours."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.engine.stack import Project
from tests.engine.test_local_stack import BUCKETS, deploy
from tests.engine.world import World, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_killed_run_is_completed_by_the_next(world_of: Callable[[], World], tmp_path: Path) -> None:
    world = world_of()
    project = Project(tmp_path / "p")
    project.configure(world.settings(), world.secrets)
    run = project.begin("up", "--yes", "--skip-preview")
    until(lambda: made(world), "the first bucket is there")
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=60)
    recover(project)
    project.up()
    assert world.names("buckets") >= BUCKETS
    tokens = [one["description"] for one in world.call("GET", "/api/v2/authorizations?org=motcua")["authorizations"]]
    assert len(tokens) == len(set(tokens)) == 3
    assert set(project.preview().counts) == {"same"}


def recover(project: Project) -> None:
    """Do what docs/how-to/recover-from-a-disaster.md says after a killed run: the copy replaces a state cut short."""
    for copy in (project.folder / "state").rglob("stacks/**/local.json.bak"):
        state = copy.with_name("local.json")
        if not whole(state) and whole(copy):
            state.write_bytes(copy.read_bytes())
    project.command("cancel", "--yes", check=False)


def whole(state: Path) -> bool:
    try:
        json.loads(state.read_text())
    except (OSError, ValueError):
        return False
    return True


@pytest.mark.parametrize("left", ["", None], ids=["empty", "nothing"])
def test_a_state_that_was_being_written_is_put_back_and_nothing_is_made_twice(
    world_of: Callable[[], World], tmp_path: Path, left: str | None
) -> None:
    world = world_of()
    project = deploy(world, tmp_path / "p", foreign=False).project
    (state,) = (project.folder / "state").rglob("stacks/**/local.json")
    if left is None:
        state.unlink()
    else:
        state.write_text(left)
    recover(project)
    project.up()
    tokens = [one["description"] for one in world.call("GET", "/api/v2/authorizations?org=motcua")["authorizations"]]
    assert len(tokens) == len(set(tokens)) == 3
    assert set(project.preview().counts) == {"same"}


def made(world: World) -> bool:
    """Tell whether the raw bucket is there; nobody may ask while InfluxDB is not set up."""
    status, text = world.ask("GET", "/api/v2/buckets?name=motcua")
    return status == 200 and bool(json.loads(text)["buckets"])


def test_destroy_leaves_nothing_of_ours_and_everything_of_others(world_of: Callable[[], World], tmp_path: Path) -> None:
    world = world_of()
    deployed = deploy(world, tmp_path / "p", foreign=True)
    note = world.folder / "broker" / "note"
    note.write_text("somebody's own")
    deployed.project.destroy()
    assert "motcua" not in world.names("orgs")
    assert world.names("orgs") >= {"foreign"}
    assert not world.names("buckets") & BUCKETS
    assert "foreign" in world.names("buckets")
    assert note.read_text() == "somebody's own"
    assert not (world.folder / "roles").exists()
    assert not (world.folder / "broker" / "server.key").exists()


def test_a_second_stack_in_the_same_folder_is_refused_and_takes_nothing(
    world_of: Callable[[], World], tmp_path: Path
) -> None:
    world = world_of()
    first = deploy(world, tmp_path / "p", foreign=False).project
    second = Project(tmp_path / "q", "second")
    second.configure(world.settings(), world.secrets)
    second.configure({"influx": {"url": f"http://127.0.0.1:{world.influx_port}", "org": "two"}})
    refused = second.command("up", "--yes", "--skip-preview", "--non-interactive", check=False)
    assert refused.returncode
    assert "stack 'local' writes here; give this one another folder" in refused.stdout
    second.destroy()
    assert world.names("buckets") >= BUCKETS
    first.refresh()
    assert set(first.preview().counts) == {"same"}
