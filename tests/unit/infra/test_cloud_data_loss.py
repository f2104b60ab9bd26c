"""Stage prod refuses a run that would delete or move data, until the operator writes exactly which."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.data_loss import RECORD_OUTPUT, recorded_outputs
from telemetry.errors import ConfigError
from tests.cloud_examples import TODAY, base_declaration, changed_components, hosted_system, with_system

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration

WORDS = "delete vn83-onestop/db"
WITHOUT_DATABASE = replace(base_declaration(), components=base_declaration().components[:2], flows=())


def plan_of(declaration: CloudDeclaration, stage: str = "prod") -> CloudPlan:
    return build_cloud_plan(declaration, province="vn83", stage=stage, today=TODAY)


FIRST = recorded_outputs(plan_of(base_declaration()), {}, "")


def test_the_first_run_has_nothing_to_lose() -> None:
    assert FIRST["cloudChanges"] == ["first roll-out"]


def test_a_run_that_would_delete_data_is_refused_with_the_words_that_accept_it() -> None:
    with pytest.raises(ConfigError) as refused:
        recorded_outputs(plan_of(WITHOUT_DATABASE), FIRST, "")
    (fault,) = refused.value.faults
    assert "delete vn83-onestop/db: would delete data (db 200 GB)" in str(fault)
    assert f'cloud.allowDataLoss: "{WORDS}"' in str(fault)


@pytest.mark.parametrize("accepted", ["yes", "true", "delete vn83-onestop", f"{WORDS}, {WORDS}", WORDS.upper()])
def test_other_words_accept_nothing(accepted: str) -> None:
    with pytest.raises(ConfigError):
        recorded_outputs(plan_of(WITHOUT_DATABASE), FIRST, accepted)


def test_the_exact_words_accept_one_loss_and_no_later_one() -> None:
    outputs = recorded_outputs(plan_of(WITHOUT_DATABASE), FIRST, WORDS)
    assert "delete vn83-onestop/db: would delete data (db 200 GB)" in outputs["cloudChanges"]
    smaller = changed_components(base_declaration().components, lambda one: one.id == "db", zone="server")
    with pytest.raises(ConfigError, match="move vn83-onestop/db"):
        recorded_outputs(plan_of(replace(base_declaration(), components=smaller)), FIRST, WORDS)


def test_other_stages_and_edits_without_loss_run() -> None:
    trial = recorded_outputs(plan_of(base_declaration(), "dev"), {}, "")
    without = replace(WITHOUT_DATABASE)
    assert recorded_outputs(plan_of(without, "dev"), trial, "")["cloudRecord"] != trial["cloudRecord"]
    owner = with_system(base_declaration(), hosted_system(owner="vn83-dit"))
    assert recorded_outputs(plan_of(owner), FIRST, "")["cloudChanges"] == [
        "change vn83-onestop: labels, roles and dashboards: owner vn83-ubnd → vn83-dit"
    ]


def test_a_second_run_changes_no_output() -> None:
    assert recorded_outputs(plan_of(base_declaration()), FIRST, "") == FIRST


def test_a_record_that_cannot_be_read_is_not_taken_for_a_first_run() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        recorded_outputs(plan_of(base_declaration()), {"cloudRecord": "x"}, "")
    outputs = recorded_outputs(plan_of(base_declaration()), {"cloudRecord": "x"}, "cloudRecord")
    assert outputs["cloudRecord"] == FIRST["cloudRecord"]
    assert recorded_outputs(plan_of(base_declaration(), "dev"), {"cloudRecord": "x"}, "")["cloudChanges"] == ["unknown"]


def test_a_state_that_cannot_be_read_is_no_first_run() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        recorded_outputs(plan_of(base_declaration()), None, "")
    assert recorded_outputs(plan_of(base_declaration()), None, RECORD_OUTPUT)["cloudChanges"] == ["unknown"]
    assert recorded_outputs(plan_of(base_declaration(), "dev"), None, "")["cloudChanges"] == ["unknown"]
