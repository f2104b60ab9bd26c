"""Stored rows of any content: rollup, evaluator, ingest and every page go on, and the other centre's figures with them.

Each column of each table gets values that no version ever wrote, while messages arrive; SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import MINUTE, Window
from telemetry.core.fold.live_row_types import FoldFaultNow, decode_rows
from telemetry.queries.service import Queries
from telemetry.store.sqlite import SqliteStore
from tests.api_client import client_over
from tests.program.extreme_province import PATHS, ExtremeProvince, declared_inventory
from tests.program.network import NOW
from tests.property_sizes import LONG

if TYPE_CHECKING:
    from pathlib import Path

SEED = int(os.environ.get("SEED", "1"))
PASSES, FRAMES_PER_PASS, STEP_MS = 200 if LONG else 8, 4, 2 * MINUTE
SPOILED_COLUMNS = {
    "raw": ("t", "type", "body"), "change": ("start", '"end"', "written_at"), "live": ("body", "version"),
    "total": ("start", "scope", "province", "sums"), "row_range": ("outcome", "high"), "dead": ("at", "rows", "reason"),
    "dead_count": ("rows",), "meta": ("value",),
}  # fmt: skip
SPOILED_VALUES: tuple[object, ...] = (
    b"", b"\xff\xfe", b"{", b"[" * 2_000, b"null", b'{"n":1e999}', b"[1,2]", b'{"type":"ticket.issued"}', "", "ế\x00",
    "x" * 5_000, "[999,1]", '{"up_ms":1e300}', '{"up_ms":"9"}', '{"up_ms":-9223372036854775808}', -1, 0, (1 << 63) - 1,
    -(1 << 63), 1.5, 1e300, "centre:vn83-a", "device:", "::::", '{"centre":"vn83-a","at":1}', '{"system":1}',
)  # fmt: skip
_OF_A = "unit = (SELECT id FROM name WHERE text = 'vn83-a')"
ONLY_OF_A = {
    "raw": _OF_A, "total": _OF_A, "change": _OF_A, "live": "unit LIKE '%vn83-a'",
    "row_range": "device = (SELECT id FROM name WHERE text = 'vn83-a-kiosk1')",
}  # fmt: skip
KEYS = {
    "raw": "device, spool, n", "total": "unit, width, start, scope", "live": "unit",
    "row_range": "device, spool, outcome, low", "dead_count": "reason", "meta": "key",
}  # fmt: skip


def spoil(path: Path, chance: random.Random) -> str:
    """Give one column of a random row of centre A, or of all rows' own tables, a value that is none."""
    table = chance.choice(list(SPOILED_COLUMNS))
    column, value = chance.choice(SPOILED_COLUMNS[table]), chance.choice(SPOILED_VALUES)
    where = ONLY_OF_A.get(table, "1")
    with closing(sqlite3.connect(path, timeout=10)) as db, db:
        keys = KEYS.get(table, "id")
        rows = db.execute(f"SELECT {keys} FROM {table} WHERE {where}").fetchall()
        if not rows:
            return ""
        row = chance.choice(rows)
        condition = " AND ".join(f"{key} IS ?" for key in keys.split(", "))
        db.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {condition}", (value, *row))
    return f"{table}.{column} = {value!r:.60} where {keys} = {row}"


@pytest.mark.sized
def test_stored_rows_of_any_content_stop_no_role_and_no_other_unit(tmp_path: Path) -> None:
    clock, chance, declared = [NOW], random.Random(SEED), declared_inventory()
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    done: list[str] = []

    def started() -> ExtremeProvince:
        """Return all roles anew over the same files, as after a restart."""
        queries = Queries(store, lambda: declared, lambda: clock[0])
        client = client_over(queries)
        return ExtremeProvince(tmp_path, store, clock, client, chance.randrange(1 << 30))

    day = started()
    for number in range(PASSES):
        if number % 10 == 9:
            for agent in day.agents.values():
                agent.outbox.close()
            day = started()
        done += [spoil(path, chance) for _ in range(3)] if number else []
        day.run_pass(FRAMES_PER_PASS, [STEP_MS])
        answers = {path: day.client.get(path).status_code for path in PATHS}
        assert {path: code for path, code in answers.items() if code >= 500} == {}, done[-6:]
    faults = decode_rows(((row.entity, row.body) for row in store.live_rows()), FoldFaultNow)
    assert faults.keys() | store.unreadable.counts().keys(), "what was set aside has a name"
    assert "vn83-b" not in faults, "another centre's rows are its own"
    events = [s for s in store.events("vn83-b", Window(0, 1 << 60)) if s.event.t < clock[0] - STEP_MS]
    assert events, "the other centre is stored"
    assert store.totals(["vn83-b"], "5m", Window(events[-1].event.t - 5 * MINUTE, clock[0])), "and folded"
    day.close()
