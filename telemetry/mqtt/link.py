"""An MQTT 5 link, driven by its caller in one thread; the only importer of paho. It must not decide when to retry.

Every connection is a new paho client, so that no queue, packet id or TLS context outlives it;
a message carries its connection's generation, and an acknowledgement for an older one is dropped.  paho
manages the session's state; bytes are split into packets here, because paho reads a socket byte by byte and creates a
dozen objects for a message, which costs ingest half of its time.
"""

from __future__ import annotations

import select
import ssl
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telemetry.errors import BrokerUnavailable
from telemetry.mqtt import packets
from telemetry.mqtt.broker_limits import BrokerLimits, parse_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paho.mqtt.client import ConnectFlags, SocketLike
    from paho.mqtt.reasoncodes import ReasonCode

    from telemetry.mqtt.address import BrokerAddress

KEEPALIVE_S = 30  # a broker publishes a lost device's Will after one and a half times this: 45 s
CONNACK_WAIT_S = 10.0
FAILED = 0x80
"""Reason codes from here on are failures; 0x10 (no matching subscribers) is not one, but no client got the message."""
NO_SUBSCRIBERS = 0x10
TAKEN_OVER = 0x8E
PACKET_TOO_LARGE = 0x95
RETAIN_UNSUPPORTED, QOS_UNSUPPORTED = 0x9A, 0x9B
QOS_0_SENT = 0
"""What `publish` returns for a message that the broker will not acknowledge; message ids begin at 1."""
RECEIVE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How a client identifies itself to the broker and what it subscribes to."""

    client_id: str
    subscriptions: tuple[tuple[str, int], ...] = ()
    session_expiry_s: int = 0
    receive_maximum: int = 500
    clean_start: bool = True
    manual_ack: bool = False
    will: tuple[str, bytes] | None = None
    needs_subscriptions: bool = False
    """Whether a connection is of no use when the broker refuses a subscription; it is closed then."""


class Message(Struct, frozen=True, gc=False):
    """A received message; only connection `generation` may acknowledge it. A struct, because there are very many."""

    topic: str
    payload: bytes
    content_type: str = ""
    properties: bytes = b""
    mid: int = 0
    qos: int = 0
    retain: bool = False
    generation: int = 0

    @property
    def user_properties(self) -> dict[str, str]:
        """Return the user properties; of equal names the last counts."""
        parsed = packets.parse_properties(self.properties)
        return {name: value for kind, name, value in parsed if kind == packets.USER_PROPERTY}


class LinkListener(Protocol):
    """Receives a link's events; called from inside `Link.poll`."""

    def on_connected(self, *, session_present: bool) -> None:
        """Handle a new connection; subscriptions have been requested."""

    def on_disconnected(self, code: int, reason: str) -> None:
        """Handle the loss of the connection."""

    def on_puback(self, mid: int, code: int) -> None:
        """Handle the broker's answer to a QoS 1 message; `code` ≥ FAILED means that it was refused."""

    def on_message(self, message: Message) -> None:
        """Handle a message."""


class Link:
    """One connection after another to a broker."""

    def __init__(self, broker: BrokerAddress, settings: LinkSettings, listener: LinkListener) -> None:
        self._broker = broker
        self._settings = settings
        self._listener = listener
        self._client: Client | None = None
        self.generation = 0
        self._connect_started = 0.0
        self._remainder = b""
        self.is_connected = False
        self.limits = BrokerLimits()
        """What the broker allows; of the last connection while there is none."""
        self._will_qos, self._will_retain, self._has_will = 1, True, True
        self.on_subscription_refused: Callable[[str, int], object] = lambda _topic, _code: None
        """Called with the topic filter and the reason code of a subscription that the broker refused."""

    def connect(self, will: tuple[str, bytes] | None = None) -> None:
        """Open a new connection; `poll` returns the answer. Raises BrokerUnavailable."""
        self.abort()
        self.generation += 1
        try:
            client = self._new_client(will or self._settings.will)
        except OSError as error:
            msg = f"the files for TLS cannot be read: {error}; correct the CA, certificate and key of the MQTT address"
            raise BrokerUnavailable(msg) from error
        try:
            client.connect(
                self._broker.host,
                self._broker.port,
                keepalive=KEEPALIVE_S,
                clean_start=self._settings.clean_start,
                properties=self._connect_properties(),
            )
        except (OSError, ValueError) as error:
            msg = f"no MQTT broker at {self._broker.host}:{self._broker.port}: {error}; is it running and reachable?"
            raise BrokerUnavailable(msg) from error
        if client.socket() is None:
            msg = f"{self._broker.host}:{self._broker.port} refused the handshake; is the certificate valid?"
            raise BrokerUnavailable(msg)
        self._client, self._connect_started, self._remainder = client, time.monotonic(), b""

    def _new_client(self, will: tuple[str, bytes] | None) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=self._settings.manual_ack,
        )
        client.max_inflight_messages_set(0)
        client.suppress_exceptions = False
        if self._broker.tls:
            client.tls_set_context(_tls_context(self._broker))
        if self._broker.username:
            client.username_pw_set(self._broker.username, self._broker.password)
        if will and self._has_will:
            qos, retain = min(self._will_qos, self.limits.maximum_qos), self._will_retain
            client.will_set(will[0], will[1], qos=qos, retain=retain and self.limits.retain_available)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        return client

    def _connect_properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._settings.receive_maximum
        properties.MaximumPacketSize = packets.MAX_RECEIVED_BYTES
        if self._settings.session_expiry_s:
            properties.SessionExpiryInterval = self._settings.session_expiry_s
        return properties

    def _on_connect(
        self, client: Client, _data: object, flags: ConnectFlags, code: ReasonCode, properties: object
    ) -> None:
        if client is not self._client:
            return
        if code.is_failure:
            self._reduce_will(code.value)
            self._fail(code.value, str(code))
            return
        self.is_connected = True
        self.limits = parse_limits(properties)
        client._keepalive = _keep_alive_s(self.limits)  # type: ignore[assignment]  # noqa: SLF001
        if self._settings.subscriptions:
            client.subscribe(self._allowed_subscriptions())
        self._listener.on_connected(session_present=bool(flags.session_present))

    def _reduce_will(self, code: int) -> None:
        """Ask less of the Will in later connections when the broker refused CONNECT because of it."""
        if code == RETAIN_UNSUPPORTED:
            self._will_retain = False
        elif code == QOS_UNSUPPORTED:
            self._will_qos = 0
        elif code == PACKET_TOO_LARGE:
            self._has_will = False

    def _allowed_subscriptions(self) -> list[tuple[str, int]]:
        """Return the subscriptions; plain ones where the broker has no shared ones, so that repeats are received."""
        if self.limits.shared_subscriptions_available:
            return list(self._settings.subscriptions)
        return [(packets.plain_filter(topic), qos) for topic, qos in self._settings.subscriptions]

    def _on_subscribe(
        self, client: Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        if client is not self._client:
            return
        refused = [
            (topic, code)
            for (topic, _), code in zip(self._settings.subscriptions, codes, strict=False)
            if code.is_failure
        ]
        for topic, code in refused:
            self.on_subscription_refused(topic, code.value)
        if refused and self._settings.needs_subscriptions:
            topic, code = refused[0]
            self._fail(code.value, f"the broker refused the subscription to {topic}: {code}")

    def _on_disconnect(
        self, client: Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        if client is self._client:
            self._fail(code.value, str(code))

    def _fail(self, code: int, reason: str) -> None:
        self.abort()
        self._listener.on_disconnected(code, reason)

    def abort(self) -> None:
        """Close without DISCONNECT: the broker publishes the Will."""
        client, self._client, self.is_connected = self._client, None, False
        if client and (sock := client.socket()) is not None:
            sock.close()

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False,
                content_type: str = "", user: Mapping[str, str] | None = None) -> int | None:  # fmt: skip
        """Send a message as the broker allows; returns its id, QOS_0_SENT when no answer will come, or None.

        None: there is no connection, or the message is larger than the broker accepts.  QoS and retain are lowered to
        what the broker has; a message over its Receive Maximum is sent at QoS 0.
        """
        if self._client is None or not self.is_connected:
            return None
        if packets.publish_size(topic, len(payload), content_type, user) > self.limits.max_packet_bytes:
            return None
        has_room = len(self._client._out_messages) < self.limits.receive_maximum  # noqa: SLF001
        qos = min(qos, self.limits.maximum_qos) if has_room else 0
        retain = retain and self.limits.retain_available
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if content_type:
            properties.ContentType = content_type
        if user:
            properties.UserProperty = list(user.items())
        info = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return None
        return info.mid if qos else QOS_0_SENT

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Acknowledge messages of the present connection; the broker delivers those of an older one again."""
        self._enqueue_packets(
            packets.encode_pubacks(m.mid for m in messages if m.qos and m.generation == self.generation)
        )

    def largest_payload(self, topic: str) -> int:
        """Return the largest payload that the broker accepts on the topic at QoS 0, bytes."""
        return self.limits.max_packet_bytes - packets.publish_size(topic, 0) - 3  # a longer packet has a longer length

    def publish_many(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Send (topic, payload) at QoS 0, all at once; lost without a connection, or when over `largest_payload`."""
        if self.is_connected:
            encoded = [packets.encode_publish(topic, payload) for topic, payload in messages]
            limit = self.limits.max_packet_bytes
            self._enqueue_packets(b"".join(packet for packet in encoded if len(packet) <= limit))

    def _enqueue_packets(self, data: bytes) -> None:
        """Append packets to paho's send queue; declared as a PUBACK, for which paho records nothing."""
        if data and self._client is not None:
            self._client._packet_queue(packets.PUBACK, data, 0, 0)  # noqa: SLF001

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 without one."""
        sock = self._socket()
        return sock.fileno() if sock is not None else -1

    def _socket(self) -> SocketLike | None:
        return self._client.socket() if self._client else None

    def wants_write(self) -> bool:
        """Return whether bytes wait to be sent."""
        return self._client is not None and self._client.want_write()

    def send_pending(self) -> None:
        """Send waiting bytes."""
        if self._client is not None:
            self._check_code(self._client.loop_write())

    def receive_available(self, budget: int = RECEIVE_BYTES) -> None:
        """Handle the bytes that have arrived, about `budget` at most."""
        while budget > 0 and (data := self._receive_bytes()):
            budget -= len(data)
            self._handle_bytes(self._remainder + data if self._remainder else data)
            if len(data) < RECEIVE_BYTES and not self._has_tls_pending():
                return

    def _receive_bytes(self) -> bytes:
        """Return bytes from the socket; none when nothing has arrived or the connection is lost."""
        sock = self._socket()
        if sock is None:
            return b""
        try:
            data: bytes = sock.recv(RECEIVE_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except OSError as error:
            self._fail(0, str(error))
            return b""
        if not data:
            self._fail(0, "the broker closed the connection")
        return data

    def _handle_bytes(self, data: bytes) -> None:
        client, generation = self._client, self.generation
        try:
            parsed, end = packets.split_packets(data)
            self._remainder = data[end:]
            for packet in parsed:
                if packet[0] & 0xF0 == packets.PUBLISH:
                    self._listener.on_message(self._parse_message(data, packet))
                elif packet[0] & 0xF0 == packets.PUBACK:
                    self._handle_puback(client, data, packet)
                else:
                    self._handle_control(client, data, packet)
                if self._client is not client or self.generation != generation:
                    return
        except (ValueError, IndexError) as error:
            self._fail(0, f"not MQTT: {error}")
        if client is not None:
            client._last_bytes_received = time.monotonic()  # noqa: SLF001

    def _parse_message(self, data: bytes, packet: packets.PacketBounds) -> Message:
        topic, mid, properties, payload = packets.parse_publish(data, packet)
        content_type = packets.content_type_of(properties) if properties else ""
        return Message(
            topic, payload, content_type, properties, mid, packet[0] >> 1 & 3, bool(packet[0] & 1), self.generation
        )

    def _handle_puback(self, client: Client | None, data: bytes, packet: packets.PacketBounds) -> None:
        """Pass on the answer to a message that waits for one.

        Not by paho: it raises on a reason code that MQTT does not have for PUBACK, and mosquitto sends one (0x95).
        """
        mid, code = packets.parse_puback(data, packet)
        if client is not None and client._out_messages.pop(mid, None) is not None:  # noqa: SLF001
            client._inflight_messages -= 1  # noqa: SLF001
            self._listener.on_puback(mid, code)

    def _handle_control(self, client: Client | None, data: bytes, packet: packets.PacketBounds) -> None:
        """Let paho handle every other packet: it manages the session."""
        if client is None:
            return
        body = bytearray(data[packet[1] : packet[2]])
        state = {"command": packet[0], "packet": body, "remaining_length": len(body), "pos": 0}
        client._in_packet.update(state)  # type: ignore[typeddict-item]  # noqa: SLF001
        try:
            self._check_code(client._packet_handle())  # noqa: SLF001
        except (MQTTException, struct.error) as error:
            self._fail(0, f"not MQTT: {error}")

    def _has_tls_pending(self) -> bool:
        sock = self._socket()
        return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0

    def _wait_readable(self, timeout: float, wakeup_fd: int = -1) -> bool:
        """Wait up to `timeout` s for the socket or `wakeup_fd`; return whether the socket is readable."""
        sock = self._socket()
        if sock is None:
            return False
        if self._has_tls_pending():
            return True
        poller = select.poll()
        poller.register(sock, select.POLLIN | (select.POLLOUT if timeout and self.wants_write() else 0))
        if wakeup_fd >= 0:
            poller.register(wakeup_fd, select.POLLIN)
        ready = poller.poll(timeout * 1000)
        return any(event & ~select.POLLOUT for fd, event in ready if fd != wakeup_fd)

    def keep_alive(self) -> None:
        """Keep the connection alive; close it when the broker does not answer."""
        if self._client is None:
            return
        if not self.is_connected and time.monotonic() - self._connect_started > CONNACK_WAIT_S:
            self._fail(0, "no answer to CONNECT")
            return
        if self._client._ping_t and self._wait_readable(0):  # noqa: SLF001
            self._client._ping_t = 0  # unread bytes: the broker is alive, its PINGRESP is behind them  # noqa: SLF001
        self._check_code(self._client.loop_misc())

    def _check_code(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS and self._client is not None:
            self._fail(0, code.name)

    def poll(self, timeout: float, wakeup_fd: int = -1) -> None:
        """Wait up to `timeout` s for packets and handle them; return early on some or on `wakeup_fd`."""
        if self.wants_write():
            self.send_pending()
        if self._wait_readable(timeout, wakeup_fd):
            self.receive_available()
        if self.wants_write():
            self.send_pending()
        self.keep_alive()

    def disconnect(self) -> None:
        """Send DISCONNECT (the Will is not published) and close."""
        client = self._client
        if client is None:
            return
        self._client, self.is_connected = None, False
        client.disconnect()
        client.loop_write()
        sock = client.socket()
        if sock is not None:
            sock.close()


def _keep_alive_s(limits: BrokerLimits) -> float:
    """Return how often to show that the client is alive: as often as the broker asks, never less often than ours.

    A short one is shortened further, because agents look once a second.
    """
    if not limits.keep_alive_s:
        return KEEPALIVE_S
    return min(KEEPALIVE_S, max(0.5, limits.keep_alive_s - 1))


def _tls_context(broker: BrokerAddress) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=broker.ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if broker.cert:
        context.load_cert_chain(broker.cert, broker.key or None)
    return context
