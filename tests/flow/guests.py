"""Guests at the real mosquitto: one connection each, with all that happened on it, served while anyone waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from telemetry.errors import BrokerUnavailable
from telemetry.mqtt.address import BrokerAddress
from telemetry.mqtt.link import FAILED, Link, LinkSettings, Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.core.protocol.topics import Topic
    from tests.mosquitto import Mosquitto
    from tests.pki import Identity, Pki

Will = tuple[str, bytes]


class Guest:
    """One connection to the broker and all that happened on it."""

    def __init__(self, room: Room, link: Callable[[Guest], Link]) -> None:
        self._room = room
        self.links = 0
        self.ends: list[int] = []
        self.codes: dict[int, int] = {}
        self.got: list[tuple[str, bytes]] = []
        self.link = link(self)

    def on_connected(self, *, session_present: bool) -> None:
        del session_present
        self.links += 1

    def on_disconnected(self, code: int, reason: str) -> None:
        del reason
        self.ends.append(code)

    def on_puback(self, mid: int, code: int) -> None:
        self.codes[mid] = code

    def on_message(self, message: Message) -> None:
        self.got.append((message.topic, message.payload))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Publish at QoS 1; returns the broker's reason code."""
        mid = self.link.publish(topic, payload, qos=1, retain=retain)
        assert mid is not None, "there is no connection"
        self._room.until(lambda: mid in self.codes, "the broker answers")
        return self.codes[mid]

    def has(self, payload: bytes) -> bool:
        return any(payload == got for _, got in self.got)


class Door:
    """The broker by another port: one of its own, or that of a proxy."""

    def __init__(self, broker: Mosquitto, port: int) -> None:
        self.port, self._broker = port, broker

    def text(self) -> str:
        return self._broker.text()

    def end(self) -> None:
        """The broker is ended by whoever started it."""


class Room:
    """A broker, its authority, and guests whose connections are served while anyone waits."""

    def __init__(self, broker: Mosquitto, pki: Pki, host: str = "127.0.0.1") -> None:
        self.broker, self.pki, self._host = broker, pki, host
        self._guests: list[Guest] = []
        self._tokens = 0

    def until(self, condition: Callable[[], object], what: str, within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"not within {within:g} s: {what}\n{self.broker.text()[-2000:]}"
            self.pump()

    def pump(self) -> None:
        for guest in self._guests:
            guest.link.poll(0.005)

    def knock(self, identity: Identity | None, settings: LinkSettings) -> Guest:
        """Try to come in; the broker may refuse."""
        where = BrokerAddress(self._host, self.broker.port, tls=True, ca=str(self.pki.ca))
        if identity is not None:
            where = identity.broker(self.broker.port, self._host)
        guest = Guest(self, lambda listener: Link(where, settings, listener))
        self._guests.append(guest)
        try:
            guest.link.connect()
        except BrokerUnavailable:
            guest.ends.append(0)
        self.until(lambda: guest.links or guest.ends, "the broker answers a connection")
        return guest

    def enter(self, name: str, *filters: str, claim: str = "", will: Will | None = None) -> Guest:
        """Come in with a certificate of that name."""
        wanted = tuple((one, 1) for one in filters)
        guest = self.knock(self.pki.client(name), LinkSettings(claim or name, wanted, will=will))
        assert guest.links == 1, self.broker.text()
        return guest

    def enter_device(self, topic: Topic, *filters: str, claim: str = "", will: Will | None = None) -> Guest:
        """Come in as a device that hears its own receipts."""
        return self.enter(topic.device, topic.with_channel("receipt").path, *filters, claim=claim, will=will)

    def receipt_heard(self, ingest: Guest, guest: Guest, topic: Topic) -> None:
        """Wait until a message that the guest may read, sent after all others, has come through."""
        self._tokens += 1
        token = b"token %d" % self._tokens
        assert ingest.publish(topic.with_channel("receipt").path, token) < FAILED
        self.until(lambda: guest.has(token), "the guest's own receipt arrives")

    def close(self) -> None:
        for guest in self._guests:
            guest.link.abort()
        self.broker.end()
