"""An agent's file: what is left out has a default, what is wrong is named at once with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.config import SourceConfig, load
from edge_agent.delivery import DRAIN_ROWS_PER_S
from telemetry import inventory
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 'device = "vn83-83-kiosk1"\ncentre = "vn83-83"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.toml"
    path.write_text(text)
    return path


def faults(folder: Path, text: str) -> list[Fault]:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text))
    return list(caught.value.faults)


def test_little_is_needed(tmp_path: Path) -> None:
    told = load(written(tmp_path, HEAD))
    assert (told.device, told.centre) == ("vn83-83-kiosk1", "vn83-83")
    assert told.outbox == tmp_path / "vn83-83-kiosk1.db"
    assert (told.every_ms, told.cap_mb, told.sources) == (60_000, 256, ())
    assert (told.clock_hold_s, told.drain_rows_per_s) == (120, DRAIN_ROWS_PER_S)
    assert (told.metrics_file, told.metrics_port) == (None, 0)


def test_everything_can_be_said(tmp_path: Path) -> None:
    text = f"""{HEAD}kind = "kiosk"
every_ms = 30000
cap_mb = 8
clock_hold_s = 0
drain_rows_per_s = 500
metrics_file = "figures/motcua.prom"
metrics_port = 9137
mqtt = "mqtts://broker:8883"
mqtt_ca = "ca.pem"
outbox = "/var/lib/o.db"
[[source]]
kind = "host"
[[source]]
kind = "probe"
system = "vn-ngsp"
probe = "http"
target = "https://example.vn/"
[[source]]
kind = "file"
path = "x.jsonl"
[[source]]
kind = "http"
port = 8137
"""
    told = load(written(tmp_path, text))
    assert (told.every_ms, told.cap_mb, told.mqtt, told.tls) == (30_000, 8, "mqtts://broker:8883", ("ca.pem", "", ""))
    assert str(told.outbox) == "/var/lib/o.db"
    assert (told.clock_hold_s, told.drain_rows_per_s) == (0, 500)
    assert (told.metrics_file, told.metrics_port) == (tmp_path / "figures/motcua.prom", 9137)
    assert [source.kind for source in told.sources] == ["host", "probe", "file", "http"]
    assert told.sources[3] == SourceConfig("http", {"port": 8137})


def test_what_the_inventory_renders_can_be_read(tmp_path: Path) -> None:
    world = inventory.load(inventory.default_path())
    watching = next(system.vantage[0] for system in world.systems.values() if system.vantage)
    told = load(written(tmp_path, inventory.render_agent(world, watching)))
    assert told.device == watching
    assert {"host", "probe", "http"} == {source.kind for source in told.sources}


def test_the_services_of_the_centre_reach_the_agent(tmp_path: Path) -> None:
    world = inventory.load(inventory.default_path())
    kiosk = next(device for device in world.devices.values() if device.kind == "kiosk")
    told = load(written(tmp_path, inventory.render_agent(world, kiosk.id)))
    assert told.services == world.centres[kiosk.centre].services != ()


@pytest.mark.parametrize("services", ['"land"', '["Land"]', "[1]"])
def test_services_are_a_list_of_ids(tmp_path: Path, services: str) -> None:
    (fault,) = faults(tmp_path, f"{HEAD}services = {services}\n")
    assert fault.field == "services"


def test_every_fault_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = 'device = "Kiosk 1"\ncentre = "vn83-83"\nevery_ms = "often"\ncolour = 1\n[[source]]\nkind = "oracle"\n'
    found = {(fault.field, fault.line) for fault in faults(tmp_path, text)}
    assert found == {("device", 1), ("every_ms", 3), ("colour", 4), ("kind", 6)}


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ('kind = "file"', "path"),
        ('kind = "http"', "port"),
        ('kind = "probe"\nsystem = "s"\nprobe = "tcp"', "target"),
        ('kind = "host"\nport = 1', "port"),
        ("", "kind"),
    ],
)
def test_a_source_has_the_keys_it_needs_and_no_other(tmp_path: Path, source: str, field: str) -> None:
    (fault,) = faults(tmp_path, f"{HEAD}[[source]]\n{source}\n")
    assert fault.field == field
    assert fault.remedy


@pytest.mark.parametrize("text", ["device = ", b"\xff".decode("latin-1") * 2, "a = 1\na = 2\n"])
def test_a_file_that_is_no_toml_says_how_to_get_one(tmp_path: Path, text: str) -> None:
    (fault,) = faults(tmp_path, text)
    assert "inventory render" in fault.remedy


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="inventory render"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('[[source]]\nkind = "http"\nport = "eighty"\n', "port"),
        ('[[source]]\nkind = "host"\nevery_ms = 0\n', "every_ms"),
        ('[[source]]\nkind = "file"\npath = "x"\nisolate = "yes"\n', "isolate"),
        ("source = 3\n", "source"),
        ("clock_hold_s = -1\n", "clock_hold_s"),
        ("drain_rows_per_s = true\n", "drain_rows_per_s"),
        ("metrics_file = 1\n", "metrics_file"),
        ("mqtt = 1\n", "mqtt"),
        ('mqtt = "broker:8883"\n', "mqtt"),
        ('mqtt = ""\n', "mqtt"),
        ('outbox = ""\n', "outbox"),
        ("every_ms = 999\n", "every_ms"),
        ('metrics_port = "x"\n', "metrics_port"),
    ],
)
def test_a_source_that_cannot_work_is_named_with_its_line(tmp_path: Path, text: str, field: str) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(f'device = "c1-kiosk1"\ncentre = "c1"\n{text}')
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [fault.field for fault in caught.value.faults] == [field]
    assert caught.value.faults[0].line >= 3
