"""The terms of the indicator catalogue: an indicator, its kind, its unit; it must hold no values and no targets.

An indicator is a numerator and a denominator, each the sum of named figures (`telemetry.core.kpi.figures`).  Both are
always kept and shown; a figure that nobody reports makes the indicator "no source", which is never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Strand = Literal["institutions", "procedures", "organisation", "civil_service", "public_finance", "modernisation"]
"""The six strands of the administrative reform programme 2021–2030 that an indicator belongs to."""
IndicatorUnit = Literal["ratio", "s", "count", "rank", "score", "milestone"]
Direction = Literal["up", "down"]
"""Whether a larger or a smaller value is better."""
IndicatorSource = Literal["events", "catalogue", "totals", "live", "import", "declared"]
"""Where the figures come from: events of digital administration, catalogue snapshots, totals of queues, systems and
centres, the live state, yearly imports, or a declaration alone."""
LEVELS = ("province", "district", "commune")


@dataclass(frozen=True, slots=True)
class Indicator:
    """One row of the catalogue.

    Its value is the sum of the `numerator` figures ÷ the sum of the `denominator` figures; without a denominator it is
    the numerator.  `evidence` are the figures of which one is above 0 when anybody reports them (default: both sides).
    `by_level` indicators have a value for each administrative level beside that of all.  `interval` ones are shares of
    a sample and shown with Wilson's 95 % interval.  `scale` divides the value (1000: milliseconds to seconds).
    """

    id: str
    name_vi: str
    name_en: str
    strand: Strand
    owner: str
    unit: IndicatorUnit
    source: IndicatorSource
    numerator: tuple[str, ...] = ()
    denominator: tuple[str, ...] = ()
    formula: str = ""
    direction: Direction = "up"
    by_level: bool = False
    interval: bool = False
    scale: int = 1
    evidence: tuple[str, ...] = ()
    note_vi: str = ""
    note_en: str = ""

    @property
    def evidence_figures(self) -> tuple[str, ...]:
        """Return the figures of which one is above 0 when there is a source."""
        return self.evidence or (*self.denominator, *self.numerator)
