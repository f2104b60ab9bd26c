"""MQTT 5 packets as bytes, where one object per packet would cost too much; it must not hold a connection's state.

Field layouts: MQTT 5.0, sections 1.5, 2.1.4, 2.2.2, 3.3 and 3.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PUBLISH, PUBACK = 0x30, 0x40
CONTENT_TYPE, USER_PROPERTY = 0x03, 0x26
_FIXED = {0x01: 1, 0x02: 4, 0x23: 2}
"""Sizes of a PUBLISH's numeric properties: payload format, message expiry, topic alias."""
_TEXTS = {CONTENT_TYPE, 0x08, 0x09}
"""Properties that are one text or byte string: content type, response topic, correlation data."""
_SUBSCRIPTION = 0x0B

Packet = tuple[int, int, int]
"""First byte, where the body starts, where it ends."""


def whole(data: bytes) -> tuple[list[Packet], int]:
    """Return every whole packet in `data`, and where the unfinished rest begins. Raises ValueError."""
    found: list[Packet] = []
    at, size = 0, len(data)
    while size - at >= 2:
        start = at + 2
        length = data[at + 1]
        if length >= 0x80:
            more = _length(data, at + 1)
            if more is None:
                break
            length, start = more
        if start + length > size:
            break
        found.append((data[at], start, start + length))
        at = start + length
    return found, at


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """Return a variable byte integer and where it ends; None when it is not all there. Raises ValueError."""
    value = 0
    for shift in (0, 7, 14, 21):
        if at >= len(data):
            return None
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a length of more than four bytes")


def _sized(value: int) -> bytes:
    """Return a variable byte integer."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def published(data: bytes, packet: Packet) -> tuple[str, int, bytes, bytes]:
    """Return a PUBLISH's topic, packet id (0 at QoS 0), properties as they stand, payload. Raises IndexError."""
    command, start, end = packet
    at = start + 2 + (data[start] << 8 | data[start + 1])
    topic = data[start + 2 : at].decode("utf-8", "replace")
    mid = 0
    if command & 0x06:
        mid = data[at] << 8 | data[at + 1]
        at += 2
    length = data[at]
    at += 1
    if length >= 0x80:
        length, at = _length(data, at - 1) or (0, end)
    return topic, mid, data[at : at + length], data[at + length : end]


def properties(packed: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield a PUBLISH's texts: (content type, text, '') and (user property, name, value); ends at what it cannot read.

    A text that is no UTF-8, or has U+0000 in it, is a text like any other here: the broker would
    deliver the message for ever if the link were closed over it.
    """
    at = 0
    while at < len(packed):
        kind = packed[at]
        at += 1
        if kind in _FIXED:
            at += _FIXED[kind]
        elif kind == _SUBSCRIPTION:
            at = (_length(packed, at) or (0, len(packed)))[1]
        elif kind in _TEXTS:
            text, at = _text(packed, at)
            if kind == CONTENT_TYPE:
                yield kind, text, ""
        elif kind == USER_PROPERTY:
            name, at = _text(packed, at)
            value, at = _text(packed, at)
            yield kind, name, value
        else:
            return


def _text(packed: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(packed[at : at + 2])
    return packed[at + 2 : end].decode("utf-8", "replace"), end


def content_type(packed: bytes) -> str:
    """Return the content type among a PUBLISH's properties, or nothing."""
    if not packed:
        return ""
    return next((text for kind, text, _ in properties(packed) if kind == CONTENT_TYPE), "")


def pubacks(mids: Iterable[int]) -> bytes:
    """Return PUBACK packets with reason 0, in this order."""
    return b"".join(b"\x40\x02" + mid.to_bytes(2) for mid in mids)


def publish(topic: str, payload: bytes) -> bytes:
    """Return a PUBLISH at QoS 0, not retained, without properties."""
    name = topic.encode()
    body = len(name).to_bytes(2) + name + b"\x00" + payload
    return b"\x30" + _sized(len(body)) + body
