"""k of n with three-valued logic, capacity shares and what-if figures, as the reference defines them; for tests.

Source: slo.md 2.5.  `telemetry.core.fold.states` does the same along a time axis.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import Window, intersection
from telemetry.core.fold import states
from telemetry.core.fold.centre_state import capacity_bounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.fold.live_row_types import AvailabilityState
    from telemetry.core.fold.states import StateSegment

CapacityGrade = Literal["operational", "degraded", "partial_outage", "major_outage", "unknown"]


def k_of_n_state(k: int, members: Iterable[AvailabilityState]) -> AvailabilityState:
    """Return up if #up ≥ k, down if #up + #unknown < k, else unknown."""
    member_states = list(members)
    ups = member_states.count("up")
    if ups >= k:
        return "up"
    return "down" if ups + member_states.count("unknown") < k else "unknown"


def all_of_state(members: Iterable[AvailabilityState]) -> AvailabilityState:
    """Combine in series (AND): down wins over unknown, unknown over up."""
    member_states = list(members)
    return k_of_n_state(len(member_states), member_states)


def any_of_state(members: Iterable[AvailabilityState]) -> AvailabilityState:
    """Combine redundant members (OR): up wins over unknown, unknown over down."""
    return k_of_n_state(1, members)


def grade_capacity(low: float, high: float) -> CapacityGrade:
    """Name a capacity: ≥ 1 operational, ≥ 0.5 degraded, > 0 partial, 0 major; unknown when the bounds disagree."""
    lowest, highest = _grade_share(low), _grade_share(high)
    return lowest if lowest == highest else "unknown"


def _grade_share(share: float) -> CapacityGrade:
    if share >= 1:
        return "operational"
    if share >= 0.5:
        return "degraded"
    return "partial_outage" if share > 0 else "major_outage"


def mean_capacity_bounds(
    members: Sequence[Sequence[StateSegment]], k: int, scope: Sequence[Window]
) -> tuple[float, float] | None:
    """Return ∫S·cap ÷ ∫S over the time in scope, low and high bound; None when there is none."""
    edges = sorted(
        {e for m in members for s in m for e in (s.start, s.end)} | {e for w in scope for e in _window_edges(w)}
    )
    low = high = 0.0
    total_ms = 0
    for start, end in pairwise(edges):
        part = sum(w.length for w in intersection([Window(start, end)], scope))
        current_states = [states.state_at(m, start) for m in members]
        least, most = capacity_bounds(current_states.count("up"), current_states.count("unknown"), k)
        low, high, total_ms = low + part * least, high + part * most, total_ms + part
    return (low / total_ms, high / total_ms) if total_ms else None


def _window_edges(window: Window) -> tuple[int, int]:
    return window.start, window.end


def k_of_n_availability(availabilities: Sequence[float], k: int) -> float:
    """Return the what-if availability of k of n independent members, each with its own (Poisson-binomial).

    For planning only: common power and links make real members dependent.
    """
    probabilities = [1.0]
    for a in availabilities:
        probabilities = [
            down * (1 - a) + up * a for down, up in zip([*probabilities, 0.0], [0.0, *probabilities], strict=True)
        ]
    return sum(probabilities[max(0, k) :])
