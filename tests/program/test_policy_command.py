"""Says what `motcua inventory check --policy` and `inventory graph --plan` print, and how they end."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING

from hypothesis import given, settings

from infra.config.options import NationalOptions, StackOptions
from infra.graph import render_mermaid
from infra.plan import build_plan
from motcua import stacks
from telemetry.inventory import default_path
from tests.unit.inventories import inventories

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory

GOOD = "config:\n  motcua:stage: dev\n  motcua:target: local\n"
TODAY = date(2026, 6, 1)
DAY = "2026-11-30"
"""The day on which the sample's evidence, engines and restores are judged: they grow old."""


def motcua(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "motcua", "inventory", *words],
        capture_output=True, text=True, timeout=120, check=False, cwd=cwd,
    )  # fmt: skip


def stack(folder: Path, text: str, name: str = "try") -> str:
    path = folder / f"Pulumi.{name}.yaml"
    path.write_text(text)
    return str(path)


def test_shipped_stacks_are_checked_from_anywhere_and_keep_to_the_rules(tmp_path: Path) -> None:
    done = motcua("check", "--policy", "--today", DAY, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pulumi.local.yaml: no finding" in done.stdout
    assert "mandatory" not in done.stdout


def test_mandatory_finding_ends_with_1_and_every_stack_is_told(tmp_path: Path) -> None:
    national = "  motcua:national: {url: 'http://n.example', orgId: '0123456789abcdef'}\n"
    files = ["--stack-file", stack(tmp_path, GOOD), "--stack-file", stack(tmp_path, GOOD + national, "bad")]
    done = motcua("check", str(default_path()), "--policy", "--today", DAY, *files, cwd=tmp_path)
    assert done.returncode == 1
    assert "Pulumi.try.yaml: no finding" in done.stdout
    assert "mandatory upstream-tls: national http://n.example: is used without a checked certificate; " in done.stdout
    assert "no fault" in done.stdout.splitlines()[0]


def test_advisory_finding_ends_with_0(tmp_path: Path) -> None:
    file = stack(tmp_path, GOOD + "  motcua:influx: {url: 'http://10.0.0.9:8086'}\n")
    done = motcua("check", str(default_path()), "--policy", "--today", DAY, "--stack-file", file, cwd=tmp_path)
    assert done.returncode == 0
    assert "advisory store-tls" in done.stdout


def test_faults_of_all_stack_files_come_at_once_and_end_with_2(tmp_path: Path) -> None:
    files = [
        stack(tmp_path, GOOD + "  motcua:workers: 0\n"),
        stack(tmp_path, GOOD + "  motcua:rootKey: planted\n", "b"),
    ]
    done = motcua("check", "--policy", "--today", DAY, "--stack-file", files[0], "--stack-file", files[1], cwd=tmp_path)
    assert done.returncode == 2
    assert f"{files[0]}:4: motcua:workers" in done.stderr
    assert f"{files[1]}:4: motcua:rootKey: is a secret in plain text" in done.stderr
    assert "planted" not in done.stderr


def test_faults_of_stack_file_and_inventory_come_together(tmp_path: Path) -> None:
    bad = stack(tmp_path, GOOD + "  motcua:influx: {rawDays: 3}\n  motcua:inventory: world\n")
    shutil.copytree(default_path(), tmp_path / "world")
    with (tmp_path / "world/devices.csv").open("a") as rows:
        rows.write("vn83-83-kiosk9,nowhere,kiosk,60000,yes\n")
    done = motcua("check", "--policy", "--today", DAY, "--stack-file", bad, cwd=tmp_path)
    assert done.returncode == 2
    assert "Pulumi.try.yaml:4: motcua:influx.rawDays" in done.stderr
    assert "devices.csv:" in done.stderr


def test_stack_file_without_policy_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    done = motcua("check", "--stack-file", stack(tmp_path, GOOD), cwd=tmp_path)
    assert done.returncode == 2
    assert "--policy" in done.stderr


def test_inventory_counts_from_the_projects_folder(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: motcua\n")
    below = tmp_path / "infra" / "stacks"
    below.mkdir(parents=True)
    file = stack(below, GOOD + "  motcua:inventory: nowhere\n")
    done = motcua("check", "--policy", "--today", DAY, "--stack-file", file, cwd=below)
    assert done.returncode == 2
    assert f"{tmp_path / 'nowhere'}" in done.stderr


def test_without_a_stack_file_there_are_defaults() -> None:
    found = stacks.open_stacks([], default_path(), TODAY)
    assert {one.options.target for one in found} >= {"local"}
    assert all(one.inventory.province == "vn83" for one in found)
    assert stacks.kubernetes_files(next(one for one in found if one.options.target == "local")) == {}


def test_graph_of_the_plan_is_a_mermaid_chart_and_the_default_stays(tmp_path: Path) -> None:
    chart = motcua("graph", "--plan", cwd=tmp_path)
    assert chart.returncode == 0, chart.stderr
    assert chart.stdout.startswith("flowchart LR\n")
    assert 'run_ingest -->|"8086: raw events"| run_influxdb' in chart.stdout
    assert motcua("graph", cwd=tmp_path).stdout.startswith("digraph motcua {")
    assert motcua("graph", "--stack-file", "x", cwd=tmp_path).returncode == 2


@settings(max_examples=20, deadline=None)
@given(inventories())
def test_every_end_of_an_arrow_is_drawn_and_blocks_are_closed(world: Inventory) -> None:
    options = StackOptions(stage="dev", target="kubernetes", national=NationalOptions(url="https://n", org_id="0" * 16))
    lines = render_mermaid(build_plan(world, options, TODAY)).splitlines()
    drawn = {found[1] for line in lines if (found := re.match(r"\s+(\w+)[\[({]", line))}
    arrows = [found for line in lines if (found := re.match(r"\s+(\w+) (?:-->|-\.->|-\.-)(?:\|.*\|)? (\w+)$", line))]
    assert arrows
    assert all({one[1], one[2]} <= drawn for one in arrows)
    assert sum(line.strip().startswith("subgraph") for line in lines) == sum(line.strip() == "end" for line in lines)


def test_the_system_that_a_stack_names_as_motcua_is_checked_as_what_motcua_needs(tmp_path: Path) -> None:
    hosted = str(default_path().parents[1] / "infra/stacks/Pulumi.hosted.yaml")
    folder = tmp_path / "inventory"
    shutil.copytree(default_path(), folder)
    row = "vn83-motcua/web,vn83-motcua/api,8000,[^,]*"
    text = (folder / "flows.csv").read_text()
    (folder / "flows.csv").write_text(re.sub(rf"({row}),no,.*", r"\1,yes,", text))
    done = motcua("check", str(folder), "--policy", "--today", DAY, "--stack-file", hosted, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "declares TLS, and Motcua's api serves plain HTTP; write no in the column tls" in done.stderr
