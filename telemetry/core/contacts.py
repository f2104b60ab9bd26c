"""The row that stores when each device of an entity had its first contact; it must not decide who is in service."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from telemetry.core.protocol.event_fields import Instant

CONTACTS_ROW_PREFIX = "contacts:"
"""The prefix of the row of an entity's contacts, before its id."""


class ContactsNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When each device of an entity had its first contact (Unix ms); of replays also the end of their log.

    `connected` is when each was first connected, by the server's clock: what it uploads may be older.  `folded` has
    the periods, [start, end), with which totals were last folded: each device's service, the entity's own (key ""), and
    the time since its first contact (key "first contact").
    """

    row_prefix: ClassVar[str] = CONTACTS_ROW_PREFIX

    entity: str
    first: dict[str, Instant] = {}
    connected: dict[str, Instant] = {}
    last: dict[str, Instant] = {}
    folded: dict[str, tuple[int, int]] = {}
