"""Lets one costly question be answered at a time, so that the others stay fast; it must not know what is asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

    from telemetry.queries.buckets import QueryCost

HEAVY_ROWS = 20_000
"""A query that reads more totals than this is costly: about 50 ms of a processor."""
HEAVY_BUCKETS = 1_000
"""So is one whose answer has more buckets: writing them takes as long."""
MAX_WAITING = 8
"""Costly questions that wait; more would occupy the threads of the others."""
MAX_WAIT_S = 5.0
MAX_STREAMS = 8
"""Answers in parts that are sent at the same time; each holds one part in memory."""
MAX_PART_WAIT_S = 60.0
"""How long a part of an answer that has begun waits for its turn; then the connection is closed."""
RETRY_AFTER_S = 5


class ServerBusy(Exception):
    """Too many costly questions at once, or too many large answers that are not read yet."""

    def __init__(self) -> None:
        super().__init__("the server is answering other large questions: ask again later, or for a shorter window")


class HeavyQueryGate:
    """Admits one costly question at a time; safe to share between threads."""

    def __init__(self, max_wait_s: float = MAX_WAIT_S) -> None:
        self.max_wait_s = max_wait_s
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(1 + MAX_WAITING)
        self._streams = threading.BoundedSemaphore(MAX_STREAMS)

    def open_stream(self) -> Callable[[], None]:
        """Take the place of an answer in parts and return what frees it, once. Raises ServerBusy."""
        if not self._streams.acquire(blocking=False):
            raise ServerBusy
        is_open = threading.Lock()

        def close() -> None:
            if is_open.acquire(blocking=False):
                self._streams.release()

        return close

    @contextmanager
    def admit_part(self, cost: QueryCost) -> Iterator[None]:
        """Wait for the turn of a costly part of an answer that has begun. Raises ServerBusy after a minute."""
        if not _is_heavy(cost):
            yield
            return
        if not self._turn.acquire(timeout=MAX_PART_WAIT_S):
            raise ServerBusy
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def admit(self, cost: QueryCost) -> Iterator[None]:
        """Wait for the turn of a costly question; others pass. Raises ServerBusy."""
        if not _is_heavy(cost):
            yield
            return
        if not self._places.acquire(blocking=False):
            raise ServerBusy
        try:
            if not self._turn.acquire(timeout=self.max_wait_s):
                raise ServerBusy
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def answer(self, cost: QueryCost, build: Callable[[], BaseModel | bytes]) -> Response:
        """Return the JSON of an answer that is computed and written in turn, bytes as they are. Raises ServerBusy."""
        with self.admit(cost):
            answer = build()
            body = answer if isinstance(answer, bytes) else answer.model_dump_json(by_alias=True)
            return Response(body, media_type="application/json")


def _is_heavy(cost: QueryCost) -> bool:
    return cost.rows > HEAVY_ROWS or cost.buckets > HEAVY_BUCKETS


def _get_gate(request: Request) -> HeavyQueryGate:
    gate: HeavyQueryGate = request.app.state.heavy_queries
    return gate


HeavyQueryDep = Annotated[HeavyQueryGate, Depends(_get_gate)]
