from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from infra.config.options import SECRET_NAMES, NationalOptions, StackOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

DOC = (Path(__file__).resolve().parents[3] / "docs/reference/stacks.md").read_text(encoding="utf-8")


def keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        kind = NationalOptions if name == "national" else field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, f"{to_camel(name)}.")
        else:
            yield prefix + to_camel(name)


def test_every_key_and_secret_of_a_stack_is_described() -> None:
    assert [name for name in (*keys(StackOptions), *SECRET_NAMES) if f"`{name}`" not in DOC] == []


@pytest.mark.parametrize(
    "name",
    sorted(set(re.findall(r"`((?:influx|broker|pki|tokens|national|local|kubernetes|openstack|cloud)\.\w+)`", DOC))),
)
def test_no_key_is_described_that_there_is_not(name: str) -> None:
    assert name in set(keys(StackOptions))
