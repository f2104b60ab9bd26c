"""Random declarations hold together, and what is written to the files is what is read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given

from telemetry import inventory
from tests.cloud_declarations import declarations, lawful_flows
from tests.cloud_examples import base_declaration
from tests.cloud_files import write_inventory
from tests.property_sizes import sized

if TYPE_CHECKING:
    import pytest

    from telemetry.core.cloud.values import CloudDeclaration


def test_the_example_is_read_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = write_inventory(tmp_path_factory.mktemp("example"), base_declaration())
    assert inventory.load(folder).cloud == base_declaration()


@sized(40, 500)
@given(declarations())
def test_a_declaration_is_read_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, declaration: CloudDeclaration
) -> None:
    folder = write_inventory(tmp_path_factory.getbasetemp() / "random", declaration)
    assert inventory.load(folder).cloud == declaration


@sized(30, 300)
@given(declarations())
def test_components_and_flows_name_what_is_declared(declaration: CloudDeclaration) -> None:
    assert {one.system for one in declaration.components} == set(declaration.systems)
    ends = {(flow.source, flow.target) for flow in lawful_flows(declaration)}
    assert {(flow.source, flow.target) for flow in declaration.flows} <= ends
    for flow in declaration.flows:
        assert (declaration.component(flow.source) or declaration.component(flow.target)) is not None
