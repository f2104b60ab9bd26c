"""Which centres a province's figures count: those of its inventory. It must not read a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.inventory import Centre


def declared_centres(centres: Iterable[Centre]) -> list[Centre]:
    """Return those that are no imported logs, by id: a log was imported to be looked at, not to be counted."""
    return sorted((centre for centre in centres if not centre.imported), key=lambda centre: centre.id)
