"""Messages at the extremes of every field, and beyond: no role ends, no answer is a 5xx, what fits is folded for good.

Evaluator, agents (outbox, encoder, receipts, remote control), ingest, rollup and API are the real ones.  The short size
runs with every test, the long one (200,000 events) with `make chaos`; SEED repeats a run, EVENTS sets its length.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry import wiring
from telemetry.core.calendar.windows import HOUR, MINUTE
from telemetry.core.fold.live_row_types import SLO_ROW_PREFIX, FoldFaultNow, decode_rows
from telemetry.core.protocol import events as ev
from telemetry.queries import totals_cache
from telemetry.queries.service import Queries
from telemetry.rollup import live_rows
from telemetry.store.sqlite import SqliteStore
from tests.api_client import client_over
from tests.program.extreme_province import EVENTS_PER_FRAME, OBJECTIVES, ExtremeProvince, declared_inventory
from tests.program.network import NOW
from tests.property_sizes import LONG
from tests.servers import InfluxServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.store import Store

SEED = int(os.environ.get("SEED", "1"))
FRAMES_PER_PASS = 50 if LONG else 20
PASSES_PER_READ = 4 if LONG else 1
"""How often every page and query is read."""
LONGEST_PASS_S = 5.0
"""Of this process's processor time, in the long size; the wall clock would measure the machine's other processes."""
MOST_GROWTH = 1.05
"""The most memory in use in the long size's last quarter, relative to the second one's."""
SMALL_CACHE = 8 * 1024 * 1024
FEW_TOTALS = 5_000
"""Totals that the API caches in a long run: its usual limit is reached after weeks only."""
_libc = ctypes.CDLL(None)


def events_of(short: int, long: int) -> int:
    return int(os.environ.get("EVENTS", long if LONG else short))


class _MallocFigures(ctypes.Structure):
    """`struct mallinfo2` of glibc, bytes."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "top",
        )
    )


@dataclass(frozen=True, slots=True)
class MemoryInUse:
    """What this process has allocated and not freed: Python's small objects, and bytes of all else; `resident` bytes.

    The first two are judged.  Resident memory also has free memory between what is in use, which malloc cannot return:
    it depends on the order of requests, not on what a role retains.
    """

    objects: int
    other_bytes: int
    resident: int

    def most(self, other: MemoryInUse) -> MemoryInUse:
        """Return the larger one of each figure."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return MemoryInUse(*(max(pair) for pair in pairs))

    def text(self) -> str:
        """Return the figures in thousands and MB."""
        return f"{self.objects // 1000}k + {self.other_bytes / 2**20:.1f} MB, {self.resident >> 20} MB resident"


def memory_in_use() -> MemoryInUse:
    gc.collect()
    _libc.malloc_trim(0)
    _libc.mallinfo2.restype = _MallocFigures  # glibc 2.33 or newer; only the long size needs it
    figures = _libc.mallinfo2()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return MemoryInUse(sys.getallocatedblocks(), figures.uordblks + figures.hblkhd, resident)


def province(folder: Path, store: Store) -> ExtremeProvince:
    declared, clock = declared_inventory(), [NOW]
    queries = Queries(store, lambda: declared, lambda: clock[0])
    client = client_over(queries)
    return ExtremeProvince(folder, store, clock, client, SEED)


def run(day: ExtremeProvince, events: int, step_ms: Sequence[int]) -> list[MemoryInUse]:
    """Run until so many events are drawn; returns the most memory of each quarter."""
    longest, most, figures, passes = 0.0, [MemoryInUse(0, 0, 0)] * 4, list[object](), 0
    while day.n < events:
        quarter = min(4 * day.n // events, 3)
        longest = max(longest, day.run_pass(FRAMES_PER_PASS, step_ms))
        passes += 1
        if passes % PASSES_PER_READ == 0:
            assert day.failed_paths() == []
        faults = decode_rows(((row.entity, row.body) for row in day.store.live_rows()), FoldFaultNow)
        assert not faults, "what came in by the door was not folded"
        if LONG:
            most[quarter] = most[quarter].most(memory_in_use())
            done = 16 * day.n // events
            if done > len(figures):
                figures.append(done)
                show(
                    day,
                    {
                        "longest_pass_s": (round(longest, 2), round(day.longest_wait_s, 2)),
                        "memory": [one.text() for one in most if one.objects],
                    },
                )
    if LONG:
        assert longest <= LONGEST_PASS_S
    objectives = {row.entity.split(":")[1] for row in day.store.live_rows() if row.entity.startswith(SLO_ROW_PREFIX)}
    assert objectives == {objective.id for objective in OBJECTIVES}, "the evaluator took part"
    agents = day.agents.values()
    assert [agent.unaccounted_rows() for agent in agents] == [()] * len(agents), "rows were lost"
    return most


def show(day: ExtremeProvince, figures: dict[str, object]) -> None:
    """Show how far a long run is."""
    print({"events": day.n, "stored": day.stored_rows, **figures}, flush=True)  # noqa: T201


@pytest.fixture(autouse=LONG)
def no_log() -> Iterator[None]:
    """Log nothing in the long size: pytest holds all that is logged during a test, and its memory is measured."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqliteStore:
    """Return a store with a small page cache: it is full long before the half of a long run."""
    return SqliteStore(tmp_path / "store.db", page_cache_mb=4)


@pytest.fixture
def influx_store(influxd_program: str, tmp_path: Path) -> Iterator[Store]:
    server = InfluxServer(influxd_program, tmp_path / "influxd").start()
    yield wiring.open_store(server.store_url("extreme"), server.token)
    server.end()


@pytest.mark.sized
def test_days_of_messages_at_the_extremes_of_every_field_stop_no_role(
    tmp_path: Path, sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long run covers four days, so that each quarter has the caches of a whole one."""
    monkeypatch.setattr(totals_cache, "MAX_CACHED_TOTALS", FEW_TOTALS)
    day = province(tmp_path, sqlite_store)
    events = events_of(3_000, 200_000)
    average = 96 * HOUR * EVENTS_PER_FRAME * FRAMES_PER_PASS // events
    most = run(day, events, [MINUTE, average, 2 * average - MINUTE] if LONG else [20_000, 2 * MINUTE])
    assert day.stored_types == {str(kind.__struct_config__.tag) for kind in ev.AGENT_EVENTS}
    assert day.stored_rows > events // 4
    assert most[3].objects <= most[1].objects * MOST_GROWTH
    assert most[3].other_bytes <= most[1].other_bytes * MOST_GROWTH
    waiting = sum(agent.outbox.pending_count() for agent in day.agents.values())
    assert waiting < sum(agent.outbox.highest_n for agent in day.agents.values()) / 2, "the outboxes do not drain"
    day.close()


@pytest.mark.sized
def test_a_flood_within_three_hours_stops_no_role_and_has_a_limit_of_memory(
    tmp_path: Path, sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_rows, "MAX_CACHED_BYTES", SMALL_CACHE if LONG else SMALL_CACHE // 64)
    day = province(tmp_path, sqlite_store)
    events = events_of(1_000, 200_000)
    run(day, events, [3 * HOUR * EVENTS_PER_FRAME * FRAMES_PER_PASS // events])
    assert day.stored_rows > events // 4
    day.close()


@pytest.mark.sized
def test_messages_at_the_extremes_of_every_field_stop_no_role_over_influxdb(
    tmp_path: Path, influx_store: Store
) -> None:
    day = province(tmp_path, influx_store)
    events = events_of(500, 50_000)
    run(day, events, [MINUTE, 30 * MINUTE])
    assert day.stored_rows > events // 4
    day.close()
