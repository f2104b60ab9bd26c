"""MQTT packets by hand: sends what was encoded before, and counts answers without an object each.

It must not retry or reconnect: a lost link spoils the measurement and ends it.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONNECT, CONNACK, PUBLISH_1, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 0x10, 0x20, 0x32, 0x40, 0x82, 0x90, 0xE0
PING = b"\xc0\x00"
KEEPALIVE_S = 60
WEEK_S = 7 * 86_400
WINDOW = 2_000
"""Most publications without PUBACK, if the broker allows as many."""
RECEIVE_MAXIMUM = 0x21
_SIZES = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}
"""Sizes of a CONNACK's numeric properties; those that are texts carry their own."""
CHUNK = 1 << 20
SILENCE_S = 60.0
NAME = b'"ranges"'
RANGE = re.compile(rb"\[(\d+),(\d+)\]")
"""A receipt's row range; its other pairs, (n, reason), hold a text."""


def sized(value: int) -> bytes:
    """Return a variable byte integer."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def text(value: str | bytes) -> bytes:
    """Return a length-prefixed string."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def packet(first: int, body: bytes) -> bytes:
    """Return a packet around its body."""
    return bytes([first]) + sized(len(body)) + body


def publish(topic: str, properties: bytes, payload: bytes, number: int) -> bytes:
    """Return a PUBLISH at QoS 1 (MQTT 5); `properties` without their length."""
    head = text(topic) + struct.pack("!H", number) + sized(len(properties)) + properties
    return packet(PUBLISH_1, head + payload)


def properties(content_type: str, user: dict[str, str]) -> bytes:
    """Return content type and user properties of a PUBLISH."""
    pairs = b"".join(b"\x26" + text(key) + text(value) for key, value in user.items())
    return b"\x03" + text(content_type) + pairs


class Wire:
    """One blocking connection to a broker; MQTT 5, or 3.1.1 with `level=4`."""

    def __init__(self, port: int, client_id: str, *, lasting: bool = False, level: int = 5) -> None:
        self._level = level
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        expiry = b"\x11" + struct.pack("!I", WEEK_S if lasting else 0)
        extra = sized(len(expiry)) + expiry if level == 5 else b""
        flags = 0 if lasting else 2
        self.send(
            packet(
                CONNECT, text("MQTT") + bytes([level, flags]) + struct.pack("!H", KEEPALIVE_S) + extra + text(client_id)
            )
        )
        self._rest = b""
        self.window = min(WINDOW, receive_maximum(self._answer(CONNACK)))

    def send(self, data: bytes) -> None:
        """Send all bytes."""
        self._socket.sendall(data)

    def read(self) -> bytes:
        """Return what has arrived, waiting for something; a lost link ends the benchmark."""
        data = self._socket.recv(CHUNK)
        if not data:
            raise SystemExit("the broker closed the link")
        return data

    def readable(self, timeout: float) -> bool:
        """Wait up to `timeout` s for bytes."""
        return bool(select.select([self._socket], [], [], timeout)[0])

    def _answer(self, kind: int) -> bytes:
        """Return the body of the next packet, which must be of this kind and short."""
        data = self._rest
        while len(data) < 2 or len(data) < 2 + data[1]:
            data += self.read()
        body, self._rest = data[2 : 2 + data[1]], data[2 + data[1] :]
        code = body[1] if kind == CONNACK else body[-1]
        if data[0] != kind or code >= 0x80 or (kind == CONNACK and code):
            raise SystemExit(f"the broker answered {data[:16].hex()} where {kind:#x} was due")
        return body

    def subscribe(self, pattern: str, qos: int) -> None:
        """Subscribe and wait for the grant."""
        extra = b"\x00" if self._level == 5 else b""
        self.send(packet(SUBSCRIBE, b"\x00\x01" + extra + text(pattern) + bytes([qos])))
        self._answer(SUBACK)

    def close(self) -> None:
        """Say good-bye; a lasting session stays."""
        self.send(packet(DISCONNECT, b""))
        self._socket.close()


def receive_maximum(connack: bytes) -> int:
    """Return how many publications without PUBACK the broker allows; properties fit into one length byte here."""
    at = 3
    while at < len(connack):
        kind, at = connack[at], at + 1
        size = _SIZES.get(kind) or 2 + int.from_bytes(connack[at : at + 2])
        if kind == RECEIVE_MAXIMUM:
            return int.from_bytes(connack[at : at + 2])
        at += size
    return 65_535


def leave_session(port: int, client_id: str, pattern: str, level: int = 5) -> None:
    """Create a lasting session with one QoS 1 subscription and leave it, so that frames queue up in it."""
    wire = Wire(port, client_id, lasting=True, level=level)
    wire.subscribe(pattern, 1)
    wire.close()


def acknowledged(data: bytes) -> tuple[int, int]:
    """Return how many PUBACKs are whole in `data`, and their length; a refusal ends the benchmark."""
    at = count = 0
    while at + 2 <= len(data):
        end = at + 2 + data[at + 1]
        if end > len(data):
            break
        if data[at] != PUBACK or (end - at > 4 and data[at + 4]):
            raise SystemExit(f"not a plain PUBACK: {data[at:end].hex()} (0x10 in it: nobody has subscribed)")
        count, at = count + 1, end
    return count, at


def load(port: int, packets: Iterator[bytes], step: Callable[[int], None]) -> int:
    """Publish ready-made packets as fast as the broker takes them; returns how many, `step` hears of progress."""
    wire, rest, sent, acked, more = Wire(port, "bench-loader"), b"", 0, 0, True
    while more or acked < sent:
        space = wire.window - (sent - acked) if more else 0
        chunk = list(islice(packets, space))
        more = more and (bool(chunk) or not space)
        wire.send(b"".join(chunk))
        sent += len(chunk)
        if acked < sent:
            data = rest + wire.read()
            count, used = acknowledged(data)
            rest, acked = data[used:], acked + count
            step(count)
    wire.close()
    return sent


class Receipts:
    """Counts rows in receipts by their bytes alone, so that counting costs little."""

    def __init__(self, port: int) -> None:
        self._wire = Wire(port, "bench-receipts")
        self._wire.subscribe("motcua/v1/+/+/receipt", 0)
        self._rest = b""
        self._ping_at = time.monotonic() + KEEPALIVE_S / 2
        self.rows = 0
        self.messages = 0

    def take(self, timeout: float) -> bool:
        """Count what arrives within `timeout` s; tells whether something did."""
        if time.monotonic() > self._ping_at:
            self._wire.send(PING)
            self._ping_at = time.monotonic() + KEEPALIVE_S / 2
        if not self._wire.readable(timeout):
            return False
        data, end = self._rest + self._wire.read(), 0
        for found in RANGE.finditer(data):
            self.rows += int(found[2]) - int(found[1]) + 1
            end = found.end()
        self.messages += data.count(NAME) - self._rest.count(NAME)
        self._rest = data[end:][-64:]
        return True

    def close(self) -> None:
        """Leave."""
        self._wire.close()
