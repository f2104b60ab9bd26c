"""sources.toml: which devices get which sources; it refuses, with file and line, what an agent would refuse."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from edge_agent import config
from telemetry.core.device_sources import sources_of
from telemetry.errors import ConfigError, InventoryError
from telemetry.inventory import default_path, load, load_with_warnings, render_agent
from telemetry.source_settings import source_name
from tests.unit.inventory.test_inventory import SMALL
from tests.unit.source_tables import REFUSED_SOURCES

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.errors import Fault

KIOSK, KIOSK_2, GATEWAY = "vn83-83-kiosk1", "vn83-83-kiosk2", "vn83-83-gateway1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a small inventory: two kiosks and a gateway in one centre, a gateway and a kiosk in another."""
    path = tmp_path / "inventory"
    path.mkdir()
    for name, text in SMALL.items():
        (path / name).write_text(text, encoding="utf-8")
    devices = f"{SMALL['devices.csv']}{KIOSK_2},vn83-83,kiosk,,no\nvn83-829-kiosk1,vn83-829,kiosk,,no\n"
    (path / "devices.csv").write_text(devices, encoding="utf-8")
    return path


def declare(folder: Path, *tables: str) -> None:
    text = "".join(f"[[source]]\n{table}\n" for table in tables)
    (folder / "sources.toml").write_text(text, encoding="utf-8")


def faults(folder: Path) -> list[Fault]:
    with pytest.raises(InventoryError) as caught:
        load(folder)
    assert all(fault.file.endswith("sources.toml") and fault.remedy for fault in caught.value.faults)
    return list(caught.value.faults)


def sources(folder: Path, device: str) -> dict[str, dict[str, object]]:
    inventory = load(folder)
    found = sources_of(inventory, inventory.devices[device])
    return {source_name(source.kind, source.settings): dict(source.settings) for source in found}


def test_what_an_agent_would_refuse_the_inventory_refuses_in_the_same_words(folder: Path) -> None:
    tables = [table for table, _ in REFUSED_SOURCES]
    declare(folder, *(f'device = "{KIOSK}"\n{table}' for table in tables))
    refused = Counter((fault.field, fault.problem, fault.remedy) for fault in faults(folder))
    path = folder.parent / "agent.toml"
    path.write_text(f'device = "{KIOSK}"\ncentre = "vn83-83"\n' + "".join(f"[[source]]\n{table}\n" for table in tables))
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    by_agent = Counter((fault.field, fault.problem, fault.remedy) for fault in caught.value.faults)
    assert by_agent.total() == len(REFUSED_SOURCES)
    assert {field for field, problem, _ in refused - by_agent} == {"system"}, "which is not declared in the inventory"
    assert by_agent - refused == Counter()


def test_every_device_of_the_sample_gets_sources_that_its_agent_accepts_and_one_of_tickets(tmp_path: Path) -> None:
    inventory, warnings = load_with_warnings(default_path())
    assert warnings == ()
    path = tmp_path / "agent.toml"
    for device in inventory.devices.values():
        if device.kind != "replay":
            path.write_text(render_agent(inventory, device.id), encoding="utf-8")
            assert {"host", "http"} <= {source.kind for source in config.load(path).sources}


def test_the_narrower_declaration_of_a_name_applies(folder: Path) -> None:
    declare(
        folder,
        f'device = "{KIOSK}"\nkind = "http"\nport = 4',
        'centre = "vn83-83"\ndevice_kind = "kiosk"\nkind = "http"\nport = 3',
        'centre = "vn83-83"\nkind = "http"\nport = 2',
        'device_kind = "kiosk"\nkind = "http"\nport = 1',
    )
    assert [sources(folder, device)["http"]["port"] for device in (KIOSK, KIOSK_2, GATEWAY)] == [4, 3, 2]
    assert sources(folder, "vn83-829-kiosk1")["http"]["port"] == 1


def test_a_source_can_be_switched_off_for_fewer_devices(folder: Path) -> None:
    declare(
        folder,
        'device_kind = "kiosk"\nkind = "http"\nport = 8137',
        f'device = "{KIOSK}"\nkind = "http"\nenabled = false',
    )
    assert "http" not in sources(folder, KIOSK)
    assert "http" in sources(folder, KIOSK_2)


def test_a_probe_and_the_heartbeat_take_the_rest_from_systems_and_devices(folder: Path) -> None:
    declare(
        folder,
        'centre = "vn83-83"\nkind = "probe"\nsystem = "vn83-portal"\ntarget = "http://10.1.1.1/"',
        'device_kind = "gateway"\nkind = "host"\nevery_ms = 30000',
    )
    found = sources(folder, GATEWAY)
    assert found["host"] == {"every_ms": 30_000}
    assert found["probe:vn83-portal"]["target"] == "http://10.1.1.1/"
    assert found["probe:vn83-portal"]["every_ms"] == 300_000
    assert sources(folder, "vn83-829-gateway1")["probe:vn83-portal"]["target"] == "https://portal.example/"


WIDE = 'device_kind = "kiosk"\nkind = "http"\nport = 1'
PORTAL = 'kind = "probe"\nsystem = "vn83-portal"'


@pytest.mark.parametrize(
    ("tables", "line", "field"),
    [
        (['kind = "http"\nport = 8137'], 2, "kind"),
        (['device_kind = "robot"\nkind = "http"\nport = 8137'], 2, "device_kind"),
        (['centre = "vn83-999"\nkind = "http"\nport = 8137'], 2, "centre"),
        (['device = "vn83-83-kiosk9"\nkind = "http"\nport = 8137'], 2, "device"),
        ([f'kind = "http"\nport = 8137\ndevice = "{KIOSK}"\ncentre = "vn83-83"'], 4, "device"),
        ([f'centre = "vn83-83"\n{PORTAL[:-7]}x"\nprobe = "dns"\ntarget = "a.vn"'], 4, "system"),
        ([f'device_kind = "kiosk"\n{PORTAL}'], 4, "system"),
        ([f'device_kind = "gateway"\n{PORTAL}\ntarget = "x"'], 5, "target"),
        (['device_kind = "gateway"\nkind = "probe"\nsystem = "vn-ngsp"\nprobe = "http"'], 1, "target"),
        (['device_kind = "gateway"\nkind = "database"\nsystem = "vn83-portal"'], 1, "target"),
        (['device_kind = "gateway"\nkind = "database"\nsystem = "vn83-portal"\ntarget = "x"'], 5, "target"),
        (['device_kind = "gateway"\nkind = "database"\nsystem = "vn83-portal"\ntarget = "x:9"'], 4, "system"),
        (['device_kind = "gateway"\nkind = "database"\nsystem = "vn83-x"\ntarget = "x:9"'], 4, "system"),
        (['device_kind = "kiosk"\nkind = "queue_http"\nurl = "http://q.example/?api_key=7"'], 4, "url"),
        (['device_kind = "kiosk"\nkind = "host"\nenabled = false'], 4, "enabled"),
        ([f'device_kind = "gateway"\n{PORTAL}\nenabled = false'], 5, "enabled"),
        (['device_kind = "kiosk"\nkind = "http"\nenabled = false'], 4, "enabled"),
        ([f'{WIDE}\nenabled = "perhaps"'], 5, "enabled"),
        ([WIDE, f'device = "{KIOSK}"\nkind = "http"\nenabled = false\npath = "x"'], 9, "path"),
        ([WIDE, WIDE], 7, "kind"),
        ([WIDE, f'device = "{KIOSK}"\nkind = "http"\nname = "desk"\nport = 1'], 9, "port"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused_with_its_line(
    folder: Path, tables: list[str], line: int, field: str
) -> None:
    declare(folder, *tables)
    (fault,) = faults(folder)
    assert (fault.line, fault.field) == (line, field)


def test_all_faults_are_reported_at_once(folder: Path) -> None:
    declare(folder, 'kind = "oracle"', 'device_kind = "kiosk"\nkind = "http"', "colour = 1")
    assert [(fault.line, fault.field) for fault in faults(folder)] == [
        (2, "kind"), (2, "kind"), (3, "port"), (6, "kind"), (6, "kind"),
    ]  # fmt: skip


def test_a_file_of_another_shape_is_refused(folder: Path) -> None:
    (folder / "sources.toml").write_text('colour = 1\n[source]\nkind = "http"\n')
    assert {(fault.line, fault.field) for fault in faults(folder)} == {(1, "colour"), (2, "source")}
    (folder / "sources.toml").write_text("source = [1]\n")
    assert {(fault.line, fault.field) for fault in faults(folder)} >= {(1, "0")}
    (folder / "sources.toml").write_text("[[source]\n")
    assert [(fault.line, fault.field) for fault in faults(folder)] == [(1, "syntax")]


def test_a_fault_of_another_file_is_reported_alone(folder: Path) -> None:
    (folder / "devices.csv").write_bytes(b"\xff")
    with pytest.raises(InventoryError) as caught:
        load(folder)
    assert {fault.file.rpartition("/")[2] for fault in caught.value.faults} == {"devices.csv"}


def test_an_inventory_without_the_file_loads_and_warns_that_nobody_reports_tickets(folder: Path) -> None:
    inventory, warnings = load_with_warnings(folder)
    assert inventory.sources == ()
    (warning,) = warnings
    assert "2 centres" in warning.problem
    assert "http, file or queue_http" in warning.remedy


def test_a_declaration_without_any_device_is_a_warning(folder: Path) -> None:
    declare(folder, WIDE, 'device_kind = "display"\nkind = "file"\npath = "/srv/d.jsonl"')
    (warning,) = load_with_warnings(folder)[1]
    assert (warning.field, warning.line) == ("kind", 7)


def test_rendered_settings_are_read_back_as_they_were_declared(folder: Path) -> None:
    declare(
        folder,
        f'device = "{KIOSK}"\nkind = "escpos"\nname = "printer"\naddress = "serial:///dev/ttyUSB0?baud=19200"\n'
        "every_ms = 5000\nisolate = true",
        f'device = "{KIOSK}"\nkind = "queue_http"\nurl = "http://10.0.0.5/é\\"\\\\"\nheader_file = "secrets/q.headers"',
    )
    path = folder.parent / "agent.toml"
    path.write_text(render_agent(load(folder), KIOSK), encoding="utf-8")
    assert {source.name: source.values for source in config.load(path).sources} == sources(folder, KIOSK)
