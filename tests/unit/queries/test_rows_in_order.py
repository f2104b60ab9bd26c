"""Rows that are computed as far as they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.queries.rows_in_order import RowsInOrder

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_rows_are_computed_once_and_no_further_than_they_are_read() -> None:
    computed: list[int] = []

    def source() -> Iterator[int]:
        for number in range(5):
            computed.append(number)
            yield number

    rows = RowsInOrder(source())
    assert bool(rows)
    assert computed == [0]
    assert [number for number, _ in zip(rows, range(3), strict=False)] == [0, 1, 2]
    assert list(rows) == list(rows) == [0, 1, 2, 3, 4]
    assert computed == [0, 1, 2, 3, 4]
    assert not RowsInOrder(())
