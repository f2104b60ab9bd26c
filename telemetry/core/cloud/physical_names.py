"""Names of hosted systems that a rename does not change: of zones and components, as cloud and probes use them. Pure.

It must not write `cloud.lock` or choose a slot.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration, ComponentZone, HostedSystem, LockEntry

LONGEST_NAME = 63
"""The longest DNS-1123 label, in characters."""
DIGEST_CHARACTERS = 10
_DIGEST_AT_END = re.compile(rf"-[0-9a-f]{{{DIGEST_CHARACTERS}}}")


def short_name(*parts: str) -> str:
    """Return the parts joined by dashes; with a digest of all of them when that is too long, or looks like a digest."""
    joined = "-".join(parts)
    if len(joined) <= LONGEST_NAME and not _DIGEST_AT_END.fullmatch(joined[-DIGEST_CHARACTERS - 1 :]):
        return joined
    digest = sha256("\0".join(parts).encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{joined[: LONGEST_NAME - DIGEST_CHARACTERS - 1].rstrip('-.')}-{digest}"


def zone_name(system: str, zone: ComponentZone) -> str:
    """Return the name that a zone of a system gets when it is locked for the first time."""
    return short_name(system, zone)


def first_id(declaration: CloudDeclaration, system: HostedSystem) -> str:
    """Return the id that a system's physical names are made of: its own, or an earlier one that is locked."""
    for ident in (system.id, *system.was):
        if any(
            entry.system in {system.id, *system.was} and entry.name == zone_name(ident, entry.zone)
            for entry in declaration.lock
        ):
            return ident
    locked = {entry.system for entry in declaration.lock}
    return next((ident for ident in (*system.was, system.id) if ident in locked), system.id)


def lock_entry(declaration: CloudDeclaration, system: HostedSystem, zone: ComponentZone) -> LockEntry | None:
    """Return the entry of a system's zone, or the one that it had under an earlier id."""
    for ident in (system.id, *system.was):
        for entry in declaration.lock:
            if (entry.system, entry.zone) == (ident, zone):
                return entry
    return None


def zone_namespace(declaration: CloudDeclaration, system: HostedSystem, zone: ComponentZone) -> str:
    """Return the namespace of a system's zone: the locked name, or the one that it will get."""
    entry = lock_entry(declaration, system, zone)
    return entry.name if entry else zone_name(first_id(declaration, system), zone)
