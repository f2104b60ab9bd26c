"""`motcua cloud lock|flows|size|diff` on the sample inventory, as a user calls them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.graph import render_cloud_mermaid
from motcua.cli.cloud.commands import app
from telemetry.errors import ConfigError
from tests.cloud_examples import base_declaration, planned

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "inventory" / "bentre-2021"


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    if isinstance(done.exception, ConfigError):
        raise done.exception
    return done.exit_code, done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "inventory"))


def without_lines(file: Path, word: str) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if word not in line), encoding="utf-8")


def test_the_lock_of_the_sample_is_complete() -> None:
    code, printed = run("lock", "--check", str(SAMPLE))
    assert (code, printed.endswith("none is missing\n")) == (0, True)


def test_a_missing_entry_is_reported_and_then_appended(folder: Path) -> None:
    before = (folder / "cloud.lock").read_text(encoding="utf-8")
    without_lines(folder / "cloud.lock", "vn83-portal,")
    kept = (folder / "cloud.lock").read_text(encoding="utf-8")
    code, printed = run("lock", "--check", str(folder))
    assert code == 1
    assert "missing: vn83-portal dmz slot" in printed
    assert (folder / "cloud.lock").read_text(encoding="utf-8") == kept
    assert run("lock", str(folder))[0] == 0
    after = (folder / "cloud.lock").read_text(encoding="utf-8")
    assert set(kept.splitlines()) < set(after.splitlines())
    assert len(after.splitlines()) == len(before.splitlines())
    assert run("lock", "--check", str(folder))[0] == 0


def test_the_flows_of_the_sample_break_no_zone() -> None:
    code, printed = run("flows", "--platform", "--json", str(SAMPLE))
    rows = json.loads(printed)
    assert code == 0
    assert [row for row in rows if row["breach"]] == []
    assert {row["origin"] for row in rows} == {"declared", "exposure", "platform"}
    assert "vn83-onestop" in run("flows", str(SAMPLE))[1]


def test_the_chart_of_the_sample_has_a_box_for_each_system() -> None:
    chart = run("flows", "--mermaid", str(SAMPLE))[1]
    assert chart.startswith("flowchart LR\n")
    assert chart.count("subgraph system_") == 11
    assert chart.count("subgraph") == chart.count("end\n")


def test_a_label_of_the_chart_is_text_whatever_is_in_it() -> None:
    base = base_declaration()
    flows = (replace(base.flows[0], why='`tiếp dân` #1; "một cửa" & <b>'), *base.flows[1:])
    chart = render_cloud_mermaid(planned(replace(base, flows=flows)))
    assert '|"443: #96;tiếp dân#96; #35;1; #34;một cửa#34; #38; #60;b>"|' in chart


def test_what_stands_in_brackets_is_printed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    file = folder / "flows.csv"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("người dân điền biểu mẫu", "người dân điền biểu mẫu [red]till 2027[/red]"), encoding="utf-8"
    )
    assert "người dân điền biểu mẫu [red]till 2027[/red]" in run("flows", str(folder))[1]


@pytest.mark.parametrize("columns", [60, 80, 120, None])
@pytest.mark.parametrize("report", ["size", "flows"])
def test_no_id_and_no_figure_is_cut(report: str, columns: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
    printed = run(report, str(SAMPLE))[1]
    assert "…" not in printed
    wanted = {
        "size": ["vn83-participation", "11,000  14,000    315  61,638,400", "162,736,000"],
        "flows": ["vn83-participation/web    8080  người", "vn83-documents/app      vn83-documents/files"],
    }
    assert [text for text in wanted[report] if text not in printed] == []
    if columns in {80, 120}:
        assert max(map(len, printed.splitlines())) <= columns
    if columns is None:
        words = {"size": "alertmanager, backup, broker, grafana, ingest, prometheus, rollup, influxdb",
                 "flows": "bản tin của nền tảng quốc gia và các cơ quan"}  # fmt: skip
        assert words[report] in printed, "a row in a pipe is one line"


def test_the_sizes_of_the_sample_add_up() -> None:
    rows = json.loads(run("size", "--json", str(SAMPLE))[1])["rows"]
    total = next(row for row in rows if row["group"] == "all")
    for group in ("system", "agency", "site"):
        assert sum(row["cpu_millicores"] for row in rows if row["group"] == group) == total["cpu_millicores"]
    assert "If one host is lost" in run("size", str(SAMPLE))[1]


def test_an_edit_that_would_delete_data_exits_1(folder: Path) -> None:
    assert run("diff", "--from", str(SAMPLE), str(folder)) == (0, "nothing changes\n")
    for name in ("components.csv", "flows.csv"):
        file = folder / name
        text = file.read_text(encoding="utf-8").replace("vn83-onestop,db,", "vn83-onestop,data,")
        file.write_text(text.replace("vn83-onestop/db", "vn83-onestop/data"), encoding="utf-8")
    code, printed = run("diff", "--from", str(SAMPLE), str(folder))
    assert code == 1
    assert 'cloud.allowDataLoss is "delete vn83-onestop/db"' in printed
    changes = json.loads(run("diff", "--json", "--from", str(SAMPLE), str(folder))[1])
    assert [one["where"] for one in changes if one["loses_data"]] == ["vn83-onestop/db"]


def test_an_edit_that_no_object_shows_is_listed_with_its_own_brackets(folder: Path) -> None:
    file = folder / "cloud.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('evidence = "', 'evidence = "[red] ', 1), encoding="utf-8")
    code, printed = run("diff", "--from", str(SAMPLE), str(folder))
    assert code == 0
    assert "evidence" in printed
    assert "[red]" in printed


def test_an_unknown_revision_is_a_fault_with_a_remedy(folder: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder, and no Git revision"):
        run("diff", "--from", "nowhere", str(folder))


def divided(folder: Path, *lists: str) -> Path:
    """Write a stack file for each list of systems; returns their folder."""
    shipped = (ROOT / "infra/stacks/Pulumi.hosted.yaml").read_text(encoding="utf-8")
    shipped = shipped.replace("inventory/bentre-2021", str(SAMPLE)).replace("    ownSystem: vn83-motcua\n", "")
    for at, names in enumerate(lists, 1):
        text = shipped.replace("    part: hosted\n", f"    part: hosted\n    systems: [{names}]\n")
        (folder / f"Pulumi.hosted-{at}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_stacks_of_a_divided_cloud_are_shown_and_a_system_in_two_or_none_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        run("stacks", str(divided(tmp_path, "vn83-onestop, vn83-portal, inside-agents", "vn83-portal, vn83-eform")))
    text = str(raised.value)
    assert "vn83-portal is in" in text
    assert "no stack deploys vn83-lgsp" in text


def test_the_shipped_stack_deploys_all_systems() -> None:
    code, printed = run("stacks", str(ROOT / "infra/stacks"))
    assert code == 0
    assert "all 11" in printed
