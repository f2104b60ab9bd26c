"""Reads Kubernetes objects that may have any form: what is missing or of another kind is empty. Pure; knows no rule."""

from __future__ import annotations

from typing import Any

UNKNOWN = "(unknown)"
"""Stands for a value that a preview does not know yet."""
Object = dict[str, Any]


def mapping(value: object) -> Object:
    """Return a mapping, or an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """Return a list, or an empty one."""
    return value if isinstance(value, list) else []


def is_or_unknown(value: object, wanted: object) -> bool:
    """Tell whether a value is the wanted one, or may turn out to be."""
    return value in (wanted, UNKNOWN)
