"""Three-state time: up, down and unknown seconds and the ratios made of them; it must not read stores or clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
