"""Reads Kubernetes objects that may have any form: what is missing or of another kind is empty. Pure; knows no rule."""

from __future__ import annotations

from typing import Any

UNKNOWN = "(unknown)"
"""Stands for a value that a preview does not know yet."""
KubernetesObject = dict[str, Any]


def as_mapping(value: object) -> KubernetesObject:
    """Return a mapping, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return a list, or an empty one."""
    return value if isinstance(value, list) else []


def equals_or_unknown(value: object, expected: object) -> bool:
    """Tell whether a value is the wanted one, or may turn out to be."""
    return value in (expected, UNKNOWN)
