"""Rows of a declared device that ingest does not store: too old ones, and those of systems that nobody declared."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from telemetry.config import load_settings
from telemetry.core.calendar.windows import DAY
from telemetry.core.protocol import codec, events as ev
from telemetry.errors import ConfigError
from telemetry.ingest.service import classify_frame
from telemetry.mqtt.link import Message
from tests.unit.ingest.test_ingest import CENTRE, DEVICE, NOW, WORLD

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory
    from telemetry.core.protocol.codec import DecodedFrame

SYSTEM = next(iter(WORLD.systems))


def classify(
    *events: ev.Event, device: str = DEVICE, oldest: int = 0, max_age_ms: int = 400 * DAY, world: Inventory = WORLD
) -> DecodedFrame:
    payload = codec.encode_frame("s1", "b", NOW, [codec.encode_event(event) for event in events])
    message = Message(f"motcua/v1/{CENTRE}/{device}/up", payload, codec.CONTENT_TYPE, mid=1, qos=1)
    return classify_frame(message, world, NOW, oldest, max_age_ms).decoded


def beat(n: int, t: int) -> ev.Event:
    return ev.DeviceHeartbeat(n=n, t=t)


def probe(n: int, system: str) -> ev.Event:
    return ev.ProbeResult(n=n, t=NOW, system=system, kind="http", ok=True)


def test_rows_older_than_the_bound_are_rejected_and_their_neighbours_stored() -> None:
    decoded = classify(beat(1, NOW - 400 * DAY - 1), beat(2, NOW - 400 * DAY), beat(3, NOW), beat(4, 0))
    assert [event.n for event in decoded.events] == [2, 3]
    assert decoded.rejected == [(1, "too_old"), (4, "too_old")]


def test_a_shorter_retention_wins_over_the_bound_and_the_bound_over_a_longer_one() -> None:
    assert classify(beat(1, NOW - 2 * DAY), oldest=NOW - DAY).rejected == [(1, "too_old")]
    assert classify(beat(1, NOW - 2 * DAY), oldest=NOW - 9 * DAY, max_age_ms=DAY).rejected == [(1, "too_old")]


def test_an_import_is_bounded_by_the_retention_alone() -> None:
    centre = replace_devices(f"{CENTRE}-replay1")
    in_1999 = 915_148_800_000
    assert classify(beat(1, in_1999), device=f"{CENTRE}-replay1", world=centre).rejected == []
    late = classify(beat(1, in_1999), device=f"{CENTRE}-replay1", world=centre, oldest=in_1999 + 1)
    assert late.rejected == [(1, "too_old")]


def replace_devices(device: str) -> Inventory:
    """Return the sample with one more device of the centre."""
    added = replace(WORLD.devices[DEVICE], id=device)
    return replace(WORLD, devices=MappingProxyType({**WORLD.devices, device: added}))


def test_rows_of_an_undeclared_system_are_deferred_until_it_is_declared() -> None:
    stats = ev.ConnectorStats(n=3, t=NOW, system="vn83-new", period_ms=60_000, ok=1, failed=0)
    decoded = classify(probe(1, SYSTEM), probe(2, "vn83-new"), stats, beat(4, NOW))
    assert [event.n for event in decoded.events] == [1, 4]
    assert decoded.deferred == [(2, "unknown_system"), (3, "unknown_system")]
    declared = replace(WORLD.systems[SYSTEM], id="vn83-new")
    world = replace(WORLD, systems=MappingProxyType({**WORLD.systems, "vn83-new": declared}))
    assert [event.n for event in classify(probe(2, "vn83-new"), stats, world=world).events] == [2, 3]


@pytest.mark.parametrize("name", ["vn83-28756", "motcua", "vn83-83-gateway1", "vn83-83-kiosk1", "vn83-83", "x-replay1"])
def test_a_result_that_names_a_centre_a_device_or_the_platform_as_its_system_is_not_the_devices(name: str) -> None:
    stats = ev.ConnectorStats(n=2, t=NOW, system=name, period_ms=60_000, ok=1, failed=0)
    decoded = classify(probe(1, name), stats, beat(3, NOW), probe(4, SYSTEM), probe(5, "vn83-new"))
    assert [event.n for event in decoded.events] == [3, 4]
    assert decoded.rejected == [(1, "not_yours"), (2, "not_yours")]
    assert decoded.deferred == [(5, "unknown_system")]


def test_a_result_that_is_not_the_devices_is_a_dead_letter_with_its_reason() -> None:
    payload = codec.encode_frame("s1", "b", NOW, [codec.encode_event(probe(1, "motcua"))])
    result = classify_frame(Message(f"motcua/v1/{CENTRE}/{DEVICE}/up", payload, codec.CONTENT_TYPE), WORLD, NOW)
    assert [(letter.reason, letter.rows) for letter in result.dead_letters] == [("not_yours", 1)]


@pytest.mark.parametrize("spool", ["platform", "contact", "status"])
@pytest.mark.parametrize("kind", ["platform.beat", "device.contact", "device.status", "device.heartbeat"])
def test_no_frame_can_have_the_origin_of_the_servers_own_events(spool: str, kind: str) -> None:
    for outbox in (spool, "s1"):
        row = {"n": 1, "t": NOW, "type": kind, "online": True, "sid": "s"}
        payload = json.dumps({"v": 1, "spool": outbox, "events": [row]}).encode()
        for topic in (f"motcua/v1/{CENTRE}/{DEVICE}/up", "motcua/v1/motcua/ingest/up"):
            decoded = classify_frame(Message(topic, payload, codec.CONTENT_TYPE), WORLD, NOW).decoded
            assert decoded.events == []


def test_two_thousand_invented_systems_are_one_dead_letter() -> None:
    events = [probe(n, f"vn83-x{n}") for n in range(1, 1_001)]
    payload = codec.encode_frame("s1", "b", NOW, [codec.encode_event(event) for event in events])
    message = Message(f"motcua/v1/{CENTRE}/{DEVICE}/up", codec.compress(payload), codec.CONTENT_TYPE + "+zlib")
    result = classify_frame(message, WORLD, NOW)
    assert result.decoded.events == []
    assert [(letter.reason, letter.rows) for letter in result.dead_letters] == [("unknown_system", 1_000)]


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "100000", "٣"])
def test_the_bound_is_a_number_of_days(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"MOTCUA_MAX_EVENT_AGE_DAYS": text})
    assert [fault.field for fault in caught.value.faults] == ["MOTCUA_MAX_EVENT_AGE_DAYS"]
    assert load_settings({"MOTCUA_MAX_EVENT_AGE_DAYS": "90"}).max_event_age_days == 90
