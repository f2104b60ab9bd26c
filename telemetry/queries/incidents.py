"""What broke, when, for how long, why and for whom: incidents of centres, devices and systems, derived from totals.

They are stored nowhere, so late data correct them.  It must not read raw events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, SLOT, Window, align_to_slots, day_window, days_in, floor
from telemetry.core.figures.outages import (
    Incident,
    LostTime,
    Outage,
    join_outages,
    merge_incidents,
    sort_open_first,
)
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.queries.buckets import DAY, OpenWindowsCache, QueryCost
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.errors import BadScope, BadWindow
from telemetry.queries.lost_time import LostTimeReader, WatchedEntity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.inventory import Centre, System
    from telemetry.queries.network import NetworkView
    from telemetry.queries.totals_cache import TotalsReader

MAX_DAYS = 31
"""Days of a window at most; of one centre, device or system MAX_DAYS_OF_ONE."""
MAX_DAYS_OF_ONE = 366
MAX_REACH_DAYS = 31
"""How far before and after a window the beginning and the end of its incidents are looked for."""
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class IncidentList:
    """The incidents that touch a window of whole slots, open ones first."""

    scope: Scope
    window: Window
    zone: ZoneInfo
    incidents: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """A scope and a window of whole slots, up to now, with what they cost to answer."""

    scope: Scope
    window: Window
    zone: ZoneInfo
    entities: tuple[str, ...]
    cost: QueryCost


class IncidentQueries:
    """Answers what broke; `network` and `reopened_at` return what is newest, `clock` Unix ms."""

    def __init__(
        self, store: TotalsReader, network: Callable[[], NetworkView],
        reopened_at_reader: Callable[[], Callable[[str], int]], open_windows: OpenWindowsCache,
        clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self._network, self._open_windows, self._clock = network, open_windows, clock
        self._reader = LostTimeReader(store, reopened_at_reader, clock)
        self._watched: tuple[object, object, dict[str, WatchedEntity]] | None = None

    def query(self, scope: str, window: Window | Callable[[ZoneInfo], Window]) -> IncidentQuery:
        """Read a scope and a window, which may be computed from the scope's zone.

        Raises BadScope, NotFound, or BadWindow when the window is too long.
        """
        network = self._network()
        parsed = parse_incident_scope(network, scope)
        entities = _entity_ids(network, parsed)
        zone = network.centre(entities[0]).zone if parsed.kind in ("centre", "device") else network.inventory.zone
        aligned = align_to_slots(window(zone) if callable(window) else window)
        most = MAX_DAYS_OF_ONE if len(entities) == 1 else MAX_DAYS
        if aligned.length > most * DAY + HOUR:  # a month in which clocks go back is an hour longer
            msg = f"at most {most} days of incidents of {scope}: use a shorter window"
            raise BadWindow(msg)
        past = Window(aligned.start, max(aligned.start, min(aligned.end, floor(self._clock(), SLOT))))
        scopes = sum(1 + len(network.inventory.devices_of(entity)) for entity in entities)
        return IncidentQuery(parsed, past, zone, entities, QueryCost((past.length // DAY + 2) * scopes, 0))

    def incidents(self, scope: str, window: Window) -> IncidentList:
        """Return the incidents of a scope that touch a window.  Raises what `query` raises."""
        return self.answer(self.query(scope, window))

    def answer(self, asked: IncidentQuery) -> IncidentList:
        """Return the incidents of a scope and window that were read."""
        network = self._network()
        watched = self._watch_all(network, asked.entities)
        search = _Search(self._reader, watched, asked, (network.inventory, network.facts.periods))
        search.read_window()
        search.reach_back()
        search.reach_ahead(floor(self._clock(), SLOT))
        incidents: list[Incident] = []
        for entity in watched:
            outages = {scope: search.outages(entity, scope, network) for scope in search.lost_scopes(entity)}
            own = outages.pop(Scope.of(entity.kind, entity.id), [])
            incidents += merge_incidents(own, (o for group in outages.values() for o in group), asked.window)
        if asked.scope.kind == "device":
            incidents = [i for i in incidents if asked.scope in {i.outage.scope, *(o.scope for o in i.members)}]
        return IncidentList(asked.scope, asked.window, asked.zone, tuple(sort_open_first(incidents)))

    def _watch_all(self, network: NetworkView, entities: Sequence[str]) -> list[WatchedEntity]:
        """Return what is watched of entities; it is made once for the same declarations and service periods."""
        inventory, periods, cached = network.inventory, network.facts.periods, self._watched
        if cached is None or cached[0] is not inventory or cached[1] is not periods:
            cached = self._watched = (inventory, periods, {})
        known = cached[2]
        return [
            known.get(entity) or known.setdefault(entity, _watch(network, entity, self._open_windows))
            for entity in entities
        ]


def parse_incident_scope(network: NetworkView, text: str) -> Scope:
    """Return the scope of a text; raises BadScope or NotFound."""
    network.parse_scope(text)
    scope = Scope.parse(text)
    if scope.kind == "centre" and network.centre(scope.id).imported:
        raise BadScope(text)
    return scope


def _entity_ids(network: NetworkView, scope: Scope) -> tuple[str, ...]:
    """Return the centres and systems whose outages concern a scope; those of the whole network include the systems."""
    match scope.kind:
        case "centre" | "system":
            return (scope.id,)
        case "device":
            return (network.device(scope.id).centre,)
    centres = [c.id for c in declared_centres(network.inventory.centres.values())]
    if scope.kind == "province":
        centres = [ident for ident in centres if network.inventory.centres[ident].province == scope.id]
    return (*centres, *network.inventory.whole_systems)


def _watch(network: NetworkView, entity: str, cache: OpenWindowsCache) -> WatchedEntity:
    """Return what is watched of a centre or system: all its declared devices but replays, and itself."""
    periods = network.facts.periods
    system: System | None = network.inventory.systems.get(entity)
    if system is not None:
        calendar = system.calendar(network.inventory.zone)
        scope = Scope.system(entity)
        return WatchedEntity(
            entity, "system", {scope: periods.window_of(scope)}, lambda w: cache.open_windows(calendar, w)
        )
    centre: Centre = network.centre(entity)
    devices = [d.id for d in network.inventory.devices_of(entity) if d.kind != "replay"]
    scopes = [Scope.centre(entity), *(Scope.device(ident) for ident in devices)]
    return WatchedEntity(
        entity, "centre", {scope: periods.window_of(scope) for scope in scopes}, lambda w: cache.open_windows(centre, w)
    )


def shows_up(network: NetworkView, scope: Scope) -> bool:
    """Return whether the live rows show a scope up now: its last outage has ended."""
    match scope.kind:
        case "centre":
            view = network.centre_view(network.centre(scope.id))
            return view.row is not None and not view.stale and view.row.state == "up"
        case "system":
            return network.system(scope.id).state == "up"
    return network.device(scope.id).state == "up"


class _Search:
    """Collects the lost time of a query's days, and of the days before and after that its outages reach into."""

    def __init__(
        self,
        reader: LostTimeReader,
        watched: Sequence[WatchedEntity],
        asked: IncidentQuery,
        version: tuple[object, ...],
    ) -> None:
        self._reader, self._watched, self._asked, self._version = reader, watched, asked, version
        self._days = list(days_in(asked.window, asked.zone)) or [local_date(asked.window.start, asked.zone)]
        self._lost: dict[Scope, list[LostTime]] = {}
        self._span = Window(self._day_window(self._days[0]).start, self._day_window(self._days[-1]).end)
        self._until = 0

    def read_window(self) -> None:
        """Read the days that the window touches."""
        for day in self._days:
            for by_scope in self._read(self._watched, day).values():
                for scope, parts in by_scope.items():
                    self._lost.setdefault(scope, []).extend(parts)

    def reach_back(self) -> None:
        """Read earlier days, as long as an outage may have begun before those that were read."""
        self._reach(-_ONE_DAY, self._days[0])

    def reach_ahead(self, until: int) -> None:
        """Read later days, as long as an outage may go on, up to `until`."""
        self._until = until
        self._reach(_ONE_DAY, self._days[-1])

    def _reach(self, step: timedelta, edge: date) -> None:
        """Follow each scope whose lost time touches the edge day's outer end."""
        by_id = {entity.id: entity for entity in self._watched}
        pending = {entity.id: self._reaching(entity, step) for entity in self._watched}
        for _ in range(MAX_REACH_DAYS):
            edge += step
            entities = [e for e in self._watched if pending[e.id]]
            if not entities or (step > timedelta() and self._day_window(edge).start >= self._until):
                return
            window = self._day_window(edge)
            self._span = Window(min(self._span.start, window.start), max(self._span.end, window.end))
            for ident, by_scope in self._read(entities, edge).items():
                pending[ident] = self._follow(by_id[ident], pending[ident], by_scope, window, step)

    def _reaching(self, entity: WatchedEntity, step: timedelta) -> list[Scope]:
        """Return the scopes that may have been out before, or after, the days that were read.

        When these had no open time, all of them may.
        """
        timeline = entity.timeline(self._span)
        if not timeline.total_open:
            return list(entity.in_service)
        return [s for s in entity.in_service if _touches(self._lost.get(s, ()), timeline, self._span, step)]

    def _day_window(self, day: date) -> Window:
        return day_window(day, self._asked.zone)

    def _follow(
        self, entity: WatchedEntity, scopes: list[Scope], by_scope: Mapping[Scope, tuple[LostTime, ...]],
        window: Window, step: timedelta,
    ) -> list[Scope]:  # fmt: skip
        """Add the lost time of a day (`window`) to scopes whose outage it continues; return which reach further."""
        further: list[Scope] = []
        timeline = entity.timeline(window)
        for scope in scopes:
            served = window.clip(entity.in_service[scope])
            parts = by_scope.get(scope, ())
            if served is None:
                continue
            if not timeline.open_within(served):
                further.append(scope)
            elif _touches(parts, timeline, window, -step):
                own = self._lost.setdefault(scope, [])
                self._lost[scope] = [*own, *parts] if step > timedelta() else [*parts, *own]
                if _touches(parts, timeline, window, step):
                    further.append(scope)
        return further

    def lost_scopes(self, entity: WatchedEntity) -> list[Scope]:
        """Return the scopes of an entity that lost time, in order."""
        return [scope for scope in entity.in_service if self._lost.get(scope)]

    def outages(self, entity: WatchedEntity, scope: Scope, network: NetworkView) -> list[Outage]:
        """Return a scope's outages, the last one ongoing when nothing shows that it has ended."""
        timeline = entity.timeline(self._span)
        outages = join_outages(scope, self._lost[scope], timeline)
        if outages and self._is_ongoing(entity, outages[-1], timeline) and not shows_up(network, scope):
            outages[-1] = replace(outages[-1], ongoing=True)
        return outages

    def _is_ongoing(self, entity: WatchedEntity, outage: Outage, timeline: OpenTimeline) -> bool:
        """Return whether the outage reaches the last slot that has passed, with no open time since."""
        in_service = entity.in_service[outage.scope]
        if self._span.end < self._until or self._until >= in_service.end:
            return False
        return not timeline.open_within(Window(outage.window.end, max(outage.window.end, self._until)))

    def _read(self, entities: Iterable[WatchedEntity], day: date) -> dict[str, dict[Scope, tuple[LostTime, ...]]]:
        return self._reader.read_day(list(entities), day, self._asked.zone, self._version)


def _touches(parts: Sequence[LostTime], timeline: OpenTimeline, span: Window, side: timedelta) -> bool:
    """Return whether no open time lies between the parts (of a span) and its beginning or, ahead, its end."""
    if not parts:
        return False
    if side < timedelta():
        gap = Window(span.start, max(span.start, parts[0].window.start))
    else:
        gap = Window(min(span.end, parts[-1].window.end), span.end)
    return not timeline.open_within(gap)
