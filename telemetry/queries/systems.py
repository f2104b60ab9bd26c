"""Everything about one digital system: its vantage table, availability, latency, certificates; no raw events."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from telemetry.core.fold.totals import add
from telemetry.core.latency import latency

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.figures.accounting import Account
    from telemetry.core.fold.live_row_types import State, VantageNow
    from telemetry.core.fold.totals import Total
    from telemetry.core.latency import Latency
    from telemetry.queries.views import SystemView


@dataclass(frozen=True, slots=True)
class VantageView:
    """A vantage point; `seen` is None when it has said nothing, `declared` False when nobody asked it to."""

    device: str
    declared: bool
    seen: VantageNow | None
    state: State


@dataclass(frozen=True, slots=True)
class SystemDetail:
    """A system with its figures; `quorum` of `needed_of` vantage points must see it up."""

    view: SystemView
    vantage: tuple[VantageView, ...]
    quorum: int
    day: Account
    month: Account
    latency: Latency

    @property
    def needed_of(self) -> int:
        """Return how many vantage points are asked."""
        return len(self.asked)

    @property
    def asked(self) -> tuple[VantageView, ...]:
        """Return the vantage points that have a say: the declared ones, or all when none is."""
        return tuple(v for v in self.vantage if v.declared) or self.vantage

    @property
    def expiry(self) -> VantageView | None:
        """Return the vantage point that sees the certificate expire first."""
        found = [(v.seen.tls_days, v) for v in self.vantage if v.seen is not None and v.seen.tls_days is not None]
        return min(found, key=itemgetter(0), default=(0, None))[1]


def system_detail(view: SystemView, day: Account, month: Account, totals: Iterable[Total]) -> SystemDetail:
    """Join a system's view with its accounts and its totals of the last day."""
    table = tuple(vantage(view))
    asked = len(view.system.vantage) or len(table)
    quorum = min(view.system.quorum, asked) if asked else view.system.quorum
    return SystemDetail(view, table, quorum, day, month, latency(add(t.sums for t in totals)))


def vantage(view: SystemView) -> Iterable[VantageView]:
    """Yield the declared vantage points, the silent ones too, then those that spoke unasked, by id."""
    seen = {v.device: v for v in (view.row.vantage if view.row else ())}
    declared = view.system.vantage
    for device in (*sorted(declared), *sorted(set(seen) - set(declared))):
        said = seen.get(device)
        state: State = "unknown" if said is None or view.stale else said.state
        yield VantageView(device, device in declared, said, state)
