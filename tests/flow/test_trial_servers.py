"""What `make servers` runs for a trial of the stack `local`: it keeps servers running and ends them with itself."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.engine.world import World, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path, influxd_program: str, require: Callable[[str], str]) -> Iterator[World]:
    assert influxd_program
    require("mosquitto")
    found = World(tmp_path)
    yield found
    found.end()


def running(world: World) -> dict[str, int]:
    """Name → process id, of the last start of each."""
    text = (world.folder.parent / "servers.log").read_text()
    return {name: int(pid) for name, pid in re.findall(r"servers: (\S+) runs \((\d+)\)", text)}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_that_dies_is_started_again_and_all_end_with_the_trial(world: World) -> None:
    before = running(world)
    os.kill(before["influxdb"], signal.SIGKILL)
    until(lambda: running(world)["influxdb"] != before["influxdb"], "InfluxDB is started again")
    until(
        lambda: world.ask("GET", "/health", token="")[0] == 200 if World.listens(world.influx_port) else False,
        "it answers",
    )
    world.end()
    assert [name for name, pid in running(world).items() if alive(pid)] == []


def test_secrets_of_a_trial_are_for_its_user_only(world: World) -> None:
    assert oct((world.folder / "run" / "influx-token").stat().st_mode & 0o777) == "0o600"
    text = (world.folder.parent / "servers.log").read_text()
    assert not any(secret in text for secret in world.secrets.values())
