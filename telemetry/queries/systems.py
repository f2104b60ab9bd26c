"""One digital system in full: vantage table, availability, latency, certificates; it must not read raw events."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, SLOT, Window, floor
from telemetry.core.figures.histograms import latency_histogram
from telemetry.core.fold.totals import add_sums
from telemetry.core.scope import Scope
from telemetry.queries.buckets import bucket_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.histograms import LatencyHistogram
    from telemetry.core.fold.live_row_types import AvailabilityState, VantageNow
    from telemetry.core.fold.totals import Total
    from telemetry.queries.availability import AvailabilityResult
    from telemetry.queries.totals_cache import TotalsReader
    from telemetry.queries.views import SystemView


@dataclass(frozen=True, slots=True)
class VantageView:
    """A vantage point; `observation` is None when it has not reported, `declared` False when it reports undeclared."""

    device: str
    declared: bool
    observation: VantageNow | None
    state: AvailabilityState


@dataclass(frozen=True, slots=True)
class SystemDetail:
    """A system with its figures; `quorum` of the voting points must report it up."""

    view: SystemView
    vantage_points: tuple[VantageView, ...]
    quorum: int
    last_day: AvailabilityResult
    last_28_days: AvailabilityResult
    latency: LatencyHistogram

    @property
    def voting_points(self) -> tuple[VantageView, ...]:
        """Return the vantage points that count: the declared ones, or all when none is declared."""
        return tuple(v for v in self.vantage_points if v.declared) or self.vantage_points

    @property
    def earliest_expiry(self) -> VantageView | None:
        """Return the vantage point whose certificate expires first."""
        points_by_days = [
            (v.observation.tls_days, v)
            for v in self.vantage_points
            if v.observation is not None and v.observation.tls_days is not None
        ]
        return min(points_by_days, key=itemgetter(0), default=(0, None))[1]


def read_system_detail(
    store: TotalsReader, availability: Callable[[str, Window], AvailabilityResult], view: SystemView, zone: ZoneInfo,
    now: int,
) -> SystemDetail:  # fmt: skip
    """Read the figures of a system's last day and 28 days; `availability` accounts for a scope and window."""
    scope, end = Scope.system(view.system.id), floor(now, SLOT)
    day, month = Window(end - DAY, end), Window(end - 28 * DAY, end)
    last_day, last_28_days = (availability(scope, window) for window in (day, month))
    runs = bucket_query(day, "total", zone).runs_to_read()
    totals = [total for width, window in runs for total in store.totals([scope.id], width, window, "system")]
    return build_system_detail(view, last_day, last_28_days, totals)


def build_system_detail(
    view: SystemView, last_day: AvailabilityResult, last_28_days: AvailabilityResult, totals: Iterable[Total]
) -> SystemDetail:
    """Join a system's view with its availability and its totals of the last day."""
    points = tuple(vantage_points(view))
    voting_count = len(view.system.vantage) or len(points)
    quorum = min(view.system.quorum, voting_count) if voting_count else view.system.quorum
    return SystemDetail(
        view, points, quorum, last_day, last_28_days, latency_histogram(add_sums(t.sums for t in totals))
    )


def vantage_points(view: SystemView) -> Iterable[VantageView]:
    """Yield the declared vantage points, also those without reports, then undeclared ones that reported, each by id."""
    observed = {v.device: v for v in (view.row.vantage if view.row else ())}
    declared = view.system.vantage
    for device in (*sorted(declared), *sorted(set(observed) - set(declared))):
        observation = observed.get(device)
        state: AvailabilityState = "unknown" if observation is None or view.stale else observation.state
        yield VantageView(device, device in declared, observation, state)
