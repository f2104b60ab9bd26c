"""Rows that a store cannot read or will never accept: left out one by one, named in the log and counted.

It must not change any row, nor show what is in one.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Row = TypeVar("Row")
Value = TypeVar("Value")
_log = structlog.get_logger()
MAX_NAMED = 1_000
"""Rows whose names are remembered, so that each is logged once."""


class UnreadableRows:
    """How many rows of each entity could not be read or stored since the start; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._reasons: dict[str, str] = {}
        self._named: set[str] = set()

    def record(self, entity: str, name: str, error: Exception) -> None:
        """Count a stored row; `name` says which one it is, never what is in it."""
        if self._count(entity, name, f"{error!r}"):
            _log.error("stored_row_unreadable", unit=entity, row=name, error=repr(error), remedy="correct or delete it")

    def record_refused(self, entity: str, name: str, reason: str) -> None:
        """Count a row that the store will never accept; it is not stored."""
        if self._count(entity, name, reason):
            _log.error("row_refused_by_store", unit=entity, row=name, reason=reason, remedy="the others are stored")

    def _count(self, entity: str, name: str, reason: str) -> bool:
        """Count a row; returns whether it is named for the first time."""
        with self._lock:
            self._counts[entity] = self._counts.get(entity, 0) + 1
            self._reasons[entity] = f"{name}: {reason}"
            is_new = name not in self._named and len(self._named) < MAX_NAMED
            self._named.add(name) if is_new else None
        return is_new

    def counts(self) -> Mapping[str, int]:
        """Return how often a row of each entity could not be read or stored; a row counts every time it is tried."""
        with self._lock:
            return dict(self._counts)

    def count_of(self, entity: str) -> int:
        """Return how often a row of an entity could not be read or stored."""
        return self._counts.get(entity, 0)

    def reason_of(self, entity: str) -> str:
        """Return the name and the error of the last one."""
        return self._reasons.get(entity, "")

    def read_each(
        self, rows: Iterable[Row], read: Callable[[Row], Value], name_of: Callable[[Row], tuple[str, str]]
    ) -> Iterator[Value]:
        """Yield what `read` makes of each row, leaving out the unreadable; `name_of` gives a row's entity and name."""
        for row in rows:
            try:
                yield read(row)
            except Exception as error:  # noqa: BLE001  # whatever stored bytes raise
                self.record(*name_of(row), error)
