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

    @contextmanager
    def admit(self, cost: QueryCost) -> Iterator[None]:
        """Wait for the turn of a costly question; others pass. Raises ServerBusy."""
        if cost.rows <= HEAVY_ROWS and cost.buckets <= HEAVY_BUCKETS:
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

    def answer(self, cost: QueryCost, build: Callable[[], BaseModel]) -> Response:
        """Return the JSON of an answer that is computed and written in turn. Raises ServerBusy."""
        with self.admit(cost):
            return Response(build().model_dump_json(by_alias=True), media_type="application/json")


def _get_gate(request: Request) -> HeavyQueryGate:
    gate: HeavyQueryGate = request.app.state.heavy_queries
    return gate


HeavyQueryDep = Annotated[HeavyQueryGate, Depends(_get_gate)]
