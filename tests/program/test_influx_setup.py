"""The bundle's command that sets up InfluxDB, by a shell against a real server: complete, once, without leaks."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from infra.config.options import StackOptions
from infra.host import server_setup
from infra.plan import build_plan
from telemetry import inventory
from tests.servers import InfluxServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.plan import StackPlan

DAY_S = 86_400


class Fresh(InfluxServer):
    """A server that nobody has set up, and that says who its operator is afterwards."""

    def call(self, method: str, path: str, body: object = None, token: str = "") -> dict[str, Any]:
        return {"allowed": False} if path == "/api/v2/setup" else super().call(method, path, body, token)


@pytest.fixture
def unset(influxd_program: str, tmp_path: Path) -> Iterator[Fresh]:
    server = Fresh(influxd_program, tmp_path / "influxdb")
    server.start()
    yield server
    server.end()


@pytest.fixture
def found() -> StackPlan:
    world = inventory.load(inventory.default_path())
    influx = {"rawDays": 40, "org": "tỉnh Bến Tre", "bucket": "dữ liệu thô"}
    wanted = StackOptions.model_validate({"stage": "dev", "target": "local", "influx": influx})
    return build_plan(world, wanted, wanted.pki.epoch)


@pytest.fixture
def program(require: Callable[[str], str], found: StackPlan, tmp_path: Path) -> Path:
    for name in ("curl", "openssl"):
        require(name)
    path = tmp_path / "set-up"
    path.write_text(server_setup.influx_setup_files("# head", found.influx)[server_setup.INFLUX_COMMAND])
    path.chmod(0o755)
    return path


def run(program: Path, server: InfluxServer) -> subprocess.CompletedProcess[str]:
    secrets = program.parent / "secrets"
    env = {**os.environ, "MOTCUA_INFLUX": server.url, "MOTCUA_SECRETS": str(secrets)}
    return subprocess.run([program], capture_output=True, text=True, check=False, env=env, timeout=120)


def state(server: InfluxServer, secrets: Path) -> dict[str, Any]:
    """What the server and the folder hold."""
    token = (secrets / "operator.token").read_text().strip()
    asked = {
        name: server.call("GET", f"/api/v2/{name}", token=token) for name in ("buckets", "authorizations", "tasks")
    }
    return {**{name: answer[name] for name, answer in asked.items()}, "files": contents(secrets)}


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_it_makes_what_the_plan_says_and_a_second_run_changes_nothing(
    unset: Fresh, program: Path, found: StackPlan
) -> None:
    first = run(program, unset)
    assert first.returncode == 0, first.stderr
    secrets = program.parent / "secrets"
    made = state(unset, secrets)
    again = run(program, unset)
    assert again.returncode == 0, again.stderr
    assert state(unset, secrets) == made
    kept = {one["name"]: one["retentionRules"][0] for one in made["buckets"] if not one["name"].startswith("_")}
    told = {name: (rule["everySeconds"], rule["shardGroupDurationSeconds"]) for name, rule in kept.items()}
    assert told == {one.name: (one.retention_s, one.shard_s) for one in found.influx.buckets}
    assert told["dữ liệu thô"] == (40 * DAY_S, DAY_S)
    assert [one["name"] for one in made["tasks"]] == ["motcua-capacity"]
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o600}
    secret = [text.strip().removeprefix("MOTCUA_STORE_TOKEN=") for text in made["files"].values()]
    assert not any(one in first.stdout + first.stderr + again.stdout + again.stderr for one in secret)


def test_each_token_has_the_plans_rights_and_no_others(unset: Fresh, program: Path, found: StackPlan) -> None:
    assert run(program, unset).returncode == 0
    made = state(unset, program.parent / "secrets")
    names = {one["id"]: one["name"] for one in made["buckets"]}
    rights = {
        one["description"]: {(right["action"], names[right["resource"]["id"]]) for right in one["permissions"]}
        for one in made["authorizations"]
        if one["description"].startswith("motcua ")
    }
    wanted = {
        f"motcua {one.name}": {(right.action, right.bucket) for right in one.permissions} for one in found.influx.tokens
    }
    assert rights == wanted


def test_a_run_that_was_cut_off_is_finished_by_the_next(unset: Fresh, program: Path, found: StackPlan) -> None:
    whole = program.read_text()
    program.write_text(whole.replace("\nbucket ", "\nexit 9\nbucket ", 1))
    assert run(program, unset).returncode == 9
    program.write_text(whole)
    assert run(program, unset).returncode == 0
    made = state(unset, program.parent / "secrets")
    kept = {one["name"]: one["retentionRules"][0]["everySeconds"] for one in made["buckets"]}
    assert all(kept[one.name] == one.retention_s for one in found.influx.buckets)


def test_without_the_operators_token_it_says_what_is_there_or_how_to_go_on(unset: Fresh, program: Path) -> None:
    assert run(program, unset).returncode == 0
    secrets = program.parent / "secrets"
    (secrets / "operator.token").unlink()
    before = contents(secrets)
    assert run(program, unset).returncode == 0
    assert contents(secrets) == before
    (secrets / "api.env").unlink()
    refused = run(program, unset)
    assert refused.returncode == 1
    assert "influxd recovery auth create-operator" in refused.stderr
    assert not (secrets / "api.env").exists()
