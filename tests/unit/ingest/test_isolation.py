"""One frame or row on which ingest or its store fails is deferred and counted; all others are stored and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from telemetry.core.protocol import codec, events as ev
from telemetry.core.protocol.codec import UnreadableFrame
from telemetry.errors import StoreUnavailable
from telemetry.ingest import isolation, row_bounds, service
from telemetry.ingest.service import Ingest
from telemetry.mqtt.link import Message
from tests.unit.ingest.test_ingest import CENTRE, DEVICE, NOW, WORLD, Failing, Outlet, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from telemetry.store import Batch, StoredEvent

BAD = 203
"""The row on which something fails."""


class Poisoned(Failing):
    """Fails with an error of the program on every write that has the bad row, or a dead letter of a reason."""

    bad_rows: frozenset[int] = frozenset()
    bad_reason = ""
    writes = 0

    def append(self, batch: Batch) -> Sequence[StoredEvent]:
        self.writes += 1
        if self.bad_rows & {s.event.n for s in batch.events} or self.bad_reason in {
            d.reason for d in batch.dead_letters
        }:
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        return super().append(batch)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Poisoned]:
    opened = Poisoned(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def desk(store: Poisoned) -> Ingest:
    return Ingest(store, lambda: WORLD, lambda: NOW)


def failing_on_bad_row(original: Callable[..., object]) -> Callable[..., object]:
    def replaced(*args: object) -> object:
        events = [e for a in args for e in (getattr(a, "events", None) or (a if isinstance(a, list) else ()))]
        if any(getattr(event, "n", 0) == BAD for event in events):
            raise KeyError("a secret of the row")
        return original(*args)

    return replaced


def flush(desk: Ingest) -> Outlet:
    outlet = Outlet()
    for mid in (1, 2, 3):
        desk.accept(frame(mid, 6))
    desk.flush(outlet)
    return outlet


def check_all_but_the_bad_row(desk: Ingest, store: Failing, outlet: Outlet) -> None:
    """All frames are acknowledged once, in order; 17 rows are stored, one is deferred and counted once."""
    assert outlet.acked == [1, 2, 3]
    assert store.count_events() == 17
    assert [r.ranges for r in outlet.receipts] == [[(100, 105), (200, 202), (204, 205), (300, 305)]]
    assert [r.deferred for r in outlet.receipts] == [[(BAD, "unprocessable")]]
    assert store.dead_letter_counts() == {"unprocessable": 1}
    assert desk.stats.refused_by_reason == {"unprocessable": 1}
    assert (desk.stats.rows, desk.stats.waiting_messages) == (17, 0)


def test_a_row_that_cannot_be_classified_is_deferred_and_its_neighbours_are_stored(
    desk: Ingest, store: Poisoned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_bounds, "reject_foreign_entities", failing_on_bad_row(row_bounds.reject_foreign_entities))
    with capture_logs() as entries:
        check_all_but_the_bad_row(desk, store, flush(desk))
    logged = str(entries)
    assert "row_deferred" in logged
    assert "KeyError" in logged
    assert "secret" not in logged


def test_a_row_that_cannot_be_stored_is_deferred_and_its_neighbours_are_stored(desk: Ingest, store: Poisoned) -> None:
    store.bad_rows = frozenset({BAD})
    check_all_but_the_bad_row(desk, store, flush(desk))
    assert store.writes <= 15, "it is found by halves"


def test_a_frame_of_which_no_batch_can_be_built_is_deferred_whole(
    desk: Ingest, store: Poisoned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(frames: Sequence[tuple[str, Sequence[ev.Event]]]) -> list[object]:
        if any(event.n == BAD for _, events in frames for event in events):
            raise ValueError("no hour")
        return original(frames)  # type: ignore[return-value]

    original = isolation.changes_of
    monkeypatch.setattr(isolation, "changes_of", failing)
    outlet = flush(desk)
    assert outlet.acked == [1, 2, 3]
    assert outlet.receipts[0].ranges == [(100, 105), (300, 305)]
    assert [n for n, _ in outlet.receipts[0].deferred] == [200, 201, 202, 203, 204, 205]
    assert store.dead_letter_counts() == {"unprocessable": 6}


def test_a_frame_that_cannot_be_decoded_at_all_is_deferred_by_its_properties(
    desk: Ingest, store: Poisoned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(codec, "decode_frame", broken)
        patched.setattr(codec, "split_frame", broken)
        patched.setattr(Message, "user_properties", {"spool": "s1", "from": "7", "to": "8"})
        desk.accept(frame(9, 2))
    with monkeypatch.context() as patched:
        patched.setattr(service, "parse_topic", broken)
        desk.accept(frame(8, 2))
    desk.accept(frame(1, 1))
    outlet = Outlet()
    desk.flush(outlet)
    assert outlet.acked == [9, 8, 1]
    assert outlet.receipts[0].deferred == [(7, "unprocessable"), (8, "unprocessable")]
    assert outlet.receipts[0].ranges == [(100, 100)]
    assert store.dead_letter_counts() == {"unprocessable": 3}


def test_nothing_is_acknowledged_while_the_store_is_away_during_the_search(desk: Ingest, store: Poisoned) -> None:
    store.bad_rows = frozenset({BAD})
    outlet = Outlet()
    for mid in (1, 2, 3):
        desk.accept(frame(mid, 6))
    original, calls = store.append, []

    def away(batch: Batch) -> Sequence[StoredEvent]:
        calls.append(batch)
        if len(calls) == 4:
            raise StoreUnavailable("away")
        return original(batch)

    store.append = away  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        desk.flush(outlet)
    assert (outlet.acked, outlet.receipts, store.dead_letter_counts()) == ([], [], {})
    desk.flush(outlet)
    check_all_but_the_bad_row(desk, store, outlet)


def test_a_device_of_which_nothing_can_be_stored_costs_the_others_a_bounded_search(
    desk: Ingest, store: Poisoned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "MAX_FAILED_WRITES", 10)
    store.bad_rows = frozenset(range(100, 200))
    other = f"motcua/v1/{CENTRE}/{CENTRE}-gateway1/up"
    desk.accept(frame(1, 99))
    desk.accept(frame(2, 3, topic=other))
    outlet = Outlet()
    desk.flush(outlet)
    assert outlet.acked == [1, 2]
    assert {r.spool: len(r.deferred) for r in outlet.receipts if r.deferred} == {"s1": 99}
    assert [r.ranges for r in outlet.receipts if r.ranges] == [[(200, 202)]]
    assert store.writes < 30


def test_a_dead_letter_that_cannot_be_stored_is_left_out(desk: Ingest, store: Poisoned) -> None:
    store.bad_reason = "too_old"
    desk.accept(frame(1, 2))
    desk.accept(frame(2, 2, t=0))
    outlet = Outlet()
    desk.flush(outlet)
    assert (outlet.acked, store.count_events(), store.dead_letter_counts()) == ([1, 2], 2, {})
    assert outlet.receipts[0].rejected == [(200, "too_old"), (201, "too_old")]


def test_a_row_without_a_number_is_counted(monkeypatch: pytest.MonkeyPatch, desk: Ingest, store: Poisoned) -> None:
    calls: list[object] = []

    def broken(*_: object) -> None:
        calls.append(1)
        raise MemoryError

    monkeypatch.setattr(codec, "decode_frame", broken)
    payload = codec.encode_frame("s1", "b", NOW, [b'{"n":5}', b'{"x":1}', b"[]"])
    desk.accept(Message(f"motcua/v1/{CENTRE}/{DEVICE}/up", payload, codec.CONTENT_TYPE, mid=1, qos=1))
    outlet = Outlet()
    desk.flush(outlet)
    assert outlet.receipts[0].deferred == [(5, "unprocessable")]
    assert (len(calls), store.dead_letter_counts()) == (4, {"unprocessable": 3})


def test_what_is_no_frame_cannot_be_split() -> None:
    with pytest.raises(UnreadableFrame, match="malformed"):
        codec.split_frame(b"[]", codec.CONTENT_TYPE)
