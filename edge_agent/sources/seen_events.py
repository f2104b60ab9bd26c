"""Remembers which events of a queue system were committed, so that none counts twice; it must not see their content.

The last digests are in the source's cursor and are committed with the events.  Older ones are moved to pages, each a
cursor of its own under `NAME/seen/NUMBER`; after the last page the first is written again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.sources import Sink

DIGEST_LENGTH = 12
"""Characters of one digest."""
PAGE_DIGESTS = 512
MAX_RECENT_DIGESTS = 2 * PAGE_DIGESTS
"""Most digests in the cursor when a poll begins."""
MAX_PAGES = 128
"""Most pages: 65,536 events are remembered, a centre's week."""


class QueueCursor(msgspec.Struct, frozen=True):
    """The source's cursor: the queue system's own, the digests of the last events, how many pages were written."""

    next: str = ""
    seen: tuple[str, ...] = ()
    pages: int = 0


@dataclass(slots=True)
class SeenEvents:
    """The remembered events of one source, in at most `max_pages` pages."""

    source: str
    max_pages: int = MAX_PAGES
    _archived: set[str] = field(default_factory=set)
    _loaded_pages: int = 0

    def read_cursor(self, outbox: Sink) -> QueueCursor:
        """Return the committed cursor after moving its older digests to pages. Raises sqlite3.Error."""
        text = outbox.cursor(self.source)
        cursor = msgspec.json.decode(text, type=QueueCursor) if text else QueueCursor()
        if cursor.pages != self._loaded_pages:
            self._load_pages(outbox, cursor.pages)
        return self._archive_older(outbox, cursor)

    def unseen(self, cursor: QueueCursor, digests: Iterable[str]) -> set[str]:
        """Return those of the digests that were never committed."""
        return set(digests) - set(cursor.seen) - self._archived

    def _load_pages(self, outbox: Sink, pages: int) -> None:
        self._archived = set()
        for number in range(min(pages, self.max_pages)):
            text = outbox.cursor(self._page_name(number))
            self._archived |= {text[at : at + DIGEST_LENGTH] for at in range(0, len(text), DIGEST_LENGTH)}
        self._loaded_pages = pages

    def _archive_older(self, outbox: Sink, cursor: QueueCursor) -> QueueCursor:
        """Move committed digests to pages; the cursor is committed before its pages are read again."""
        seen, pages = cursor.seen, cursor.pages
        if len(seen) <= MAX_RECENT_DIGESTS:
            return cursor
        while len(seen) > PAGE_DIGESTS:
            oldest, seen = seen[:PAGE_DIGESTS], seen[PAGE_DIGESTS:]
            outbox.append([], source=self._page_name(pages), cursor="".join(oldest))
            self._archived.update(oldest)
            pages += 1
        shortened = QueueCursor(cursor.next, seen, pages)
        outbox.append([], source=self.source, cursor=msgspec.json.encode(shortened).decode())
        if pages > self.max_pages:  # a page was written again
            self._load_pages(outbox, pages)
        self._loaded_pages = pages
        return shortened

    def _page_name(self, number: int) -> str:
        return f"{self.source}/seen/{number % self.max_pages}"
