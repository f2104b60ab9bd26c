"""Rows that are computed as far as somebody reads them: a page of a long list needs only its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RowT = TypeVar("RowT")


class RowsInOrder(Generic[RowT]):
    """Rows of a source, read once and remembered; it may be iterated again. For one thread."""

    def __init__(self, source: Iterable[RowT]) -> None:
        self._source = iter(source)
        self._read: list[RowT] = []

    def __iter__(self) -> Iterator[RowT]:
        index = 0
        while True:
            while index < len(self._read):
                yield self._read[index]
                index += 1
            try:
                self._read.append(next(self._source))
            except StopIteration:
                return

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None
