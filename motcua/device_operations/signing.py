"""Operators' Ed25519 keys: makes one, and signs messages for one device each; it must not print a private key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from telemetry.core.protocol.remote_signature import (
    SIGNATURE_PROPERTY,
    SIGNER_PROPERTY,
    RemoteSigner,
    encode_base64,
    signed_bytes,
)
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_REMEDY = "give the file that `motcua device key NAME --out FILE` wrote"


class MessageSigner:
    """An operator's key and the name under which devices know it."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.name, self._key = name, key

    def sign(self, topic: str, payload: bytes) -> dict[str, str]:
        """Return the user properties of a message."""
        return {
            SIGNER_PROPERTY: self.name,
            SIGNATURE_PROPERTY: encode_base64(self._key.sign(signed_bytes(topic, payload))),
        }


def create_key(name: str, path: Path) -> RemoteSigner:
    """Write a new private key for nobody else to read, and return the signer. Raises ConfigError; replaces no file."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError([Fault(str(path), 0, "--out", str(error), "name a new file in a folder of yours")]) from error
    return RemoteSigner(name, key.public_key().public_bytes_raw())


def load_signer(path: Path, signers: Sequence[RemoteSigner], folder: Path) -> MessageSigner:
    """Return the key with the name of its signer in the inventory, which is in `folder`. Raises ConfigError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError([Fault(str(path), 0, "--key", f"cannot be read: {error}", KEY_REMEDY)]) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError([Fault(str(path), 0, "--key", "is no Ed25519 key", KEY_REMEDY)])
    public_key = key.public_key().public_bytes_raw()
    name = next((signer.name for signer in signers if signer.public_key == public_key), None)
    if name is None:
        problem = f"{folder / 'signers.csv'} does not declare this key"
        remedy = f"add a row with a name and {encode_base64(public_key)} there, and render the devices again"
        remedy += "; or set MOTCUA_INVENTORY to the inventory that has it"
        raise ConfigError([Fault(str(path), 0, "--key", problem, remedy)])
    return MessageSigner(name, key)
