"""Digital systems in full: vantage table, availability, latency, certificates; it must not read raw events."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, SLOT, Window, floor
from telemetry.core.figures.histograms import latency_histogram
from telemetry.core.fold.totals import add_sums, add_to_sums
from telemetry.core.scope import Scope
from telemetry.queries.buckets import bucket_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemetry.core.figures.histograms import LatencyHistogram
    from telemetry.core.fold.live_row_types import AvailabilityState, VantageNow
    from telemetry.queries.availability import AvailabilityResult
    from telemetry.queries.buckets import BucketQuery
    from telemetry.queries.network import NetworkView
    from telemetry.queries.totals_cache import TotalsReader
    from telemetry.queries.views import SystemView

FIGURES_TTL_MS = 30_000
"""How long figures are cached within a slot: late probes of its last minutes are seen that late."""


@dataclass(frozen=True, slots=True)
class VantageView:
    """A vantage point; `observation` is None when it has not reported, `declared` False when it reports undeclared."""

    device: str
    declared: bool
    observation: VantageNow | None
    state: AvailabilityState


@dataclass(frozen=True, slots=True)
class SystemFigures:
    """The accounts of a system's last 24 hours, 7, 28 and 90 days, and the latency of the last 24 hours."""

    last_day: AvailabilityResult
    last_7_days: AvailabilityResult
    last_28_days: AvailabilityResult
    last_90_days: AvailabilityResult
    latency: LatencyHistogram


@dataclass(frozen=True, slots=True)
class SystemDetail:
    """A system with its figures; `quorum` of the voting points must report it up."""

    view: SystemView
    vantage_points: tuple[VantageView, ...]
    quorum: int
    figures: SystemFigures

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


@dataclass(frozen=True, slots=True)
class LatencyBucket:
    """The probes of a system in one bucket."""

    window: Window
    latency: LatencyHistogram


@dataclass(frozen=True, slots=True)
class _CachedFigures:
    slot: int
    reopened_at: int
    expires_at: int
    figures: SystemFigures


class SystemQueries:
    """Answers what is known of digital systems; `availability` accounts for a scope and window, `clock` is Unix ms."""

    def __init__(
        self, store: TotalsReader, network: Callable[[], NetworkView],
        availability: Callable[[str, Window], AvailabilityResult], clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self._store, self._network, self._availability, self._clock = store, network, availability, clock
        self._cached: dict[str, _CachedFigures] = {}

    def detail(self, ident: str) -> SystemDetail:
        """Return one system with its vantage table and figures; raises NotFound."""
        view = self._network().system(ident)
        points = tuple(vantage_points(view))
        voting_count = len(view.system.vantage) or len(points)
        quorum = min(view.system.quorum, voting_count) if voting_count else view.system.quorum
        return SystemDetail(view, points, quorum, self._figures(ident))

    def details(self) -> list[SystemDetail]:
        """Return all systems by id, without the parts of hosted ones."""
        return [self.detail(ident) for ident in self._network().inventory.whole_systems]

    def latency(self, ident: str, query: BucketQuery) -> list[LatencyBucket]:
        """Return the latency of a system bucket by bucket, of those that have begun; raises NotFound."""
        self._network().system(ident)
        now = self._clock()
        buckets = [bucket for bucket in query.buckets() if bucket.start <= now]
        starts = [bucket.start for bucket in buckets]
        sums: list[dict[str, int]] = [{} for _ in buckets]
        for width, run in query.runs_to_read():
            for total in self._store.totals([ident], width, run, "system"):
                if (place := bisect_right(starts, total.start) - 1) >= 0:
                    add_to_sums(sums[place], total.sums)
        return [LatencyBucket(bucket, latency_histogram(own)) for bucket, own in zip(buckets, sums, strict=True)]

    def _figures(self, ident: str) -> SystemFigures:
        """Return a system's figures, read again when a slot has passed or its past was written again."""
        now, reopened_at = self._clock(), self._network().snapshot.reopened_at(ident)
        slot, cached = floor(now, SLOT), self._cached.get(ident)
        is_valid = cached is not None and (cached.slot, cached.reopened_at) == (slot, reopened_at)
        if cached is None or not is_valid or not 0 <= cached.expires_at - now <= FIGURES_TTL_MS:
            figures = self._read_figures(ident, slot)
            cached = self._cached[ident] = _CachedFigures(slot, reopened_at, now + FIGURES_TTL_MS, figures)
        return cached.figures

    def _read_figures(self, ident: str, end: int) -> SystemFigures:
        day, week, month, quarter = (
            self._availability(Scope.system(ident), Window(end - days * DAY, end)) for days in (1, 7, 28, 90)
        )
        runs = bucket_query(Window(end - DAY, end), "total", self._network().inventory.zone).runs_to_read()
        totals = [total for width, run in runs for total in self._store.totals([ident], width, run, "system")]
        return SystemFigures(day, week, month, quarter, latency_histogram(add_sums(t.sums for t in totals)))


def vantage_points(view: SystemView) -> Iterable[VantageView]:
    """Yield the declared vantage points, also those without reports, then undeclared ones that reported, each by id."""
    observed = {v.device: v for v in (view.row.vantage if view.row else ())}
    declared = view.system.vantage
    for device in (*sorted(declared), *sorted(set(observed) - set(declared))):
        observation = observed.get(device)
        state: AvailabilityState = "unknown" if observation is None or view.stale else observation.state
        yield VantageView(device, device in declared, observation, state)
