"""Every target renders every device's agent.toml, with its sources, for its broker; a retired device's file goes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from edge_agent import config
from motcua.cli.app import app
from telemetry import inventory
from telemetry.core.device_sources import sources_of

if TYPE_CHECKING:
    from pathlib import Path

KIOSK, GATEWAY = "vn83-83-kiosk1", "vn83-83-gateway1"
BROKER = ("--broker", "mqtts://mqtt.example:8883")
TARGETS = {
    "host": (BROKER, "mqtts://mqtt.example:8883"),
    "local": ((), "mqtts://localhost:8883"),
    "kubernetes": ((), "mqtts://mqtt.example:8883"),
    "openstack": ((), "mqtts://mqtt.motcua.example:8883"),
}


def render(target: str, folder: Path, out: Path, *words: str) -> None:
    options = ["--target", target, "--inventory", str(folder), "--out", str(out), *words]
    result = CliRunner().invoke(app, ["render", *options], standalone_mode=False)
    assert (result.exit_code, result.exception) == (0, None)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_renders_every_device_with_its_sources(target: str, tmp_path: Path) -> None:
    words, broker = TARGETS[target]
    declared = inventory.load(inventory.default_path())
    render(target, inventory.default_path(), tmp_path, *words)
    assert {path.stem for path in (tmp_path / "devices").iterdir()} == {
        device.id for device in declared.devices.values() if device.kind != "replay"
    }
    for device in (KIOSK, GATEWAY):
        agent = config.load(tmp_path / f"devices/{device}.toml")
        assert (agent.device, agent.mqtt, str(agent.outbox)) == (device, broker, "/var/lib/motcua/outbox.db")
        expected = [(source.kind, source.settings) for source in sources_of(declared, declared.devices[device])]
        assert [(source.kind, source.values) for source in agent.sources] == expected
    assert {source.kind for source in agent.sources} == {"host", "probe", "http"}


def test_a_retired_device_s_file_goes_and_what_others_wrote_stays(tmp_path: Path) -> None:
    folder, out = tmp_path / "declared", tmp_path / "out"
    shutil.copytree(inventory.default_path(), folder)
    render("host", folder, out, *BROKER)
    (out / "devices/mine.toml").write_text("# my notes\n")
    devices = folder / "devices.csv"
    lines = devices.read_text(encoding="utf-8").splitlines(keepends=True)
    devices.write_text("".join(line for line in lines if "vn83-83-kiosk2" not in line), encoding="utf-8")
    render("host", folder, out, *BROKER)
    names = {path.name for path in (out / "devices").iterdir()}
    assert "vn83-83-kiosk2.toml" not in names
    assert {"mine.toml", f"{KIOSK}.toml"} <= names


def test_the_example_of_a_drop_in_is_one_that_the_agent_reads_and_no_rendering_replaces(tmp_path: Path) -> None:
    render("host", inventory.default_path(), tmp_path / "out", *BROKER)
    etc = tmp_path / "etc"
    shutil.copytree(tmp_path / "out/device/etc/motcua", etc)
    agent = etc / "agent.toml"
    shutil.copy(tmp_path / f"out/devices/{KIOSK}.toml", agent)
    assert [source.kind for source in config.load(agent).sources] == ["host", "http"]
    (etc / "agent.d/local.toml.example").rename(etc / "agent.d/local.toml")
    assert [source.kind for source in config.load(agent).sources] == ["host", "http", "escpos"]
    assert not list((tmp_path / "out").rglob("agent.d/*.toml"))
