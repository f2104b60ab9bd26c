"""Checks who signed a configuration or command, by Ed25519 (RFC 8032). Pure; it must not sign or hold a private key.

Written here, because a library for it would double the memory of a small device. It handles public data only, so that
its time may depend on them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.protocol.remote_signature import (
    SIGNATURE_PROPERTY,
    SIGNER_PROPERTY,
    RemoteSigner,
    decode_base64,
    signed_bytes,
)
from telemetry.core.protocol.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.protocol.topics import TopicChannel

_PRIME = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _PRIME) % _PRIME
_SQRT_MINUS_ONE = pow(2, (_PRIME - 1) // 4, _PRIME)


@dataclass(frozen=True, slots=True)
class _Point:
    """A point of the curve in extended coordinates: x = X/Z, y = Y/Z, x·y = T/Z (RFC 8032, 5.1.4)."""

    x: int
    y: int
    z: int
    t: int

    def plus(self, other: _Point) -> _Point:
        """Return the sum (RFC 8032, 5.1.4)."""
        a = (self.y - self.x) * (other.y - other.x) % _PRIME
        b = (self.y + self.x) * (other.y + other.x) % _PRIME
        c = 2 * self.t * other.t * _D % _PRIME
        d = 2 * self.z * other.z % _PRIME
        e, f, g, h = b - a, d - c, d + c, b + a
        return _Point(e * f % _PRIME, g * h % _PRIME, f * g % _PRIME, e * h % _PRIME)

    def to_bytes(self) -> bytes:
        """Return the 32 bytes of the point (RFC 8032, 5.1.2)."""
        inverse = pow(self.z, -1, _PRIME)
        x, y = self.x * inverse % _PRIME, self.y * inverse % _PRIME
        return (y | (x & 1) << 255).to_bytes(32, "little")


_NEUTRAL = _Point(0, 1, 1, 0)


def _decode_point(data: bytes) -> _Point | None:
    """Return the point of 32 bytes, None when there is none (RFC 8032, 5.1.3)."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= _PRIME:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _PRIME) % _PRIME
    x = pow(square, (_PRIME + 3) // 8, _PRIME)
    if (x * x - square) % _PRIME:
        x = x * _SQRT_MINUS_ONE % _PRIME
    if (x * x - square) % _PRIME or (x == 0 and sign):
        return None
    x = _PRIME - x if x & 1 != sign else x
    return _Point(x, y, 1, x * y % _PRIME)


_BASE = _decode_point((4 * pow(5, -1, _PRIME) % _PRIME).to_bytes(32, "little")) or _NEUTRAL


def _double_product(first: int, base: _Point, second: int, other: _Point) -> _Point:
    """Return first·base + second·other, both by one chain of doublings."""
    both, total = base.plus(other), _NEUTRAL
    for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        total = total.plus(total)
        match first >> bit & 1, second >> bit & 1:
            case 1, 1:
                total = total.plus(both)
            case 1, 0:
                total = total.plus(base)
            case 0, 1:
                total = total.plus(other)
    return total


def is_signature_of(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the Ed25519 signature (64 bytes) is the key's for the message (RFC 8032, 5.1.7)."""
    if len(signature) != 64 or len(public_key) != 32:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    key_point = _decode_point(public_key)
    if key_point is None or scalar >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    factor = int.from_bytes(digest, "little") % _ORDER
    negated = _Point(-key_point.x % _PRIME, key_point.y, 1, -key_point.t % _PRIME)
    return _double_product(scalar, _BASE, factor, negated).to_bytes() == signature[:32]


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """The signers whom one device accepts; without any, every message that the broker allows is accepted."""

    centre: str
    device: str
    signers: tuple[RemoteSigner, ...] = ()

    def refusal(self, channel: TopicChannel, payload: bytes, properties: Mapping[str, str]) -> str:
        """Return why a message is refused, as a slug; empty when it is accepted."""
        if not self.signers:
            return ""
        if SIGNATURE_PROPERTY not in properties:
            return "not-signed"
        name = properties.get(SIGNER_PROPERTY, "")
        signer = next((signer for signer in self.signers if signer.name == name), None)
        if signer is None:
            return "unknown-signer"
        message = signed_bytes(Topic(self.centre, self.device, channel).path, payload)
        signature = decode_base64(properties[SIGNATURE_PROPERTY])
        return "" if is_signature_of(signer.public_key, message, signature) else "bad-signature"
