"""k of n with three-valued logic, capacity shares, and what-if figures; it must combine states, never percentages.

Source: slo.md 2.5.  `telemetry.core.fold.states` does the same along a time axis.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.intervals import overlap
from telemetry.core.calendar.windows import Window
from telemetry.core.fold import states

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.fold.live_row_types import State
    from telemetry.core.fold.states import Segment

Grade = Literal["operational", "degraded", "partial_outage", "major_outage", "unknown"]


def at_least(k: int, members: Iterable[State]) -> State:
    """Return up if #up ≥ k, down if #up + #unknown < k, else unknown."""
    found = list(members)
    ups = found.count("up")
    if ups >= k:
        return "up"
    return "down" if ups + found.count("unknown") < k else "unknown"


def every(members: Iterable[State]) -> State:
    """Combine in series (AND): down wins over unknown, unknown over up."""
    found = list(members)
    return at_least(len(found), found)


def some(members: Iterable[State]) -> State:
    """Combine redundant members (OR): up wins over unknown, unknown over down."""
    return at_least(1, members)


def capacity(up: int, unknown: int, k: int) -> tuple[float, float]:
    """Return the share min(1, #up ÷ k) of what the roster needs: if what is unknown is down, and if it is up."""
    if k <= 0:
        return 1.0, 1.0
    return min(1.0, up / k), min(1.0, (up + unknown) / k)


def grade(low: float, high: float) -> Grade:
    """Name a capacity: ≥ 1 operational, ≥ 0.5 degraded, > 0 partial, 0 major; unknown when the bounds disagree."""
    one, other = _grade(low), _grade(high)
    return one if one == other else "unknown"


def _grade(share: float) -> Grade:
    if share >= 1:
        return "operational"
    if share >= 0.5:
        return "degraded"
    return "partial_outage" if share > 0 else "major_outage"


def capacity_share(members: Sequence[Sequence[Segment]], k: int, scope: Sequence[Window]) -> tuple[float, float] | None:
    """Return ∫S·cap ÷ ∫S over the time in scope, low and high bound; None when there is none."""
    edges = sorted({e for m in members for s in m for e in (s.start, s.end)} | {e for w in scope for e in _edges(w)})
    low = high = 0.0
    whole = 0
    for start, end in pairwise(edges):
        part = sum(w.length for w in overlap([Window(start, end)], scope))
        now = [states.state_at(m, start) for m in members]
        least, most = capacity(now.count("up"), now.count("unknown"), k)
        low, high, whole = low + part * least, high + part * most, whole + part
    return (low / whole, high / whole) if whole else None


def _edges(window: Window) -> tuple[int, int]:
    return window.start, window.end


def odds(availabilities: Sequence[float], k: int) -> float:
    """Return the what-if availability of k of n independent members, each with its own (Poisson-binomial).

    For planning only: common power and links make real members dependent.
    """
    ways = [1.0]
    for a in availabilities:
        ways = [down * (1 - a) + up * a for down, up in zip([*ways, 0.0], [0.0, *ways], strict=True)]
    return sum(ways[max(0, k) :])
