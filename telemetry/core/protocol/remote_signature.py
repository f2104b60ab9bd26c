"""How configurations and commands are signed for one device: who may sign, and which bytes. It must not sign or verify.

The signature travels in MQTT user properties, so the payload is the same with and without it, and an agent that knows
no signatures reads the message as before.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

SIGNER_PROPERTY, SIGNATURE_PROPERTY = "signer", "signature"
"""User properties of a signed message: the signer's name, and the Ed25519 signature in base64."""
SIGNER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
PUBLIC_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class RemoteSigner:
    """Somebody whose configurations and commands devices accept; `public_key` is that of Ed25519, 32 bytes."""

    name: str
    public_key: bytes

    @property
    def text(self) -> str:
        """Return the signer as `agent.toml` has it: the name, a blank, the key in base64."""
        return f"{self.name} {encode_base64(self.public_key)}"


def encode_base64(data: bytes) -> str:
    """Return the bytes in base64."""
    return base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    """Return the bytes of a base64 text; none when it is no such text."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def parse_signer(text: str) -> RemoteSigner:
    """Return the signer of `NAME KEY`. Raises ValueError with the problem.

    >>> parse_signer("lan.nguyen " + "A" * 43 + "=").name
    'lan.nguyen'
    """
    name, _, key = text.strip().partition(" ")
    if not SIGNER_NAME.fullmatch(name):
        msg = f"{name!r} is not a signer's name: use a-z, 0-9, dots and dashes, 63 at most"
        raise ValueError(msg)
    public_key = decode_base64(key.strip())
    if len(public_key) != PUBLIC_KEY_BYTES:
        msg = f"the key of {name!r} is not {PUBLIC_KEY_BYTES} bytes in base64"
        raise ValueError(msg)
    return RemoteSigner(name, public_key)


def signed_bytes(topic: str, payload: bytes) -> bytes:
    """Return what is signed: the topic binds the message to one device and one channel."""
    return b"motcua-signed-v1\n" + topic.encode() + b"\n" + payload
