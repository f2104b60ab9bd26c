"""Says what the inventory promises: the sample loads, every fault is named with file and line, changes are followed."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry import inventory as door
from telemetry.core.calendar.windows import HOUR, Window, day_window, local_ms
from telemetry.core.inventory import ALWAYS_OPEN, Centre
from telemetry.errors import Fault, InventoryError
from telemetry.inventory import ReloadingInventory, default_path, load, render_agent, render_graph
from telemetry.inventory.hours import HoursError, parse_hours
from telemetry.toml_lines import locate_keys

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SMALL = {
    "province.toml": """\
id = "vn83"
unit = "83"
name_vi = "Tỉnh Bến Tre"
name_en = "Ben Tre Province"
zone = "Asia/Ho_Chi_Minh"
[hours]
mon = "07:00-11:30,13:30-17:00"
tue = "07:00-11:30,13:30-17:00"
wed = "07:00-11:30,13:30-17:00"
thu = "07:00-11:30,13:30-17:00"
fri = "07:00-11:30,13:30-17:00"
sat = "closed"
sun = "closed"
[centre_hours.vn83-28756]
sat = "07:00-11:30"
""",
    "calendar.toml": """\
[days]
2026-09-02 = "closed"  # National Day
2026-08-22 = "08:00-12:00"
[centre_days.vn83-829]
2026-09-03 = "closed"
""",
    "units.csv": """\
code,level,parent,type,name,valid_from,valid_to
83,province,,Tỉnh,Tỉnh Bến Tre,2020-06-01,
829,district,83,Thành phố,Thành phố Bến Tre,2020-06-01,2025-07-01
28756,commune,829,Phường,Phường Phú Khương,2020-06-01,
""",
    "centres.csv": """\
id,unit,name_vi,name_en,owner_agency,counters,tickets_per_day,displays,tablets,services
vn83-83,83,Trung tâm,Centre,Văn phòng,24,350,3,24,land justice
vn83-829,829,Bộ phận Một cửa,Desk,UBND,6,60,1,6,land
vn83-28756,28756,Bộ phận Một cửa,Desk,UBND,2,8,1,1,justice
""",
    "devices.csv": """\
id,centre,kind,every_ms,critical
vn83-83-gateway1,vn83-83,gateway,60000,yes
vn83-83-kiosk1,vn83-83,kiosk,,no
vn83-829-gateway1,vn83-829,gateway,60000,yes
""",
    "services.toml": """\
[[service]]
id = "land"
name_vi = "Đất đai"
name_en = "Land"
[[service]]
id = "justice"
name_vi = "Tư pháp"
name_en = "Justice"
""",
    "systems.toml": """\
[defaults]
every_s = 300
quorum = 2
vantage = [
  "vn83-83-gateway1",
  "vn83-829-gateway1",
]
[[system]]
id = "vn83-portal"
name_vi = "Cổng"
name_en = "Portal"
kind = "portal"
probe = "http"
target = "https://portal.example/"
[[system]]
id = "vn-ngsp"
name_vi = "NGSP"
name_en = "NGSP"
kind = "platform"
probe = "tcp"
target = "ngsp.example:443"
quorum = 1
vantage = ["vn83-83-gateway1"]
critical = false
""",
    "targets.toml": """\
[[target]]
id = "wait_mean"
name_vi = "Chờ"
name_en = "Wait"
value = 1800
unit = "s"
by = 2022-12-31
[[target]]
id = "wait_mean"
name_vi = "Chờ"
name_en = "Wait"
value = 900
unit = "s"
by = 2025-12-31
""",
    "objectives.toml": """\
[[objective]]
id = "portal-up"
name_vi = "Cổng"
name_en = "Portal"
scope = "system:vn83-portal"
sli = "availability"
clock = "wall"
goal = 0.99
days = 28
""",
    "procedures.csv": """\
id,online_level,measure,count,from,to
all,all,procedures,1758,2021-01-01,2021-09-28
""",
}


@pytest.fixture(scope="module")
def sample() -> Inventory:
    return load(default_path())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a small inventory without a fault."""
    for name, text in SMALL.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def change(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def faults_of(folder: Path) -> tuple[Fault, ...]:
    with pytest.raises(InventoryError) as caught:
        load(folder)
    return caught.value.faults


def imported(ident: str) -> Centre:
    return Centre(ident, "", "commune", "Ngân hàng", "Bank", "replay", "", 5, ALWAYS_OPEN, ("ps",), ZONE, imported=True)


# The sample


def test_sample_has_every_centre_of_ben_tre_2021(sample: Inventory) -> None:
    assert Counter(unit.level for unit in sample.units.values()) == {"province": 1, "district": 9, "commune": 157}
    assert Counter(centre.level for centre in sample.centres.values()) == {
        "province": 1,
        "district": 9,
        "commune": 157,
    }
    assert set(sample.centres) == {f"vn83-{code}" for code in sample.units}


def test_sample_has_180_devices_in_centres_and_three_inside_the_cloud(sample: Inventory) -> None:
    inside = [ident for ident, device in sample.devices.items() if device.centre not in sample.centres]
    assert inside == ["vn83-cloud-dmz1", "vn83-cloud-manage1", "vn83-cloud-server1"]
    kinds = Counter(device.kind for device in sample.devices.values() if device.id not in inside)
    assert kinds == {"gateway": 167, "kiosk": 13, "replay": 167}
    assert all(d.every_ms == 60_000 for d in sample.devices.values())
    assert sample.is_declared("vn83-28756", "vn83-28756-gateway1")
    assert not sample.is_declared("vn83-28757", "vn83-28756-gateway1")


def test_sample_keeps_names_with_their_diacritics(sample: Inventory) -> None:
    assert sample.name_vi == "Tỉnh Bến Tre"
    assert sample.units["28756"].name == "Phường Phú Khương"
    assert sample.centres["vn83-83"].name_vi == "Trung tâm Phục vụ hành chính công tỉnh Bến Tre"
    assert sample.centres["vn83-83"].name_en.isascii()
    assert all(unit.valid_from <= date(2021, 11, 1) for unit in sample.units.values())


def test_sample_communes_report_to_their_district_desk(sample: Inventory) -> None:
    assert sample.centres["vn83-28756"].parent == "vn83-829"
    assert sample.centres["vn83-829"].parent == "vn83-83"
    assert sample.centres["vn83-83"].parent == ""


@pytest.mark.parametrize(
    ("centre", "kit"),
    [("vn83-83", (24, 350, 5)), ("vn83-829", (6, 60, 2)), ("vn83-28756", (2, 8, 1))],
)
def test_sample_kit_depends_on_the_level(sample: Inventory, centre: str, kit: tuple[int, int, int]) -> None:
    found, agents = sample.centres[centre], [d for d in sample.devices_of(centre) if d.kind != "replay"]
    assert (found.counters, found.tickets_per_day, len(agents)) == kit
    assert set(found.services) <= set(sample.services)


def test_sample_systems_are_seen_from_ten_gateways(sample: Inventory) -> None:
    assert len(sample.whole_systems) == 17
    for system in sample.whole_systems.values():
        assert (system.every_ms, system.quorum, len(system.vantage)) == (300_000, 2, 10)
        assert ".example" in system.target


def test_sample_wait_target_tightens_in_2023(sample: Inventory) -> None:
    targets = [sample.target_in_force("wait_mean", date(year, 6, 1)) for year in (2022, 2023, 2026)]
    assert [target and target.value for target in targets] == [1800, 900, 900]


def test_sample_digitised_results_reach_all_but_the_communes_by_2025(sample: Inventory) -> None:
    rows = {level: sample.target_in_force(f"DG-01-{level}", date(2025, 1, 1)) for level in ("province", "commune")}
    assert {level: row and row.value for level, row in rows.items()} == {"province": 1.0, "commune": 0.95}


def test_sample_procedures_add_up(sample: Inventory) -> None:
    counts = {row.online_level: row.count for row in sample.procedures if row.measure == "procedures"}
    assert counts["all"] == 1758 == sum(n for level, n in counts.items() if level != "all")
    assert (counts["L3"], counts["L4"]) == (267, 1214)
    assert sum(row.count for row in sample.procedures if row.measure == "dossiers_online") == 86_253


def test_default_path_is_the_checkout_when_nothing_is_packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "telemetry" / "inventory").mkdir(parents=True)
    monkeypatch.setattr(door, "__file__", str(tmp_path / "telemetry" / "inventory" / "__init__.py"))
    assert default_path() == tmp_path / "inventory" / "bentre-2021"
    packaged = tmp_path / "telemetry" / "sample" / "bentre-2021"
    packaged.mkdir(parents=True)
    assert default_path() == packaged


# Loading


def test_small_inventory_loads_with_defaults(folder: Path) -> None:
    found = load(folder)
    assert found.devices["vn83-83-kiosk1"].every_ms == 60_000
    assert not found.devices["vn83-83-kiosk1"].critical
    assert found.systems["vn-ngsp"].vantage == ("vn83-83-gateway1",)
    assert not found.systems["vn-ngsp"].critical
    assert found.units["829"].valid_to == date(2025, 7, 1)
    assert found.objectives[0].goal == 0.99
    assert not found.simulated


def test_version_is_short_and_changes_with_the_contents_only(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = load(folder).version
    copy = tmp_path_factory.mktemp("copy") / "other"
    shutil.copytree(folder, copy)
    assert load(copy).version == before
    assert len(before) == 12
    change(copy, "calendar.toml", "National Day", "Independence")
    assert load(copy).version != before


def test_every_centre_gets_a_replay_device_that_is_not_critical(folder: Path) -> None:
    found = load(folder)
    for centre in found.centres:
        device = found.devices[f"{centre}-replay1"]
        assert (device.centre, device.kind, device.critical) == (centre, "replay", False)


def test_imported_centre_is_added_with_its_replay_device(folder: Path) -> None:
    found = load(folder, imports=[imported("replay-bank-1999")])
    assert found.centres["replay-bank-1999"].imported
    assert [d.id for d in found.devices_of("replay-bank-1999")] == ["replay-bank-1999-replay1"]
    assert found.version == load(folder).version


def test_imported_centre_with_a_declared_id_is_refused(folder: Path) -> None:
    with pytest.raises(InventoryError, match="also the centre of a replay mapping"):
        load(folder, imports=[imported("vn83-829")])


def test_simulated_inventory_marks_every_device(folder: Path) -> None:
    found = load(folder, simulated=True)
    assert found.simulated
    assert all(device.simulated for device in found.devices.values())


def test_devices_of_a_centre_come_in_order_and_survive_a_replace(folder: Path) -> None:
    found = replace(load(folder), version="x")
    assert [d.id for d in found.devices_of("vn83-83")] == ["vn83-83-gateway1", "vn83-83-kiosk1", "vn83-83-replay1"]
    assert found.devices_of("nowhere") == ()


def test_file_saved_by_a_spreadsheet_loads(folder: Path) -> None:
    text = SMALL["units.csv"].replace("\n", "\r\n") + "\r\n,,,,,,\r\n"
    (folder / "units.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert set(load(folder).units) == {"83", "829", "28756"}


def test_commune_whose_district_has_no_centre_reports_to_the_province(folder: Path) -> None:
    change(folder, "centres.csv", "vn83-829,829,Bộ phận Một cửa,Desk,UBND,6,60,1,6,land\n", "")
    change(folder, "devices.csv", "vn83-829-gateway1,vn83-829,gateway,60000,yes\n", "")
    change(folder, "systems.toml", '  "vn83-829-gateway1",\n', "")
    change(folder, "systems.toml", "quorum = 2", "quorum = 1")
    change(folder, "calendar.toml", "[centre_days.vn83-829]", "[centre_days.vn83-28756]")
    assert load(folder).centres["vn83-28756"].parent == "vn83-83"


# Faults: (file, old text, new text, line, field, part of the problem)

FAULTS = [
    ("units.csv", "28756,commune", "28 756,commune", 4, "code", "is not an id"),
    ("units.csv", "28756,commune", "829,commune", 4, "code", "already on line 3"),
    ("units.csv", "829,Phường", "830,Phường", 4, "parent", "there is no unit '830'"),
    ("units.csv", "28756,commune,829", "28756,commune,28756", 4, "parent", "cannot hold a commune"),
    ("units.csv", "28756,commune,829", "28756,commune,", 4, "parent", "needs a parent"),
    ("units.csv", "83,province,,", "83,province,829,", 2, "parent", "has no parent"),
    ("units.csv", "28756,commune", "28756,village", 4, "level", "'village' is not known"),
    ("units.csv", "2020-06-01,2025-07-01", "2020-06-31,2025-07-01", 3, "valid_from", "2020-06-31 is not a date"),
    ("units.csv", "2020-06-01,2025-07-01", ",2025-07-01", 3, "valid_from", "has no date"),
    ("units.csv", "2025-07-01", "2020-06-01", 3, "valid_to", "is not after"),
    ("units.csv", "Tỉnh Bến Tre", "", 2, "name", "not empty"),
    ("units.csv", "valid_from,valid_to", "valid_from,valid_too", 1, "valid_too", "unknown here"),
    ("units.csv", "valid_from,valid_to", "valid_from,until", 1, "valid_to", "is missing"),
    ("units.csv", "valid_from,valid_to", "name,valid_from", 1, "name", "more than once"),
    ("units.csv", "829,district,83", "829,district", 3, "row", "has 6 cells, the header has 7"),
    ("centres.csv", "vn83-829,829", "vn83_829,829", 3, "id", "is not an id"),
    ("centres.csv", "vn83-829,829", "vn84-829,829", 3, "id", "does not begin with vn83-"),
    ("centres.csv", "vn83-28756,28756", "vn83-829,28756", 4, "id", "already on line 3"),
    ("centres.csv", "vn83-829,829", "vn83-829,999", 3, "unit", "there is no unit '999'"),
    ("centres.csv", "land justice", "land justise", 2, "services", "there is no service 'justise'"),
    ("centres.csv", "land justice", "land land", 2, "services", "'land' more than once"),
    ("centres.csv", "UBND,6,60", "UBND,six,60", 3, "counters", "'six' is not a whole number"),
    ("centres.csv", "UBND,6,60", "UBND,6,-1", 3, "tickets_per_day", "-1 is out of range: from 0 to"),
    ("devices.csv", "vn83-83-kiosk1", "vn83-829-kiosk1", 3, "id", "does not begin with its centre's id vn83-83-"),
    ("devices.csv", "vn83-83-kiosk1", "vn83-83-replay1", 3, "id", "reserved for replays"),
    ("devices.csv", "vn83-83-kiosk1", "vn83-83-gateway1", 3, "id", "already on line 2"),
    ("devices.csv", "vn83-83-kiosk1", "vn83-83-" + "k" * 60, 3, "id", "is not an id"),
    ("devices.csv", "kiosk1,vn83-83", "kiosk1,vn83-84", 3, "centre", "there is no centre 'vn83-84'"),
    ("devices.csv", ",kiosk,", ",robot,", 3, "kind", "'robot' is not known"),
    ("devices.csv", ",kiosk,", ",replay,", 3, "kind", "'replay' is not known"),
    ("devices.csv", "kiosk,,no", "kiosk,10,no", 3, "every_ms", "from 1000 to"),
    ("devices.csv", "kiosk,,no", "kiosk,,maybe", 3, "critical", "neither yes nor no"),
    ("services.toml", 'id = "justice"', 'id = "Justice"', 6, "id", "is not an id"),
    ("services.toml", 'id = "justice"', 'id = "land"', 6, "id", "already on line 1"),
    ("services.toml", 'name_en = "Justice"', 'name_fr = "Justice"', 8, "name_fr", "unknown here"),
    ("services.toml", 'name_en = "Justice"', "", 5, "name_en", "is missing"),
    ("services.toml", 'name_en = "Justice"', "name_en = 3", 8, "name_en", "must be a text"),
    ("systems.toml", '  "vn83-829-gateway1",', '  "vn83-829-gateway9",', 4, "vantage", "there is no device"),
    ("systems.toml", '["vn83-83-gateway1"]', '["vn83-83-kiosk1"]', 23, "vantage", "is a kiosk"),
    ("systems.toml", '["vn83-83-gateway1"]', '"vn83-83-gateway1, x"', 23, "vantage", "there is no device"),
    ("systems.toml", '["vn83-83-gateway1"]', "[1]", 23, "vantage", "is not a list of texts"),
    ("systems.toml", "quorum = 1", "quorum = 2", 22, "quorum", "2 of 1 vantage points"),
    ("systems.toml", "quorum = 1", 'quorum = 1\nservices = ["nobody"]', 23, "services", "'nobody'"),
    ("systems.toml", 'probe = "tcp"', 'probe = "ping"', 20, "probe", "'ping' is not known"),
    ("systems.toml", 'kind = "portal"', 'kind = "gate"', 12, "kind", "'gate' is not known"),
    ("systems.toml", "every_s = 300", "every_s = 1", 2, "every_s", "from 5 to"),
    ("systems.toml", "every_s = 300", "every = 300", 2, "every", "unknown here"),
    ("systems.toml", "critical = false", "critical = 0.5", 24, "critical", "neither yes nor no"),
    ("province.toml", "Asia/Ho_Chi_Minh", "Asia/Ben_Tre", 5, "zone", "no time zone"),
    ("province.toml", 'unit = "83"', 'unit = "84"', 2, "unit", "there is no unit '84'"),
    ("province.toml", 'unit = "83"', 'unit = "829"', 2, "unit", "is a district"),
    (
        "province.toml",
        "[hours]",
        "coverage_floor = 1.1\n[hours]",
        6,
        "coverage_floor",
        "1.1 is not a number from 0 to 1",
    ),
    ("province.toml", "[hours]", "coverage_floor = -0.1\n[hours]", 6, "coverage_floor", "-0.1 is not a number"),
    ("province.toml", "[hours]", "coverage_floor = nan\n[hours]", 6, "coverage_floor", "nan is not a number"),
    ("province.toml", "[hours]", 'coverage_floor = "50 %"\n[hours]', 6, "coverage_floor", "'50 %' is not a number"),
    ("province.toml", "[hours]", "coverage_floor = true\n[hours]", 6, "coverage_floor", "True is not a number"),
    ("province.toml", 'sun = "closed"', "", 6, "sun", "is missing"),
    ("province.toml", 'sun = "closed"', 'sunday = "closed"', 13, "sunday", "unknown here"),
    ("province.toml", 'sun = "closed"', 'sun = ""', 13, "sun", "not empty"),
    ("province.toml", 'mon = "07:00-11:30', 'mon = "7-11:30', 7, "mon", "'7-11:30' is not hours"),
    ("province.toml", 'mon = "07:00-11:30', 'mon = "07:00-11:32', 7, "mon", "11:32 is not on a 5-minute mark"),
    ("province.toml", 'mon = "07:00-11:30', 'mon = "07:00-14:00', 7, "mon", "overlaps at 13:30"),
    ("province.toml", 'mon = "07:00-11:30', 'mon = "11:30-07:00', 7, "mon", "ends before it starts"),
    ("province.toml", "centre_hours.vn83-28756", "centre_hours.vn83-1", 14, "vn83-1", "there is no centre"),
    ("province.toml", 'sat = "07:00-11:30"', 'noon = "07:00-11:30"', 15, "noon", "is no weekday"),
    ("calendar.toml", "2026-08-22", "2026-08-32", 3, "2026-08-32", "is not a date"),
    ("calendar.toml", "08:00-12:00", "08:00-25:00", 3, "2026-08-22", "25:00 is no time of day"),
    ("calendar.toml", "centre_days.vn83-829", "centre_days.vn83-9", 4, "vn83-9", "there is no centre"),
    ("calendar.toml", "[days]", "[dayz]", 1, "dayz", "unknown here"),
    ("targets.toml", "by = 2025-12-31", "by = 2022-12-31", 14, "by", "already has 2022-12-31 on line 1"),
    ("targets.toml", "by = 2025-12-31", 'by = "soon"', 14, "by", "soon is not a date"),
    ("targets.toml", "value = 900", 'value = "900"', 12, "value", "'900' is not a number"),
    ("targets.toml", 'unit = "s"', 'unit = "ratio"', 5, "value", "from 0 to 1"),
    ("targets.toml", 'id = "wait_mean"', 'id = "wait mean"', 2, "id", "is not a target's id"),
    ("objectives.toml", "system:vn83-portal", "system:vn83-gate", 5, "scope", "there is no system 'vn83-gate'"),
    ("objectives.toml", "system:vn83-portal", "planet", 5, "scope", "'planet' is not known"),
    ("objectives.toml", 'sli = "availability"', 'sli = "wait"', 1, "threshold_s", "does not fit sli wait"),
    ("objectives.toml", "goal = 0.99", "goal = 99", 8, "goal", "from 0 to 1"),
    ("objectives.toml", "[[objective]]", "[objective]", 1, "objective", "is one table"),
    ("procedures.csv", "1758", "many", 2, "count", "'many' is not a whole number"),
    ("procedures.csv", "2021-09-28", "2020-09-28", 2, "to", "is before"),
    ("procedures.csv", "all,all", "all,L5", 2, "online_level", "'L5' is not known"),
]


@pytest.mark.parametrize(("name", "old", "new", "line", "field", "problem"), FAULTS)
def test_fault_is_named_with_its_file_and_line(  # noqa: PLR0913, PLR0917
    folder: Path,
    name: str,
    old: str,
    new: str,
    line: int,
    field: str,
    problem: str,
) -> None:
    change(folder, name, old, new)
    hits = [f for f in faults_of(folder) if (f.file, f.line, f.field) == (str(folder / name), line, field)]
    assert any(problem in fault.problem for fault in hits), faults_of(folder)
    assert all(fault.remedy for fault in hits)


@pytest.mark.parametrize(
    ("file", "old", "ident", "line", "reason"),
    [
        ("services.toml", '"land"', "undeclared", 2, "is reserved"),
        ("services.toml", '"land"', "motcua", 2, "is reserved"),
        ("systems.toml", '"vn-ngsp"', "undeclared", 16, "is reserved"),
        ("systems.toml", '"vn-ngsp"', "motcua", 16, "is reserved"),
        ("systems.toml", '"vn-ngsp"', "vn83-829", 16, "is a centre"),
        ("objectives.toml", '"portal-up"', "undeclared", 2, "is reserved"),
        ("province.toml", '"vn83"', "undeclared", 1, "is reserved"),
    ],
)
def test_an_id_that_the_platform_uses_itself_is_refused(
    folder: Path, file: str, old: str, ident: str, line: int, reason: str
) -> None:
    change(folder, file, f"id = {old}", f'id = "{ident}"')
    (fault,) = [f for f in faults_of(folder) if f.file.endswith(file) and reason in f.problem]
    assert (fault.line, fault.field, fault.remedy) == (line, "id", "choose another id")


@pytest.mark.parametrize("file", ["centres.csv", "devices.csv"])
def test_an_id_of_a_table_that_the_platform_uses_itself_is_refused(folder: Path, file: str) -> None:
    change(folder, file, "\nvn83-829" if file == "centres.csv" else "\nvn83-83-kiosk1", "\nundeclared")
    problems = [
        (f.line, f.field, f.remedy) for f in faults_of(folder) if f.file.endswith(file) and "reserved" in f.problem
    ]
    assert problems == [(3, "id", "choose another id")]


@pytest.mark.parametrize("name", sorted(SMALL))
def test_missing_file_is_the_only_fault_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert [(f.file, f.field) for f in faults_of(folder)] == [(str(folder / name), "file")]


@pytest.mark.parametrize("name", sorted(n for n in SMALL if n.endswith(".toml")))
def test_broken_toml_is_one_fault_with_its_line(folder: Path, name: str) -> None:
    text = SMALL[name]
    (folder / name).write_text(text + "broken\n", encoding="utf-8")
    found = faults_of(folder)
    assert [(f.file, f.line, f.field) for f in found] == [(str(folder / name), text.count("\n") + 1, "syntax")]


@pytest.mark.parametrize("name", ["units.csv", "services.toml"])
def test_file_that_is_not_utf8_is_named_with_the_line(folder: Path, name: str) -> None:
    first, _, rest = SMALL[name].partition("\n")
    (folder / name).write_bytes(f"{first}\n".encode() + b"\xff" + rest.encode())
    assert [(f.line, f.field) for f in faults_of(folder)] == [(2, "encoding")]


def test_empty_csv_file_misses_its_columns(folder: Path) -> None:
    (folder / "devices.csv").write_text("", encoding="utf-8")
    assert {f.field for f in faults_of(folder)} == {"id", "centre", "kind"}


def test_misspelt_file_is_refused(folder: Path) -> None:
    (folder / "centers.csv").write_text("id\n", encoding="utf-8")
    (folder / "README.md").write_text("# notes are welcome\n", encoding="utf-8")
    assert [f.file for f in faults_of(folder)] == [str(folder / "centers.csv")]


def test_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert [f.problem for f in faults_of(tmp_path / "none")] == ["there is no such folder"]


def test_all_faults_come_at_once_in_order(folder: Path) -> None:
    change(folder, "units.csv", "28756,commune", "28756,village")
    change(folder, "devices.csv", ",kiosk,", ",robot,")
    change(folder, "systems.toml", 'probe = "tcp"', 'probe = "ping"')
    found = faults_of(folder)
    assert [f.field for f in found] == ["kind", "probe", "level"]
    assert str(found[0]).startswith(f"{folder / 'devices.csv'}:3: kind: 'robot' is not known; use one of gateway")


def test_fault_of_the_defaults_is_told_once(folder: Path) -> None:
    change(folder, "systems.toml", "every_s = 300", "every_s = 0")
    assert len(faults_of(folder)) == 1


def test_line_of_a_row_after_a_quoted_line_break_is_right(folder: Path) -> None:
    change(folder, "centres.csv", "Văn phòng", '"Văn\nphòng"')
    change(folder, "centres.csv", "UBND,2,8", "UBND,two,8")
    assert [(f.line, f.field) for f in faults_of(folder)] == [(5, "counters")]


def test_locator_finds_tables_arrays_and_dotted_keys() -> None:
    text = 'a = 1\n[t."x y"]\nb.c = [\n  "d = 2",\n]\n[[r]] # one\ne = 1\n[[r]]\ne = 2\n'
    assert locate_keys(text) == {
        ("a",): 1,
        ("t", "x y"): 2,
        ("t", "x y", "b", "c"): 3,
        ("r", 0): 6,
        ("r", 0, "e"): 7,
        ("r", 1): 8,
        ("r", 1, "e"): 9,
    }


# Hours and calendar


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("closed", ()),
        ("13:30-17:00, 07:00-11:30", ((time(7), time(11, 30)), (time(13, 30), time(17)))),
        ("00:00-24:00", ((time(0), time(0)),)),
        ("20:00-00:00", ((time(20), time(0)),)),
        ("07:00-12:00,12:00-17:00", ((time(7), time(12)), (time(12), time(17)))),
    ],
)
def test_hours_are_read_in_order(text: str, hours: tuple[tuple[time, time], ...]) -> None:
    assert parse_hours(text) == hours


@pytest.mark.parametrize("text", ["", "7:00-11:00", "07:00-07:00", "24:00-24:00", "07:61-08:00", "07:00", "a,b"])
def test_hours_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(HoursError):
        parse_hours(text)


def spans(inventory: Inventory, centre: str, day: date) -> list[tuple[time, time]]:
    found = inventory.centres[centre].open_windows(day_window(day, ZONE))
    local = [(datetime.fromtimestamp(t / 1000, UTC).astimezone(ZONE).time() for t in (w.start, w.end)) for w in found]
    return [(opens, closes) for opens, closes in local]


def test_centre_is_open_in_two_spells_on_a_working_day(sample: Inventory) -> None:
    expected = [(time(7), time(11, 30)), (time(13, 30), time(17))]
    assert spans(sample, "vn83-28756", date(2021, 9, 1)) == expected


@pytest.mark.parametrize("day", [date(2021, 9, 2), date(2021, 9, 4), date(2021, 2, 11), date(2026, 2, 17)])
def test_centre_is_closed_on_holidays_and_weekends(sample: Inventory, day: date) -> None:
    assert spans(sample, "vn83-83", day) == []


def test_centre_is_open_on_a_swapped_saturday(sample: Inventory) -> None:
    assert date(2026, 8, 22).weekday() == 5
    assert len(spans(sample, "vn83-83", date(2026, 8, 22))) == 2
    assert spans(sample, "vn83-83", date(2026, 8, 31)) == []


def test_open_windows_are_cut_to_the_window_asked_for(sample: Inventory) -> None:
    ten = local_ms(date(2021, 9, 1), time(10), ZONE)
    cut = sample.centres["vn83-83"].open_windows(Window(ten, ten + 4 * HOUR))
    assert [w.length for w in cut] == [HOUR * 3 // 2, HOUR // 2]


def test_own_hours_of_a_centre_win_over_the_week(folder: Path) -> None:
    found = load(folder)
    saturday = date(2026, 9, 5)
    assert spans(found, "vn83-28756", saturday) == [(time(7), time(11, 30))]
    assert spans(found, "vn83-829", saturday) == []
    assert len(spans(found, "vn83-28756", date(2026, 9, 4))) == 2


def test_own_days_of_a_centre_add_to_the_calendar(folder: Path) -> None:
    found = load(folder)
    assert spans(found, "vn83-829", date(2026, 9, 2)) == []
    assert spans(found, "vn83-829", date(2026, 9, 3)) == []
    assert len(spans(found, "vn83-83", date(2026, 9, 3))) == 2
    assert spans(found, "vn83-829", date(2026, 8, 22)) == [(time(8), time(12))]


# Reloading


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time that the test set."""
        return self.now


def touch(path: Path, seconds: int) -> None:
    stamp = path.stat().st_mtime_ns + seconds * 1_000_000_000
    os.utime(path, ns=(stamp, stamp))


def edit(folder: Path, new: str, seconds: int) -> None:
    path = folder / "province.toml"
    path.write_text(SMALL["province.toml"].replace("Ben Tre Province", new), encoding="utf-8")
    touch(path, seconds)


def test_reloading_keeps_the_same_inventory_when_nothing_changed(folder: Path) -> None:
    clock = Clock()
    follow = ReloadingInventory(folder, clock=clock)
    first = follow.current()
    clock.now += 10
    assert follow.current() is first


def test_reloading_follows_a_change_but_looks_once_a_second(folder: Path) -> None:
    clock = Clock()
    follow = ReloadingInventory(folder, clock=clock)
    edit(folder, "Renamed", 5)
    clock.now += 0.5
    assert follow.current().name_en == "Ben Tre Province"
    clock.now += 0.5
    assert follow.current().name_en == "Renamed"


def test_reloading_keeps_the_old_inventory_on_a_fault_and_says_so(folder: Path) -> None:
    clock = Clock()
    follow = ReloadingInventory(folder, clock=clock, simulated=True, imports=[imported("replay-x")])
    edit(folder, "", 5)
    clock.now += 1
    assert follow.current().name_en == "Ben Tre Province"
    assert "province.toml:4: name_en" in follow.fault
    edit(folder, "Mended", 10)
    clock.now += 1
    assert follow.current().name_en == "Mended"
    assert follow.fault == ""
    assert follow.current().simulated
    assert "replay-x" in follow.current().centres


def test_reloading_survives_a_folder_that_vanishes(folder: Path) -> None:
    clock = Clock()
    follow = ReloadingInventory(folder, clock=clock)
    shutil.rmtree(folder)
    clock.now += 1
    assert follow.current().name_en == "Ben Tre Province"
    assert "no such folder" in follow.fault


def test_reloading_on_demand_does_not_wait_for_a_change(folder: Path) -> None:
    follow = ReloadingInventory(folder, clock=Clock())
    first = follow.current()
    follow.invalidate()
    assert follow.current() is not first
    assert follow.fault == ""


def test_reloading_refuses_to_start_with_a_fault(folder: Path) -> None:
    (folder / "units.csv").unlink()
    with pytest.raises(InventoryError):
        ReloadingInventory(folder, clock=Clock())


# What follows from it


def test_graph_joins_province_district_commune_and_centres(folder: Path) -> None:
    text = render_graph(load(folder, imports=[imported("replay-x")]))
    assert '"unit 83" -> "unit 829";' in text
    assert '"unit 28756" -> "vn83-28756";' in text
    assert r'label="vn83-83\n24 counter\n1 gateway\n1 kiosk"' in text
    assert text.count("{") == text.count("}")
    assert "replay-x" not in text, "a mapping alone is no centre"


def test_agent_of_a_gateway_probes_the_systems_it_watches(folder: Path) -> None:
    agent = tomllib.loads(render_agent(load(folder), "vn83-829-gateway1", mqtt="mqtts://mqtt.example:8883"))
    sources = agent.pop("source")
    assert agent == {
        "device": "vn83-829-gateway1",
        "centre": "vn83-829",
        "kind": "gateway",
        "every_ms": 60_000,
        "mqtt": "mqtts://mqtt.example:8883",
        "outbox": "vn83-829-gateway1.db",
        "services": list(load(folder).centres["vn83-829"].services),
        "mqtt_ca": "tls/ca.pem",
        "mqtt_cert": "tls/device.pem",
        "mqtt_key": "tls/device.key",
    }
    probe = {
        "kind": "probe",
        "system": "vn83-portal",
        "probe": "http",
        "target": "https://portal.example/",
        "every_ms": 300_000,
    }
    assert sources == [{"kind": "host", "every_ms": 60_000}, probe]


def test_agent_of_a_kiosk_probes_nothing(folder: Path) -> None:
    agent = tomllib.loads(render_agent(load(folder), "vn83-83-kiosk1", outbox="C:\\motcua\\out.db"))
    assert [source["kind"] for source in agent["source"]] == ["host"]
    assert agent["outbox"] == "C:\\motcua\\out.db"


@pytest.mark.parametrize("device", ["vn83-83-kiosk9", "vn83-83-replay1"])
def test_agent_of_a_device_that_is_not_declared_is_refused(folder: Path, device: str) -> None:
    with pytest.raises(InventoryError, match=device):
        render_agent(load(folder), device)


def test_a_misspelt_device_gets_a_suggestion(folder: Path) -> None:
    with pytest.raises(InventoryError, match="like vn83-83-kiosk1"):
        render_agent(load(folder), "vn83-83-kisok1")


def test_a_csv_file_that_cannot_be_read_as_one_is_a_fault_and_no_traceback(folder: Path) -> None:
    (folder / "devices.csv").write_text("id,centre,kind\n" + '"' + "x" * 200_000 + ",a,kiosk\n", encoding="utf-8")
    with pytest.raises(InventoryError) as caught:
        load(folder)
    assert any(
        "devices.csv:2: row: has a quotation mark that is not closed" in str(fault) for fault in caught.value.faults
    )
