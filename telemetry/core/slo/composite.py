"""When a centre works: its parts combined on one time axis; it must not multiply percentages.

Source: slo.md 2.5: power and (link or local mode) and queue server and at least one kiosk and k of n counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core import states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.states import Segment

Known = tuple[tuple["Segment", ...], ...]
"""The known states of the declared members of one part; an empty one is a part the centre does not have."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A centre's parts as segments; `k` is how many counters the roster needs."""

    power: Known = ()
    link: Known = ()
    local: Known = ()
    server: Known = ()
    kiosks: Known = ()
    counters: Known = ()
    k: int = 1


def working(parts: Parts) -> list[Segment]:
    """Return when the centre was up and down; parts it does not have are left out, without any it is unknown."""
    needed = [*map(list, (*parts.power, *parts.server))]
    needed += [states.any_of(group) for group in (_ways(parts), parts.kiosks) if group]
    if parts.counters:
        needed.append(states.k_of_n(parts.counters, parts.k))
    return states.all_of(needed) if needed else []


def _ways(parts: Parts) -> Sequence[Sequence[Segment]]:
    """A centre works through its link or by itself; without a declared link it does not depend on one."""
    return (*parts.link, *parts.local) if parts.link else ()
