"""What an operator sees of a wrong token, a dead address, a frozen server and an edited inventory: the real engine."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.engine.stack import CHECKOUT, Project
from tests.engine.test_local_stack import MOTCUA, names, stored
from tests.engine.world import World, until
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass
class Running:
    """A stack that is deployed and whose roles run."""

    world: World
    project: Project

    def role_files(self) -> Mapping[str, bytes]:
        files = (path for path in self.world.folder.rglob("*") if path.is_file() and path.parent.name != "run")
        return {str(path): path.read_bytes() for path in files if {"roles", "broker"} & set(path.parts)}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.project.command(*words, "--yes", "--non-interactive", "--color", "never", check=False)

    def influxd(self) -> int:
        """Return the process id of this world's InfluxDB."""
        listed = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True, check=True).stdout
        (line,) = (one for one in listed.splitlines() if "influxd " in one and str(self.world.folder) in one)
        return int(line.split()[0])


@pytest.fixture(scope="module")
def running(world_of: Callable[[], World], tmp_path_factory: pytest.TempPathFactory) -> Running:
    world = world_of()
    project = Project(tmp_path_factory.mktemp("mistakes") / "p")
    project.configure(world.settings(), world.secrets)
    project.up()
    return Running(world, project)


@pytest.mark.parametrize("mistake", ["token", "address"])
def test_a_wrong_token_or_address_fails_and_switches_nothing(running: Running, mistake: str) -> None:
    before = running.role_files()
    try:
        if mistake == "token":
            running.project.configure({}, {"influxToken": "wrong"})
        else:
            running.project.configure({"influx": {"url": f"http://127.0.0.1:{free_port()}"}})
        done = running.run("up", "--skip-preview")
    finally:
        running.project.configure(running.world.settings(), running.world.secrets)
    assert done.returncode
    expected = {"token": "refuses the operator token", "address": "does not answer"}
    assert expected[mistake] in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "ProviderError" not in done.stdout + done.stderr
    assert {path: text for path, text in running.role_files().items() if path in before} == before


def test_a_frozen_server_is_reported_by_its_sentence_alone(running: Running) -> None:
    pid = running.influxd()
    os.kill(pid, signal.SIGSTOP)
    try:
        done = running.run("refresh", "--skip-preview")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode
    assert "does not answer" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert names(running.project.preview()) == set(), "an outage is no loss"


def test_a_preview_shows_what_an_edit_of_the_inventory_changes(running: Running) -> None:
    devices = running.project.inventory / "devices.csv"
    text = devices.read_text()
    try:
        devices.write_text(text + "vn83-83-kiosk9,vn83-83,kiosk,60000,yes\n")
        shown = running.project.command("preview", "--non-interactive", "--color", "never").stdout
        assert "+ device vn83-83-kiosk9 (kiosk, vn83-83)" in shown
        running.project.up()
        assert "+ device vn83-83-kiosk9 (kiosk, vn83-83)" in running.project.outputs()["inventoryChanges"]
        again = running.project.command("preview", "--non-interactive", "--color", "never").stdout
        assert "inventoryChanges" not in again, "a second run changes no output"
    finally:
        devices.write_text(text)
        running.project.up()


def test_the_tutorials_first_ticket_is_stored(running: Running, tmp_path: Path) -> None:
    """docs/tutorials/first-server.md, with this world's ports in place of the usual ones."""
    world, project, door = running.world, running.project, free_port()
    ports = {"8883": world.broker_port, "8137": door, "8080": world.api_port}
    run_block(project, "first server, certificate", ports)
    config = project.root / "agent.toml"
    config.write_text(config.read_text().replace("8137", str(door)))
    until(lambda: World.listens(world.api_port), "the API listens")
    until(world.ingest_is_ready, "ingest is ready")
    with (tmp_path / "agent.log").open("wb") as log:
        agent = subprocess.Popen([MOTCUA, "agent", "--config", str(config)], cwd=project.root, stdout=log, stderr=log)
    try:
        until(lambda: World.listens(door), "the agent takes events")
        before = stored(world)
        run_block(project, "first server, ticket", ports)
        until(lambda: stored(world) > before, "the ticket is stored")
    finally:
        agent.terminate()
        agent.wait(60)


def run_block(project: Project, name: str, ports: Mapping[str, int]) -> None:
    text = (CHECKOUT / "docs/tutorials/first-server.md").read_text(encoding="utf-8")
    script = text.partition(f"<!-- tested: {name} -->\n```sh\n")[2].partition("```")[0]
    assert script, name
    for usual, here in ports.items():
        script = script.replace(usual, str(here))
    command = ["bash", "-eu", "-o", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=project.root, env=project.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
