"""Opaque keyset cursors for sorted lists; it must not know what the rows mean."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, TypeVar

from fastapi import Depends, Query

Row = TypeVar("Row")
Key = tuple[str | int | float, ...]


class BadCursor(Exception):
    """A cursor this API did not give out."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list was asked for."""

    limit: int
    cursor: str | None

    def cut(self, rows: Sequence[Row], key: Callable[[Row], Key]) -> tuple[list[Row], str | None]:
        """Return this page of rows sorted by `key`, and the cursor of the next."""
        start = 0
        if self.cursor is not None:
            after = _decode(self.cursor)
            if rows and _kinds(after) != _kinds(key(rows[0])):
                raise BadCursor
            start = bisect_right(rows, after, key=key)
        part = list(rows[start : start + self.limit])
        more = start + self.limit < len(rows)
        return part, _encode(key(part[-1])) if more else None


def _encode(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def _kinds(key: Key) -> list[str]:
    """Return what can be compared with what: texts, and numbers that are in some order."""
    return [_kind(part) for part in key]


def _kind(part: object) -> str:
    if isinstance(part, str):
        return "text"
    return "number" if isinstance(part, (int, float)) and isfinite(part) else "other"


def _decode(cursor: str) -> Key:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadCursor from error
    if not isinstance(found, list):
        raise BadCursor
    return tuple(found)


def _page(
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Page:
    return Page(limit, cursor)


PageAsked = Annotated[Page, Depends(_page)]
