"""`motcua inventory show`: what there is, all of a kind, one declaration, and a suggestion for an unknown id."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from motcua.cli.inventory.tables import similar_ids
from telemetry import inventory
from telemetry.core.kpi.catalogue import INDICATORS

MOTCUA = str(Path(sys.executable).with_name("motcua"))


def show(*words: str, columns: int = 260) -> subprocess.CompletedProcess[str]:
    env = {n: value for n, value in os.environ.items() if not n.startswith("MOTCUA_")} | {"COLUMNS": str(columns)}
    command = [MOTCUA, "inventory", "show", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│\n ").split("│")]


def test_without_an_id_it_lists_the_number_of_each_kind() -> None:
    done = show()
    assert done.returncode == 0
    rows = {row[0]: row[1:] for line in done.stdout.splitlines() if len(row := cells(line)) == 3}
    assert {kind: int(row[0]) for kind, row in rows.items()} == {
        "units": 167, "services": 8, "centres": 167, "devices": 183, "systems": 17, "objectives": 10,
        "agencies": 5, "components": 55, "flows": 90, "peers": 9,
        "kpis": len(INDICATORS), "targets": 11, "indices": 1, "commitments": 2,
    }  # fmt: skip
    assert rows["devices"][1] == "170 gateway, 13 kiosk"
    assert rows["systems"][1].startswith("vn83-portal, vn-portal")
    assert "Tỉnh Bến Tre" in done.stdout


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("devices", ["vn83-83-gateway1", "gateway", "vn83-83", "host, http, 17 probes"]),
        ("centres", ["vn83-829", "Ben Tre City one-stop desk", "district", "6", "1 gateway, 1 kiosk"]),
        (
            "systems",
            [
                "vn83-lgsp",
                "Provincial data-sharing platform (LGSP)",
                "http",
                "https://lgsp.example/health",
                "10",
                "level 3",
            ],
        ),
        ("agencies", ["vn83-catinh", "Công an tỉnh Bến Tre", "2020-06-01"]),
        ("components", ["vn83-portal/db", "database", "database", "L", "3", "300", "5432"]),
        ("flows", ["vn83-portal/web → vn83-portal/app:8081", "yes", "yêu cầu từ giao diện web"]),
        ("peers", ["ngsp", "partner", "203.0.113.0/28", "ngsp.example"]),
        ("kpis", ["DG-04", "Mức độ hài lòng về giải quyết thủ tục hành chính"]),
        ("indices", ["X-01 2020", "44", "44 of 63"]),
        ("commitments", ["829 DG-04 2022-12-31", "Thành phố Bến Tre", "DG-04", "90 %", "2021-12-01", "sample"]),
    ],
)
def test_a_kind_lists_all_of_it(kind: str, row: list[str]) -> None:
    found = [cells(line) for line in show(kind).stdout.splitlines()]
    assert row in [line[: len(row)] for line in found]


def test_indicators_fit_80_columns_without_a_word_that_is_cut() -> None:
    lines = show("kpis", columns=80).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    block = next(lines for lines in re.split(r"├.*┤", "\n".join(lines)) if "│ DG-02 " in lines).strip().splitlines()
    row = [
        " ".join(" ".join(column).split()) for column in zip(*(line[1:-1].split("│") for line in block), strict=True)
    ]
    assert row == [
        "DG-02",
        "Thủ tục hành chính có hồ sơ giải quyết trực tuyến Procedures whose dossiers are handled online",
        "procedures ratio, events",
        "Văn phòng UBND tỉnh 80 % by 2025-12-31",
    ]


def test_targets_are_shown_year_by_year() -> None:
    rows = {row[0]: row for line in show("targets").stdout.splitlines() if len(row := cells(line)) > 4}
    assert rows["X-01"][4:10] == ["44", "39.2", "34.4", "29.6", "24.8", "20"]
    assert rows["DG-01-commune"][4:10] == ["", "15 %", "35 %", "55 %", "75 %", "95 %"]
    assert rows["DG-20"][-1] == "by 2030-12-31"


def test_a_device_is_shown_with_its_sources() -> None:
    done = show("vn83-83-kiosk1")
    assert ["http", "http", "port = 8137"] in [cells(line) for line in done.stdout.splitlines()]


def test_a_hosted_system_is_shown_with_who_answers_for_it() -> None:
    assert "owner='vn83-stttt'" in show("vn83-lgsp").stdout
    assert "HostedSystem" not in show("vn-ngsp").stdout


def test_an_unknown_id_gets_suggestions_and_exit_2() -> None:
    done = show("vn83-83-kisok1")
    assert done.returncode == 2
    assert "did you mean vn83-83-kiosk1 or" in done.stderr
    nothing = show("zzz")
    assert "`motcua inventory show` lists what there is" in nothing.stderr


def test_a_part_of_an_id_suggests_those_that_contain_it() -> None:
    declared = inventory.load(inventory.default_path())
    assert similar_ids("centre", declared) == ["centres"]
    assert similar_ids("lgsp", declared) == ["vn83-lgsp", "vn-ngsp", "ngsp"]
    assert similar_ids("", declared) == []


def test_a_broker_address_that_the_agent_would_refuse_is_not_rendered() -> None:
    command = [MOTCUA, "inventory", "render", "--device", "vn83-83-kiosk1", "--mqtt", "broker:8883"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--mqtt: not an MQTT address: 'broker:8883'" in done.stderr


def test_a_decomposed_id_is_read_in_its_composed_form() -> None:
    done = show(unicodedata.normalize("NFD", "hộ-tịch"))
    assert done.returncode == 2
    assert "nothing is declared as 'hộ-tịch'" in done.stderr
