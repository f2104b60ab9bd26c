"""A device on the wire that speaks its own words, and waiting for a condition with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telemetry.core.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry.core.protocol.codec import DeliveryReceipt
    from telemetry.core.protocol.topics import Topic

T = TypeVar("T")


class Until(Protocol):
    """Waits for a condition; see `until`."""

    def __call__(self, condition: Callable[[], T], what: str, within: float = 60.0) -> T: ...


def wait_until(condition: Callable[[], T], what: str, within: float = 60.0) -> T:
    """Return the condition's first truthy value; fail when the deadline has passed."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within:g} s: {what}")
        time.sleep(0.02)
    return value


class Wire:
    """A device, or somebody who claims to be one, speaking MQTT 5 with its own words."""

    def __init__(self, url: str, topic: Topic, ident: str = "") -> None:
        self.topic = topic
        self.receipts: list[DeliveryReceipt] = []
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=ident or topic.device, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._subscribed = False
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._ready
        self._client.on_message = self._received
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", int(url.rpartition(":")[2]))
        self._client.loop_start()
        wait_until(lambda: self._subscribed, "the device is subscribed to its receipts")

    def _connected(self, client: Client, *_: object) -> None:
        client.subscribe(self.topic.with_channel("receipt").path, 0)

    def _ready(self, *_: object) -> None:
        self._subscribed = True

    def _received(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if (receipt := codec.decode_receipt(bytes(message.payload))) is not None:
            self.receipts.append(receipt)

    def publish(
        self, payload: bytes, content_type: str = "", user: Sequence[tuple[str, str]] = (), topic: str = ""
    ) -> None:
        """Send, and wait for the broker's PUBACK."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if content_type:
            properties.ContentType = content_type
        if user:
            properties.UserProperty = list(user)
        info = self._client.publish(topic or self.topic.path, payload, qos=1, properties=properties)
        wait_until(info.is_published, "the broker acknowledges a message")

    def told(self, wanted: Callable[[DeliveryReceipt], bool], what: str) -> None:
        """Wait for a receipt of which `wanted` is true."""
        wait_until(lambda: any(wanted(receipt) for receipt in list(self.receipts)), what)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
