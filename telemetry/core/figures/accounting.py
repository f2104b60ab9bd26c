"""Three-state time: up, down and unknown time that adds, and the ratios made of it; it must not read stores or clocks.

Source: `docs/reference/availability.md`: open = up + down + unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.inventory import UnknownPolicy


@dataclass(frozen=True, slots=True)
class TimeByState:
    """Time in scope by state, ms unless a docstring says otherwise; figures are published in whole seconds.

    `excluded` is not part of the open time; `not_in_service` is the part of it before something was in service, or
    after.  `charged_elsewhere` is the part of `unknown` whose cause another objective
    is charged for (a dead site link).  Every ratio is computed from these integers, so a reader can verify it.
    """

    up: int = 0
    down: int = 0
    unknown: int = 0
    excluded: int = 0
    charged_elsewhere: int = 0
    not_in_service: int = 0

    @property
    def open(self) -> int:
        """Return the time in scope: up + down + unknown."""
        return self.up + self.down + self.unknown

    def availability(self, policy: UnknownPolicy = "exclude") -> float | None:
        """Return the available share under a policy for unknown time, None when there is nothing to divide by."""
        if policy == "exclude":
            return _ratio(self.up, self.up + self.down)
        return self.high if policy == "up" else self.low

    @property
    def low(self) -> float | None:
        """Return the share if all unknown time was down."""
        return _ratio(self.up, self.open)

    @property
    def high(self) -> float | None:
        """Return the share if all unknown time was up."""
        return _ratio(self.up + self.unknown, self.open)

    @property
    def coverage(self) -> float | None:
        """Return the share of time that is known."""
        return _ratio(self.up + self.down, self.open)

    def __add__(self, other: TimeByState) -> TimeByState:
        return TimeByState(
            self.up + other.up,
            self.down + other.down,
            self.unknown + other.unknown,
            self.excluded + other.excluded,
            self.charged_elsewhere + other.charged_elsewhere,
            self.not_in_service + other.not_in_service,
        )

    def to_seconds(self) -> TimeByState:
        """Return ms as whole seconds; the running sum is rounded, so that open = up + down + unknown still holds."""
        # Written out, not as a loop: every evaluation of an objective rounds twice.
        up, known = (self.up + 500) // 1000, (self.up + self.down + 500) // 1000
        unknown = (self.up + self.down + self.unknown + 500) // 1000 - known
        elsewhere = min(unknown, (self.charged_elsewhere + 500) // 1000)
        excluded = (self.excluded + 500) // 1000
        return TimeByState(up, known - up, unknown, excluded, elsewhere, (self.not_in_service + 500) // 1000)


@dataclass(frozen=True, slots=True)
class CoveredRatio:
    """A ratio with its bounds and coverage, each from 0 to 1, or None where there is nothing to divide by.

    `coverage_sufficient` is whether the coverage reaches the floor, None without a coverage (what counts is not time).
    """

    value: float | None
    low: float | None
    high: float | None
    coverage: float | None
    coverage_sufficient: bool | None

    @property
    def form(self) -> Literal["none", "point", "range"]:
        """Return how it may be shown: not at all, as `value`, or from `low` to `high` when too little is known."""
        if self.value is None:
            return "none"
        return "range" if self.coverage_sufficient is False else "point"


def reaches_floor(coverage: float | None, floor: float) -> bool | None:
    """Return whether a coverage is at least the floor; None without a coverage."""
    return None if coverage is None else coverage >= floor


def covered_ratio(value: float | None, account: TimeByState, floor: float) -> CoveredRatio:
    """Return a ratio made of an account's time with its bounds, judged by the coverage floor (0 to 1)."""
    coverage = account.coverage
    return CoveredRatio(value, account.low, account.high, coverage, reaches_floor(coverage, floor))


def _ratio(part: int, total: int) -> float | None:
    return part / total if total else None


def to_time_by_state(
    open_ms: int,
    up_ms: int,
    down_ms: int,
    excluded_ms: int = 0,
    charged_elsewhere_ms: int = 0,
    not_in_service_ms: int = 0,
) -> TimeByState:
    """Return open time by state; what is not known of it is unknown.

    Known time beyond `open_ms` (a report is valid for a while after now) raises the open time.
    """
    unknown = max(0, open_ms - up_ms - down_ms)
    return TimeByState(up_ms, down_ms, unknown, excluded_ms, min(unknown, charged_elsewhere_ms), not_in_service_ms)


def sum_times(times: Iterable[TimeByState]) -> TimeByState:
    """Add times by state; exact in any order and any grouping."""
    return sum(times, TimeByState())


def time_in_scope(  # the parts of one formula, by name
    open_ms: int, up_ms: int, down_ms: int, *, excluded_ms: int, not_in_service_ms: int, platform_outage_ms: int
) -> TimeByState:
    """Return a window's time by state: outages of the platform and time out of service are excluded from its open time.

    `open_ms` and `excluded_ms` are what the calendar says of the window; source: `docs/reference/availability.md`.
    """
    in_scope = max(0, open_ms - not_in_service_ms - platform_outage_ms)
    excluded = excluded_ms + not_in_service_ms + platform_outage_ms
    return to_time_by_state(in_scope, up_ms, down_ms, excluded, not_in_service_ms=not_in_service_ms)
