"""Weak ETags from the live version, the inventory and the minute, so that unchanged answers are not computed twice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from fastapi import Request, Response

from api.deps import QueriesDep
from telemetry.core.calendar.windows import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.queries.service import Queries

VARY = "Accept, Accept-Language, Cookie"


class NotModified(Exception):
    """The client's copy is still good."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = dict(headers)
        super().__init__("not modified")


def compute_etag(queries: Queries, key: str) -> str:
    """Return the current tag of a URL or page; ages and open windows change, so the minute is part of it."""
    parts = (key, queries.inventory().version, queries.now() // MINUTE)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    return f'W/"{queries.snapshot().version}-{digest}"'


def check_etag(request: Request, queries: Queries, key: str, *, may_skip: bool = True) -> dict[str, str]:
    """Return the headers of an answer's version, or raise NotModified when the client has it and `may_skip`.

    Clients always revalidate, also for settled time: late data correct it, and an old figure must not be shown.
    """
    tag = compute_etag(queries, key)
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": VARY}
    client_tags = {part.strip() for part in request.headers.get("if-none-match", "").split(",")}
    if may_skip and client_tags & {tag, tag.removeprefix("W/"), "*"}:
        raise NotModified(headers)
    return headers


def apply_etag(request: Request, response: Response, queries: QueriesDep) -> None:
    """Tag the answer, or raise NotModified when the client already has it."""
    response.headers.update(check_etag(request, queries, str(request.url)))
