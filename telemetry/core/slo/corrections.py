"""What late data changed of a published month: both figures and their difference; it must never replace either."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.core.inventory import PublishedFigures

PUBLISHED_FIGURES = ("open", "up", "down", "unknown", "excluded", "good", "bad")


@dataclass(frozen=True, slots=True)
class PublishedCorrection:
    """A published figure and what the same time is now known to have been; `difference` is now − published, signed."""

    published: PublishedFigures
    current: PublishedFigures
    difference: PublishedFigures


def find_correction(published: PublishedFigures, current: PublishedFigures) -> PublishedCorrection | None:
    """Compare what was published with what is computed now; None when every figure is the same.

    Raises ValueError when the two are not about one month, scope and objective.
    """
    if _figure_key(published) != _figure_key(current):
        msg = f"{_figure_key(published)} and {_figure_key(current)} are not one figure: compare those of one key"
        raise ValueError(msg)
    differences = {name: getattr(current, name) - getattr(published, name) for name in PUBLISHED_FIGURES}
    return (
        PublishedCorrection(published, current, replace(published, **differences))
        if any(differences.values())
        else None
    )


def _figure_key(figures: PublishedFigures) -> tuple[str, str, str]:
    return figures.month, figures.scope, figures.objective
