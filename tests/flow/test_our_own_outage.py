"""Our own outage pages nobody for a centre: not while it is folded, nor while agents come back over their back-off."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from edge_agent.reconnect import MAX_WAIT_MS
from telemetry.core.calendar.windows import HOUR, MINUTE, floor, to_ms
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY, PLATFORM_OUTBOX_ID, RECONNECT_GRACE_MS
from telemetry.core.inventory import Centre, Device, Inventory, Objective
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.presence import Presence, encode_presence
from telemetry.ingest.service import HEARTBEAT_DEVICE
from telemetry.mqtt.link import Message
from telemetry.rollup.service import Rollup
from telemetry.slo.alerting import Alerting
from telemetry.slo.evaluator import SloEvaluator
from telemetry.store import CONTACT_OUTBOX_ID, Batch, ChangeRecord, StoredEvent
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from telemetry.core.slo.alert import PostableAlert

pytestmark = pytest.mark.flow
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
OPENING = to_ms(datetime(2026, 3, 4, 7, tzinfo=ZONE))
HOURS = tuple(((time(7), time(17)),) for _ in range(7))
CENTRES = 40
DEAD = "c0"
STEP = 15_000


def world() -> Inventory:
    """Return centres with one device each: none has a neighbour that comes back earlier."""
    one = Centre("", "u", "commune", "Một cửa", "Desk", "vn83", "", 2, HOURS, ("land",), ZONE)
    centres = {f"c{n}": replace(one, id=f"c{n}") for n in range(CENTRES)}
    devices = {f"{name}-kiosk1": Device(f"{name}-kiosk1", name, "kiosk") for name in centres}
    aim = Objective("in-touch", "Liên lạc", "In touch", "centre", "connectivity", 0.995, 28, unknown="down")
    return Inventory("v", "vn83", "T", "T", ZONE, {}, centres, devices, {}, {}, objectives=(aim,))


class Province:
    """Centres that are heard once a minute, our own beats, and a rollup that may be started again."""

    def __init__(self, folder: Path) -> None:
        self.now, self._world = OPENING, world()
        self.store = SqliteStore(folder / "store.db")
        self.told: set[str] = set()
        self.start()

    def start(self) -> None:
        watch = SloEvaluator(self.store, lambda: self._world, Alerting(lambda: self._world, None, self))  # type: ignore[arg-type]
        self.rollup = Rollup(self.store, lambda: self._world, lambda: self.now, watch, lambda: 0.0)

    def submit(self, alerts: Sequence[PostableAlert], at: int) -> None:
        self.told |= {dict(a.labels).get("scope", "") for a in alerts if a.ends_at > at} - {""}

    def hear(self, heard: Iterable[tuple[str, int]], beats: Iterable[int]) -> None:
        """Write who was heard when, and our beats."""
        contacts = [(name, ev.DeviceContact(n=t // MINUTE, t=t)) for name, t in heard]
        stored = [StoredEvent(name, f"{name}-kiosk1", CONTACT_OUTBOX_ID, event) for name, event in contacts]
        own = [
            StoredEvent(PLATFORM_ENTITY, HEARTBEAT_DEVICE, PLATFORM_OUTBOX_ID, ev.PlatformBeat(n=t // MINUTE + 1, t=t))
            for t in beats
        ]
        hours = {floor(s.event.t, HOUR) for s in own}
        changes = [ChangeRecord(*cell) for cell in dirty_hours(contacts)] + [
            ChangeRecord(PLATFORM_ENTITY, h, h + HOUR) for h in sorted(hours)
        ]
        self.store.append(Batch(self.now * 1000, [*stored, *own], changes))

    def lived(self, until: int) -> None:
        """Let everybody be heard up to a moment, while rollup passes at its end."""
        minutes = range(self.now, until, MINUTE)
        self.now = until
        self.hear(((f"c{n}", t) for n in range(CENTRES) for t in minutes), minutes)
        for _ in range(4):
            self.rollup.run_once()

    def comes_back(self, returns: dict[str, int], until: int) -> None:
        """Pass on every mark; each centre is heard each minute from its return on."""
        while self.now < until:
            back = [(name, floor(self.now, MINUTE)) for name, t in returns.items() if t <= self.now]
            self.hear(back, [self.now] if self.now % MINUTE == 0 else [])
            self.rollup.run_once()
            self.now += STEP


@pytest.fixture
def province() -> Iterator[Province]:
    with tempfile.TemporaryDirectory() as folder:
        found = Province(Path(folder))
        with closing(found.store):
            found.lived(OPENING + 5 * HOUR)
            yield found


def returning(start: int) -> dict[str, int]:
    """Return when each centre's agent tries again, up to its longest back-off after `start`."""
    draw = Random(6)
    return {f"c{n}": start + draw.randrange(MAX_WAIT_MS) for n in range(CENTRES) if f"c{n}" != DEAD}


def test_agents_need_no_longer_than_is_excused() -> None:
    assert MAX_WAIT_MS < RECONNECT_GRACE_MS


def test_after_an_hour_without_us_only_the_centre_that_stays_away_is_told(province: Province) -> None:
    province.now += HOUR
    province.start()
    back = province.now + 45_000
    while province.now < back:  # rollup is there before ingest
        province.hear([], [])
        province.rollup.run_once()
        province.now += STEP
    province.comes_back(returning(back), back + 25 * MINUTE)
    assert province.told == {f"centre:{DEAD}"}


def test_while_nothing_comes_in_nobody_is_told_even_when_one_will_arrives(province: Province) -> None:
    """Ingest is dead for half an hour; the broker lives and tells rollup of one centre's end."""
    ends = province.now + 30 * MINUTE
    while province.now < ends:
        if province.now == OPENING + 5 * HOUR + 10 * MINUTE:
            will = encode_presence(Presence(online=False, sid="s"))
            province.rollup.store_presence([Message(f"motcua/v1/{DEAD}/{DEAD}-kiosk1/state", will)])
        province.rollup.run_once()
        province.now += STEP
    assert province.told == set()
    province.comes_back(returning(province.now), province.now + 25 * MINUTE)
    assert province.told == {f"centre:{DEAD}"}
