"""Three-state time as five integers that add; it must hold no ratio: those are made in `accounting`, after adding.

Source: reference of the figures, `docs/reference/availability.md`: open = up + down + unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.accounting import Account

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Tally:
    """Time in scope by state, ms unless a docstring says otherwise.

    `excluded` is no part of the open time.  `elsewhere` is the part of `unknown` whose cause another objective
    is charged for (a dead site link).
    """

    up: int = 0
    down: int = 0
    unknown: int = 0
    excluded: int = 0
    elsewhere: int = 0

    @property
    def open(self) -> int:
        """Return the time in scope: up + down + unknown."""
        return self.up + self.down + self.unknown

    @property
    def account(self) -> Account:
        """Return the same integers with their ratios: availability, low, high, coverage."""
        return Account(self.open, self.up, self.down, self.unknown, self.excluded)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.up + other.up,
            self.down + other.down,
            self.unknown + other.unknown,
            self.excluded + other.excluded,
            self.elsewhere + other.elsewhere,
        )

    def seconds(self) -> Tally:
        """Return ms as whole seconds; the running sum is rounded, so that open = up + down + unknown still holds."""
        up, known, total = (_rounded(ms) for ms in (self.up, self.up + self.down, self.open))
        unknown = total - known
        return Tally(up, known - up, unknown, _rounded(self.excluded), min(unknown, _rounded(self.elsewhere)))


def _rounded(ms: int) -> int:
    return (ms + 500) // 1000


def tally(open_ms: int, up_ms: int, down_ms: int, excluded_ms: int = 0, elsewhere_ms: int = 0) -> Tally:
    """Return what was open with what was known of it; the rest is unknown.

    What is known beyond `open_ms` (a report speaks a little ahead) raises the open time, as in `accounting`.
    """
    unknown = max(0, open_ms - up_ms - down_ms)
    return Tally(up_ms, down_ms, unknown, excluded_ms, min(unknown, elsewhere_ms))


def total(tallies: Iterable[Tally]) -> Tally:
    """Add tallies; exact in any order and any grouping."""
    return sum(tallies, Tally())
