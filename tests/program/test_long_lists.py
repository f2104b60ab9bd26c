"""Pages of long lists: the same rows whether all are there or are computed as they are read; no page asks twice."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from api.paging import BadCursor, PageRequest
from telemetry.queries import indicator_figures, network_history, period_history, queue_history
from telemetry.queries.queues import queue_history_rows
from tests.program.network import Network, busy, network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.queue_periods import QueueHistoryRow
    from telemetry.core.inventory import Centre
    from telemetry.queries.buckets import BucketQuery
    from telemetry.queries.totals_cache import TotalsReader


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    found = busy(network(tmp_path))
    yield found
    found.store.close()


def key(row: tuple[str, int]) -> tuple[str, int]:
    return row


@given(st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 9))), st.integers(1, 7))
def test_computed_rows_have_the_pages_of_a_list(rows: set[tuple[str, int]], limit: int) -> None:
    cursor, in_order = None, sorted(rows)
    for _ in range(len(rows) + 1):
        page = PageRequest(limit, cursor)
        part, following = page.slice_stream(iter(in_order), key)
        assert (part, following) == page.slice_rows(in_order, key)
        assert page.first_text() in {"", *"abc"}
        if following is None:
            return
        cursor = following


def test_a_cursor_of_another_list_is_refused() -> None:
    _, other = PageRequest(1, None).slice_rows([(1, 2), (3, 4)], lambda row: row)
    with pytest.raises(BadCursor):
        PageRequest(1, other).slice_stream([("a", 1)], key)
    assert PageRequest(1, other).first_text() == ""


@pytest.mark.parametrize("path", ["/", "/?from=2026-11-16&to=2026-11-23", "/datasets", "/kpis"])
def test_a_page_asks_for_the_history_of_all_centres_once_at_most(
    net: Network, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    asked: list[Window] = []

    def counted(
        store: TotalsReader, centres: Sequence[Centre], query: BucketQuery, service: str | None, now: int
    ) -> tuple[QueueHistoryRow, ...]:
        asked.extend([query.window] if len(centres) > 1 else [])
        return queue_history_rows(store, centres, query, service, now)

    for module in (indicator_figures, network_history, period_history, queue_history):
        monkeypatch.setattr(module, "queue_history_rows", counted)
    assert net.client.get(path).status_code == 200
    asked.sort()
    assert all(before.end <= after.start for before, after in pairwise(asked)), "no time is read twice"
