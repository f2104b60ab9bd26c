"""Fixtures only: what Pulumi's SDK leaves changed in the process is put back after each test."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def original_pickler() -> Iterator[None]:
    """Undo the SDK's wrapper of a pickler's method: it wraps once more for each provider that it serialises.

    Without this, a process that runs many programs ends with a RecursionError.
    """
    pickler: Any = vars(pickle)["_Pickler"]
    methods = {name: getattr(pickler, name) for name in ("_batch_setitems", "save_dict")}
    yield
    for name, method in methods.items():
        setattr(pickler, name, method)
