"""Two sizes of property tests: short in `make test`, long in `make chaos` (LONG=1); it must hold no test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = os.environ.get("LONG") == "1"
EXAMPLES = 400 if LONG else 40
"""How many examples a property test has that does not state another number."""
Test = TypeVar("Test", bound="Callable[..., Any]")


def sized(short: int, long: int, **more: Any) -> Callable[[Test], Test]:  # noqa: ANN401
    """Decorate a slow property test with its own two numbers of examples; `more` are settings of hypothesis."""
    examples = settings(max_examples=long if LONG else short, deadline=None, **more)
    return lambda test: pytest.mark.sized(examples(test))
