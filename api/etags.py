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


def compute_etag(queries: Queries, url: str) -> str:
    """Return the current tag of a URL; ages and open windows change, so the minute is part of it."""
    key = (url, queries.inventory().version, queries.now() // MINUTE)
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    return f'W/"{queries.snapshot().version}-{digest}"'


def apply_etag(request: Request, response: Response, queries: QueriesDep) -> None:
    """Tag the answer, or raise NotModified when the client already has it.

    Clients always revalidate, also for settled time: late data correct it, and an old figure must not be shown.
    """
    tag = compute_etag(queries, str(request.url))
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": VARY}
    client_tags = {part.strip() for part in request.headers.get("if-none-match", "").split(",")}
    if client_tags & {tag, tag.removeprefix("W/"), "*"}:
        raise NotModified(headers)
    response.headers.update(headers)
