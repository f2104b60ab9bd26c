"""Checks MQTT packets as bytes."""

from __future__ import annotations

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telemetry.core.packets import without_properties

TOPIC = b"\x00\x03a/b"
QOS1 = 0x32


@pytest.mark.parametrize("size", [0, 1, 100, 200, 20_000])
@pytest.mark.parametrize(("command", "mid"), [(0x30, b""), (QOS1, b"\x12\x34")])
def test_a_message_keeps_everything_but_its_properties(command: int, mid: bytes, size: int) -> None:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if size:
        properties.UserProperty = [("k", "v" * size)]
    packed: bytes = properties.pack()  # type: ignore[no-untyped-call]
    packet = TOPIC + mid + packed + b"payload"
    assert bytes(without_properties(command, bytearray(packet))) == TOPIC + mid + b"\x00payload"
