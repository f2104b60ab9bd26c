"""What a link makes of a CONNACK, of refusals and of bytes that are not MQTT; the broker is a script on a socket."""

from __future__ import annotations

import socket
from collections import deque
from typing import TYPE_CHECKING

import pytest

from telemetry.mqtt import packets
from telemetry.mqtt.address import BrokerAddress
from telemetry.mqtt.broker_limits import BrokerLimits
from telemetry.mqtt.link import QOS_0_SENT, Link, LinkSettings, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT, CONNACK, PUBLISH, SUBSCRIBE = 0x10, 0x20, 0x30, 0x82
SHARED = "$share/ingest/motcua/v1/+/+/up"


class ScriptedBroker:
    """Accepts one connection after another and answers with the packets that a test gives it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(5)
        self.address = BrokerAddress("127.0.0.1", self._listener.getsockname()[1])
        self.connection = socket.socket()

    def accept(self) -> None:
        self.connection.close()
        self.connection, _ = self._listener.accept()
        self.connection.settimeout(5)

    def send(self, kind: int, body: bytes) -> None:
        self.connection.sendall(bytes([kind]) + packets.encode_varint(len(body)) + body)

    def connack(self, properties: bytes = b"", code: int = 0) -> None:
        self.send(CONNACK, bytes([0, code]) + packets.encode_varint(len(properties)) + properties)

    def next_packet(self, kind: int) -> bytes:
        """Return the body of the next packet of this kind, with its first byte before it."""
        data = b""
        while True:
            bounds, _ = packets.split_packets(data)
            for first, start, end in bounds:
                if first & 0xF0 == kind & 0xF0:
                    return bytes([first]) + data[start:end]
            data += self.connection.recv(65_536)

    def close(self) -> None:
        self.connection.close()
        self._listener.close()


class Listener:
    def __init__(self) -> None:
        self.connections, self.ends, self.answers = 0, list[tuple[int, str]](), deque[tuple[int, int]]()
        self.messages: list[Message] = []

    def on_connected(self, *, session_present: bool) -> None:
        del session_present
        self.connections += 1

    def on_disconnected(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))

    def on_puback(self, mid: int, code: int) -> None:
        self.answers.append((mid, code))

    def on_message(self, message: Message) -> None:
        self.messages.append(message)


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    opened = ScriptedBroker()
    yield opened
    opened.close()


@pytest.fixture
def listener() -> Listener:
    return Listener()


def connect(broker: ScriptedBroker, listener: Listener, properties: bytes = b"", **settings: object) -> Link:
    link = Link(broker.address, LinkSettings("c1-kiosk1", **settings), listener)  # type: ignore[arg-type]
    link.connect()
    broker.accept()
    broker.connack(properties)
    serve(link, lambda: listener.connections == 1)
    return link


def serve(link: Link, done: object) -> None:
    for _ in range(200):
        if done():  # type: ignore[operator]
            return
        link.poll(0.02)
    pytest.fail("nothing happened")


def test_a_connack_without_properties_limits_nothing(broker: ScriptedBroker, listener: Listener) -> None:
    assert connect(broker, listener).limits == BrokerLimits()


def test_every_limit_of_a_connack_is_read(broker: ScriptedBroker, listener: Listener) -> None:
    said = (
        b"\x27\x00\x00\x07\xd0\x21\x00\x05\x24\x00\x25\x00\x13\x00\x0a\x11\x00\x00\x00\x3c"
        b"\x2a\x00\x28\x00\x22\x00\x00\x12\x00\x01x"
    )  # fmt: skip
    link = connect(broker, listener, said)
    assert link.limits == BrokerLimits(2_000, 5, 0, False, 10, 60, False, False)
    assert set(link.limits.restrictions()) == set(BrokerLimits.__slots__)


def test_a_zero_that_mqtt_forbids_ends_the_connection(broker: ScriptedBroker, listener: Listener) -> None:
    link = Link(broker.address, LinkSettings("x"), listener)
    link.connect()
    broker.accept()
    broker.connack(b"\x21\x00\x00")
    serve(link, lambda: listener.ends)
    assert not link.is_connected


def test_a_message_over_the_maximum_packet_size_is_not_sent(broker: ScriptedBroker, listener: Listener) -> None:
    link = connect(broker, listener, b"\x27\x00\x00\x00\x64")
    fitting = 100 - packets.publish_size("a/b", 0)
    assert link.publish("a/b", b"x" * (fitting + 1), qos=1) is None
    assert link.publish("a/b", b"x" * fitting, qos=1) == 1
    assert len(broker.next_packet(PUBLISH)) + 1 == 100
    assert link.largest_payload("a/b") < fitting
    link.publish_many([("a/b", b"x" * 99), ("a/b", b"y")])
    link.send_pending()
    assert broker.next_packet(PUBLISH)[-1:] == b"y"


def test_qos_and_retain_are_lowered_to_what_the_broker_has(broker: ScriptedBroker, listener: Listener) -> None:
    link = connect(broker, listener, b"\x24\x00\x25\x00")
    assert link.publish("a/b", b"x", qos=1, retain=True) == QOS_0_SENT
    assert broker.next_packet(PUBLISH)[0] == 0x30
    assert not listener.answers


def test_no_more_messages_are_on_their_way_than_the_receive_maximum(broker: ScriptedBroker, listener: Listener) -> None:
    link = connect(broker, listener, b"\x21\x00\x02")
    assert [link.publish("a/b", b"x", qos=1) for _ in range(3)] == [1, 2, QOS_0_SENT]
    broker.send(0x40, b"\x00\x01")
    serve(link, lambda: listener.answers)
    assert link.publish("a/b", b"x", qos=1) == 4


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(b"", 30), (b"\x13\x00\x0a", 9), (b"\x13\x00\x01", 0.5), (b"\x13\xff\xff", 30), (b"\x13\x00\x00", 30)],
)
def test_the_keep_alive_is_the_servers_when_shorter(
    broker: ScriptedBroker, listener: Listener, said: bytes, seconds: float
) -> None:
    link = connect(broker, listener, said)
    assert link._client is not None
    assert link._client._keepalive == seconds


@pytest.mark.parametrize(("code", "flags"), [(0x9A, 0b01110), (0x9B, 0b100110), (0x95, 0b00010)])
def test_a_will_that_the_broker_refuses_is_reduced(
    broker: ScriptedBroker, listener: Listener, code: int, flags: int
) -> None:
    link = Link(broker.address, LinkSettings("x", will=("a/state", b"gone")), listener)
    link.connect()
    broker.accept()
    assert broker.next_packet(CONNECT)[8] == 0b101110
    broker.connack(code=code)
    serve(link, lambda: listener.ends)
    assert listener.ends[0][0] == code
    link.connect()
    broker.accept()
    assert broker.next_packet(CONNECT)[8] == flags


def test_without_shared_subscriptions_the_plain_one_is_asked_for(broker: ScriptedBroker, listener: Listener) -> None:
    connect(broker, listener, b"\x2a\x00", subscriptions=((SHARED, 1),))
    assert b"motcua/v1/+/+/up" in (asked := broker.next_packet(SUBSCRIBE))
    assert b"$share" not in asked


@pytest.mark.parametrize("needed", [True, False])
def test_a_refused_subscription_is_reported_and_ends_only_who_needs_it(
    broker: ScriptedBroker, listener: Listener, *, needed: bool
) -> None:
    refused: list[tuple[str, int]] = []
    topics = (("a/receipt", 0), ("a/config", 1))
    link = connect(broker, listener, subscriptions=topics, needs_subscriptions=needed)
    link.on_subscription_refused = lambda topic, code: refused.append((topic, code))
    broker.send(0x90, b"\x00\x01\x00\x00\x87")
    serve(link, lambda: refused)
    assert refused == [("a/config", 0x87)]
    assert link.is_connected is not needed
    assert [code for code, _ in listener.ends] == ([0x87] if needed else [])


@pytest.mark.parametrize(
    "sent",
    [
        b"\x30\xff\xff\xff\xff\x01", b"\x40\xff\xff\xff\xff\xff\x7f", b"\x30\xff\xff\xff\x7f" + b"x" * 99,
        b"\x30\x80\x80\x80\x80\x80", b"\x90\x00", b"\x40\x01\x00", b"\x20\x00", b"\xf0\x00", b"\x00\x00",
        b"\x30\x01\x00", b"\x32\x04\x00\x01a\x00",
    ],
)  # fmt: skip
def test_bytes_that_are_not_mqtt_end_the_connection_and_nothing_else(
    broker: ScriptedBroker, listener: Listener, sent: bytes
) -> None:
    link = connect(broker, listener)
    broker.connection.sendall(sent)
    serve(link, lambda: listener.ends)
    assert link.fileno() == -1
    assert not listener.messages


def test_an_answer_to_nothing_that_was_sent_is_ignored(broker: ScriptedBroker, listener: Listener) -> None:
    link = connect(broker, listener)
    broker.send(0x40, b"\x00\x63\x87\x00")
    broker.send(0x30, b"\x00\x01a\x00x")
    serve(link, lambda: listener.messages)
    assert not listener.answers


def test_the_largest_packet_accepted_is_announced(broker: ScriptedBroker, listener: Listener) -> None:
    link = Link(broker.address, LinkSettings("x"), listener)
    link.connect()
    broker.accept()
    assert b"\x27" + packets.MAX_RECEIVED_BYTES.to_bytes(4) in broker.next_packet(CONNECT)
