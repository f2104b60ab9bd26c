"""A fault of what is declared names the place that the declaration came from, as far as it is known."""

from __future__ import annotations

import pytest

from telemetry.errors import declaration_fault


@pytest.mark.parametrize(
    ("declared_at", "place"),
    [
        ("flows.csv:7", "flows.csv:7"),
        ("inventory/a:b/flows.csv:7", "inventory/a:b/flows.csv:7"),
        ("flows.csv", "flows.csv"),
        ("", "cloud.toml"),
    ],
)
def test_the_place_is_the_declared_one_and_else_the_usual_file(declared_at: str, place: str) -> None:
    fault = declaration_fault(declared_at, "cloud.toml", "port", "is closed", "open it")
    assert str(fault) == f"{place}: port: is closed; open it"
