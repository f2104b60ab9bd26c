"""Says again what devices said: every frame twice and in another order, old frames among them."""

from __future__ import annotations

import random
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.flow.device import wait_until
from tests.flow.faults.surroundings import ECHO

if TYPE_CHECKING:
    from collections import deque

    from tests.flow.faults.surroundings import Broker

KEPT = 60


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it went over the wire."""

    topic: str
    payload: bytes
    content_type: str
    user: tuple[tuple[str, str], ...]


class Echo:
    """Listens from the beginning; `repeat` says it all again. `old` keeps frames of earlier rounds."""

    def __init__(self, broker: Broker, old: deque[Frame]) -> None:
        self.heard: list[Frame] = []
        self._old, self._subscribed = old, False
        where = broker.address(ECHO)
        client = self._client = Client(CallbackAPIVersion.VERSION2, ECHO, protocol=MQTTProtocolVersion.MQTTv5)
        if where.tls:
            context = ssl.create_default_context(cafile=where.ca)
            context.load_cert_chain(where.cert, where.key)
            client.tls_set_context(context)
        client.on_connect = self._ask
        client.on_subscribe = self._ready
        client.on_message = self._hear
        client.connect(where.host, where.port)
        client.loop_start()
        wait_until(lambda: self._subscribed, "the echo is subscribed")

    def _ask(self, client: Client, *_: object) -> None:
        client.subscribe("motcua/v1/+/+/up", 0)

    def _ready(self, *_: object) -> None:
        self._subscribed = True

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        said = message.properties
        user = tuple(getattr(said, "UserProperty", ()))
        self.heard.append(Frame(message.topic, bytes(message.payload), getattr(said, "ContentType", ""), user))

    def repeat(self, seed: str) -> int:
        """Send every frame heard twice, and old ones, in another order; then leave. Returns how many."""
        self._client.unsubscribe("motcua/v1/+/+/up")
        frames = [*self.heard, *self.heard, *self._old]
        random.Random(seed).shuffle(frames)
        self._old.extend(self.heard)
        sent = [self._publish(frame) for frame in frames]
        wait_until(lambda: all(info.is_published() for info in sent), "the broker took every repeated frame")
        self.close()
        return len(frames)

    def _publish(self, frame: Frame) -> MQTTMessageInfo:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = frame.content_type
        properties.UserProperty = list(frame.user)
        return self._client.publish(frame.topic, frame.payload, qos=1, properties=properties)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
