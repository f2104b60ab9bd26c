"""Outages of one centre from contacts to the page: real rollup, store, watch and alarms; only the clock is turned."""

from __future__ import annotations

from contextlib import closing
from datetime import date, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, local_ms
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.live_row_types import SloNow
from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY, PLATFORM_OUTBOX_ID as PLATFORM_SPOOL
from telemetry.core.inventory import Centre, Device, Inventory, Objective
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.presence import Presence, encode_presence
from telemetry.mqtt.link import Message
from telemetry.rollup.service import Rollup
from telemetry.slo.alerting import Alerting
from telemetry.slo.evaluator import SloEvaluator, build_slo_row
from telemetry.store import CONTACT_OUTBOX_ID, Batch, ChangeRecord, StoredEvent
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from telemetry.core.fold.live_row_types import ScopedSloNow
    from telemetry.core.slo.alert import PostableAlert

    Make = Callable[[int], "Place"]

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAILY = ((time(7, 30), time(11, 30)), (time(13, 30), time(17)))
SITE = tuple(f"c1-{kind}" for kind in ("gateway1", "kiosk1", "kiosk2", *(f"counter{n}" for n in range(1, 8))))
STEP = 15_000


def clock(hour: int, minute: int = 0, second: int = 0, day: int = 15) -> int:
    """Return a moment of October 2026; the 15th is a Thursday."""
    return local_ms(date(2026, 10, day), time(hour, minute, second), ZONE)


def world(devices: Sequence[str]) -> Inventory:
    centre = Centre("c1", "u", "commune", "C", "C", "vn83", "", 2, (DAILY,) * 7, ("land",), ZONE)
    declared = {name: Device(name, "c1", name.removeprefix("c1-").rstrip("0123456789")) for name in devices}  # type: ignore[arg-type]
    objectives = (
        Objective("service", "", "", "centre", "availability", 0.98, 28),
        Objective("contact", "", "", "centre", "connectivity", 0.995, 28, unknown="down"),
    )
    return Inventory("v", "vn83", "T", "T", ZONE, {}, {"c1": centre}, declared, {}, {}, objectives=objectives)


class Pager:
    """Remembers when a page about what first went out."""

    def __init__(self) -> None:
        self.paged: dict[str, int] = {}

    def submit(self, alerts: Sequence[PostableAlert], at: int) -> None:
        for labels in (dict(a.labels) for a in alerts if a.ends_at > at):
            if labels["severity"] == "page":
                self.paged.setdefault(labels["scope"], at)


class Place:
    """A centre with its broker and our platform around it, on a clock that the test turns."""

    def __init__(self, folder: Path, now: int, devices: Sequence[str] = SITE) -> None:
        self.now, self.devices, self.pager = now, devices, Pager()
        self.store, inventory = SqliteStore(folder / "store.db"), world(devices)
        self.watch = SloEvaluator(self.store, lambda: inventory, Alerting(lambda: inventory, sender=self.pager))  # type: ignore[arg-type]
        self.rollup = Rollup(self.store, lambda: inventory, lambda: self.now, self.watch, lambda: 0.0)
        for start, end in ((clock(14, day=14), clock(17, day=14)), (clock(7, 30), now)):
            self.said(list(range(start, end, MINUTE)), devices)
        self.presence(devices, online=True)
        self.rollup.run_once()
        self.rollup.run_once()

    def said(self, times: Sequence[int], devices: Sequence[str], heard_at: int | None = None) -> None:
        """Contacts and heartbeats; those of an outbox are heard later than they were said."""
        beats = [(d, ev.DeviceHeartbeat(n=t // MINUTE, t=t)) for t in times for d in devices]
        contacts = [(d, heard_at or t) for t in times for d in devices]
        stored = [StoredEvent("c1", d, f"{d}-box", event) for d, event in beats]
        stored += [StoredEvent("c1", d, CONTACT_OUTBOX_ID, ev.DeviceContact(n=t // MINUTE, t=t)) for d, t in contacts]
        changes = [ChangeRecord(*cell) for cell in dirty_hours(("c1", s.event) for s in stored)]
        self.store.append(Batch(self.now * 1000, stored, changes))

    def presence(self, devices: Sequence[str], *, online: bool) -> None:
        body = encode_presence(Presence(online=online, sid="s1"))
        self.rollup.store_presence(Message(f"motcua/v1/c1/{name}/state", body) for name in devices)

    def until(self, end: int, silent: Sequence[str] = (), step: int = STEP) -> Iterator[int]:
        """Let time pass; on each minute our platform beats and everybody but the silent speaks."""
        while self.now < end:
            self.now += step
            if self.now % MINUTE == 0:
                beat = ev.PlatformBeat(n=self.now // MINUTE, t=self.now)
                change = ChangeRecord(PLATFORM_ENTITY, self.now - self.now % HOUR, self.now - self.now % HOUR + HOUR)
                self.store.append(
                    Batch(
                        self.now * 1000, [StoredEvent(PLATFORM_ENTITY, PLATFORM_ENTITY, PLATFORM_SPOOL, beat)], [change]
                    )
                )
                if speaking := [d for d in self.devices if d not in silent]:
                    self.said([self.now], speaking)
            self.rollup.run_once()
            yield self.now

    def pass_until(self, end: int, silent: Sequence[str] = (), step: int = STEP) -> None:
        for _ in self.until(end, silent, step):
            pass

    def lose(self, seconds: int = 45) -> None:
        """Cut the link; the broker tells the Wills so much later."""
        self.pass_until(self.now + seconds * 1000, self.devices)
        self.presence(self.devices, online=False)

    def row(self, slo: str) -> ScopedSloNow:
        """Return what the objective's row would say at this moment."""
        return build_slo_row(
            slo, [j for j in self.watch.evaluate_all(self.now) if j.scoped.objective.id == slo], {}, 0
        ).scopes[0]

    def rows(self) -> dict[str, SloNow]:
        """Return the rows that rollup wrote."""
        found = {live.entity: live.body for live in self.store.live_rows() if live.entity.startswith("slo:")}
        return {unit: msgspec.json.decode(body, type=SloNow) for unit, body in found.items()}


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Make]:
    """Return how a place is made that ends with the test."""
    made: list[Place] = []

    def make(now: int) -> Place:
        made.append(Place(tmp_path, now))
        return made[-1]

    yield make
    for place in made:
        with closing(place.store):
            assert place.rollup._fold_job.evaluator_failures == 0


def test_a_full_outage_pages_within_five_minutes_of_open_time(at: Make) -> None:
    place = at(clock(9))
    place.lose()
    place.pass_until(clock(9, 10), SITE)
    assert list(place.pager.paged) == ["centre:c1"]
    assert clock(9, 2) < place.pager.paged["centre:c1"] <= clock(9, 5)
    fired = {r.rule: r.fired for r in place.rows()["slo:contact"].scopes[0].readings}
    assert fired["page-fast"] == place.pager.paged["centre:c1"]


def test_an_outage_over_lunch_pages_five_minutes_after_the_doors_open_again(at: Make) -> None:
    place = at(clock(11, 28))
    place.lose()
    place.pass_until(clock(13, 29), SITE, MINUTE)
    assert place.pager.paged == {}
    place.pass_until(clock(13, 40), SITE)
    assert place.pager.paged == {"centre:c1": clock(13, 35)}


def test_an_outage_at_night_pages_nobody_before_opening(at: Make) -> None:
    place = at(clock(17, 30))
    place.lose()
    place.pass_until(clock(7, 30, day=16), SITE, 5 * MINUTE)
    assert place.pager.paged == {}
    place.pass_until(clock(7, 40, day=16), SITE)
    assert place.pager.paged == {"centre:c1": clock(7, 35, day=16)}


def test_an_outage_that_ends_before_two_minutes_pages_nobody(at: Make) -> None:
    place = at(clock(9))
    place.lose()
    place.pass_until(clock(9, 1, 45), SITE)
    place.presence(SITE, online=True)
    place.pass_until(clock(9, 20))
    assert place.pager.paged == {}


def test_a_missed_heartbeat_pages_nobody(at: Make) -> None:
    place = at(clock(9))
    before = place.row("contact")
    place.pass_until(clock(9, 1, 45), SITE)
    place.pass_until(clock(9, 15))
    assert place.pager.paged == {}
    assert place.row("contact").bad == before.bad


def test_one_dead_device_of_ten_does_not_page_the_centre(at: Make) -> None:
    place = at(clock(9))
    place.presence(["c1-counter7"], online=False)
    place.pass_until(clock(9, 30), ["c1-counter7"])
    assert place.pager.paged == {}


def test_a_dead_link_burns_contact_and_what_an_outbox_tells_later_corrects_the_service(at: Make) -> None:
    place = at(clock(9))
    before, heard = place.row("service"), place.row("contact")
    place.lose()
    place.pass_until(clock(9, 30), SITE)
    lost = place.row("service")
    assert lost.bad == before.bad
    assert lost.unknown - before.unknown == 1800 - 90
    """Half an hour, but for the 90 s for which the last heartbeat is still believed."""
    assert place.row("contact").bad - heard.bad == 1800 - 45
    place.presence(SITE, online=True)
    place.said(list(range(clock(9), clock(9, 31), MINUTE)), SITE, heard_at=place.now)
    place.pass_until(clock(9, 36))
    told = place.row("service")
    assert (told.bad, told.unknown) == (before.bad, before.unknown)
    assert told.up - before.up == 2100
    assert place.row("contact").bad - heard.bad >= 1800 - 45


def test_after_an_outage_of_our_own_nobody_is_charged(at: Make) -> None:
    place = at(clock(9))
    place.pass_until(clock(9, 1))
    before = place.row("contact")
    place.now = clock(9, 31)
    place.pass_until(clock(9, 45))
    contact = place.row("contact")
    assert contact.bad == before.bad
    assert contact.excluded - before.excluded == 31 * 60 - 150


def test_a_watch_that_starts_anew_judges_the_same(at: Make) -> None:
    place = at(clock(9))
    place.lose()
    place.pass_until(clock(9, 20), SITE)
    followed, inventory = place.watch.evaluate_all(place.now), world(SITE)
    other = SloEvaluator(place.store, lambda: inventory)
    assert [(j.window, j.status.account, j.status.good_bad) for j in other.evaluate_all(place.now)] == [
        (j.window, j.status.account, j.status.good_bad) for j in followed
    ]
