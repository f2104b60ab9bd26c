"""Targets, yearly indices, commitments and published counts: faults with file, line, field and remedy, and warnings."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from telemetry import inventory
from telemetry.core.kpi.catalogue import INDICATORS, all_indicators
from telemetry.core.kpi.target_paths import target_path, target_subject
from telemetry.errors import Fault, InventoryError
from telemetry.inventory.kpi_files import COMMITMENT_KEYS, INDEX_KEYS, PROCEDURE_KEYS, TARGET_KEYS

INDICES = "indicator,year,value,rank,of,source\n"
COMMITMENTS = "unit,agency,indicator,value,by,signed,document,sample\n"
TARGET = """\
[[target]]
id = "{id}"
name_vi = "Mục tiêu"
name_en = "Target"
value = {value}
unit = "{unit}"
by = 2025-12-31
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the sample inventory."""
    copy = tmp_path / "inventory"
    shutil.copytree(inventory.default_path(), copy)
    return copy


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def faults_of(folder: Path) -> list[Fault]:
    with pytest.raises(InventoryError) as caught:
        inventory.load(folder)
    return list(caught.value.faults)


def warnings_of(folder: Path) -> list[Fault]:
    return list(inventory.load_with_warnings(folder)[1])


# --- the sample -------------------------------------------------------------------------------


def test_the_sample_has_the_figures_of_the_interview_and_no_warning(folder: Path) -> None:
    declared, warnings = inventory.load_with_warnings(folder)
    assert warnings == ()
    (rank,) = declared.indices
    assert (rank.indicator, rank.year, rank.value, rank.rank, rank.units_ranked) == ("X-01", 2020, 44, 44, 63)
    assert all(commitment.sample for commitment in declared.commitments)


def test_every_target_of_the_sample_is_of_an_indicator(folder: Path) -> None:
    declared = inventory.load(folder)
    assert all(target_subject(target.id) for target in declared.targets)
    path = target_path(declared.targets, INDICATORS["X-01"])
    assert [round(path.value_on(date(2020 + k, 12, 31)) or 0, 1) for k in range(6)] == [44, 39.2, 34.4, 29.6, 24.8, 20]


@pytest.mark.parametrize(
    ("level", "values"),
    [
        ("province", [0.3, 0.5, 0.7, 0.9, 1.0]),
        ("district", [0.2, 0.4, 0.6, 0.8, 1.0]),
        ("commune", [0.15, 0.35, 0.55, 0.75, 0.95]),
    ],
)
def test_digitised_results_rise_by_20_points_a_year_and_the_communes_end_at_95(
    folder: Path, level: str, values: list[float]
) -> None:
    path = target_path(inventory.load(folder).targets, INDICATORS["DG-01"], level)
    assert [point.value for point in path.points] == values
    assert [point.by for point in path.points] == [date(2021 + k, 12, 31) for k in range(5)]
    expected = {"province": 1.1, "district": 1.0, "commune": 0.95}[level]
    assert path.final_value_at_pace(0.2) == pytest.approx(expected)


def test_an_inventory_without_indices_and_commitments_loads(folder: Path) -> None:
    for name in ("indices.csv", "commitments.csv"):
        (folder / name).unlink()
    declared, warnings = inventory.load_with_warnings(folder)
    assert (declared.indices, declared.commitments) == ((), ())
    assert [(w.field, w.line > 1) for w in warnings] == [("id", True)]
    assert "X-01 cannot be measured: indices.csv has no year of it" in warnings[0].problem


def test_the_reference_names_every_key_of_the_files() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/targets.md").read_text(encoding="utf-8")
    for keys in (TARGET_KEYS, INDEX_KEYS, COMMITMENT_KEYS, PROCEDURE_KEYS):
        for key in (*keys.required, *keys.optional):
            assert f"`{key}`" in text, key


# --- targets ----------------------------------------------------------------------------------

TARGET_FAULTS = [
    ("DG-99", "0.8", "ratio", "", "id", "there is no indicator 'DG-99'"),
    ("DG-07-commune", "0.8", "ratio", "", "id", "DG-07 has no values by level"),
    ("DG-01-region", "0.8", "ratio", "", "id", "there is no indicator 'DG-01-region'"),
    ("DG-02", "20", "count", "", "unit", "DG-02 is measured in 'ratio', not in 'count'"),
    ("DG-02", "0.8", "ratio", "done = 2024-01-01", "done", "is for milestones only"),
    ("DG-02", "0.8", "ratio", "start = 0.5", "start", "is not a value with its day"),
    ("DG-02", "0.8", "ratio", "start = {value = 0.5}", "day", "is missing"),
    ("DG-02", "0.8", "ratio", "start = {value = 5, day = 2020-12-31}", "value", "not a number from 0 to 1"),
    ("DG-02", "0.8", "ratio", "start = {value = 0.5, day = 2025-12-31}", "start", "begins on 2025-12-31"),
    ("DG-02", "0.8", "ratio", "owner = 4", "owner", "must be a text"),
    ("DG-20", "1", "milestone", 'done = "yes"', "done", "yes is not a date"),
]


@pytest.mark.parametrize(("ident", "value", "unit", "more", "field", "problem"), TARGET_FAULTS)
def test_a_fault_of_a_target_names_line_and_field(  # noqa: PLR0913, PLR0917
    folder: Path, ident: str, value: str, unit: str, more: str, field: str, problem: str
) -> None:
    write(folder, "targets.toml", TARGET.format(id=ident, value=value, unit=unit) + more + "\n")
    (fault,) = faults_of(folder)
    assert (fault.file, fault.field) == (str(folder / "targets.toml"), field)
    assert problem in fault.problem
    assert fault.line == {"id": 2, "unit": 6}.get(field, 8)
    assert fault.remedy


def test_an_indicator_that_is_nearly_known_is_named(folder: Path) -> None:
    write(folder, "targets.toml", TARGET.format(id="DG-1", value=0.8, unit="ratio"))
    (fault,) = faults_of(folder)
    assert "DG-01" in fault.remedy


def test_a_target_has_one_start_and_one_owner(folder: Path) -> None:
    first = TARGET.format(id="DG-02", value=0.7, unit="ratio").replace("2025", "2024")
    more = 'start = {value = 0.5, day = 2020-12-31}\nowner = "%s"\n'
    write(folder, "targets.toml", first + more % "A" + TARGET.format(id="DG-02", value=0.8, unit="ratio") + more % "B")
    found = [(f.line, f.field, f.problem) for f in faults_of(folder)]
    assert found == [
        (9, "owner", "DG-02 has the owners A and B"),
        (17, "start", "DG-02 already begins on line 1"),
        (18, "owner", "DG-02 has the owners A and B"),
    ]


@pytest.mark.parametrize(
    ("ident", "unit", "problem"),
    [
        ("DG-15", "count", "no event or file carries its figures"),
        ("X-02", "score", "indices.csv has no year of it"),
        ("A-10", "ratio", "no system is of kind app"),
    ],
)
def test_a_target_that_nothing_measures_is_a_warning(folder: Path, ident: str, unit: str, problem: str) -> None:
    text = (folder / "systems.toml").read_text(encoding="utf-8").replace('kind = "app"', 'kind = "network"')
    write(folder, "systems.toml", text)
    write(folder, "targets.toml", TARGET.format(id=ident, value=1, unit=unit))
    (warning,) = warnings_of(folder)
    assert (warning.file, warning.line, warning.field) == (str(folder / "targets.toml"), 2, "id")
    assert problem in warning.problem


@pytest.mark.parametrize("ident", ["A-03", "A-05", "A-06", "A-10", "A-11"])
def test_systems_of_the_sample_measure_their_rows(folder: Path, ident: str) -> None:
    write(folder, "targets.toml", TARGET.format(id=ident, value=0.99, unit="ratio"))
    assert warnings_of(folder) == []


# --- yearly indices ---------------------------------------------------------------------------

INDEX_FAULTS = [
    ("X-09,2020,1,,,s", "indicator", "'X-09' is not known"),
    ("DG-01,2020,1,,,s", "indicator", "'DG-01' is not known"),
    ("X-01,20,,44,63,s", "year", "20 is out of range: from 2000 to 2099"),
    ("X-01,2020,,64,63,s", "rank", "64 is more than the 63 units ranked"),
    ("X-01,2020,,44,,s", "of", "is missing beside the rank"),
    ("X-01,2020,,,63,s", "rank", "is missing beside the 63 units ranked"),
    ("X-01,2020,,,,s", "rank", "X-01 is a rank, and there is none"),
    ("X-01,2020,87,44,63,s", "value", "X-01 is a rank"),
    ("X-02,2020,,38,63,s", "value", "X-02 is a score, and there is none"),
    ("X-02,2020,101,,,s", "value", "not a number from 0 to 100"),
    ("X-03,2020,80.5,,,s", "value", "not a number from 0 to 80"),
    ('X-02,2020,"86,72",,,s', "value", "'86,72' is not a number"),
    ("X-02,2020,-1,,,s", "value", "'-1' is not a number"),
    ("X-02,2020,86.72,,,", "source", "must be a text"),
]


@pytest.mark.parametrize(("row", "field", "problem"), INDEX_FAULTS)
def test_a_fault_of_an_index_names_line_and_field(folder: Path, row: str, field: str, problem: str) -> None:
    write(folder, "indices.csv", f"{INDICES}X-05,2019,0.5,,,s\n{row}\n")
    hits = [f for f in faults_of(folder) if f.field == field]
    assert [(f.file, f.line) for f in hits] == [(str(folder / "indices.csv"), 3)]
    assert problem in hits[0].problem
    assert hits[0].remedy


def test_an_index_has_one_figure_a_year_and_may_have_a_rank_beside_its_score(folder: Path) -> None:
    write(folder, "indices.csv", f"{INDICES}X-02,2019,80,,,s\nX-02,2020,86.72,38,63,s\nX-02,2019,81,,,s\n")
    assert [(f.line, f.field, f.problem) for f in faults_of(folder)] == [(4, "year", "X-02 already has 2019 on line 2")]
    write(folder, "indices.csv", f"{INDICES}X-02,2020,86.72,38,63,s\n")
    (figure,) = inventory.load(folder).indices
    assert (figure.value, figure.rank, figure.units_ranked) == (86.72, 38, 63)


# --- commitments ------------------------------------------------------------------------------

COMMITMENT_FAULTS = [
    (",,DG-04,0.9,2022-12-31,,,", "unit", "names neither a unit nor an agency"),
    ("829,Sở Tư pháp,DG-04,0.9,2022-12-31,,,", "unit", "names both a unit and an agency"),
    ("9999,,DG-04,0.9,2022-12-31,,,", "unit", "there is no unit '9999'"),
    ("829,,DG-44,0.9,2022-12-31,,,", "indicator", "there is no indicator 'DG-44'"),
    ("829,,DG-04,90,2022-12-31,,,", "value", "'90' is not a number from 0 to 1"),
    ("829,,DG-04,90%,2022-12-31,,,", "value", "'90%' is not a number from 0 to 1"),
    ("829,,DG-04,0.9,31/12/2022,,,", "by", "is not a date"),
    ("829,,DG-04,0.9,2022-12-31,2023-01-01,,", "signed", "2023-01-01 is after 2022-12-31"),
    ("829,,DG-04,0.9,2022-12-31,,,maybe", "sample", "neither yes nor no"),
    ("829,,DG-04-commune,0.8,2022-06-30,,,", "indicator", "829 already has DG-04 by 2022-06-30 on line 2"),
]


@pytest.mark.parametrize(("row", "field", "problem"), COMMITMENT_FAULTS)
def test_a_fault_of_a_commitment_names_line_and_field(folder: Path, row: str, field: str, problem: str) -> None:
    write(folder, "commitments.csv", f"{COMMITMENTS}829,,DG-04-commune,0.8,2022-06-30,,,\n{row}\n")
    (fault,) = faults_of(folder)
    assert (fault.file, fault.line, fault.field) == (str(folder / "commitments.csv"), 3, field)
    assert problem in fault.problem
    assert fault.remedy


def test_a_commitment_of_an_agency_that_owns_nothing_is_a_warning(folder: Path) -> None:
    write(folder, "commitments.csv", f"{COMMITMENTS},Sở Không có,wait_mean,900,2025-12-31,,,\n")
    declared, (warning,) = inventory.load_with_warnings(folder)
    assert (warning.line, warning.field) == (2, "agency")
    (commitment,) = declared.commitments
    assert (commitment.indicator, commitment.level, commitment.value) == ("Q-04b", "", 900)


# --- published counts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("a,L4,procedures,1,2022-01-01,2023-01-01", "L4 ended with 2022, and the period ends on 2023-01-01"),
        ("a,below-L3,procedures,1,2022-01-01,2023-01-01", "below-L3 ended with 2022"),
        ("a,full,procedures,1,2021-12-31,2022-12-31", "full is known since 2022, and the period begins on 2021-12-31"),
        ("a,L4,procedures,1,2022-01-01,2022-12-31", "procedures of L4 is already on line 2 for this period"),
    ],
)
def test_a_level_is_of_its_time_and_counted_once_a_period(folder: Path, row: str, problem: str) -> None:
    head = "id,online_level,measure,count,from,to\nb,full,procedures,1,2022-01-01,2022-12-31\n"
    write(folder, "procedures.csv", f"{head}{row}\n")
    (fault,) = faults_of(folder)
    assert (fault.line, fault.field) == (3, "online_level")
    assert problem in fault.problem
    assert fault.remedy


def test_faults_of_all_files_are_named_at_once(folder: Path) -> None:
    write(folder, "targets.toml", TARGET.format(id="DG-99", value=1, unit="ratio"))
    write(folder, "indices.csv", f"{INDICES}X-01,2020,,64,63,s\n")
    write(folder, "commitments.csv", f"{COMMITMENTS}9999,,DG-44,1,2022-12-31,,,\n")
    names = [f.file.rpartition("/")[2] for f in faults_of(folder)]
    assert names == ["commitments.csv", "commitments.csv", "indices.csv", "targets.toml"]


# --- indicators of the inventory ---------------------------------------------------------------

OWN = """\
[[indicator]]
id = "BT-01"
name_vi = "Hồ sơ qua bưu chính"
name_en = "Dossiers by post"
strand = "procedures"
owner = "Văn phòng UBND tỉnh"
numerator = ["received_post"]
denominator = ["received_post", "received_direct"]
"""


def test_an_indicator_of_the_inventory_may_have_targets_and_commitments(folder: Path) -> None:
    write(folder, "targets.toml", OWN + TARGET.format(id="BT-01-commune", value=0.1, unit="ratio"))
    write(folder, "commitments.csv", COMMITMENTS + "829,,BT-01,0.2,2025-12-31,,,\n")
    declared, warnings = inventory.load_with_warnings(folder)
    assert warnings == ()
    own = all_indicators(declared.own_indicators)["BT-01"]
    assert (own.source, own.unit, own.by_level, own.formula) == (
        "events", "ratio", True, "received_post ÷ received_post + received_direct",
    )  # fmt: skip
    assert (declared.targets[0].id, declared.commitments[0].indicator) == ("BT-01-commune", "BT-01")


@pytest.mark.parametrize(
    ("figures", "source", "unit", "by_level"),
    [
        ('numerator = ["catalogue_full"]', "catalogue", "count", True),
        ('numerator = ["issued"]', "totals", "count", True),
        ('numerator = ["connector_ok"]', "totals", "count", False),
        ('numerator = ["received_online"]\ndenominator = ["issued"]', "totals", "ratio", True),
    ],
)
def test_the_source_of_an_own_indicator_is_that_of_its_figures(
    folder: Path, figures: str, source: str, unit: str, *, by_level: bool
) -> None:
    head = OWN[: OWN.index("numerator")]
    write(folder, "targets.toml", head + figures + "\n")
    own = all_indicators(inventory.load(folder).own_indicators)["BT-01"]
    assert (own.source, own.unit, own.by_level) == (source, unit, by_level)


@pytest.mark.parametrize(
    ("old", "new", "key", "problem", "remedy"),
    [
        ("BT-01", "DG-01", "id", "DG-01 is an indicator of the product", "choose letters of your own, as BT-01"),
        ("BT-01", "bt1", "id", "'bt1' is not an indicator's id", "write capitals, - and two digits, as BT-01"),
        (
            '["received_post"]', '["recieved_post"]', "numerator", "there is no figure 'recieved_post'",
            "did you mean received_post",
        ),
        ('["received_post"]', "[]", "numerator", "", ""),
        ('strand = "procedures"', 'strand = "health"', "strand", "'health' is not known", ""),
    ],
)  # fmt: skip
def test_faults_of_own_indicators_name_the_field_and_the_remedy(
    folder: Path, old: str, new: str, key: str, problem: str, remedy: str
) -> None:
    write(folder, "targets.toml", OWN.replace(old, new, 1))
    fault = next(f for f in faults_of(folder) if f.field == key)
    assert (Path(fault.file).name, problem in fault.problem, remedy in fault.remedy) == ("targets.toml", True, True)


def test_an_own_indicator_is_declared_once(folder: Path) -> None:
    write(folder, "targets.toml", OWN + OWN)
    (fault,) = faults_of(folder)
    assert (fault.field, fault.problem) == ("id", "BT-01 is declared already on line 1")
