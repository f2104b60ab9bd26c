"""Which stack deploys which hosted system: lists are checked, nothing is deployed twice, moves need their state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.config.hosted_stacks import HostedStack, read_hosted_stacks
from infra.config.options import INSIDE_AGENTS, parse_options
from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.data_loss import CHANGES_OUTPUT, RECORD_OUTPUT, RecordedPart, recorded_outputs
from infra.plan.cloud.part_moves import (
    RunStack,
    check_moves,
    departed_ids,
    moved_record,
    part_moves,
    run_stack,
)
from infra.plan.cloud.record import decode_cloud_record, record_plan
from infra.plan.cloud.stack_parts import divided_faults, planned_part, undeployed_names
from telemetry.errors import ConfigError
from tests.cloud_examples import ONESTOP, TODAY, second_system

if TYPE_CHECKING:
    from pathlib import Path

    from infra.plan.cloud import CloudPlan

LGSP = "vn83-lgsp"
PROJECT = "motcua"


def two_systems(stage: str = "prod") -> CloudPlan:
    return build_cloud_plan(second_system(LGSP), province="vn83", stage=stage, today=TODAY)


def stack(name: str, *systems: str, **options: Any) -> HostedStack:  # noqa: ANN401 - values of a stack file
    values = {"stage": "prod", "target": "kubernetes", "pki": {"rootCertificate": "root.pem"}, **options}
    values["cloud"] = {"part": "hosted", "systems": list(systems), **options.get("cloud", {})}
    return HostedStack(name, f"Pulumi.{name}.yaml", parse_options(values, f"Pulumi.{name}.yaml"))


def problem_of(caught: pytest.ExceptionInfo[ConfigError]) -> str:
    (fault,) = caught.value.faults
    assert fault.field == "motcua:cloud.systems"
    return f"{fault.problem}; {fault.remedy}"


@pytest.mark.parametrize(
    ("cloud", "target", "problem"),
    [
        ({"part": "ground", "systems": [ONESTOP]}, "kubernetes", "is for the hosted systems on Kubernetes"),
        ({"part": "hosted", "systems": [ONESTOP]}, "openstack", "is for the hosted systems on Kubernetes"),
        ({"part": "hosted", "systems": [ONESTOP]}, "local", "is for the hosted systems on Kubernetes"),
        ({"part": "hosted", "systems": [ONESTOP, ONESTOP]}, "kubernetes", f"names {ONESTOP} twice"),
        ({"part": "hosted", "systems": [ONESTOP], "ownSystem": "vn83-motcua"}, "kubernetes", "not among cloud.systems"),
    ],
)
def test_a_list_that_no_stack_could_follow_is_a_fault(cloud: dict[str, Any], target: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_options({"stage": "dev", "target": target, "cloud": cloud}, "Pulumi.try.yaml")


def test_no_list_is_everything_and_a_list_is_what_it_names() -> None:
    assert planned_part(two_systems(), ()).names == {ONESTOP, LGSP, INSIDE_AGENTS}
    assert planned_part(two_systems(), (LGSP,)).names == {LGSP}
    assert planned_part(two_systems(), (INSIDE_AGENTS,)).names == {INSIDE_AGENTS}


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("vn83-lgps", f"write {LGSP}"), ("inside-agent", f"write {INSIDE_AGENTS}"), ("x", "write ids of systems"),
     ("vn83-old", f"it was renamed: write {LGSP}")],
)  # fmt: skip
def test_a_name_that_is_no_system_is_refused_with_what_to_write(name: str, remedy: str) -> None:
    declared = second_system(LGSP, was=("vn83-old",))
    plan = build_cloud_plan(declared, province="vn83", stage="prod", today=TODAY)
    with pytest.raises(ConfigError) as caught:
        planned_part(plan, (ONESTOP, name))
    assert f"{name!r} is no hosted system; {remedy}" in problem_of(caught)


def test_a_system_in_two_stack_files_is_named_with_both_and_one_in_none_is_named() -> None:
    (fault,) = divided_faults([stack("a", ONESTOP, LGSP), stack("b", LGSP)])
    assert (fault.file, fault.problem) == ("Pulumi.b.yaml", f"{LGSP} is in Pulumi.a.yaml and Pulumi.b.yaml")
    (fault,) = divided_faults([stack("a", ONESTOP), stack("hosted")])
    assert fault.problem == f"{ONESTOP} is in Pulumi.a.yaml and Pulumi.hosted.yaml"
    assert divided_faults([stack("a", ONESTOP), stack("b", LGSP)]) == []
    assert divided_faults([stack("hosted"), stack("trial")]) == [], "two wholes are what they were before"
    assert undeployed_names([stack("a", ONESTOP)], two_systems()) == (LGSP, INSIDE_AGENTS)
    assert undeployed_names([stack("a", ONESTOP, INSIDE_AGENTS), stack("b", LGSP)], two_systems()) == ()


def test_the_agents_are_where_motcua_is() -> None:
    own = {"cloud": {"ownSystem": ONESTOP}}
    (fault,) = divided_faults([stack("a", ONESTOP, **own), stack("b", LGSP, INSIDE_AGENTS)])
    assert fault.problem == f"leaves out {INSIDE_AGENTS}, which report to the broker of {ONESTOP}"
    assert divided_faults([stack("a", ONESTOP, INSIDE_AGENTS, **own), stack("b", LGSP)]) == []


def test_stacks_are_beside_each_other_by_inventory_stage_and_cluster(tmp_path: Path) -> None:
    one = stack("a", ONESTOP)
    assert one.is_beside(stack("b", LGSP))
    for other in ({"stage": "dev"}, {"inventory": "elsewhere"}, {"kubernetes": {"context": "trial"}}):
        assert not one.is_beside(stack("b", LGSP, **other))
    text = "config:\n  motcua:stage: dev\n  motcua:target: kubernetes\n  motcua:cloud: {part: %s, systems: [%s]}\n"
    (tmp_path / "Pulumi.a.yaml").write_text(text % ("hosted", ONESTOP))
    (tmp_path / "Pulumi.b.yaml").write_text(text % ("ground", ""))
    (tmp_path / "Pulumi.c.yaml").write_text("config: [")
    files = read_hosted_stacks(tmp_path)
    assert [(found.name, found.listed_systems) for found in files.stacks] == [("a", (ONESTOP,))]
    assert {fault.file for fault in files.faults} == {str(tmp_path / "Pulumi.c.yaml")}


OUTPUTS = {"systems": [LGSP, ONESTOP], "insideAgents": True, RECORD_OUTPUT: ""}
WHOLE = run_stack("hosted", OUTPUTS)
NEW = RunStack("second")


def test_what_leaves_a_stack_is_refused_while_its_state_is_there() -> None:
    plan = two_systems("dev")
    moves = part_moves(plan, planned_part(plan, (ONESTOP,)), WHOLE, [NEW])
    assert moves.leaving == (LGSP, INSIDE_AGENTS)
    with pytest.raises(ConfigError) as caught:
        check_moves(plan, moves, "hosted", PROJECT, {ONESTOP, LGSP, INSIDE_AGENTS})
    system = f"urn:pulumi:hosted::{PROJECT}::motcua:cloud:Province$motcua:cloud:System::{LGSP}"
    agents = f"urn:pulumi:hosted::{PROJECT}::motcua:platform:Province$motcua:cloud:Part::{INSIDE_AGENTS}"
    assert problem_of(caught).startswith(
        f"leaves out {LGSP}, {INSIDE_AGENTS}, which this stack runs: it would be deleted; list it again, or move its "
        f"state first: `pulumi state move --source hosted --dest OTHER '{system}' '{agents}'`"
    )
    check_moves(plan, moves, "hosted", PROJECT, {ONESTOP})


def test_what_comes_from_another_stack_is_refused_until_its_state_is_here() -> None:
    plan = two_systems("dev")
    moves = part_moves(plan, planned_part(plan, (LGSP,)), NEW, [WHOLE])
    assert moves.coming == {LGSP: "hosted"}
    with pytest.raises(ConfigError) as caught:
        check_moves(plan, moves, "second", PROJECT, ())
    assert "takes vn83-lgsp, which the stack hosted runs: it would be made a second time" in problem_of(caught)
    assert "--source hosted --dest second" in problem_of(caught)
    check_moves(plan, moves, "second", PROJECT, {LGSP})


def test_a_new_system_and_one_that_is_declared_no_more_do_not_move() -> None:
    plan = two_systems()
    assert part_moves(plan, planned_part(plan, ()), RunStack("hosted"), []).is_empty
    gone = replace(WHOLE, deployed=frozenset({"vn83-gone", *WHOLE.deployed}))
    assert part_moves(plan, planned_part(plan, ()), gone, []).is_empty
    assert run_stack("hosted", {}) == RunStack("hosted")


def test_a_renamed_system_moves_under_the_name_that_its_state_has() -> None:
    declared = second_system("vn83-exchange", was=(LGSP,))
    plan = build_cloud_plan(declared, province="vn83", stage="prod", today=TODAY)
    moves = part_moves(plan, planned_part(plan, (ONESTOP, INSIDE_AGENTS)), WHOLE, [])
    assert moves.leaving == ("vn83-exchange",)
    with pytest.raises(ConfigError) as caught:
        check_moves(plan, moves, "hosted", PROJECT, {LGSP})
    assert f"$motcua:cloud:System::{LGSP}'" in problem_of(caught)
    assert departed_ids(plan, moves) == {"vn83-exchange", LGSP}


def test_a_divided_record_loses_nothing_and_says_that_nothing_changed() -> None:
    plan = two_systems()
    first = recorded_outputs(plan, {}, "")
    whole = run_stack("hosted", {**OUTPUTS, **first})
    moves = part_moves(plan, planned_part(plan, (ONESTOP, INSIDE_AGENTS)), whole, [NEW])
    stays = RecordedPart((ONESTOP,), departed_ids(plan, moves))
    rest = recorded_outputs(plan, first, "", stays)
    assert rest[CHANGES_OUTPUT] == ["nothing"]
    assert decode_cloud_record(str(rest[RECORD_OUTPUT])) == record_plan(plan, (ONESTOP,))
    part = planned_part(plan, (LGSP,))
    coming = part_moves(plan, part, NEW, [whole])
    here = recorded_outputs(plan, {}, "", RecordedPart((LGSP,), (), moved_record(plan, coming, [whole])))
    assert here[CHANGES_OUTPUT] == ["nothing"]
    assert recorded_outputs(plan, here, "", RecordedPart((LGSP,))) == here


def test_data_that_an_edit_would_lose_are_guarded_on_the_day_of_the_move() -> None:
    plan = two_systems()
    whole = run_stack("hosted", {**OUTPUTS, **recorded_outputs(plan, {}, "")})
    both = second_system(LGSP)
    fewer = replace(
        both,
        components=tuple(one for one in both.components if one.path != f"{LGSP}/db"),
        flows=tuple(one for one in both.flows if str(one.target) != f"{LGSP}/db"),
    )
    edited = build_cloud_plan(fewer, province="vn83", stage="prod", today=TODAY)
    moves = part_moves(edited, planned_part(edited, (LGSP,)), NEW, [whole])
    part = RecordedPart((LGSP,), (), moved_record(edited, moves, [whole]))
    with pytest.raises(ConfigError, match=f"delete {LGSP}/db: would delete data"):
        recorded_outputs(edited, {}, "", part)
