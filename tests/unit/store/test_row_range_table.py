"""Row numbers as rows of a table: exact whatever their order, and a write touches its neighbours only."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from hypothesis import given, strategies as st

from telemetry.core.figures.completeness import union_ranges
from telemetry.store import row_range_table
from telemetry.store.unreadable import UnreadableRows

if TYPE_CHECKING:
    from collections.abc import Sequence

range_lists = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda p: (p[0], p[0] + p[1])), min_size=1, max_size=12
)


def open_table() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT)")
    db.executemany("INSERT INTO name VALUES (?, ?)", [(1, "kiosk1"), (2, "s1"), (3, "s2")])
    db.execute(row_range_table.MIGRATION[0])
    return db


def merge_all(db: sqlite3.Connection, ranges: Sequence[tuple[int, int]], outbox_id: int = 2) -> None:
    for row_range in ranges:
        row_range_table.merge_range(db, (1, outbox_id, "stored"), row_range)


@given(range_lists)
def test_the_table_has_the_union_of_all_ranges_in_any_order(ranges: list[tuple[int, int]]) -> None:
    with closing(open_table()) as db:
        merge_all(db, ranges)
        merge_all(db, [(7, 7)], outbox_id=3)
        merge_all(db, ranges)
        rows = db.execute(row_range_table.SELECT_RANGES, (None,)).fetchall()
    first, second = row_range_table.outbox_ranges(rows, UnreadableRows())
    assert first.stored == union_ranges(ranges)
    assert (first.refused, first.dropped, second.stored) == ((), (), ((7, 7),))


def test_a_write_beside_many_gaps_changes_no_other_row() -> None:
    with closing(open_table()) as db:
        merge_all(db, [(n, n) for n in range(1, 20_000, 2)])
        before = db.total_changes
        steps = [0]
        db.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 1)
        merge_all(db, [(20_001, 20_001)])
        assert db.total_changes - before == 1
        assert steps[0] < 200, "the database's own steps for a write do not depend on how many ranges there are"
