"""The row that stores when each device of an entity was first heard; it must not decide who is in service."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from telemetry.core.protocol.event_fields import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTACTS_ROW_PREFIX = "contacts:"
"""The prefix of the row of an entity's contacts, before its id."""


class ContactsNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When each device of an entity was first heard (Unix ms); of replays also the last time, the end of their log.

    `connected` is when each was first connected, by the server's clock: what it uploads may be older.  `folded` has
    the periods, [start, end), with which totals were last folded: each device's service, the entity's own (key ""), and
    the time since its first contact (key "first contact").
    """

    entity: str
    first: dict[str, Instant] = {}
    connected: dict[str, Instant] = {}
    last: dict[str, Instant] = {}
    folded: dict[str, tuple[int, int]] = {}


def decode_contacts(rows: Iterable[tuple[str, bytes]]) -> dict[str, ContactsNow]:
    """Return the contacts among live rows (entity and body), by entity; those of another shape are left out."""
    contacts: dict[str, ContactsNow] = {}
    for entity, body in rows:
        if entity.startswith(CONTACTS_ROW_PREFIX):
            with suppress(msgspec.DecodeError, TypeError, ValueError, RecursionError):
                row = msgspec.json.decode(body, type=ContactsNow)
                contacts[row.entity] = row
    return contacts
