"""Three-state time: up, down and unknown seconds and the ratios made of them; it must not read stores or clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.inventory import UnknownPolicy


@dataclass(frozen=True, slots=True)
class TimeAccount:
    """Whole seconds in scope: total = up + down + unknown; `excluded` seconds are no part of the total.

    Every ratio is made from these very seconds, so a reader can do the division again.
    """

    total: int
    up: int
    down: int
    unknown: int
    excluded: int = 0

    def availability(self, policy: UnknownPolicy = "exclude") -> float | None:
        """Return the available share under a policy for unknown time, None when there is nothing to divide by."""
        if policy == "exclude":
            return _ratio(self.up, self.up + self.down)
        return self.high if policy == "up" else self.low

    @property
    def low(self) -> float | None:
        """Return the share if all unknown time was down."""
        return _ratio(self.up, self.total)

    @property
    def high(self) -> float | None:
        """Return the share if all unknown time was up."""
        return _ratio(self.up + self.unknown, self.total)

    @property
    def coverage(self) -> float | None:
        """Return the share of time that is known."""
        return _ratio(self.up + self.down, self.total)


def _ratio(part: int, total: int) -> float | None:
    return part / total if total else None


def _round_to_seconds(ms: int) -> int:
    return (ms + 500) // 1000


def time_account(total_ms: int, up_ms: int, down_ms: int, excluded_ms: int = 0) -> TimeAccount:
    """Account for a window; what was seen beyond `total_ms` (a report speaks a little ahead) raises the total.

    The running sum is rounded, not the parts, so the parts always add up.
    """
    up, known_s = _round_to_seconds(up_ms), _round_to_seconds(up_ms + down_ms)
    total = _round_to_seconds(max(total_ms, up_ms + down_ms))
    return TimeAccount(total, up, known_s - up, total - known_s, _round_to_seconds(excluded_ms))


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
