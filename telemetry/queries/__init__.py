"""The questions people ask, answered from totals and live rows; it must not read raw events or choose a store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import DAY, FIVE, HOUR, Window, day_window, floor
from telemetry.core.inventory import ALWAYS, Centre, local_day
from telemetry.core.slo.periods import settled_until
from telemetry.queries.availability import Clock, Manner, Sli, Uptime, uptime
from telemetry.queries.buckets import Bucket, Openings, ask
from telemetry.queries.calendars import Maintenance, days, planned
from telemetry.queries.completeness import Accounted
from telemetry.queries.errors import BadScope, BadWindow, Unknown
from telemetry.queries.health import Counts, Health
from telemetry.queries.network import Scope, World, of_centres
from telemetry.queries.publication import Note
from telemetry.queries.queues import QueueHistory, QueueNow, QueueRow, empty_row, queue_rows, queues_now
from telemetry.queries.slo_history import Place, history, spending
from telemetry.queries.slos import Objectives, Standpoint, objectives
from telemetry.queries.snapshot import Snapshot, Snapshots
from telemetry.queries.status import Status, worst_first
from telemetry.queries.systems import SystemDetail, system_detail
from telemetry.queries.timeline import Seen, Segment, sums_of, timeline
from telemetry.queries.totals_cache import Kept
from telemetry.queries.views import CentreView, Condition, DeviceView, SystemView, tally
from telemetry.queries.worlds import SharedWorld, Worlds

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import Day
    from telemetry.core.figures.accounting import Unknown as UnknownAs
    from telemetry.core.inventory import Inventory, Target
    from telemetry.core.slo.history import Point, Spend
    from telemetry.store import Store

__all__ = [
    "WAIT_TARGET",
    "Accounted",
    "BadScope",
    "BadWindow",
    "Bucket",
    "CentreView",
    "Clock",
    "Condition",
    "DeviceView",
    "Health",
    "Maintenance",
    "Note",
    "Objectives",
    "Queries",
    "QueueHistory",
    "QueueNow",
    "QueueRow",
    "Sli",
    "Snapshot",
    "Standpoint",
    "Status",
    "SystemView",
    "Unknown",
    "Uptime",
    "World",
    "tally",
    "worst_first",
]  # fmt: skip

WAIT_TARGET = "wait_mean"


class Queries:
    """Answers questions; `clock` gives Unix ms.  Any method may raise StoreUnavailable, Unknown or BadWindow."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int]) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._snapshots = Snapshots(store, clock)
        self._kept = Kept(store, lambda: self.snapshot().reopened, clock)
        self._openings = Openings()
        self._worlds = Worlds()
        self._counts = Counts(store, clock)
        self._judged: tuple[object, Objectives] | None = None

    def now(self) -> int:
        """Return the present, Unix ms."""
        return self._clock()

    def inventory(self) -> Inventory:
        """Return the inventory in force."""
        return self._inventory()

    def snapshot(self) -> Snapshot:
        """Return the live rows, at most a second old."""
        return self._snapshots.get()

    def world(self) -> SharedWorld:
        """Return everything there is now, at most a second old."""
        return self._worlds.of(self._inventory(), self.snapshot(), self._clock())

    def status(self) -> Status:
        """Look at the whole network."""
        return self.world().status(self.wait_target())

    def wait_target(self) -> Target | None:
        """Return the mean-wait target in force today."""
        inventory = self._inventory()
        return inventory.target_at(WAIT_TARGET, local_day(self._clock(), inventory.zone))

    def centres(self) -> list[CentreView]:
        """Return all centres by id."""
        return self.world().views()

    def centre(self, ident: str) -> CentreView:
        """Return one centre."""
        world = self.world()
        return world.view(world.centre(ident))

    def devices(self, centre: str) -> tuple[DeviceView, ...]:
        """Return a centre's devices by id."""
        return self.centre(centre).devices

    def device(self, ident: str) -> DeviceView:
        """Return one device."""
        return self.world().device(ident)

    def systems(self) -> list[SystemView]:
        """Return the digital systems by id."""
        return self.world().systems()

    def system(self, ident: str) -> SystemView:
        """Return one digital system."""
        return self.world().system(ident)

    def system_detail(self, ident: str) -> SystemDetail:
        """Return one digital system with its vantage table and the figures of its last day and 28 days."""
        view, end = self.system(ident), floor(self._clock(), FIVE)
        day, month = Window(end - DAY, end), Window(end - 28 * DAY, end)
        recent, wide = (self.availability(f"system:{ident}", window).whole for window in (day, month))
        parts = ask(day, "total", self.zone()).parts()
        totals = [t for width, window in parts for t in self._store.totals([ident], width, window, "system")]
        return system_detail(view, recent, wide, totals)

    def timeline(self, scope: str, window: Window, sli: Sli = "service") -> list[Segment]:
        """Return a device's or centre's time as segments of one state; the window must have passed on its marks."""
        centre = self.centre_of(scope)
        if centre is None:
            raise BadScope(scope)
        own, whole = sums_of(self._store, centre.id, scope, window)
        parent = f"centre:{centre.id}"
        named = {d.now.id for d in self.devices(centre.id)} if scope == parent else {scope.partition(":")[2]}
        late = any(d.device in named and not d.complete for d in self.completeness().devices)
        settled = settled_until(self._clock(), centre.zone)
        seen = Seen(own, whole, sli, late, settled, "" if scope == parent else parent)
        return timeline(window, seen, centre.calendar)

    def objectives(self) -> Objectives:
        """Return every objective as rollup last judged it; kept until the inventory or a judgement changes."""
        inventory, snapshot = self._inventory(), self.snapshot()
        key = (inventory.version, tuple((i, id(now)) for i, now in snapshot.slos.items()))
        held = self._judged
        if held is None or held[0] != key:
            held = self._judged = (key, objectives(inventory, snapshot, held and held[1]))
        return held[1]

    def centre_of(self, scope: str) -> Centre | None:
        """Return the centre a scope lies in, None for systems and what spans centres."""
        world, (kind, _, ident) = self.world(), scope.partition(":")
        if kind == "device":
            return world.centre(world.device(ident).centre)
        return world.centre(ident) if kind == "centre" else None

    def place(self, slo: str, scope: str) -> Place:
        """Return an objective at one scope, to look at how its budget went; raises Unknown."""
        found, where = self.objectives().find(slo, scope), self.scope(scope)
        unit, held = next(iter(where.calendars.items()))
        calendar = held.calendar if isinstance(held, Centre) else held or Calendar(ALWAYS, where.zone)
        settled = found.settled_until or settled_until(self._clock(), where.zone)
        return Place(found.objective, scope, unit, calendar, where.zone, settled)

    def history(self, place: Place, window: Window, bucket: Bucket) -> list[Point]:
        """Return an objective's figures bucket by bucket."""
        return history(self._store, place, window, bucket, self._clock())

    def spending(self, place: Place, window: Window) -> list[Spend]:
        """Return what consumed a budget, the greatest first."""
        return spending(self._store, place, window)

    def calendar_days(self, centre: str, window: Window) -> list[Day]:
        """Explain a centre's days."""
        return days(self.world().centre(centre), window)

    def planned(self, ahead: int) -> list[Maintenance]:
        """Return the maintenance of now and the next `ahead` ms."""
        now = self._clock()
        return planned(self._inventory(), Window(now, now + ahead))

    def zone(self, centre: str | None = None) -> ZoneInfo:
        """Return a centre's zone, or the province's."""
        return self._inventory().zone if centre is None else self.world().centre(centre).zone

    def scope(self, text: str) -> Scope:
        """Read a scope; raises BadScope or Unknown."""
        return self.world().scope(text)

    def today(self, zone: ZoneInfo) -> Window:
        """Return the local day so far."""
        now = self._clock()
        start = day_window(local_day(now, zone), zone).start
        return Window(start, max(now, start + 1))

    def last_day(self) -> Window:
        """Return the last 24 hours."""
        now = self._clock()
        return Window(now - 24 * HOUR, now)

    def availability(
        self, scope: Scope | str, window: Window, bucket: Bucket = "total", clock: Clock = "open",
        unknown: UnknownAs = "exclude", sli: Sli = "service",
    ) -> Uptime:  # fmt: skip
        """Account for a scope's time."""
        found = self.scope(scope) if isinstance(scope, str) else scope
        inventory = self._inventory()
        manner = Manner(clock, sli, inventory.published, self._worlds.staffed(inventory))
        asked = ask(window, bucket, found.zone)
        answer = uptime(self._kept, found, asked, manner, self._clock(), self._openings)
        return replace(answer, unknown=unknown)

    def queue_now(self, centre: str | None = None, service: str | None = None) -> list[QueueNow]:
        """Return the queues now by centre and service."""
        world = self.world()
        views = world.views() if centre is None else [world.view(world.centre(centre))]
        rows = queues_now(views, service)
        if service is not None and not rows:
            self._known(service)
        return rows

    def queue_history(
        self, centre: str | None, service: str | None, window: Window, bucket: Bucket = "total",
    ) -> QueueHistory:  # fmt: skip
        """Return past queue figures; a named service of a named centre always has its total."""
        world = self.world()
        centres = world.centres() if centre is None else [world.centre(centre)]
        asked = ask(window, bucket, world.inventory.zone if centre is None else centres[0].zone)
        rows = queue_rows(self._store, centres, asked, service, self._clock())
        if service is not None and not rows:
            self._known(service, centres)
            if centre is not None and bucket == "total":
                rows = (empty_row(centres[0], service, asked),)
        if all(c.imported for c in centres):
            return QueueHistory(asked.window, asked.zone, rows, None)
        whole = replace(asked, bucket="total")
        scope = of_centres("", centres, asked.zone)
        known = uptime(self._kept, scope, whole, Manner(), self._clock(), self._openings)
        return QueueHistory(asked.window, asked.zone, rows, known.whole.coverage)

    def _known(self, service: str, centres: list[Centre] | None = None) -> None:
        named = {s for c in centres or () for s in c.services}
        if service not in self._inventory().services and service not in named:
            kind = "service"
            raise Unknown(kind, service)

    def last_day_of(self, centre: str) -> int | None:
        """Return the start of the newest day that has tickets, Unix ms; None when there is none."""
        days = self._store.totals([centre], "1d", Window(0, self._clock()), "desk")
        return max((t.start for t in days), default=None)

    def health(self) -> Health:
        """Return counts about the store, at most ten seconds old."""
        return self._counts.get()

    def completeness(self) -> Accounted:
        """Return completeness by device."""
        return self.health().rows

    def reach(self) -> None:
        """Raise StoreUnavailable unless the store answers now."""
        self._store.cursor()
