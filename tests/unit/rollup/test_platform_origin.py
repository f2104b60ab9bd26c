"""The platform's heartbeats are those that ingest wrote: 130 events of a device under its name hide no outage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY, PLATFORM_OUTBOX_ID
from telemetry.core.protocol import events as ev
from telemetry.rollup.platform_outages import PlatformOutages
from telemetry.store import Batch, StoredEvent
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

T = 1_767_225_600_000
OUTAGE = Window(T + HOUR, T + 3 * HOUR)


def test_no_event_of_a_device_counts_as_the_platforms_heartbeat(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    minutes = [t for t in range(T, T + 4 * HOUR, MINUTE) if not OUTAGE.start <= t < OUTAGE.end]
    own = [
        StoredEvent(PLATFORM_ENTITY, "ingest", PLATFORM_OUTBOX_ID, ev.PlatformBeat(n=t // MINUTE, t=t)) for t in minutes
    ]
    during = range(OUTAGE.start - 5 * MINUTE, OUTAGE.end + 5 * MINUTE, MINUTE)
    forged = [
        StoredEvent(
            "vn83-83", "vn83-83-kiosk1", "s1", ev.ProbeResult(n=n, t=t, system=PLATFORM_ENTITY, kind="http", ok=True)
        )
        for n, t in enumerate(during, 1)
    ]
    forged += [
        StoredEvent(PLATFORM_ENTITY, "kiosk1", "s1", ev.PlatformBeat(n=1_000 + n, t=t)) for n, t in enumerate(during)
    ]
    store.append(Batch(T * 1000, own + forged, []))
    outages = PlatformOutages(store)
    outages.invalidate(Window(T, T + 4 * HOUR))
    found = outages.outages_within(Window(T, T + 4 * HOUR))
    assert len(found) == 1
    assert found[0].start <= OUTAGE.start + 2 * MINUTE
    assert found[0].end >= OUTAGE.end
    assert not outages.is_alive_at(T + 2 * HOUR)
    store.close()
