"""`motcua render` for targets beside the host: files that hang together, name their source, and hold no secret."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import yaml
from typer.testing import CliRunner

from infra.targets.kubernetes.kustomize import HEADER_PREFIX, SECRETS_FILE
from motcua.cli.app import app
from telemetry import inventory
from telemetry.errors import ConfigError
from telemetry.inventory.files import bundle_files
from tests.carried import with_months
from tests.kubernetes import GATEWAY_API, SHIPPED, stack
from tests.kubernetes_schemas import validate_manifest

if TYPE_CHECKING:
    from typer.testing import Result


KIOSK: Final = "vn83-83-kiosk1"


def render(out: Path, *words: str) -> Result:
    """Run the command in this process; naming the inventory keeps it from setting up logging for all tests."""
    told = ["render", "--target", "kubernetes", "--out", str(out), "--inventory", str(inventory.default_path()), *words]
    return CliRunner().invoke(app, told, standalone_mode=False)


def objects(folder: Path) -> dict[str, dict[str, object]]:
    return {path.name: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("[0-9]*.yaml"))}


def test_every_object_but_secrets_is_a_file_of_its_own(tmp_path: Path) -> None:
    done = render(tmp_path)
    assert (done.exit_code, done.exception) == (0, None)
    found = objects(tmp_path)
    expected = [one for one in stack().objects if one["kind"] != "Secret"]
    assert len(found) == len(expected)
    for name, one in found.items():
        if one["apiVersion"] != GATEWAY_API:
            validate_manifest(one, "1.33")
        assert name.endswith(f"-{str(one['kind']).lower()}-{one['metadata']['name']}.yaml")  # type: ignore[index]
    assert next(iter(found.values()))["kind"] == "Namespace"
    kustomization = yaml.safe_load((tmp_path / "kustomization.yaml").read_text())
    assert kustomization["resources"] == list(found)


def test_texts_within_objects_come_back_as_they_were(tmp_path: Path) -> None:
    render(tmp_path)
    broker = next(one for name, one in objects(tmp_path).items() if name.endswith("-configmap-broker-config.yaml"))
    assert broker["data"] == stack().one("ConfigMap", "broker-config")["data"]


def test_published_months_are_among_the_objects_and_leave_with_their_files(tmp_path: Path) -> None:
    folder, out = with_months(tmp_path / "declared", "2026-09", "2026-10"), tmp_path / "out"
    assert render(out, "--inventory", str(folder)).exit_code == 0
    found = [one for name, one in objects(out).items() if "-configmap-inventory-" in name]
    held = {key: text for one in found for key, text in one["data"].items()}  # type: ignore[attr-defined]
    assert held == {path.rpartition("/")[2]: text for path, text in bundle_files(folder).items()}
    (folder / "published/2026-09.csv").unlink()
    assert render(out, "--inventory", str(folder)).exit_code == 0
    months = [name.partition("-published-")[2] for name in objects(out) if "-published-" in name]
    assert months == ["2026-10-csv.yaml"]


def test_secrets_are_named_with_their_keys_and_commands_and_never_written(tmp_path: Path) -> None:
    render(tmp_path)
    page = (tmp_path / SECRETS_FILE).read_text()
    for secret in stack().of("Secret"):
        name = secret["metadata"]["name"]
        for key in secret["stringData"]:
            assert f"| `{name}` | `{key}` |" in page
            assert f"--from-file={key}={name}/{key}" in page
    assert not any(one["kind"] == "Secret" for one in objects(tmp_path).values())


def test_no_planted_secret_of_the_stack_file_or_the_environment_is_written(tmp_path: Path) -> None:
    planted = "planted-value-4711"
    told = tmp_path / "Pulumi.mine.yaml"
    secret = "".join(f"  motcua:{name}:\n    secure: {planted}\n" for name in ("influxToken", "rootKey"))
    told.write_text(SHIPPED.read_text() + secret)
    words = ["render", "--target", "kubernetes", "--out", str(tmp_path / "out"), "--stack-file", str(told)]
    environment = {**os.environ, "MOTCUA_STORE_TOKEN": planted, "MOTCUA_INVENTORY": str(inventory.default_path())}
    done = subprocess.run(
        [sys.executable, "-m", "motcua", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not any(planted in path.read_text() for path in (tmp_path / "out").rglob("*.*"))
    assert planted not in done.stdout + done.stderr


def test_every_object_says_what_it_was_written_from(tmp_path: Path) -> None:
    render(tmp_path)
    version = inventory.load(inventory.default_path()).version
    files = [path for path in tmp_path.rglob("*.*") if path.parent.name != "devices"]
    assert all(f"{HEADER_PREFIX}{version}." in path.read_text().splitlines()[0] for path in files)


def test_a_devices_file_differs_only_when_its_own_settings_do(tmp_path: Path) -> None:
    """A new centre changes the inventory's version, and no settings of another centre's devices."""
    folder, out = tmp_path / "declared", tmp_path / "out"
    shutil.copytree(inventory.default_path(), folder)
    render(out, "--inventory", str(folder))
    before = {path.name: path.read_text() for path in (out / "devices").iterdir()}
    assert all(text.startswith("# Written by `motcua render --target kubernetes`.\n") for text in before.values())
    version = inventory.load(folder).version
    devices = folder / "devices.csv"
    row = next(line for line in devices.read_text().splitlines() if line.startswith(f"{KIOSK},"))
    devices.write_text(f"{devices.read_text().rstrip()}\n{row.replace(KIOSK, f'{KIOSK}a')}\n")
    assert inventory.load(folder).version != version
    render(out, "--inventory", str(folder))
    after = {path.name: path.read_text() for path in (out / "devices").iterdir()}
    assert set(after) - set(before) == {f"{KIOSK}a.toml"}
    assert {name for name, text in before.items() if after[name] != text} == set()


def test_rendering_again_replaces_its_own_files_and_removes_those_that_are_no_more(tmp_path: Path) -> None:
    folder, out = with_months(tmp_path / "declared", "2026-09", "2026-10"), tmp_path / "out"
    assert render(out, "--inventory", str(folder)).exit_code == 0
    many = len(list(out.iterdir()))
    own = out / "900-mine.yaml"
    own.write_text("mine: true\n")
    assert render(out).exit_code == 0
    assert len(list(out.iterdir())) < many
    assert yaml.safe_load((out / "kustomization.yaml").read_text())["resources"] == [
        name for name in sorted(objects(out)) if name != own.name
    ]
    assert own.read_text() == "mine: true\n"


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "kustomization.yaml"
    mine.write_text("resources: []\n")
    done = render(tmp_path)
    assert isinstance(done.exception, ConfigError)
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]
    assert mine.read_text() == "resources: []\n"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("motcua:target: kubernetes", "motcua:target: local"), "motcua:target"),
        (("ingestLeast: 1", "ingestLeast: 9"), "kubernetes.ingestLeast"),
    ],
)
def test_faults_of_a_stack_file_are_named_and_nothing_is_written(
    tmp_path: Path, change: tuple[str, str], named: str
) -> None:
    told = tmp_path / "Pulumi.mine.yaml"
    text = SHIPPED.read_text()
    assert change[0] in text
    told.write_text(text.replace(*change))
    done = render(tmp_path / "out", "--stack-file", str(told))
    assert isinstance(done.exception, ConfigError)
    assert named in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_the_stack_files_own_inventory_is_taken_when_none_is_named(tmp_path: Path) -> None:
    told = tmp_path / "Pulumi.mine.yaml"
    shutil.copytree(inventory.default_path(), tmp_path / "world")
    told.write_text(SHIPPED.read_text().replace("inventory/bentre-2021", str(tmp_path / "world")))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
    words = ["render", "--target", "kubernetes", "--out", str(tmp_path / "out"), "--stack-file", str(told)]
    done = subprocess.run(
        [sys.executable, "-m", "motcua", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path("/"),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("more", "complete"), [((), False), (("--broker", "mqtts://mqtt.example:8883"), True)])
def test_a_host_bundle_without_a_broker_says_what_it_leaves_out(
    tmp_path: Path, more: tuple[str, ...], complete: bool
) -> None:
    words = ["render", "--target", "host", "--out", str(tmp_path), "--inventory", str(inventory.default_path()), *more]
    done = CliRunner().invoke(app, words, standalone_mode=False)
    assert (done.exit_code, done.exception) == (0, None)
    assert (tmp_path / "devices").is_dir() is complete
    assert ("left out: agent.toml of " in done.output) is not complete
    loaded = inventory.load(inventory.default_path())
    assert done.output.split()[-1] == loaded.version, "the last word is the version"


@pytest.mark.parametrize(("port", "noted"), [("", False), (":8883", False), (":18883", True)])
def test_a_broker_on_another_port_than_the_servers_is_noted(tmp_path: Path, port: str, noted: bool) -> None:
    words = ["render", "--target", "host", "--out", str(tmp_path), "--inventory", str(inventory.default_path())]
    done = CliRunner().invoke(app, [*words, "--broker", f"mqtts://mqtt.example{port}"], standalone_mode=False)
    assert (done.exit_code, done.exception) == (0, None)
    assert "\nlistener 8883\n" in (tmp_path / "server/etc/motcua/broker/mosquitto.conf").read_text()
    assert ("connect to port 18883, the server's mosquitto listens on 8883" in done.output) is noted


def test_the_stack_file_that_the_note_names_gives_both_the_same_port(tmp_path: Path) -> None:
    stack = tmp_path / "Pulumi.mine.yaml"
    stack.write_text("config:\n  motcua:stage: dev\n  motcua:target: local\n  motcua:broker: {port: 18883}\n")
    words = ["render", "--target", "host", "--out", str(tmp_path / "out"), "--stack-file", str(stack)]
    words += ["--inventory", str(inventory.default_path())]
    done = CliRunner().invoke(app, words, standalone_mode=False)
    assert (done.exit_code, done.exception) == (0, None)
    assert "\nlistener 18883\n" in (tmp_path / "out/server/etc/motcua/broker/mosquitto.conf").read_text()
    assert 'mqtt = "mqtts://localhost:18883"' in (tmp_path / "out/devices/vn83-83-kiosk1.toml").read_text()
    assert "note:" not in done.output
    done = CliRunner().invoke(app, [*words, "--broker", "mqtts://localhost"], standalone_mode=False)
    assert "connect to port 8883, the server's mosquitto listens on 18883" in done.output


def check_motcuas_own_files(folder: Path, inside: set[str]) -> None:
    """Check that Secrets are a page, and that each device outside of the cloud has its file, with the declared host."""
    page = (folder / "vn83-motcua" / SECRETS_FILE).read_text()
    assert "kubectl -n vn83-motcua-database create secret generic influxdb-setup" in page
    assert not list(folder.glob("vn83-motcua/secret-*.yaml"))
    devices = {path.stem: path.read_text() for path in (folder / "devices").iterdir()}
    assert len(devices) > 10
    assert not inside & set(devices)
    assert all('"mqtts://motcua.example:8883"' in text for text in devices.values())


def test_ground_and_systems_are_folders_of_their_own_and_a_file_without_its_object_goes(tmp_path: Path) -> None:
    hosted = SHIPPED.with_name("Pulumi.hosted.yaml")
    for part in ("ground", "hosted"):
        done = render(tmp_path, "--stack-file", str(SHIPPED.with_name(f"Pulumi.{part}.yaml")))
        assert (done.exit_code, done.exception) == (0, None)
    systems = inventory.load(inventory.default_path()).cloud.systems
    agents = {f"vn83-cloud-{zone}1" for zone in ("manage", "dmz", "server")}
    assert {path.name for path in tmp_path.iterdir()} == {"ground", *systems, *agents, "devices"}
    check_motcuas_own_files(tmp_path, agents)
    settings = yaml.safe_load((tmp_path / "vn83-cloud-dmz1" / "configmap-vn83-cloud-dmz1-agent.yaml").read_text())
    assert 'mqtt = "mqtts://broker.vn83-motcua-server.svc:8883"' in settings["data"]["agent.toml"]
    old = tmp_path / "vn83-portal" / "deployment-old.yaml"
    old.write_text((tmp_path / "vn83-portal" / "kustomization.yaml").read_text())
    foreign = tmp_path / "vn83-portal" / "notes.yaml"
    foreign.write_text("by: hand\n")
    before = {path: path.read_bytes() for path in tmp_path.glob("*/*.yaml") if path != old}
    assert render(tmp_path, "--stack-file", str(hosted)).exit_code == 0
    assert {path: path.read_bytes() for path in tmp_path.glob("*/*.yaml")} == before
    listed = yaml.safe_load((tmp_path / "vn83-portal" / "kustomization.yaml").read_text())["resources"]
    assert {*listed, "kustomization.yaml", "notes.yaml"} == {path.name for path in (tmp_path / "vn83-portal").iterdir()}


def test_a_drill_is_of_hosted_systems_on_kubernetes_only(tmp_path: Path) -> None:
    done = render(tmp_path, "--drill", "vn83-onestop")
    assert isinstance(done.exception, ConfigError)
    assert "--stack-file one whose cloud.part is hosted" in str(done.exception)
    assert not list(tmp_path.iterdir())
