"""Random declarations hold together before anything is written or read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given

from tests.cloud_declarations import declarations, lawful_flows
from tests.property_sizes import sized

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration


@sized(30, 300)
@given(declarations())
def test_components_and_flows_name_what_is_declared(declaration: CloudDeclaration) -> None:
    assert {one.system for one in declaration.components} == set(declaration.systems)
    ends = {(flow.source, flow.target) for flow in lawful_flows(declaration)}
    assert {(flow.source, flow.target) for flow in declaration.flows} <= ends
    for flow in declaration.flows:
        assert (declaration.component(flow.source) or declaration.component(flow.target)) is not None
