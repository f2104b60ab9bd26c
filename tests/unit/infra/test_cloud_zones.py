"""The matrix of zones over declared flows: what is allowed, and by which clause the rest is forbidden."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.zones import zone_breach
from telemetry.core.cloud.values import CloudDeclaration, Component, Flow, FlowEnd, Peer
from tests.cloud_declarations import declarations
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_components,
    base_declaration,
    component_end,
    hosted_system,
    outside,
    with_system,
)
from tests.property_sizes import sized

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan

PORTAL = "vn83-portal"
WEB, APP, DB = (component_end(ONESTOP, name) for name in ("web", "app", "db"))


def plan_of(declaration: CloudDeclaration) -> CloudPlan:
    return build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)


def breaches(declaration: CloudDeclaration) -> list[tuple[str, str]]:
    plan = plan_of(declaration)
    found = [zone_breach(plan, one) for one in (*plan.connections, *plan.platform_connections)]
    return [(breach.rule, breach.clause) for breach in found if breach is not None]


def with_flow(declaration: CloudDeclaration, source: FlowEnd, target: FlowEnd, port: int) -> CloudDeclaration:
    return replace(declaration, flows=(*declaration.flows, Flow(source, target, port, "added")))


def with_component(declaration: CloudDeclaration, component: Component) -> CloudDeclaration:
    return replace(declaration, components=(*declaration.components, component))


def two_systems(level: int = 3) -> CloudDeclaration:
    declaration = with_system(base_declaration(), hosted_system(PORTAL, level=level))
    return replace(declaration, components=(*declaration.components, *base_components(PORTAL)))


def test_the_base_declaration_breaks_nothing() -> None:
    assert breaches(base_declaration()) == []


def test_a_web_component_never_calls_a_database_from_level_3() -> None:
    assert breaches(with_flow(base_declaration(), WEB, DB, 5432)) == [("flow-zone", "TCVN 14423:2026 5.12.2.4")]
    level_2 = with_system(base_declaration(), hosted_system(level=2))
    assert breaches(with_flow(level_2, WEB, DB, 5432)) == []


def test_a_system_calls_another_one_through_its_gateway_only() -> None:
    portal = component_end(PORTAL, "app")
    apart = [("system-apart", "331 Art. 30.8.a")]
    assert breaches(with_flow(two_systems(), portal, DB, 5432)) == apart
    assert breaches(with_flow(two_systems(), portal, APP, 8081)) == apart
    gateway = Component(ONESTOP, "gw", "gateway", "server", "S", 2, 2, port=8443)
    called = with_flow(with_component(two_systems(), gateway), portal, component_end(ONESTOP, "gw"), 8443)
    assert breaches(called) == []


def test_the_higher_level_of_both_systems_counts() -> None:
    one_low = two_systems(level=2)
    assert breaches(with_flow(one_low, component_end(PORTAL, "app"), APP, 8081)) == [
        ("system-apart", "331 Art. 30.8.a")
    ]
    both_low = with_system(one_low, hosted_system(level=2))
    assert breaches(with_flow(both_low, component_end(PORTAL, "app"), APP, 8081)) == []
    assert breaches(with_flow(both_low, component_end(PORTAL, "app"), DB, 5432)) == [
        ("flow-zone", "TCVN 14423:2026 4.12.2.4")
    ]


def test_another_network_of_the_state_reaches_a_gateway_at_its_own_port() -> None:
    gateway = Component(ONESTOP, "xroad", "gateway", "dmz", "M", 2, 2, port=5500)
    declaration = with_component(base_declaration(), gateway)
    called = with_flow(declaration, outside("tslcd"), component_end(ONESTOP, "xroad"), 5500)
    plan = plan_of(called)
    assert [(str(one.source), one.port) for one in plan.connections if str(one.target) == "edge:internet"] == [
        ("outside:internet", 443),
        ("outside:tslcd", 5500),
    ]
    assert breaches(called) == []
    assert breaches(with_flow(declaration, outside("tslcd"), APP, 8081)) == [("flow-zone", "TCVN 14423:2026 5.12.2.4")]


def test_a_party_outside_of_the_exposure_does_not_pass_the_edge() -> None:
    closed = with_system(base_declaration(), hosted_system(exposure="none"))
    assert [str(one.target) for one in plan_of(closed).connections if one.source.kind == "outside"] == [
        "vn83-onestop/web"
    ]
    assert breaches(closed) == [("flow-zone", "TCVN 14423:2026 5.12.2.4")]


def test_the_way_out_is_to_named_hosts_and_closed_at_level_4() -> None:
    sms = Peer("sms", "internet", ("198.51.100.0/24",), ("sms.example",))
    declaration = replace(base_declaration(), peers={**base_declaration().peers, "sms": sms})
    called = with_flow(declaration, APP, outside("sms"), 443)
    assert breaches(called) == []
    assert breaches(with_flow(declaration, APP, outside("internet"), 443)) == [
        ("egress-closed", "TCVN 14423:2026 5.12.2.4 d")
    ]
    assert breaches(with_system(called, hosted_system(level=4))) == [("egress-closed", "TCVN 14423:2026 6.12.2.4 g")]


@pytest.mark.parametrize(("source", "allowed"), [("app", True), ("web", True), ("db", False)])
def test_a_declared_service_of_the_platform_depends_on_the_zone(source: str, allowed: bool) -> None:
    called = with_flow(base_declaration(), component_end(ONESTOP, source), FlowEnd("platform", "identity"), 8443)
    assert (breaches(called) == []) is allowed


@sized(40, 500)
@given(declarations(), st.data())
def test_a_higher_level_allows_nothing_more(declaration: CloudDeclaration, data: st.DataObject) -> None:
    ends = [component_end(one.system, one.id) for one in declaration.components]
    ends += [outside(peer) for peer in declaration.peers]
    pairs = st.tuples(st.sampled_from(ends), st.sampled_from(ends)).filter(lambda pair: pair[0] != pair[1])
    flows = tuple(Flow(*pair, 443, "any") for pair in data.draw(st.lists(pairs, max_size=8)))
    declared = replace(declaration, flows=(*declaration.flows, *flows))
    raised = declared
    for system in declared.systems.values():
        raised = with_system(raised, replace(system, level=min(system.level + 1, 4)))
    before, after = plan_of(declared), plan_of(raised)
    assert before.connections == after.connections
    for connection in before.connections:
        assert zone_breach(before, connection) is None or zone_breach(after, connection) is not None


@sized(40, 500)
@given(declarations())
def test_lawful_flows_and_all_that_the_platform_needs_are_allowed(declaration: CloudDeclaration) -> None:
    assert breaches(declaration) == []
