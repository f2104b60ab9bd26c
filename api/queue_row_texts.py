"""Rows of queue history as JSON, written once for each row that has ended; it must not compute figures."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import Depends, Request

from api.schemas.queues import QueueHistoryRowResponse

if TYPE_CHECKING:
    from telemetry.core.figures.queue_periods import QueueHistoryRow

MAX_CACHED_TEXTS = 6_000
"""Rows whose text is remembered, about 4 kB each with the row: a province's by centre and service."""


class QueueRowTexts:
    """The text of each row object and threshold, the latest ones remembered; safe to call from many threads.

    The queries return the same object as long as a row has not changed, so that its identity is its version.
    """

    def __init__(self, size: int = MAX_CACHED_TEXTS) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._texts: OrderedDict[tuple[int, int], tuple[QueueHistoryRow, msgspec.Raw]] = OrderedDict()

    def text(self, row: QueueHistoryRow, threshold_s: int, now: int) -> msgspec.Raw:
        """Return a row as JSON; `threshold_s` is what `within` compares waits with."""
        key = id(row), threshold_s  # the entry holds its row, so that no other object gets its id
        with self._lock:
            if key in self._texts:
                self._texts.move_to_end(key)
                return self._texts[key][1]
        text = msgspec.Raw(msgspec.json.encode(QueueHistoryRowResponse.plain_row(row, threshold_s, now)))
        if row.window.end <= now:  # later the same row says whether all its tickets have ended
            with self._lock:
                self._texts[key] = row, text
                while len(self._texts) > self._size:
                    self._texts.popitem(last=False)
        return text


def _get_texts(request: Request) -> QueueRowTexts:
    texts: QueueRowTexts = request.app.state.queue_row_texts
    return texts


QueueRowTextsDep = Annotated[QueueRowTexts, Depends(_get_texts)]
