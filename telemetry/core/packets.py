"""MQTT 5 packets as bytes, where the client library cannot be used. Pure."""

from __future__ import annotations


def without_properties(command: int, packet: bytes | bytearray) -> bytearray:
    """Return a PUBLISH packet's body (after its fixed header, whose first byte is `command`) with no property."""
    body = bytearray(packet)
    start = 2 + int.from_bytes(body[:2]) + (2 if command & 0x06 else 0)
    length = shift = 0
    at = start
    while True:
        byte = body[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return body[:start] + b"\x00" + body[at + length :]
