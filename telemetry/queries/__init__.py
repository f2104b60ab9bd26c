"""The questions people ask, answered from totals and live rows; it must not read raw events or choose a store."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry.core.completeness import size
from telemetry.core.inventory import local_day
from telemetry.core.windows import HOUR, Window, day_window
from telemetry.queries.accounted import Accounted, accounted
from telemetry.queries.faults import BadScope, BadWindow, Unknown
from telemetry.queries.opening import Bucket, ask
from telemetry.queries.queues import QueueHistory, QueueNow, QueueRow, empty_row, queue_rows, queues_now
from telemetry.queries.snapshot import Snapshot, Snapshots
from telemetry.queries.status import Status, status, worst_first
from telemetry.queries.uptime import Clock, Uptime, uptime
from telemetry.queries.views import CentreView, Condition, DeviceView, SystemView, tally
from telemetry.queries.world import Scope, World, of_centres

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from telemetry.core.accounting import Unknown as UnknownAs
    from telemetry.core.inventory import Centre, Inventory, Target
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
    "Queries",
    "QueueHistory",
    "QueueNow",
    "QueueRow",
    "Snapshot",
    "Status",
    "SystemView",
    "Unknown",
    "Uptime",
    "World",
    "tally",
    "worst_first",
]  # fmt: skip

SLOW_MS = 10_000
"""How long the counts that cost a scan (completeness, events stored) are kept."""
WAIT_TARGET = "wait_mean"


@dataclass(frozen=True, slots=True)
class Health:
    """Counts about the store itself; `cursor_us` is how far changes are folded, Unix µs."""

    events: int
    dead: dict[str, int]
    cursor_us: int
    rows: Accounted


class Queries:
    """Answers questions; `clock` gives Unix ms.  Any method may raise StoreUnavailable, Unknown or BadWindow."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int]) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._snapshots = Snapshots(store, clock)
        self._lock = threading.Lock()
        self._slow: tuple[int, Health] | None = None

    def now(self) -> int:
        """Return the present, Unix ms."""
        return self._clock()

    def inventory(self) -> Inventory:
        """Return the inventory in force."""
        return self._inventory()

    def snapshot(self) -> Snapshot:
        """Return the live rows, at most a second old."""
        return self._snapshots.get()

    def world(self) -> World:
        """Return everything there is now."""
        return World(self._inventory(), self.snapshot(), self._clock())

    def status(self) -> Status:
        """Look at the whole network."""
        return status(self.world(), self.wait_target())

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
        unknown: UnknownAs = "exclude",
    ) -> Uptime:  # fmt: skip
        """Account for a scope's time."""
        found = self.scope(scope) if isinstance(scope, str) else scope
        answer = uptime(self._store, found, ask(window, bucket, found.zone), clock, self._clock())
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
        rows = queue_rows(self._store, centres, asked, service)
        if service is not None and not rows:
            self._known(service, centres)
            if centre is not None and bucket == "total":
                rows = (empty_row(centres[0], service, asked),)
        if all(c.imported for c in centres):
            return QueueHistory(asked.window, asked.zone, rows, None)
        whole = replace(asked, bucket="total")
        known = uptime(self._store, of_centres("", centres, asked.zone), whole, "open", self._clock())
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
        with self._lock:
            now = self._clock()
            if self._slow is None or not 0 <= now - self._slow[0] < SLOW_MS:
                store = self._store
                ranges = store.row_ranges()
                rows = accounted(ranges)
                stored = sum(size(one.stored) for one in ranges)
                self._slow = (now, Health(stored, store.dead_letters(), store.cursor(), rows))
            return self._slow[1]

    def completeness(self) -> Accounted:
        """Return completeness by device."""
        return self.health().rows

    def reach(self) -> None:
        """Raise StoreUnavailable unless the store answers now."""
        self._store.cursor()
