"""Says what `motcua drift` finds on a real InfluxDB and in a folder; and that it changes nothing."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from infra.config.options import InfluxOptions, LocalOptions, StackOptions
from infra.drift import (
    Drift,
    find_drifts,
    local_file_specs,
    open_servers,
    render_values,
    undeclared_resources,
)
from infra.plan import build_plan
from infra.providers.resource_kind import ProviderError, ResourceSpec
from infra.resource_specs import resource_specs
from motcua.cli import drift
from telemetry.errors import ConfigError, MotcuaError
from telemetry.inventory import default_path
from tests.servers import InfluxServer, free_port
from tests.unit.inventories import fleet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry.core.inventory import Inventory

TODAY = date(2026, 6, 1)
WORLD = fleet(12)


@pytest.fixture(scope="module")
def server(influxd_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    found = InfluxServer(influxd_program, tmp_path_factory.mktemp("influxd")).start()
    yield found
    found.end()


@pytest.fixture(scope="module")
def options(server: InfluxServer) -> StackOptions:
    return StackOptions(
        stage="dev",
        target="local",
        influx=InfluxOptions(url=server.url, org="drifting", influxql=True),
    )


def things(options: StackOptions, world: Inventory = WORLD) -> tuple[ResourceSpec, ...]:
    return resource_specs(build_plan(world, options, TODAY), options)


def found(options: StackOptions, wanted: Sequence[ResourceSpec]) -> list[Drift]:
    with open_servers(options, InfluxServer.token) as opened:
        return [*find_drifts(wanted, opened.open_kind), *undeclared_resources(wanted, opened)]


def make(options: StackOptions, wanted: Sequence[ResourceSpec]) -> None:
    """Make things by their kinds, as Pulumi would."""
    with open_servers(options, InfluxServer.token) as opened:
        for one in wanted:
            inputs, failures = opened.open_kind(one.kind).check({}, one.inputs)
            assert failures == []
            opened.open_kind(one.kind).create(inputs)


@pytest.fixture(scope="module")
def made(options: StackOptions) -> tuple[ResourceSpec, ...]:
    """Everything as declared, made by the kinds themselves."""
    assert {one.state for one in found(options, things(options))} >= {"missing"}
    make(options, things(options))
    return things(options)


def test_nothing_differs_right_after_it_was_made(options: StackOptions, made: tuple[ResourceSpec, ...]) -> None:
    assert found(options, made) == []


def test_retention_that_was_changed_by_hand_is_found(
    options: StackOptions, made: tuple[ResourceSpec, ...], server: InfluxServer
) -> None:
    bucket = server.call("GET", "/api/v2/buckets?name=motcua-5m")["buckets"][0]
    rules = bucket["retentionRules"]
    other = [{"type": "expire", "everySeconds": 86_400 * 30, "shardGroupDurationSeconds": 86_400}]
    server.call("PATCH", f"/api/v2/buckets/{bucket['id']}", {"retentionRules": other})
    try:
        seen = {one.field: one for one in found(options, made)}
    finally:
        server.call("PATCH", f"/api/v2/buckets/{bucket['id']}", {"retentionRules": rules})
    assert {*seen} == {"retention_s", "shard_s"}
    assert (seen["retention_s"].wanted, seen["retention_s"].actual) == (str(800 * 86_400), str(30 * 86_400))
    assert {(one.name, one.kind, one.state) for one in seen.values()} == {("bucket-5m", "influx.bucket", "changed")}
    assert found(options, made) == []


def test_bucket_that_is_gone_is_missing(
    options: StackOptions, made: tuple[ResourceSpec, ...], server: InfluxServer
) -> None:
    bucket = server.call("GET", "/api/v2/buckets?name=motcua-ops")["buckets"][0]
    server.call("DELETE", f"/api/v2/buckets/{bucket['id']}")
    assert Drift("bucket-ops", "influx.bucket", "missing") in found(options, made)
    make(options, [_named(made, "bucket-ops")])
    assert found(options, made) == []


def test_bucket_of_another_hand_is_foreign(
    options: StackOptions, made: tuple[ResourceSpec, ...], server: InfluxServer
) -> None:
    bucket = server.call("GET", "/api/v2/buckets?name=motcua-1h")["buckets"][0]
    server.call("PATCH", f"/api/v2/buckets/{bucket['id']}", {"description": "mine"})
    try:
        assert [(one.name, one.state) for one in found(options, made)] == [("bucket-1h", "foreign")]
    finally:
        server.call("PATCH", f"/api/v2/buckets/{bucket['id']}", {"description": bucket["description"]})


def test_token_that_was_switched_off_is_found_and_never_shown(
    options: StackOptions, made: tuple[ResourceSpec, ...], server: InfluxServer
) -> None:
    token = next(
        one for one in server.call("GET", "/api/v2/authorizations")["authorizations"] if "api-g1" in one["description"]
    )
    server.call("PATCH", f"/api/v2/authorizations/{token['id']}", {"status": "inactive"})
    try:
        seen = found(options, made)
    finally:
        server.call("PATCH", f"/api/v2/authorizations/{token['id']}", {"status": "active"})
    assert [(one.name, one.field, one.wanted, one.actual) for one in seen] == [
        ("token-api-g1", "active", "True", "False")
    ]


def test_what_is_ours_and_not_declared_any_more_is_found(options: StackOptions, made: tuple[ResourceSpec, ...]) -> None:
    less = [one for one in made if one.name not in {"bucket-ops", "token-api-g1"}]
    seen = {(one.name, one.kind) for one in found(options, less) if one.state == "unplanned"}
    assert seen == {("motcua-ops", "influx.bucket"), ("vn83-dev-api-g1", "influx.authorization")}


def test_files_that_were_changed_or_are_missing_are_found(tmp_path: Path) -> None:
    wanted = StackOptions(stage="dev", target="local", local=LocalOptions(folder="made"))
    things_ = local_file_specs(build_plan(WORLD, wanted, TODAY), wanted, str(tmp_path), str(tmp_path / "inventory"))
    assert {one.state for one in found(wanted, things_)} == {"missing"}
    make(wanted, things_)
    assert found(wanted, things_) == []
    path = tmp_path / "made/roles/motcua.env"
    path.write_text(path.read_text() + "MOTCUA_STORE_TOKEN=planted-1\n")
    seen = found(wanted, things_)
    assert [(one.name, one.field) for one in seen] == [("role-files", "files")]
    assert "motcua.env: differs from line" in seen[0].actual
    assert "planted" not in str(seen)


def test_server_that_is_away_is_no_drift(options: StackOptions) -> None:
    away = options.model_copy(update={"influx": InfluxOptions(url=f"http://127.0.0.1:{free_port()}")})
    with pytest.raises(ProviderError):
        found(away, things(away))


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        (5, 6, ("5", "6")),
        ("", None, ("–", "–")),
        (["a", "b"], ["b", "c"], ("a", "c")),
        (["a"], ["a", "a"], ("1 items", "2 items")),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ("b: 2", "b: 3")),
        ({"a": {"x": 1}}, {}, ("a: x 1", "a: –")),
        ("one\ntwo\n", "one\nthree\n", ("2 lines", "differs from line 2 on")),
        ("one\n", "one\ntwo\n", ("1 lines", "differs from line 2 on")),
        ("x" * 500, "y", ("x" * 119 + "…", "y")),
    ],
)
def test_only_what_differs_is_shown(wanted: object, there: object, expected: tuple[str, str]) -> None:
    assert render_values(wanted, there) == expected


# --- the command --------------------------------------------------------------------------------


def command(folder: Path, options: StackOptions) -> tuple[typer.Typer, list[str]]:
    (folder / "Pulumi.yaml").write_text("name: motcua\n")
    stack = folder / "Pulumi.try.yaml"
    told = {"url": options.influx.url, "org": "drifting", "influxql": True}
    lines = ["config:", "  motcua:stage: dev", "  motcua:target: local"]
    lines += [f"  motcua:influx: {json.dumps(told)}"]
    stack.write_text("\n".join(lines))
    app = typer.Typer()
    app.command()(drift.drift)
    return app, ["--stack-file", str(stack), "--inventory", str(default_path())]


def test_command_names_the_secret_that_is_missing(
    tmp_path: Path, options: StackOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(drift.INFLUX_TOKEN_ENV, raising=False)
    app, words = command(tmp_path, options)
    told = CliRunner().invoke(app, words)
    assert isinstance(told.exception, ConfigError)
    assert [one.field for one in told.exception.faults] == ["MOTCUA_INFLUX_TOKEN"]


def test_command_prints_what_differs_and_ends_with_1(
    tmp_path: Path, options: StackOptions, made: tuple[ResourceSpec, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made
    monkeypatch.setenv(drift.INFLUX_TOKEN_ENV, InfluxServer.token)
    app, words = command(tmp_path, options)
    told = CliRunner().invoke(app, [*words, "--json"])
    assert told.exit_code == 1, told.output
    rows = json.loads(told.stdout)
    assert {row["kind"] for row in rows} >= {"host.files", "influx.bucket"}
    assert {"name", "kind", "state", "field", "wanted", "found"} == {*rows[0]}
    shown_ = CliRunner().invoke(app, words)
    assert shown_.exit_code == 1
    assert f"{len(rows)} differences" in shown_.stdout
    assert InfluxServer.token not in told.output + shown_.output


def test_command_says_that_a_server_is_away(
    tmp_path: Path, options: StackOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(drift.INFLUX_TOKEN_ENV, "planted-token")
    app, words = command(tmp_path, options)
    told = CliRunner().invoke(app, words)
    assert isinstance(told.exception, MotcuaError)
    assert "planted" not in str(told.exception)


def _named(made: Sequence[ResourceSpec], name: str) -> ResourceSpec:
    return next(one for one in made if one.name == name)
