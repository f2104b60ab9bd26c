"""From a Last Will to the page: rollup, objectives, alarms and a real Alertmanager, on a clock turned by hand."""

from __future__ import annotations

import time as wall
from contextlib import closing
from dataclasses import replace
from datetime import datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from dashboards.files import provisioned_files
from infra.config.options import StackOptions
from infra.host import monitoring
from infra.plan import build_plan
from infra.templates import render_yaml
from telemetry import inventory
from telemetry.core.calendar.windows import HOUR, MINUTE, floor, to_ms
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY, PLATFORM_OUTBOX_ID as PLATFORM_SPOOL
from telemetry.core.inventory import Centre, Device, Inventory, Objective
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.presence import Presence, encode_presence
from telemetry.mqtt.link import Message
from telemetry.rollup.service import Rollup
from telemetry.slo.alert_state import StateFile
from telemetry.slo.alerting import Alerting
from telemetry.slo.alertmanager import Alertmanagers
from telemetry.slo.evaluator import SloEvaluator
from telemetry.store import CONTACT_OUTBOX_ID, Batch, ChangeRecord, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.alertmanager import Alertmanager, Webhook, hurried, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from telemetry.core.slo.alert import PostableAlert

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
OPENING = to_ms(datetime(2026, 3, 4, 9, tzinfo=ZONE))
DAYS = 2
STEP = 15_000
DEVICES = ("c1-kiosk1", "c1-kiosk2", "c1-gateway1")
HOURS = tuple(((time(9), time(17)),) for _ in range(7))


def world() -> Inventory:
    centre = Centre("c1", "u", "commune", "Một cửa", "Desk", "vn83", "", 2, HOURS, ("land",), ZONE)
    devices = {name: Device(name, "c1", "gateway" if "gateway" in name else "kiosk") for name in DEVICES}
    objectives = (
        Objective("in-touch", "Liên lạc", "In touch", "centre", "connectivity", 0.995, 28, unknown="down"),
        Objective("devices-in-touch", "Thiết bị", "Devices", "device", "connectivity", 0.995, 28, unknown="down"),
    )
    return Inventory(
        "v", "vn83", "T", "T", ZONE, {}, {"c1": centre}, devices, {}, {}, objectives=objectives,
    )  # fmt: skip


class Shifted:
    """Hands on to an Alertmanager, whose clock nobody turns: all times are moved so that `at` is now."""

    def __init__(self, sender: Alertmanagers) -> None:
        self._sender = sender
        self.names: set[str] = set()
        self.seen: set[str] = set()

    def submit(self, alerts: Sequence[PostableAlert], at: int) -> None:
        self.names = {dict(a.labels).get("scope", "") for a in alerts if a.ends_at > at} - {""}
        self.seen |= self.names
        moved = wall.time_ns() // 1_000_000 - at
        self._sender.submit(
            [replace(a, starts_at=a.starts_at + moved, ends_at=a.ends_at + moved) for a in alerts], at + moved
        )


class Centre1:
    """A centre's devices as ingest and the broker show them, and the rollup that follows; `now` is turned by hand."""

    def __init__(self, folder: Path, sender: Alertmanagers) -> None:
        self.now = OPENING - DAYS * 24 * HOUR
        self.store, self.state = SqliteStore(folder / "store.db"), StateFile(folder / "state.db")
        self.sender = Shifted(sender)
        self._world = world()
        alerting = Alerting(lambda: self._world, self.state, self.sender)  # type: ignore[arg-type]
        watch = SloEvaluator(self.store, lambda: self._world, alerting)
        self.rollup = Rollup(self.store, lambda: self._world, lambda: self.now, watch, lambda: 0.0)

    def close(self) -> None:
        self.state.close()
        self.store.close()

    def contacts(self, start: int, end: int) -> None:
        """Devices are heard, and our own platform was there, in every minute."""
        minutes = range(start, end, MINUTE)
        heard = [ev.DeviceContact(n=t // MINUTE, t=t) for t in minutes]
        beats = [ev.PlatformBeat(n=t // MINUTE, t=t) for t in minutes]
        stored = [StoredEvent("c1", name, CONTACT_OUTBOX_ID, event) for name in DEVICES for event in heard]
        stored += [StoredEvent(PLATFORM_ENTITY, PLATFORM_ENTITY, PLATFORM_SPOOL, event) for event in beats]
        changes = [ChangeRecord(*cell) for cell in dirty_hours(("c1", event) for event in heard)]
        self.store.append(Batch(self.now * 1000, stored, changes))

    def said(self, *, online: bool) -> None:
        """Births, or the Last Wills that the broker sends for all devices behind a dead link."""
        body = encode_presence(Presence(online=online, sid="s1"))
        self.rollup.store_presence(Message(f"motcua/v1/c1/{name}/state", body) for name in DEVICES)

    def until(self, end: int, step: int, *, heard: bool) -> Iterator[int]:
        while self.now < end:
            if heard and self.now % MINUTE == 0:
                self.contacts(self.now, self.now + 1)
            elif self.now % MINUTE == 0:
                self.beat(step)
            self.rollup.run_once()
            yield self.now
            self.now += step

    def beat(self, step: int) -> None:
        """Ingest beats every minute, also until the next step."""
        minutes = range(self.now, self.now + max(step, MINUTE), MINUTE)
        beats = [
            StoredEvent(PLATFORM_ENTITY, PLATFORM_ENTITY, PLATFORM_SPOOL, ev.PlatformBeat(n=t // MINUTE, t=t))
            for t in minutes
        ]
        hours = sorted({floor(t, HOUR) for t in minutes})
        self.store.append(
            Batch(self.now * 1000, beats, [ChangeRecord(PLATFORM_ENTITY, hour, hour + HOUR) for hour in hours])
        )


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with closing(Webhook()) as one:
        yield one


@pytest.fixture
def centre(require: Callable[[str], str], tmp_path: Path, webhook: Webhook) -> Iterator[Centre1]:
    wanted = StackOptions.model_validate({"stage": "prod", "target": "local"})
    world = inventory.load(inventory.default_path())
    found = build_plan(world, wanted, wanted.pki.epoch, provisioned_files(world))
    text = render_yaml(monitoring.alertmanager_configuration(found))
    config = hurried(text, webhook.url, group_wait="100ms", group_interval="200ms")
    server = Alertmanager(require("prometheus-alertmanager"), tmp_path / "alertmanager", config).start()
    try:
        with closing(Alertmanagers(server.url)) as sender, closing(Centre1(tmp_path, sender)) as one:
            yield one
    finally:
        server.end()


def first_page(steps: Iterable[int], centre: Centre1) -> int:
    return next(t for t in steps if centre.sender.names)


def settled_in(centre: Centre1, end: int) -> None:
    """Two days in which all is well, up to `end`; then rollup is at that moment."""
    centre.said(online=True)
    centre.now = end
    centre.contacts(OPENING - DAYS * 24 * HOUR, end)
    for _ in range(50):
        centre.rollup.run_once()


def heard_of_the_centre(webhook: Webhook) -> None:
    until(lambda: bool(webhook.about("centre:c1", "firing")), lambda: webhook.messages)
    (alert,) = webhook.messages[-1]["alerts"]
    assert alert["labels"]["alertname"] == "MotcuaConnectivity"
    assert alert["labels"]["severity"] == "page"
    assert {m["groupKey"] for m in webhook.messages} == {webhook.messages[0]["groupKey"]}


def test_a_dead_link_at_opening_pages_within_five_minutes(centre: Centre1, webhook: Webhook) -> None:
    settled_in(centre, OPENING - MINUTE)
    assert not [t for t in centre.until(OPENING + 45_000, STEP, heard=True) if centre.sender.names]
    centre.said(online=False)
    paged = first_page(centre.until(OPENING + HOUR, STEP, heard=False), centre)
    assert OPENING + 2 * MINUTE < paged <= OPENING + 5 * MINUTE
    assert centre.sender.names == {"centre:c1"}
    heard_of_the_centre(webhook)


def test_a_dead_link_at_night_calls_nobody_before_opening(centre: Centre1, webhook: Webhook) -> None:
    night = OPENING - 6 * HOUR
    settled_in(centre, night)
    centre.said(online=False)
    assert not [t for t in centre.until(OPENING, 5 * MINUTE, heard=False) if centre.sender.names]
    assert webhook.messages == []
    paged = first_page(centre.until(OPENING + HOUR, STEP, heard=False), centre)
    assert OPENING + 2 * MINUTE < paged <= OPENING + 5 * MINUTE
    heard_of_the_centre(webhook)
