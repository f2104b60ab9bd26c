"""What late data changed of a published month: both figures and their difference; it must never replace either."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.core.inventory import Published

FIGURES = ("open", "up", "down", "unknown", "excluded", "good", "bad")


@dataclass(frozen=True, slots=True)
class Correction:
    """A published figure and what the same time is now known to have been; `difference` is now − published, signed."""

    published: Published
    now: Published
    difference: Published


def correction(published: Published, now: Published) -> Correction | None:
    """Compare what was published with what is computed now; None when every figure is the same.

    Raises ValueError when the two are not about one month, scope and objective.
    """
    if _about(published) != _about(now):
        msg = f"{_about(published)} and {_about(now)} are not one figure: compare those of one key"
        raise ValueError(msg)
    signed = {name: getattr(now, name) - getattr(published, name) for name in FIGURES}
    return Correction(published, now, replace(published, **signed)) if any(signed.values()) else None


def _about(found: Published) -> tuple[str, str, str]:
    return found.month, found.scope, found.objective
