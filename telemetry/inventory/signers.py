"""Builds from `signers.csv` who may sign configurations and commands of devices; it must not hold a private key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.protocol.remote_signature import RemoteSigner, parse_signer
from telemetry.inventory.record import AllowedKeys

if TYPE_CHECKING:
    from telemetry.inventory.record import Record

SIGNERS_FILE = "signers.csv"
SIGNER_KEYS = AllowedKeys(("name", "public_key"))


def build_signers(records: list[Record]) -> tuple[RemoteSigner, ...]:
    """Build the signers in order of their names; a name or a key that is declared twice is a fault."""
    signers: dict[str, RemoteSigner] = {}
    names_by_key: dict[bytes, str] = {}
    for record in records:
        name = record.text("name")
        try:
            signer = parse_signer(f"{name} {record.text('public_key')}")
        except ValueError as error:
            record.add_fault("public_key", str(error), "write what `motcua device key NAME` prints")
            continue
        if name in signers:
            record.add_fault("name", f"{name!r} is declared twice", "remove one of the rows")
        elif signer.public_key in names_by_key:
            problem = f"the key is also that of {names_by_key[signer.public_key]!r}"
            record.add_fault("public_key", problem, "make a key for each signer")
        signers[name] = signer
        names_by_key.setdefault(signer.public_key, name)
    return tuple(signer for _, signer in sorted(signers.items()))
