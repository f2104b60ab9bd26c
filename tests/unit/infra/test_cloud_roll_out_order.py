"""What is called is rolled out before what calls it, also where callers form a ring."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, strategies as st

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.roll_out_order import callees_first, component_calls, systems_callees_first
from telemetry.core.cloud.values import Component, Flow, FlowEnd, LockEntry
from tests.cloud_examples import ONESTOP, TODAY, base_components, base_declaration, base_flows, base_lock, hosted_system

LATER = "vn83-zeal"
NAMES = "abcdefgh"


@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES))), st.permutations(NAMES))
def test_every_name_comes_once_and_after_what_it_calls_outside_of_rings(
    calls: dict[str, set[str]], names: list[str]
) -> None:
    ordered = callees_first(names, calls)
    assert sorted(ordered) == sorted(names)
    for caller, callees in calls.items():
        for callee in callees - reaching(caller, calls) - {caller}:
            assert ordered.index(callee) < ordered.index(caller)


def reaching(target: str, calls: dict[str, set[str]]) -> set[str]:
    """Return the names from which calls lead to a name."""
    found: set[str] = set()
    while more := {caller for caller, callees in calls.items() if callees & (found | {target})} - found:
        found |= more
    return found


def test_what_is_called_over_a_name_that_is_not_asked_for_still_comes_first() -> None:
    assert callees_first(["a", "c"], {"a": ["b"], "b": ["c"]}) == ("c", "a")


def test_a_system_comes_after_those_that_it_calls() -> None:
    gate = Component(LATER, "gate", "gateway", "server", "M", 2, 2, port=8443, image="seal")
    call = Flow(FlowEnd("component", "app", ONESTOP), FlowEnd("component", "gate", LATER), 8443, "seals")
    base = base_declaration()
    declaration = replace(
        base,
        systems={**base.systems, LATER: hosted_system(LATER, exposure="none", host="")},
        components=(*base_components(), gate),
        flows=(*base_flows(), call),
        lock=(*base_lock(), LockEntry(LATER, "server", 9, f"{LATER}-server")),
    )
    plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)
    assert [system.id for system in plan.systems] == [ONESTOP, LATER]
    assert systems_callees_first(plan) == (LATER, ONESTOP)
    assert sorted(component_calls(plan.connections)[f"{ONESTOP}/app"]) == [f"{ONESTOP}/db", f"{LATER}/gate"]
