"""When a centre works: its parts combined on one time axis; it must not multiply percentages.

Source: slo.md 2.5: queue server and at least one kiosk and k of n counters.  Its power and link are no parts here: no
device reports power, and the gateway in service is the centre's local mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.fold import states

if TYPE_CHECKING:
    from telemetry.core.fold.states import StateSegment

MemberSegments = tuple[tuple["StateSegment", ...], ...]
"""The known states of the declared members of one part; an empty one is a part the centre does not have."""


@dataclass(frozen=True, slots=True)
class CentreParts:
    """A centre's parts as segments; `k` is how many counters the roster needs."""

    server: MemberSegments = ()
    kiosks: MemberSegments = ()
    counters: MemberSegments = ()
    counters_needed: int = 1


def combine_parts(parts: CentreParts) -> list[StateSegment]:
    """Return when the centre was up and down; parts it does not have are left out, without any it is unknown."""
    needed = [*map(list, parts.server)]
    if parts.kiosks:
        needed.append(states.any_of(parts.kiosks))
    if parts.counters:
        needed.append(states.k_of_n(parts.counters, parts.counters_needed))
    return states.all_of(needed) if needed else []
