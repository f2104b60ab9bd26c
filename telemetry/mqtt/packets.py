"""Encodes and parses MQTT 5 packets without an object for each; it must not hold a connection's state.

Field layouts: MQTT 5.0, sections 1.5, 2.1.4, 2.2.2, 3.3 and 3.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PUBLISH, PUBACK = 0x30, 0x40
CONTENT_TYPE, USER_PROPERTY = 0x03, 0x26
_FIXED_SIZE_PROPERTIES = {0x01: 1, 0x02: 4, 0x23: 2}
"""Sizes of a PUBLISH's numeric properties: payload format, message expiry, topic alias."""
_STRING_PROPERTIES = {CONTENT_TYPE, 0x08, 0x09}
"""Properties that are one text or byte string: content type, response topic, correlation data."""
_SUBSCRIPTION_ID = 0x0B

MAX_RECEIVED_BYTES = 16 * 1024 * 1024
"""Largest packet accepted, bytes; announced in CONNECT. Frames, receipts and documents are far smaller."""

PacketBounds = tuple[int, int, int]
"""First byte, where the body starts, where it ends."""


def split_packets(data: bytes) -> tuple[list[PacketBounds], int]:
    """Return the bounds of every whole packet in `data`, and where the incomplete rest begins. Raises ValueError."""
    packets: list[PacketBounds] = []
    position, size = 0, len(data)
    while size - position >= 2:
        start = position + 2
        length = data[position + 1]
        if length >= 0x80:
            varint = _decode_varint(data, position + 1)
            if varint is None:
                break
            length, start = varint
            if length > MAX_RECEIVED_BYTES:
                msg = f"a packet of {length} bytes; {MAX_RECEIVED_BYTES} were announced as the most"
                raise ValueError(msg)
        if start + length > size:
            break
        packets.append((data[position], start, start + length))
        position = start + length
    return packets, position


def _decode_varint(data: bytes, position: int) -> tuple[int, int] | None:
    """Return a variable byte integer and where it ends; None when it is incomplete. Raises ValueError."""
    value = 0
    for shift in (0, 7, 14, 21):
        if position >= len(data):
            return None
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a length of more than four bytes")


def encode_varint(value: int) -> bytes:
    """Return a variable byte integer."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def publish_size(topic: str, payload_bytes: int, content_type: str = "", user: Mapping[str, str] | None = None) -> int:
    """Return the size of a PUBLISH at QoS 1 with its header, bytes: never less than what is sent."""
    properties = 3 + len(content_type.encode()) if content_type else 0
    properties += sum(5 + len(name.encode()) + len(value.encode()) for name, value in (user or {}).items())
    body = 2 + len(topic.encode()) + 2 + len(encode_varint(properties)) + properties + payload_bytes
    return 1 + len(encode_varint(body)) + body


def parse_publish(data: bytes, packet: PacketBounds) -> tuple[str, int, bytes, bytes]:
    """Return a PUBLISH's topic, packet id (0 at QoS 0), undecoded properties, payload. Raises IndexError."""
    command, start, end = packet
    position = start + 2 + (data[start] << 8 | data[start + 1])
    topic = data[start + 2 : position].decode("utf-8", "replace")
    mid = 0
    if command & 0x06:
        mid = data[position] << 8 | data[position + 1]
        position += 2
    length = data[position]
    position += 1
    if length >= 0x80:
        length, position = _decode_varint(data, position - 1) or (0, end)
    return topic, mid, data[position : position + length], data[position + length : end]


def parse_puback(data: bytes, packet: PacketBounds) -> tuple[int, int]:
    """Return a PUBACK's packet id and reason code, whatever its value. Raises IndexError."""
    _, start, end = packet
    return data[start] << 8 | data[start + 1], data[start + 2] if end - start > 2 else 0


def parse_properties(packed: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield a PUBLISH's texts: (content type, text, '') and (user property, name, value); stop at an unreadable one.

    Text that is not UTF-8 or contains U+0000 is accepted: if the link were closed because of it, the broker
    would deliver the message again and again.
    """
    position = 0
    while position < len(packed):
        kind = packed[position]
        position += 1
        if kind in _FIXED_SIZE_PROPERTIES:
            position += _FIXED_SIZE_PROPERTIES[kind]
        elif kind == _SUBSCRIPTION_ID:
            position = (_decode_varint(packed, position) or (0, len(packed)))[1]
        elif kind in _STRING_PROPERTIES:
            text, position = _decode_string(packed, position)
            if kind == CONTENT_TYPE:
                yield kind, text, ""
        elif kind == USER_PROPERTY:
            name, position = _decode_string(packed, position)
            value, position = _decode_string(packed, position)
            yield kind, name, value
        else:
            return


def _decode_string(packed: bytes, position: int) -> tuple[str, int]:
    end = position + 2 + int.from_bytes(packed[position : position + 2])
    return packed[position + 2 : end].decode("utf-8", "replace"), end


def content_type_of(packed: bytes) -> str:
    """Return the content type among a PUBLISH's properties, or an empty text."""
    return next((text for kind, text, _ in parse_properties(packed) if kind == CONTENT_TYPE), "")


def encode_pubacks(mids: Iterable[int]) -> bytes:
    """Return PUBACK packets with reason 0, in this order."""
    return b"".join(b"\x40\x02" + mid.to_bytes(2) for mid in mids)


def encode_publish(topic: str, payload: bytes) -> bytes:
    """Return a PUBLISH at QoS 0, not retained, without properties."""
    name = topic.encode()
    body = len(name).to_bytes(2) + name + b"\x00" + payload
    return b"\x30" + encode_varint(len(body)) + body


def plain_filter(topic_filter: str) -> str:
    """Return a topic filter without its shared group.

    >>> plain_filter("$share/ingest/motcua/v1/+/+/up")
    'motcua/v1/+/+/up'
    """
    return topic_filter.split("/", 2)[2] if topic_filter.startswith("$share/") else topic_filter
