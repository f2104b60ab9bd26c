"""Polls a dossier system's JSON endpoint; it must not log a dossier's content.

The endpoint answers as that of a queue system does (`queue_http`).  A dossier that comes again in another state adds
only what is new of it; an answer without `next` is the list of all dossiers, from which the backlog is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.sources.parsing import BadEvent, parse_json
from edge_agent.sources.queue_http import QueueHttpSource
from edge_agent.sources.queue_mapping import ObjectRow

if TYPE_CHECKING:
    from edge_agent.mapping.cell_parsing import RowCells
    from edge_agent.sources import Sink
    from edge_agent.sources.dossier_feed import DossierFeed


@dataclass(slots=True, kw_only=True)
class DossierHttpSource(QueueHttpSource):
    """Polls as a queue system is polled, and takes the answers as a dossier feed."""

    feed: DossierFeed

    def poll_once(self, outbox: Sink) -> bool:
        """Process one answer; returns whether to poll again at once. Raises OSError."""
        since = self.feed.read_next(outbox)
        answer = self.fetch_answer(since)
        rows = [_read_row(raw) for raw in answer.elements]
        is_whole = answer.next is None and not since and bool(rows)
        has_new = self.feed.take_rows(outbox, rows, answer.next, is_whole=is_whole)
        self.feed.publish_backlog(outbox)
        return has_new and answer.next not in {None, since}


def _read_row(raw: bytes) -> RowCells | None:
    try:
        value = parse_json(raw)
    except (BadEvent, RecursionError):
        return None
    return ObjectRow(value) if isinstance(value, dict) else None
