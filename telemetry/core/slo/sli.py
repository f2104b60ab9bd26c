"""Three-state time as five integers that add; it must hold no ratio: those are made in `accounting`, after adding.

Source: reference of the figures, `docs/reference/availability.md`: open = up + down + unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.accounting import TimeAccount

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class TimeByState:
    """Time in scope by state, ms unless a docstring says otherwise.

    `excluded` is no part of the open time.  `elsewhere` is the part of `unknown` whose cause another objective
    is charged for (a dead site link).
    """

    up: int = 0
    down: int = 0
    unknown: int = 0
    excluded: int = 0
    charged_elsewhere: int = 0

    @property
    def open(self) -> int:
        """Return the time in scope: up + down + unknown."""
        return self.up + self.down + self.unknown

    @property
    def account(self) -> TimeAccount:
        """Return the same integers with their ratios: availability, low, high, coverage."""
        return TimeAccount(self.open, self.up, self.down, self.unknown, self.excluded)

    def __add__(self, other: TimeByState) -> TimeByState:
        return TimeByState(
            self.up + other.up,
            self.down + other.down,
            self.unknown + other.unknown,
            self.excluded + other.excluded,
            self.charged_elsewhere + other.charged_elsewhere,
        )

    def to_seconds(self) -> TimeByState:
        """Return ms as whole seconds; the running sum is rounded, so that open = up + down + unknown still holds."""
        up, known_s, total = (_round_to_seconds(ms) for ms in (self.up, self.up + self.down, self.open))
        unknown = total - known_s
        return TimeByState(
            up,
            known_s - up,
            unknown,
            _round_to_seconds(self.excluded),
            min(unknown, _round_to_seconds(self.charged_elsewhere)),
        )


def _round_to_seconds(ms: int) -> int:
    return (ms + 500) // 1000


def to_time_by_state(
    open_ms: int, up_ms: int, down_ms: int, excluded_ms: int = 0, charged_elsewhere_ms: int = 0
) -> TimeByState:
    """Return what was open with what was known of it; the rest is unknown.

    What is known beyond `open_ms` (a report speaks a little ahead) raises the open time, as in `accounting`.
    """
    unknown = max(0, open_ms - up_ms - down_ms)
    return TimeByState(up_ms, down_ms, unknown, excluded_ms, min(unknown, charged_elsewhere_ms))


def sum_times(times: Iterable[TimeByState]) -> TimeByState:
    """Add tallies; exact in any order and any grouping."""
    return sum(times, TimeByState())
