"""Judges objects by the schemas that Kubernetes publishes, for tests. It must not build objects."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from kubernetes_validate import utils  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Mapping

NEWEST = "1.35"

# The package parses its definitions, over a megabyte, for each object: 11 s for the sample's objects, 1 s with this.
utils.schema_contents = cache(utils.schema_contents)


def validate_manifest(manifest: Mapping[str, Any], version: str = NEWEST) -> None:
    """Raise `kubernetes_validate.ValidationError` for an object with a field that is wrong or unknown."""
    utils.validate(dict(manifest), version, strict=True)
