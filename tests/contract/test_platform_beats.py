"""Our own beats in every store: read back as written, once a minute, and counted as nobody's event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, Window
from telemetry.core.fold.platform_heartbeat import (
    HEARTBEAT_INTERVAL_MS,
    HEARTBEAT_TTL_MS,
    PLATFORM_ENTITY,
    RECONNECT_GRACE_MS,
)
from telemetry.ingest.service import PlatformHeartbeatWriter
from telemetry.rollup.platform_outages import PlatformOutages

if TYPE_CHECKING:
    from telemetry.store import Store

T = 1_767_225_600_000
AROUND = Window(T, T + DAY)


def test_beats_are_kept_beside_the_agents_events_and_tell_of_an_outage(store: Store) -> None:
    lived = [*range(T, T + HOUR, HEARTBEAT_INTERVAL_MS), *range(T + 3 * HOUR, T + 4 * HOUR, HEARTBEAT_INTERVAL_MS)]
    now = T
    beats = PlatformHeartbeatWriter(store, lambda: now)
    for now in lived:  # noqa: B007
        assert beats.write_heartbeat()
    assert beats.write_heartbeat()
    store.reconcile()
    assert [s.event.t for s in store.events(PLATFORM_ENTITY, AROUND)] == lived
    assert {c.entity for c in store.changes_since(0)} == {PLATFORM_ENTITY}
    assert store.count_events() == 0
    assert store.row_ranges() == []
    assert PLATFORM_ENTITY in store.days_with_events()
    outages = PlatformOutages(store)
    outages.invalidate(AROUND)
    down = T + HOUR - HEARTBEAT_INTERVAL_MS + HEARTBEAT_TTL_MS
    assert outages.outages_within(AROUND) == [Window(down, T + 3 * HOUR + RECONNECT_GRACE_MS)]
    assert not outages.is_alive_at(T + 2 * HOUR)
    assert outages.is_alive_at(T + 3 * HOUR)
