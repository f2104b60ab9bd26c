"""The rendered NetworkPolicies let through exactly the planned connections, for any declaration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, strategies as st

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.lock import extended_lock
from infra.plan.cloud.network_policies import NetworkPolicies
from telemetry.core.cloud.values import Flow, FlowEnd
from tests.cloud_declarations import declarations
from tests.cloud_examples import ONESTOP, TODAY, base_declaration, component_end
from tests.cloud_group_reach import group_reach, group_world, is_for_machines
from tests.cloud_reachability import (
    agent_objects,
    allowed_reach,
    expected_reach,
    network_policies,
    parties,
    rendered_objects,
    with_kept_promises,
)
from tests.property_sizes import sized

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration
    from tests.cloud_reachability import Json, Reached


def plan_of(declaration: CloudDeclaration) -> CloudPlan:
    return build_cloud_plan(with_kept_promises(declaration), province="vn83", stage="prod", today=TODAY)


def reach(plan: CloudPlan, objects: tuple[Json, ...]) -> set[tuple[str, str, int, str]]:
    return allowed_reach(plan, network_policies((*objects, *agent_objects(plan))), parties(plan, objects))


def test_the_base_declaration_lets_through_what_it_declares_and_no_more() -> None:
    plan = plan_of(base_declaration())
    objects = rendered_objects(plan)
    found = reach(plan, objects)
    assert found == expected_reach(plan)
    between = {(source, target, port) for source, target, port, _ in found if ONESTOP in source and ONESTOP in target}
    assert between == {
        ("vn83-onestop/web", "vn83-onestop/app", 8081),
        ("vn83-onestop/app", "vn83-onestop/db", 5432),
        ("vn83-onestop/db", "vn83-onestop/db", 5432),
        ("vn83-onestop/db", "vn83-onestop/db", 8000),
    }


def test_without_any_one_policy_something_is_open_or_closed_that_must_not_be() -> None:
    plan = plan_of(base_declaration())
    objects = rendered_objects(plan)
    named, expected = parties(plan, objects), expected_reach(plan)
    policies = network_policies((*objects, *agent_objects(plan)))
    own = {f"{ONESTOP}-server", "vn83-cloud-manage1"}
    for removed in (one for one in policies.policies if one["metadata"]["namespace"] in own):
        rest = tuple(one for one in policies.policies if one is not removed)
        found = allowed_reach(plan, NetworkPolicies(rest, policies.namespaces), named)
        assert found != expected, removed["metadata"]["name"]


@sized(6, 200)
@given(declarations())
def test_policies_let_through_exactly_the_planned_connections(declaration: CloudDeclaration) -> None:
    plan = plan_of(declaration)
    assert reach(plan, rendered_objects(plan)) == expected_reach(plan)


@sized(10, 500)
@given(declarations(), st.data())
def test_a_removed_flow_removes_exactly_its_policies(declaration: CloudDeclaration, data: st.DataObject) -> None:
    extra = Flow(component_end("vn83-x", "x"), FlowEnd("platform", "identity"), 8443, "log-in")
    flows = declaration.flows or (extra,)
    gone = data.draw(st.sampled_from(flows))
    before = plan_of(declaration)
    after = plan_of(replace(declaration, flows=tuple(one for one in declaration.flows if one is not gone)))
    old, new = (_policies_by_path(rendered_objects(plan)) for plan in (before, after))
    open_before, open_after = (
        {(one.source, one.target, one.port) for one in plan.connections} for plan in (before, after)
    )
    closed = open_before - open_after  # a way that another flow declares too stays open, perhaps with TLS now
    assert new.items() <= old.items()
    sides = sum(end.kind == "component" for source, target, _ in closed for end in (source, target))
    assert len(old) - len(new) == sides


@sized(10, 500)
@given(declarations(), st.data())
def test_the_order_of_rows_changes_nothing(declaration: CloudDeclaration, data: st.DataObject) -> None:
    locked = replace(declaration, lock=extended_lock(declaration))
    shuffled = replace(
        locked,
        systems=dict(data.draw(st.permutations(tuple(locked.systems.items())))),
        components=tuple(data.draw(st.permutations(locked.components))),
        flows=tuple(data.draw(st.permutations(locked.flows))),
        lock=tuple(data.draw(st.permutations(locked.lock))),
    )
    one, other = plan_of(locked), plan_of(shuffled)
    assert replace(one, declaration=other.declaration) == other
    assert rendered_objects(one) == rendered_objects(other)


@sized(10, 500)
@given(declarations(max_systems=5, min_systems=2), st.data())
def test_another_system_changes_no_object_of_this_one(declaration: CloudDeclaration, data: st.DataObject) -> None:
    added = data.draw(st.sampled_from(sorted(declaration.systems)))
    without = replace(
        declaration,
        systems={ident: one for ident, one in declaration.systems.items() if ident != added},
        components=tuple(one for one in declaration.components if one.system != added),
        flows=tuple(one for one in declaration.flows if added not in {one.source.system, one.target.system}),
    )
    with_added = replace(
        declaration,
        flows=tuple(
            one
            for one in declaration.flows
            if {one.source.system, one.target.system} == {added}
            or added not in {one.source.system, one.target.system}
            or "" in {one.source.system, one.target.system}
        ),
    )
    old = _objects_by_path(rendered_objects(plan_of(without)))
    assert old.items() <= _objects_by_path(rendered_objects(plan_of(with_added))).items()


def _objects_by_path(objects: tuple[Json, ...]) -> dict[tuple[str, ...], Json]:
    paths = [(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in objects]
    assert len(set(paths)) == len(paths)
    assert all(len(path[2]) <= 253 and len(path[1]) <= 63 for path in paths)
    return dict(zip(paths, objects, strict=True))


def _policies_by_path(objects: tuple[Json, ...]) -> dict[tuple[str, ...], Json]:
    return {path: one for path, one in _objects_by_path(objects).items() if path[0] == "NetworkPolicy"}


def machines_plan(declaration: CloudDeclaration) -> CloudPlan:
    """Return the plan with a slot for each zone, and an address for each service of the platform."""
    platform = {
        name: replace(service, address=f"10.84.0.{at}")
        for at, (name, service) in enumerate(sorted(declaration.platform.items()), 100)
    }
    unlocked = replace(declaration, lock=(), platform=platform)
    return plan_of(replace(unlocked, lock=extended_lock(unlocked)))


def test_the_groups_of_the_base_declaration_let_through_what_it_declares() -> None:
    plan = machines_plan(base_declaration())
    assert group_reach(group_world(plan)) == machines_reach(plan)


def machines_reach(plan: CloudPlan) -> set[Reached]:
    connections = [one for one in (*plan.connections, *plan.platform_connections) if is_for_machines(one)]
    kept = {(str(one.source), str(one.target), one.port, one.protocol) for one in connections}
    components = {one.declared.path for system in plan.systems for one in system.components}
    return {one for one in kept if {one[0], one[1]} & components}


@sized(6, 200)
@given(declarations())
def test_groups_and_policies_let_through_the_same_connections(declaration: CloudDeclaration) -> None:
    plan = machines_plan(declaration)
    objects = rendered_objects(plan)
    by_groups = group_reach(group_world(plan))
    by_policies = {one for one in reach(plan, objects) if not one[0].startswith("undeclared")}
    assert by_groups == by_policies & machines_reach(plan) == machines_reach(plan)
