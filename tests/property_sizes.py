"""Two sizes of the slow property tests: short in `make test`, long in `make chaos` (LONG=1); it must hold no test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = os.environ.get("LONG") == "1"
Test = TypeVar("Test", bound="Callable[..., Any]")


def sized(short: int, long: int, **more: Any) -> Callable[[Test], Test]:  # noqa: ANN401
    """Decorate a property test with its two numbers of examples; `more` are settings of hypothesis."""
    examples = settings(max_examples=long if LONG else short, deadline=None, **more)
    return lambda test: pytest.mark.sized(examples(test))
