"""A minimal MQTT client for benchmarks: sends packets encoded beforehand and counts answers at little cost.

It must not retry or reconnect: a lost link invalidates the measurement and ends it.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from itertools import islice
from typing import TYPE_CHECKING

from telemetry.mqtt.packets import PUBACK, encode_varint, split_packets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONNECT, CONNACK, PUBLISH_1, SUBSCRIBE, SUBACK, DISCONNECT = 0x10, 0x20, 0x32, 0x82, 0x90, 0xE0
PING = b"\xc0\x00"
KEEPALIVE_S = 60
WEEK_S = 7 * 86_400
MAX_UNACKED = 2_000
"""Most publications without PUBACK, if the broker allows as many."""
RECEIVE_MAXIMUM = 0x21
_CONNACK_PROPERTY_SIZES = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}
"""Sizes of a CONNACK's numeric properties; text properties have a length prefix."""
CHUNK_BYTES = 1 << 20
SILENCE_S = 60.0
RANGES_KEY = b'"ranges"'
RANGE_PATTERN = re.compile(rb"\[(\d+),(\d+)\]")
"""A row range of a receipt; its other pairs, (n, reason), contain a text."""


def encode_string(value: str | bytes) -> bytes:
    """Return a length-prefixed string."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def encode_packet(first: int, body: bytes) -> bytes:
    """Return a packet around its body."""
    return bytes([first]) + encode_varint(len(body)) + body


def encode_publish(topic: str, properties: bytes, payload: bytes, number: int) -> bytes:
    """Return a PUBLISH at QoS 1 (MQTT 5); `properties` without their length."""
    head = encode_string(topic) + struct.pack("!H", number) + encode_varint(len(properties)) + properties
    return encode_packet(PUBLISH_1, head + payload)


def encode_properties(content_type: str, user: dict[str, str]) -> bytes:
    """Return content type and user properties of a PUBLISH."""
    pairs = b"".join(b"\x26" + encode_string(key) + encode_string(value) for key, value in user.items())
    return b"\x03" + encode_string(content_type) + pairs


class MqttConnection:
    """One blocking connection to a broker; MQTT 5, or 3.1.1 with `level=4`."""

    def __init__(self, port: int, client_id: str, *, lasting: bool = False, level: int = 5) -> None:
        self._level = level
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        expiry = b"\x11" + struct.pack("!I", WEEK_S if lasting else 0)
        extra = encode_varint(len(expiry)) + expiry if level == 5 else b""
        flags = 0 if lasting else 2
        self.send(
            encode_packet(
                CONNECT,
                encode_string("MQTT")
                + bytes([level, flags])
                + struct.pack("!H", KEEPALIVE_S)
                + extra
                + encode_string(client_id),
            )
        )
        self._unparsed = b""
        self.window = min(MAX_UNACKED, receive_maximum(self._expect(CONNACK)))

    def send(self, data: bytes) -> None:
        """Send all bytes."""
        self._socket.sendall(data)

    def read(self) -> bytes:
        """Return what has arrived, waiting for something; a lost link ends the benchmark."""
        data = self._socket.recv(CHUNK_BYTES)
        if not data:
            raise SystemExit("the broker closed the link")
        return data

    def readable(self, timeout: float) -> bool:
        """Wait up to `timeout` s for bytes."""
        return bool(select.select([self._socket], [], [], timeout)[0])

    def _expect(self, kind: int) -> bytes:
        """Return the body of the next packet, which must be of this kind."""
        data = self._unparsed
        while not (packets := split_packets(data)[0]):
            data += self.read()
        first, start, end = packets[0]
        body, self._unparsed = data[start:end], data[end:]
        code = body[1] if kind == CONNACK else body[-1]
        if first != kind or code >= 0x80 or (kind == CONNACK and code):
            raise SystemExit(f"the broker answered {data[:16].hex()} where {kind:#x} was expected")
        return body

    def subscribe(self, pattern: str, qos: int) -> None:
        """Subscribe and wait for the grant."""
        extra = b"\x00" if self._level == 5 else b""
        self.send(encode_packet(SUBSCRIBE, b"\x00\x01" + extra + encode_string(pattern) + bytes([qos])))
        self._expect(SUBACK)

    def close(self) -> None:
        """Disconnect; a lasting session remains on the broker."""
        self.send(encode_packet(DISCONNECT, b""))
        self._socket.close()


def receive_maximum(connack: bytes) -> int:
    """Return how many publications without PUBACK the broker allows; properties fit into one length byte here."""
    at = 3
    while at < len(connack):
        kind, at = connack[at], at + 1
        size = _CONNACK_PROPERTY_SIZES.get(kind) or 2 + int.from_bytes(connack[at : at + 2])
        if kind == RECEIVE_MAXIMUM:
            return int.from_bytes(connack[at : at + 2])
        at += size
    return 65_535


def create_session(port: int, client_id: str, pattern: str, level: int = 5) -> None:
    """Create a lasting session with one QoS 1 subscription and disconnect, so that frames queue up in it."""
    wire = MqttConnection(port, client_id, lasting=True, level=level)
    wire.subscribe(pattern, 1)
    wire.close()


def count_pubacks(data: bytes) -> tuple[int, int]:
    """Return how many whole PUBACKs `data` starts with, and their length; a refusal ends the benchmark."""
    packets, used = split_packets(data)
    for first, start, end in packets:
        if first != PUBACK or (end - start > 2 and data[start + 2]):
            raise SystemExit(f"not a plain PUBACK: {data[start - 2 : end].hex()} (0x10 in it: there is no subscriber)")
    return len(packets), used


def publish_all(port: int, packets: Iterator[bytes], step: Callable[[int], None]) -> int:
    """Publish encoded packets as fast as the broker accepts them; returns how many, `step` gets each number acked."""
    wire, unparsed, sent, acked, more = MqttConnection(port, "bench-loader"), b"", 0, 0, True
    while more or acked < sent:
        space = wire.window - (sent - acked) if more else 0
        chunk = list(islice(packets, space))
        more = more and (bool(chunk) or not space)
        wire.send(b"".join(chunk))
        sent += len(chunk)
        if acked < sent:
            data = unparsed + wire.read()
            count, used = count_pubacks(data)
            unparsed, acked = data[used:], acked + count
            step(count)
    wire.close()
    return sent


class ReceiptCounter:
    """Counts rows in receipts from their bytes alone, so that counting costs little."""

    def __init__(self, port: int) -> None:
        self._wire = MqttConnection(port, "bench-receipts")
        self._wire.subscribe("motcua/v1/+/+/receipt", 0)
        self._unparsed = b""
        self._ping_at = time.monotonic() + KEEPALIVE_S / 2
        self.rows = 0
        self.messages = 0

    def poll(self, timeout: float) -> bool:
        """Count what arrives within `timeout` s; returns whether something did."""
        if time.monotonic() > self._ping_at:
            self._wire.send(PING)
            self._ping_at = time.monotonic() + KEEPALIVE_S / 2
        if not self._wire.readable(timeout):
            return False
        data, end = self._unparsed + self._wire.read(), 0
        for match in RANGE_PATTERN.finditer(data):
            self.rows += int(match[2]) - int(match[1]) + 1
            end = match.end()
        self.messages += data.count(RANGES_KEY) - self._unparsed.count(RANGES_KEY)
        self._unparsed = data[end:][-64:]
        return True

    def close(self) -> None:
        """Disconnect."""
        self._wire.close()
