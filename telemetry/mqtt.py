"""The one door to paho: an MQTT 5 link driven by its caller, single-threaded. It must not decide when to retry.

Every connection is a new paho client, so that no queue, packet id or TLS context outlives it;
a message remembers its connection and an acknowledgement for an older one is dropped.
"""

from __future__ import annotations

import select
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telemetry.address import BrokerAddress, address
from telemetry.core.packets import without_properties
from telemetry.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paho.mqtt.client import ConnectFlags
    from paho.mqtt.reasoncodes import ReasonCode

__all__ = ["FAILED", "NO_SUBSCRIBERS", "TAKEN_OVER", "BrokerAddress", "Link", "LinkSettings", "Message", "address"]
KEEPALIVE_S = 30
CONNACK_WAIT_S = 10.0
FAILED = 0x80
"""Reason codes from here on are failures; 0x10 (no matching subscribers) is none, but nobody got the message."""
NO_SUBSCRIBERS = 0x10
TAKEN_OVER = 0x8E


class _Lenient(Client):
    """paho gives up a link over a message property with U+0000 or U+FEFF in it; the broker would send it for ever."""

    def _handle_publish(self) -> MQTTErrorCode:
        try:
            return super()._handle_publish()
        except MalformedPacket:
            self._in_packet["packet"] = without_properties(self._in_packet["command"], self._in_packet["packet"])
            return super()._handle_publish()


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Who we are to the broker and what we want from it."""

    client_id: str
    subscriptions: tuple[tuple[str, int], ...] = ()
    session_expiry_s: int = 0
    receive_maximum: int = 500
    clean_start: bool = True
    manual_ack: bool = False
    will: tuple[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received; `link` and `generation` say which connection may acknowledge it."""

    topic: str
    payload: bytes
    content_type: str = ""
    user: Mapping[str, str] = field(default_factory=dict)
    mid: int = 0
    qos: int = 0
    retain: bool = False
    generation: int = 0


class Listener(Protocol):
    """Who is told what happens on a link; called from inside `pump`."""

    def linked(self, *, session_present: bool) -> None:
        """Say that the connection stands and subscriptions were asked for."""

    def unlinked(self, code: int, reason: str) -> None:
        """Say that the connection is gone."""

    def sent(self, mid: int, code: int) -> None:
        """Say that the broker answered a QoS 1 message; `code` ≥ FAILED means it was refused."""

    def received(self, message: Message) -> None:
        """Hand over a message."""


class Link:
    """One connection after another to a broker."""

    def __init__(self, where: BrokerAddress, settings: LinkSettings, listener: Listener) -> None:
        self._where = where
        self._settings = settings
        self._listener = listener
        self._client: Client | None = None
        self.generation = 0
        self._since = 0.0
        self.up = False

    def connect(self, will: tuple[str, bytes] | None = None) -> None:
        """Open a new connection; the answer comes through `pump`. Raises BrokerUnavailable."""
        self.drop()
        self.generation += 1
        client = self._new_client(will or self._settings.will)
        try:
            client.connect(
                self._where.host,
                self._where.port,
                keepalive=KEEPALIVE_S,
                clean_start=self._settings.clean_start,
                properties=self._connect_properties(),
            )
        except (OSError, ValueError) as error:
            msg = f"no MQTT broker at {self._where.host}:{self._where.port}: {error}; is it running and reachable?"
            raise BrokerUnavailable(msg) from error
        self._client, self._since = client, time.monotonic()

    def _new_client(self, will: tuple[str, bytes] | None) -> Client:
        client = _Lenient(
            CallbackAPIVersion.VERSION2,
            client_id=self._settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=self._settings.manual_ack,
        )
        client.max_inflight_messages_set(0)
        client.suppress_exceptions = False
        if self._where.tls:
            client.tls_set_context(_tls(self._where))
        if self._where.username:
            client.username_pw_set(self._where.username, self._where.password)
        if will:
            client.will_set(will[0], will[1], qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _connect_properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._settings.receive_maximum
        if self._settings.session_expiry_s:
            properties.SessionExpiryInterval = self._settings.session_expiry_s
        return properties

    def _on_connect(
        self, client: Client, _data: object, flags: ConnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        if client is not self._client:
            return
        if code.is_failure:
            self._fail(code.value, str(code))
            return
        self.up = True
        if self._settings.subscriptions:
            client.subscribe(list(self._settings.subscriptions))
        self._listener.linked(session_present=bool(flags.session_present))

    def _on_disconnect(
        self, client: Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        if client is self._client:
            self._fail(code.value, str(code))

    def _on_publish(self, client: Client, _data: object, mid: int, code: ReasonCode, _properties: object) -> None:
        if client is self._client:
            self._listener.sent(mid, code.value)

    def _on_message(self, client: Client, _data: object, message: MQTTMessage) -> None:
        if client is not self._client:
            return
        properties = message.properties
        self._listener.received(
            Message(
                topic=message.topic,
                payload=bytes(message.payload),
                content_type=getattr(properties, "ContentType", ""),
                user=dict(getattr(properties, "UserProperty", ())),
                mid=message.mid,
                qos=message.qos,
                retain=message.retain,
                generation=self.generation,
            )
        )

    def _fail(self, code: int, reason: str) -> None:
        self.drop()
        self._listener.unlinked(code, reason)

    def drop(self) -> None:
        """Close without a good-bye: the broker sends the Will."""
        client, self._client, self.up = self._client, None, False
        sock = client.socket() if client else None
        if sock is not None:
            sock.close()

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False,
                content_type: str = "", user: Mapping[str, str] | None = None) -> int | None:  # fmt: skip
        """Send a message; returns its id, or None when there is no connection."""
        if self._client is None or not self.up:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if content_type:
            properties.ContentType = content_type
        if user:
            properties.UserProperty = list(user.items())
        info = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def ack(self, message: Message) -> None:
        """Acknowledge a message of the present connection; one of an older connection comes again anyway."""
        if self._client is not None and message.generation == self.generation and message.qos:
            self._client.ack(message.mid, message.qos)

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 without one."""
        sock = self._client.socket() if self._client else None
        return sock.fileno() if sock is not None else -1

    def wants_write(self) -> bool:
        """Tell whether bytes wait to be sent."""
        return self._client is not None and self._client.want_write()

    def writable(self) -> None:
        """Send what waits."""
        if self._client is not None:
            self._checked(self._client.loop_write())

    def readable(self, budget: int = 200) -> None:
        """Take in up to `budget` packets that have arrived."""
        for _ in range(budget):
            if self._client is None:
                return
            self._checked(self._client.loop_read())
            if not self._waiting(0):
                return

    def _waiting(self, timeout: float) -> bool:
        sock = self._client.socket() if self._client else None
        if sock is None:
            return False
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        poll = select.poll()
        poll.register(sock, select.POLLIN | (select.POLLOUT if timeout and self.wants_write() else 0))
        return any(event & ~select.POLLOUT for _, event in poll.poll(timeout * 1000))

    def tick(self) -> None:
        """Keep the connection alive; give up on a broker that does not answer."""
        if self._client is None:
            return
        if not self.up and time.monotonic() - self._since > CONNACK_WAIT_S:
            self._fail(0, "no answer to CONNECT")
            return
        self._checked(self._client.loop_misc())

    def _checked(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS and self._client is not None:
            self._fail(0, code.name)

    def pump(self, timeout: float) -> None:
        """Wait up to `timeout` s for packets and handle them; returns early when some came."""
        if self.wants_write():
            self.writable()
        if self._waiting(timeout):
            self.readable()
        if self.wants_write():
            self.writable()
        self.tick()

    def disconnect(self) -> None:
        """Say good-bye (the Will is not sent) and close."""
        client = self._client
        if client is None:
            return
        self._client, self.up = None, False
        client.disconnect()
        client.loop_write()
        sock = client.socket()
        if sock is not None:
            sock.close()


def _tls(where: BrokerAddress) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=where.ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if where.cert:
        context.load_cert_chain(where.cert, where.key or None)
    return context
