"""The network at one instant: inventory, live rows and imported centres; finds entities by id and reads scopes. Pure.

It must not read stores or clocks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import time
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from telemetry.core.figures.condition import (
    CONDITIONS_WORST_FIRST,
    NetworkFacts,
    QueueTarget,
    assess_network,
    attention_key,
)
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.centre_state import capacity_devices
from telemetry.core.fold.live_row_types import CentreNow, ImportFacts
from telemetry.core.fold.totals import add_sums
from telemetry.core.in_service import ALL_IN_SERVICE, covers
from telemetry.core.inventory import ALWAYS_OPEN, Centre, Service
from telemetry.core.scope import Scope
from telemetry.core.slo.evaluation import scopes_of
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.errors import BadScope, NotFound
from telemetry.queries.views import (
    NO_PLACE_FACTS,
    STALE_MS,
    CentreView,
    PlaceFacts,
    SystemView,
    build_centre_view,
    count_states,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.condition import Condition, NetworkAssessment, StatusIndicator
    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.fold.live_row_types import AvailabilityState
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Inventory, OpeningHours, Target
    from telemetry.queries.buckets import CalendarSource
    from telemetry.queries.snapshot import Snapshot
    from telemetry.queries.views import DeviceView


@dataclass(frozen=True, slots=True)
class QueryScope:
    """A scope of availability: kind and scopes of its totals, and each entity's centre or calendar.

    `in_service` has, by entity, when its time counts; what is not in it always does.
    """

    label: str
    kind: str
    names: frozenset[str]
    calendars: dict[str, CalendarSource]
    zone: ZoneInfo
    in_service: Mapping[str, Window] = field(default_factory=dict)

    def within(self, window: Window, periods: ServicePeriods, sli: str = "service") -> QueryScope:
        """Return the scope with the service periods that do not cover a window; usually these are none."""
        scopes = {entity: self.label if self.kind == "device" else f"{self.kind}:{entity}" for entity in self.calendars}
        window_of = periods.connectivity_window_of if sli == "connectivity" else periods.window_of
        windows = {entity: window_of(scope) for entity, scope in scopes.items()}
        return replace(self, in_service={e: w for e, w in windows.items() if not covers(w, window)})


@dataclass(frozen=True, slots=True)
class NetworkView:
    """What is declared and what was observed, at `now` (Unix ms)."""

    inventory: Inventory
    snapshot: Snapshot
    now: int
    facts: PlaceFacts = NO_PLACE_FACTS

    def declared_centres(self) -> list[CentreView]:
        """Return the inventory's centres by id."""
        return [self.centre_view(c) for c in declared_centres(self.inventory.centres.values())]

    def imported_centres(self) -> list[CentreView]:
        """Return the centres of imported logs, by id."""
        return sorted((self.centre_view(c) for c in self._imported_declarations()), key=lambda v: v.centre.id)

    def centre_views(self) -> list[CentreView]:
        """Return all centres by id."""
        return sorted((*self.declared_centres(), *self.imported_centres()), key=lambda v: v.centre.id)

    def centres(self) -> list[Centre]:
        """Return all centres' declarations by id."""
        declared = declared_centres(self.inventory.centres.values())
        return sorted((*declared, *self._imported_declarations()), key=lambda c: c.id)

    def _imported_declarations(self) -> Iterator[Centre]:
        """Yield the centres of logs that were imported; a mapping alone is none."""
        for ident, row in sorted(self.snapshot.centres.items()):
            declared = self.inventory.centres.get(ident)
            if row.declared and (declared is None or declared.imported):
                yield build_imported_centre(row, self.inventory.zone)

    def centre_view(self, centre: Centre) -> CentreView:
        """Join a centre's declaration with its live row."""
        declared = self.inventory.devices_of(centre.id)
        return build_centre_view(centre, declared, self.snapshot.centres.get(centre.id), self.now, self.facts)

    def centre(self, ident: str) -> Centre:
        """Find a centre, declared or imported."""
        declared = self.inventory.centres.get(ident)
        if declared is not None and not declared.imported:
            return declared
        row = self.snapshot.centres.get(ident)
        if row is None or not row.declared:
            raise NotFound(ident, "centre")
        return build_imported_centre(row, self.inventory.zone)

    def device(self, ident: str) -> DeviceView:
        """Find a device, declared or only reported by a centre."""
        declared = self.inventory.devices.get(ident)
        owners = [declared.centre] if declared else [c.id for c in self.centres() if ident.startswith(c.id + "-")]
        for owner in owners:
            for view in self.centre_view(self.centre(owner)).devices:
                if view.now.id == ident:
                    return view
        raise NotFound(ident, "device")

    def systems(self) -> list[SystemView]:
        """Return the digital systems by id, without the parts of hosted ones."""
        return [self.system(ident) for ident in self.inventory.whole_systems]

    def parts_of(self, ident: str) -> list[SystemView]:
        """Return what is probed of a hosted system beside itself, by id."""
        return [self.system(part.id) for part in self.inventory.parts_of(ident)]

    def system(self, ident: str) -> SystemView:
        """Find a digital system."""
        if ident not in self.inventory.systems:
            raise NotFound(ident, "system")
        scope, row = Scope.system(ident), self.snapshot.systems.get(ident)
        period, exhausted = self.facts.periods.period_of(scope), self.facts.exhausted.get(scope, 0)
        return SystemView(
            self.inventory.systems[ident], row, self.now, period, exhausted, self.facts.set_aside.get(ident)
        )

    def parse_scope(self, text: str) -> QueryScope:
        """Read a scope; a province or the country is the sum of its declared centres.

        Raises BadScope when it cannot be read or has no availability, NotFound when it is not declared.
        """
        try:
            scope = Scope.parse(text)
        except ValueError as error:
            raise BadScope(text) from error
        match scope.kind:
            case "centre":
                return scope_of_centres(scope, [self.centre(scope.id)])
            case "device":
                owner = self.centre(self.device(scope.id).centre)
                return QueryScope(scope, "device", frozenset({text}), {owner.id: owner}, owner.zone)
            case "system":
                calendar = self.system(scope.id).system.calendar(self.inventory.zone)
                return QueryScope(scope, "system", frozenset({text}), {scope.id: calendar}, self.inventory.zone)
            case "desk":
                raise BadScope(text)
        centres = declared_centres(self.inventory.centres.values())
        if scope.kind == "province":
            centres = [c for c in centres if c.province == scope.id]
            if not centres and scope.id != self.inventory.province:
                raise NotFound(scope.id, scope.kind)
        return scope_of_centres(scope, centres, self.inventory.zone)


def scope_of_centres(label: str, centres: list[Centre], zone: ZoneInfo | None = None) -> QueryScope:
    """Return the scope that is the sum of some centres."""
    names = frozenset(str(Scope.centre(c.id)) for c in centres)
    return QueryScope(label, "centre", names, {c.id: c for c in centres}, zone or centres[0].zone)


def build_imported_centre(row: CentreNow, zone: ZoneInfo) -> Centre:
    """Return the centre of an imported log: with its mapping's services and hours, in its zone, in no province.

    A row written by an earlier version names neither: the centre is then open round the clock.
    """
    declared, facts = row.declared or {}, row.import_facts or ImportFacts()
    names = tuple(Service(*service) for service in facts.services)
    name = declared.get("name_en", row.centre)
    return Centre(
        id=row.centre,
        unit="",
        level="commune",
        name_vi=declared.get("name_vi", name),
        name_en=name,
        province="",
        parent="",
        counters=0,
        hours=read_hours(facts) or ALWAYS_OPEN,
        services=tuple(dict.fromkeys([*(s.id for s in names), *(s.service for s in row.services)])),
        zone=_zone_or_default(declared.get("zone", ""), zone),
        imported=True,
        own_services=names,
        derived_hours=read_hours(facts) if facts.derived_hours else (),
    )


def read_log_centre(row: bytes) -> Centre | None:
    """Return the centre of an imported log as its import folded it, from its live row; None for any other row."""
    try:
        now = msgspec.json.decode(row, type=CentreNow)
    except msgspec.DecodeError:
        return None
    if now.declared is None or now.import_facts is None:
        return None
    centre = build_imported_centre(now, ZoneInfo("UTC"))
    return replace(centre, province="replay", hours=ALWAYS_OPEN if centre.derived_hours else centre.hours)


def read_hours(facts: ImportFacts) -> tuple[OpeningHours, ...]:
    """Return the opening hours that an import declared, by weekday."""
    return tuple(
        tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in day) for day in facts.hours
    )


def _zone_or_default(name: str, default: ZoneInfo) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name else default
    except (ZoneInfoNotFoundError, ValueError):
        return default


@dataclass(frozen=True)
class NetworkStatus:
    """The declared network now; imported logs are listed but do not count in conditions."""

    network: NetworkView
    centres: tuple[CentreView, ...]
    imported: tuple[CentreView, ...]
    systems: tuple[SystemView, ...]
    today: QueueFigures
    target: Target | None

    @cached_property
    def conditions(self) -> Mapping[Condition, int]:
        """Return how many declared centres are in each condition."""
        counts = Counter(v.condition for v in self.centres)
        return {c: counts[c] for c in CONDITIONS_WORST_FIRST}

    @cached_property
    def open_centres(self) -> int:
        """Return how many declared centres are open."""
        return sum(v.condition not in {"closed", "planned", "retired"} for v in self.centres)

    @cached_property
    def devices(self) -> Mapping[AvailabilityState, int]:
        """Return how many devices are in each state."""
        return count_states(d for v in self.centres for d in v.devices_in_service)

    @cached_property
    def system_states(self) -> Mapping[AvailabilityState, int]:
        """Return how many digital systems are in each state."""
        return count_states(s for s in self.systems if s.in_service)

    @property
    def waiting(self) -> int:
        """Return how many tickets wait in the network."""
        return sum(v.waiting for v in self.centres)

    @property
    def serving(self) -> int:
        """Return how many tickets are being served in the network."""
        return sum(v.serving for v in self.centres)

    @property
    def counters_open(self) -> int:
        """Return how many counters are open in the network."""
        return sum(v.counters_open for v in self.centres)

    @cached_property
    def last_data(self) -> int | None:
        """Return when data were last received, Unix ms; those of imported logs only when there are no others."""
        declared = [t for v in self.centres if (t := v.last_data) is not None]
        imported = [t for v in self.imported if (t := v.last_data) is not None]
        return max(declared or imported, default=None)

    @property
    def stale(self) -> bool:
        """Return whether no data were received for STALE_MS."""
        return self.last_data is None or self.network.now - self.last_data > STALE_MS

    @property
    def has_simulated_data(self) -> bool:
        """Return whether any of it is simulated."""
        return self.network.inventory.simulated or any(v.has_simulated_data for v in (*self.centres, *self.imported))

    @cached_property
    def assessment(self) -> NetworkAssessment:
        """Return the network's condition and its word for status pages, as the core decides them."""
        centres = [v.assessment for v in self.centres]
        systems = [(v.assessment, v.system.critical) for v in self.systems]
        return assess_network(NetworkFacts(centres, systems, self.stale))

    @property
    def condition(self) -> Condition:
        """Return the network's condition."""
        return self.assessment.condition

    @property
    def indicator(self) -> StatusIndicator:
        """Return one word in the status-page vocabulary."""
        return self.assessment.indicator


def network_status(network: NetworkView, target: Target | None) -> NetworkStatus:
    """Summarise the network."""
    centres = tuple(network.declared_centres())
    today = queue_figures(add_sums(v.today_sums for v in centres))
    return NetworkStatus(network, centres, tuple(network.imported_centres()), tuple(network.systems()), today, target)


def sort_worst_first(views: Sequence[CentreView]) -> list[CentreView]:
    """Order centres by what needs attention now: condition, then reasons, then people who wait."""
    return sorted(views, key=lambda v: attention_key(v.assessment, v.waiting, v.centre.id))


def queue_targets(inventory: Inventory) -> dict[str, QueueTarget]:
    """Return the strictest wait objective of each centre that has one."""
    targets: dict[str, QueueTarget] = {}
    for objective in inventory.objectives:
        if objective.sli == "wait":
            for scoped in scopes_of(objective, inventory):
                target = QueueTarget(objective.threshold_ms // 1000, objective.goal)
                former = targets.get(scoped.entity, target)
                targets[scoped.entity] = min(former, target, key=lambda t: (t.threshold_s, -t.goal))
    return targets


def exhausted_objectives(inventory: Inventory, snapshot: Snapshot) -> dict[str, int]:
    """Return how many objectives have exhausted their budgets, by scope."""
    declared = {objective.id for objective in inventory.objectives}
    rows = (row for ident, slo in snapshot.slos.items() if ident in declared for row in slo.scopes)
    return Counter(row.scope for row in rows if row.standing == "exhausted")


@dataclass(frozen=True, slots=True)
class CachedNetworkView(NetworkView):
    """A network view that joins each centre with its live row once."""

    views_by_centre: dict[str, CentreView] = field(default_factory=dict, compare=False, repr=False)
    earlier_views: Mapping[str, CentreView] = field(default_factory=dict, compare=False, repr=False)
    statuses: list[NetworkStatus] = field(default_factory=list, compare=False, repr=False)

    def centre_view(self, centre: Centre) -> CentreView:
        """Join a centre's declaration with its live row."""
        view = self.views_by_centre.get(centre.id)
        if view is None:
            view = self.views_by_centre[centre.id] = NetworkView.centre_view(self, centre)
            view.reuse_sums(self.earlier_views.get(centre.id))
        return view

    def status(self, target: Target | None) -> NetworkStatus:
        """Summarise the network, once per target."""
        if not self.statuses or self.statuses[-1].target is not target:
            self.statuses.append(network_status(self, target))
        return self.statuses[-1]


class NetworkViewCache:
    """Caches the newest network view; its `now` is that of the first call, less than a second ago."""

    def __init__(self) -> None:
        self._cached: CachedNetworkView | None = None
        self._cached_capacity_centres: tuple[Inventory, frozenset[str]] | None = None
        self._cached_targets: tuple[Inventory, Mapping[str, QueueTarget]] | None = None

    def get(
        self, inventory: Inventory, snapshot: Snapshot, now: int, periods: ServicePeriods = ALL_IN_SERVICE
    ) -> CachedNetworkView:
        """Return the view of a snapshot; a new snapshot is read each second."""
        cached = self._cached
        if cached is None or cached.snapshot is not snapshot or cached.inventory is not inventory:
            exhausted = exhausted_objectives(inventory, snapshot)
            facts = PlaceFacts(periods, self._queue_targets(inventory), exhausted, snapshot.set_aside())
            earlier = {} if cached is None or cached.inventory is not inventory else cached.views_by_centre
            cached = self._cached = CachedNetworkView(inventory, snapshot, now, facts, earlier_views=earlier)
        return cached

    def _queue_targets(self, inventory: Inventory) -> Mapping[str, QueueTarget]:
        cached = self._cached_targets
        if cached is None or cached[0] is not inventory:
            cached = self._cached_targets = (inventory, queue_targets(inventory))
        return cached[1]

    def capacity_centres(self, inventory: Inventory) -> frozenset[str]:
        """Return the centres that have a capacity: those with critical counters or kiosks."""
        cached = self._cached_capacity_centres
        if cached is None or cached[0] is not inventory:
            centre_ids = (ident for ident in inventory.centres if capacity_devices(inventory.devices_of(ident)))
            cached = self._cached_capacity_centres = (inventory, frozenset(centre_ids))
        return cached[1]


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """Planned work in one window and the scopes that it affects."""

    name: str
    window: Window
    scopes: tuple[Scope, ...]


def planned_maintenance(inventory: Inventory, window: Window) -> list[MaintenanceWindow]:
    """Return the maintenance that touches the window, each work once, in order."""
    scopes_by_work: dict[tuple[Window, str], list[Scope]] = {}
    for scope, name, part in _iter_maintenance(inventory, window):
        scopes_by_work.setdefault((part, name), []).append(scope)
    return [MaintenanceWindow(name, part, tuple(scopes)) for (part, name), scopes in sorted(scopes_by_work.items())]


def _iter_maintenance(inventory: Inventory, window: Window) -> Iterator[tuple[Scope, str, Window]]:
    centres = ((Scope.centre(ident), c.rules.maintenance) for ident, c in sorted(inventory.centres.items()))
    systems = ((Scope.system(ident), s.maintenance) for ident, s in inventory.whole_systems.items())
    windows_by_work: dict[int, list[Window]] = {}
    for scope, works in (*centres, *systems):
        for work in works:
            if id(work) not in windows_by_work:  # centres share the maintenance that is planned for all of them
                windows_by_work[id(work)] = list(work.windows_in(window))
            windows = windows_by_work[id(work)]
            yield from ((scope, work.name, part) for part in windows if part.clip(window))
