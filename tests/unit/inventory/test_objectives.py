"""What objectives.toml may say, what it may not, and what only warns; published months as files."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from telemetry.core.inventory import Device, Objective, PublishedFigures
from telemetry.errors import InventoryError
from telemetry.inventory import ReloadingInventory, default_path, load, load_with_warnings
from telemetry.inventory.files import TomlDocument
from telemetry.inventory.objectives import (
    CENTRE_SCOPES,
    DEVICE_SCOPES,
    OBJECTIVE_KEYS,
    PERIODS,
    POLICIES,
    SLIS,
    THRESHOLDS,
    build_objectives,
    usual_period_ms,
)  # fmt: skip
from telemetry.inventory.published import to_csv
from telemetry.inventory.record import Faults
from telemetry.queries.publication import find_correction
from telemetry.toml_lines import locate_keys
from tests.unit import inventories

CENTRE = inventories.centre("vn83-1", "vn83")
GATE = Device("vn83-1-gateway1", "vn83-1", "gateway")
WORLD = inventories.inventory("vn83", {CENTRE.id: CENTRE}, {GATE.id: GATE})
PLAIN = """\
[[objective]]
id = "a"
name_vi = "A"
name_en = "A"
scope = "centre"
sli = "availability"
goal = 0.99
days = 28
"""
HOUR = 3_600_000


def read(text: str) -> tuple[tuple[Objective, ...], Faults]:
    faults = Faults()
    return build_objectives(
        TomlDocument("objectives.toml", tomllib.loads(text), locate_keys(text), faults), WORLD
    ), faults


def one(text: str) -> Objective:
    found, faults = read(text)
    assert faults == []
    return found[0]


def test_what_is_left_out_has_its_default() -> None:
    found = one(PLAIN)
    assert (found.clock, found.period, found.unknown, found.alert, found.threshold_ms) == (
        "open", "rolling", "settle", True, 0,
    )  # fmt: skip


def test_silence_is_an_outage_of_a_connection() -> None:
    assert one(PLAIN.replace("availability", "connectivity")).unknown == "down"


def test_systems_are_needed_at_all_hours_unless_said() -> None:
    assert one(PLAIN.replace('"centre"', '"system"')).clock == "wall"
    assert one(PLAIN.replace('"centre"', '"system"') + 'clock = "open"\n').clock == "open"


@pytest.mark.parametrize(("period", "days"), [("day", 1), ("week", 7), ("month", 31), ("quarter", 92), ("year", 366)])
def test_a_calendar_period_needs_no_days(period: str, days: int) -> None:
    found = one(PLAIN.replace("days = 28", f'period = "{period}"'))
    assert (found.period, found.days) == (period, days)


@pytest.mark.parametrize("scope", ["device", "gateway", "kiosk", "device:vn83-1-gateway1", "centre:vn83-1", "commune"])
def test_centres_and_devices_are_scopes_of_a_connection(scope: str) -> None:
    text = PLAIN.replace("availability", "connectivity").replace('scope = "centre"', f'scope = "{scope}"')
    assert one(text).scope == scope


def test_thresholds_are_kept_in_milliseconds() -> None:
    assert one(PLAIN.replace("availability", "wait") + "threshold_s = 900\n").threshold_ms == 900_000
    latency = PLAIN.replace("availability", "latency").replace('"centre"', '"system:vn-ngsp"')
    assert one(latency + "threshold_ms = 2000\n").threshold_ms == 2000


FAULTS = [
    ("goal = 0.99", "goal = 1", 7, "goal", "leaves no error budget"),
    ("goal = 0.99", "goal = 1.0", 7, "goal", "leaves no error budget"),
    ("goal = 0.99", "goal = 0", 7, "goal", "requires nothing"),
    ("goal = 0.99", "goal = -1", 7, "goal", "not a number from 0 to 1"),
    ("days = 28", "", 1, "days", "is missing"),
    ("days = 28", 'days = 28\nperiod = "month"', 8, "days", "does not fit a period of one month"),
    ("days = 28", 'period = "fortnight"', 8, "period", "'fortnight' is not known"),
    ('"centre"', '"system"\nclock = "noon"', 6, "clock", "'noon' is not known"),
    ('"centre"', '"room:1"', 5, "scope", "'room:1' is not known"),
    ('"centre"', '"centre:"', 5, "scope", "'centre:' is not known"),
    ('"centre"', '"kiosk:vn83-1-kiosk1"', 5, "scope", "is not known"),
    ('"centre"', '"centre:vn83-2"', 5, "scope", "there is no centre 'vn83-2'"),
    ('"centre"', '"device:vn83-1-kiosk9"', 5, "scope", "there is no device"),
    ("availability", "uptime", 6, "sli", "'uptime' is not known"),
    ("availability", "latency", 6, "sli", "latency is not measured of centres"),
    ("availability", "latency", 1, "threshold_ms", "does not fit sli latency"),
    ('"centre"\nsli = "availability"', '"system"\nsli = "connectivity"', 6, "sli", "not measured of systems"),
    ('"centre"\nsli = "availability"', '"device"\nsli = "readiness"', 6, "sli", "not measured of devices"),
    ('"availability"', '"wait"\nthreshold_s = 700', 7, "threshold_s", "700 is not counted"),
    ('"availability"', '"wait"\nthreshold_ms = 300', 7, "threshold_ms", "does not fit sli wait"),
    ('"availability"', '"wait"\nunknown = "down"', 7, "unknown", "counts no time"),
    ('"availability"', '"availability"\nthreshold_s = 900', 7, "threshold_s", "does not fit sli availability"),
    ('"availability"', '"readiness"\nclock = "wall"', 7, "clock", "counts opening days"),
    ('"availability"', '"availability"\nunknown = "maybe"', 7, "unknown", "'maybe' is not known"),
    ('"availability"', '"availability"\nalert = "loud"', 7, "alert", "neither yes nor no"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "problem"), FAULTS)
def test_what_cannot_work_is_a_fault(old: str, new: str, line: int, field: str, problem: str) -> None:
    assert old in PLAIN
    _, faults = read(PLAIN.replace(old, new, 1))
    hits = [fault for fault in faults if (fault.line, fault.field) == (line, field) and problem in fault.problem]
    assert [fault.file for fault in hits] == ["objectives.toml"], list(faults)
    assert all(fault.remedy for fault in hits)


def test_an_sli_that_is_not_known_is_the_only_fault_of_its_objective() -> None:
    faults = read(PLAIN.replace("availability", "wait_within") + "threshold_s = 900\n")[1]
    assert [(fault.field, fault.problem) for fault in faults] == [("sli", "'wait_within' is not known")]


def test_a_goal_that_no_rule_can_miss_warns_and_is_no_fault() -> None:
    _, faults = read(PLAIN.replace("0.99", "0.8").replace("days = 28", 'period = "year"'))
    assert faults == []
    (warning,) = faults.warnings
    assert (warning.line, warning.field) == (7, "goal")
    assert "no burn rule can ever fire: a full outage burns at 5" in warning.problem


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("0.99", "0.8").replace("days = 28", 'period = "year"\nalert = false'),
        PLAIN.replace("0.99", "0.8").replace("days = 28", 'period = "year"').replace("availability", "readiness"),
        PLAIN,
    ],
)
def test_nothing_warns_when_alerts_can_come_or_are_not_wanted(text: str) -> None:
    assert read(text)[1].warnings == []


def test_a_period_is_as_long_as_the_week_of_most_centres() -> None:
    sample = load(default_path())
    lengths = {found.id: usual_period_ms(found, sample) // HOUR for found in sample.objectives}
    assert (lengths["centres-open"], lengths["portal-up"]) == (160, 672)
    nobody = one(PLAIN.replace('"centre"', '"kiosk"'))
    assert usual_period_ms(nobody, WORLD) == 28 * 24 * HOUR


def test_the_sample_has_a_connectivity_objective_for_every_centre() -> None:
    sample, warnings = load_with_warnings(default_path())
    assert warnings == ()
    assert [(x.scope, x.clock, x.goal) for x in sample.objectives if x.sli == "connectivity"] == [
        ("centre", "open", 0.995)
    ]


DOCUMENT = (Path(__file__).resolve().parents[3] / "docs/reference/objectives.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL))
def test_the_documents_examples_have_no_fault(block: str) -> None:
    faults = Faults()
    document = TomlDocument("objectives.md", tomllib.loads(block), locate_keys(block), faults)
    assert len(build_objectives(document, load(default_path()))) == 1
    assert faults == []
    assert faults.warnings == []


def test_the_document_has_every_key_scope_and_value() -> None:
    words = set(re.findall(r"`([a-z_:A-Z]+)`", DOCUMENT))
    asked = {
        *OBJECTIVE_KEYS.required,
        *OBJECTIVE_KEYS.optional,
        *CENTRE_SCOPES,
        *DEVICE_SCOPES,
        *SLIS,
        *PERIODS,
        *POLICIES,
    }
    assert asked - words == set()
    for key, _, allowed in THRESHOLDS.values():
        (row,) = (line for line in DOCUMENT.splitlines() if line.startswith(f"| `{key}`"))
        assert [int(number) for number in re.findall(r"\d+", row)] == list(allowed)


# Published months

MONTH = """\
scope,objective,open_s,up_s,down_s,unknown_s,excluded_s,good,bad
country,,100,90,5,5,0,0,0
centre:vn83-83,centres-open,100,90,5,5,0,90,10
"""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    folder = tmp_path / "world"
    shutil.copytree(default_path(), folder)
    (folder / "published").mkdir()
    (folder / "published" / "2026-10.csv").write_text(MONTH, encoding="utf-8")
    return folder


def test_published_months_are_part_of_the_inventory(world: Path) -> None:
    found = load(world)
    row = PublishedFigures("2026-10", "centre:vn83-83", "centres-open", 100, 90, 5, 5, 0, 90, 10)
    assert found.published["2026-10", "centre:vn83-83", "centres-open"] == row
    assert set(found.published) == {("2026-10", "country", ""), ("2026-10", "centre:vn83-83", "centres-open")}
    assert found.version != load(default_path()).version
    assert to_csv(found.published.values()) == MONTH


def test_a_month_that_is_written_or_edited_is_seen(world: Path) -> None:
    clock = iter(range(0, 100, 5))
    following = ReloadingInventory(world, clock=lambda: next(clock))
    file = world / "published" / "2026-10.csv"
    file.write_text(MONTH.replace("100,90,5,5,0,90", "100,91,5,4,0,91"), encoding="utf-8")
    assert following.current().published["2026-10", "centre:vn83-83", "centres-open"].up == 91


BAD_MONTHS = [
    ("100,90,5,5,0,0,0", "100,90,5,6,0,0,0", 2, "open_s", "100 is not up_s + down_s + unknown_s"),
    ("100,90,5,5,0,0,0", "100,110,-15,5,0,0,0", 2, "down_s", "'-15' is not a whole number"),
    ("country,,", "planet,,", 2, "scope", "'planet' cannot be read"),
    ("country,,", "room:1,,", 2, "scope", "'room:1' cannot be read"),
    ("centre:vn83-83,centres-open", "country,", 3, "scope", "is already on line 2"),
    ("bad\n", "worse\n", 1, "worse", "is unknown here"),
    ("90,10\n", "90\n", 3, "row", "has 8 cells"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "problem"), BAD_MONTHS)
def test_a_bad_row_of_a_month_is_a_fault(world: Path, old: str, new: str, line: int, field: str, problem: str) -> None:
    file = world / "published" / "2026-10.csv"
    assert old in MONTH
    file.write_text(MONTH.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InventoryError) as caught:
        load(world)
    hits = [f for f in caught.value.faults if (f.file, f.line, f.field) == (str(file), line, field)]
    assert any(problem in fault.problem for fault in hits), caught.value.faults


def test_a_file_that_is_no_month_is_a_fault(world: Path) -> None:
    (world / "published" / "2026-13.csv").write_text(MONTH, encoding="utf-8")
    with pytest.raises(InventoryError, match=r"2026-13.csv:1: file: is not a published month"):
        load(world)


def test_what_is_no_longer_declared_warns_once(world: Path) -> None:
    gone = "device:vn83-83-old1,gone,1,1,0,0,0,1,0\ndevice:vn83-83-old1,,1,1,0,0,0,0,0\nprovince:vn1,,0,0,0,0,0,0,0\n"
    (world / "published" / "2026-10.csv").write_text(MONTH + gone, encoding="utf-8")
    _, warnings = load_with_warnings(world)
    assert [(w.line, w.field) for w in warnings] == [(4, "objective"), (4, "scope"), (6, "scope")]


# Corrections

THEN = PublishedFigures("2026-10", "country", "", 100, 90, 5, 5, 0, 7, 1)


def test_nothing_changed_is_no_correction() -> None:
    assert find_correction(THEN, PublishedFigures("2026-10", "country", "", 100, 90, 5, 5, 0, 7, 1)) is None


def test_a_correction_shows_both_and_the_signed_difference() -> None:
    now = PublishedFigures("2026-10", "country", "", 100, 94, 5, 1, 0, 8, 0)
    found = find_correction(THEN, now)
    assert found is not None
    assert (found.published, found.current) == (THEN, now)
    assert found.difference == PublishedFigures("2026-10", "country", "", 0, 4, 0, -4, 0, 1, -1)


def test_two_different_figures_are_never_compared() -> None:
    with pytest.raises(ValueError, match="compare those of one key"):
        find_correction(THEN, PublishedFigures("2026-09", "country", "", 100, 90, 5, 5, 0))
