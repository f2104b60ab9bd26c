"""Says what `motcua cloud check` prints for people and for programs, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from infra.plan.cloud import build_cloud_plan
from motcua.cli.app import app
from motcua.cli.cloud import check
from telemetry.core.cloud.values import CloudDeclaration
from telemetry.errors import ConfigError
from tests.cloud_examples import ONESTOP, TODAY, base_declaration, second_system, with_components

if TYPE_CHECKING:
    from datetime import date

    import pytest
    from typer.testing import Result


def run(monkeypatch: pytest.MonkeyPatch, declaration: CloudDeclaration, *words: str) -> Result:
    """Run the command on a declaration; a day on the command line is the day of the plan."""

    def opened(_folder: object, stage: str = "prod", today: date | None = None) -> Any:  # noqa: ANN401
        return build_cloud_plan(declaration, province="vn83", stage=stage, today=today or TODAY)

    monkeypatch.setattr(check, "open_cloud_plan", opened)
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner().invoke(app, ["cloud", "check", *words])


def lone() -> CloudDeclaration:
    two = second_system("vn83-portal")
    return with_components(
        with_components(two, f"{ONESTOP}/app", least=1, declared_at="components.csv:3"), "vn83-portal/app", least=1
    )


def test_a_good_declaration_ends_with_0_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, base_declaration())
    assert done.exit_code == 0
    assert "0 faults, 0 hints on 2026-11-29" in done.output
    (row,) = [line.split() for line in done.output.splitlines() if line.split()[:1] == [ONESTOP]]
    assert row == [ONESTOP, "3", "14", "18", "8", "0", "155"]
    assert "compl" not in done.output.casefold()


def test_a_fault_ends_with_1_and_is_shown_once_with_its_places(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, lone())
    assert done.exit_code == 1
    assert "2 faults, 0 hints" in done.output
    assert done.output.count("runs 1 of the 2 instances") == 1
    assert f"{ONESTOP}/app (components.csv:3)" in done.output
    assert "TCVN 14423:2026 5.12.2.2 a" in done.output
    assert f"open at {ONESTOP}: 5.12.2.2 a" in done.output


def test_json_has_findings_titles_and_counts_of_one_system(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, lone(), "--json", "--system", ONESTOP)
    document = json.loads(done.output)
    assert (document["faults"], document["hints"], document["day"], document["stage"]) == (1, 0, "2026-11-29", "prod")
    (finding,) = document["findings"]
    assert finding["rule"] == "replicas"
    assert finding["severity"] == "mandatory"
    assert finding["title_vi"] == "Dự phòng nóng và cân bằng tải"
    assert [one["system"] for one in document["clauses"]] == [ONESTOP]
    assert done.exit_code == 1


def test_another_day_and_stage_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = replace(base_declaration(), protections={})
    assert run(monkeypatch, bare, "--today", "2027-06-30", "--stage", "dev").output.count("hint ") >= 6
    later = run(monkeypatch, bare, "--today", "2027-07-01", "--stage", "dev")
    assert later.exit_code == 1


def test_an_unknown_system_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, base_declaration(), "--system", "vn83-nothing")
    assert isinstance(done.exception, ConfigError)
    assert f"hosted are: {ONESTOP}" in str(done.exception)


def test_without_hosted_systems_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, CloudDeclaration())
    assert done.exit_code == 0
    assert "[system.hosted]" in done.output
