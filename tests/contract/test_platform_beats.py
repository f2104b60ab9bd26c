"""Our own beats in every store: read back as written, once a minute, and counted as nobody's event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, Window
from telemetry.core.fold.platform_heartbeat import BEAT_EVERY_MS, BELIEVED_MS, RETURN_MS, UNIT
from telemetry.ingest.heartbeat_writer import Beats
from telemetry.rollup.platform_outages import Outages

if TYPE_CHECKING:
    from telemetry.store import Store

T = 1_767_225_600_000
AROUND = Window(T, T + DAY)


def test_beats_are_kept_beside_the_agents_events_and_tell_of_an_outage(store: Store) -> None:
    lived = [*range(T, T + HOUR, BEAT_EVERY_MS), *range(T + 3 * HOUR, T + 4 * HOUR, BEAT_EVERY_MS)]
    now = T
    beats = Beats(store, lambda: now)
    for now in lived:  # noqa: B007
        assert beats.beat()
    assert beats.beat()
    store.reconcile()
    assert [s.event.t for s in store.events(UNIT, AROUND)] == lived
    assert {c.unit for c in store.changes(0)} == {UNIT}
    assert store.count() == 0
    assert store.row_ranges() == []
    assert UNIT in store.extent()
    outages = Outages(store)
    outages.forget(AROUND)
    down = T + HOUR - BEAT_EVERY_MS + BELIEVED_MS
    assert outages.within(AROUND) == [Window(down, T + 3 * HOUR + RETURN_MS)]
    assert not outages.believed(T + 2 * HOUR)
    assert outages.believed(T + 3 * HOUR)
