"""Refuses query parameters that an operation does not have, or has once and is given twice; it reads no values."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.routing import compile_path

from api.openapi import summarise_operations

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class _KnownParameters:
    """The query parameters of the operation whose path matches."""

    path: re.Pattern[str]
    names: tuple[str, ...]


def check_parameters(request: Request) -> None:
    """Raise RequestValidationError with every unknown and every repeated parameter; pages accept any."""
    if not request.query_params:
        return
    path = request.scope["path"]
    known = next((known.names for known in _known_parameters(request.app) if known.path.match(path)), None)
    if known is None:
        return
    faults = list(_find_faults(Counter(name for name, _ in request.query_params.multi_items()), known))
    if faults:
        raise RequestValidationError(faults)


def _known_parameters(app: Any) -> list[_KnownParameters]:  # noqa: ANN401  # FastAPI's state is untyped
    known: list[_KnownParameters] | None = getattr(app.state, "known_parameters", None)
    if known is None:
        operations = summarise_operations(app.openapi())
        known = [_KnownParameters(compile_path(o.path)[0], o.parameters) for o in operations]
        app.state.known_parameters = known
    return known


def _find_faults(given: Counter[str], known: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for name, times in given.items():
        if name not in known:
            similar = difflib.get_close_matches(name, known, 1)
            remedy = f"did you mean {similar[0]}?" if similar else f"there are: {', '.join(known) or 'none'}"
            yield {"loc": ("query", name), "msg": f"unknown parameter; {remedy}", "type": "unknown_parameter"}
        elif times > 1:
            yield {"loc": ("query", name), "msg": f"given {times} times; give it once", "type": "repeated_parameter"}
