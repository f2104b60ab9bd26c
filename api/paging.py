"""Opaque keyset cursors for sorted lists; it must not depend on the meaning of the rows."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, TypeVar

from fastapi import Depends, Query

Row = TypeVar("Row")
CursorKey = tuple[str | int | float, ...]


class BadCursor(Exception):
    """A cursor that this API did not return."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is requested."""

    limit: int
    cursor: str | None

    def slice_rows(self, rows: Sequence[Row], key: Callable[[Row], CursorKey]) -> tuple[list[Row], str | None]:
        """Return this page of rows sorted by `key`, and the cursor of the next."""
        start = 0
        if self.cursor is not None:
            after = _decode_cursor(self.cursor)
            if rows and _key_types(after) != _key_types(key(rows[0])):
                raise BadCursor
            start = bisect_right(rows, after, key=key)
        part = list(rows[start : start + self.limit])
        more = start + self.limit < len(rows)
        return part, _encode_cursor(key(part[-1])) if more else None

    def slice_stream(self, rows: Iterable[Row], key: Callable[[Row], CursorKey]) -> tuple[list[Row], str | None]:
        """Return the same of rows that are computed as they are read: none beyond the page but the next one."""
        after = None if self.cursor is None else _decode_cursor(self.cursor)
        part: list[Row] = []
        for index, row in enumerate(rows):
            if after is not None and not index and _key_types(after) != _key_types(key(row)):
                raise BadCursor
            if after is not None and key(row) <= after:
                continue
            if len(part) == self.limit:
                return part, _encode_cursor(key(part[-1]))
            part.append(row)
        return part, None

    def first_text(self) -> str:
        """Return the first part of the cursor's key, where a list sorted by it goes on; empty without a cursor."""
        first = "" if self.cursor is None else next(iter(_decode_cursor(self.cursor)), "")
        return first if isinstance(first, str) else ""


def _encode_cursor(key: CursorKey) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def _key_types(key: CursorKey) -> list[str]:
    """Return the kinds of a key's parts: only equal kinds can be compared, and NaN has no order."""
    return [_key_part_type(part) for part in key]


def _key_part_type(part: object) -> str:
    if isinstance(part, str):
        return "text"
    return "number" if isinstance(part, (int, float)) and isfinite(part) else "other"


def _decode_cursor(cursor: str) -> CursorKey:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadCursor from error
    if not isinstance(decoded, list):
        raise BadCursor
    return tuple(decoded)


def _page_request(
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> PageRequest:
    return PageRequest(limit, cursor)


PageParam = Annotated[PageRequest, Depends(_page_request)]
