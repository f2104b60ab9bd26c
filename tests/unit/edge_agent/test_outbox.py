"""The outbox: numbers never restart, nothing half written, the cap gives up samples first and says so."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from edge_agent.outbox import (
    EVENT,
    IDEMPOTENCY_KEY_TTL_MS,
    SAMPLE,
    VITAL,
    Outbox,
    PostKey,
    PostResult,
    outbox as module,
    priority_class,
)
from telemetry.core.figures.completeness import count_rows, union_ranges
from telemetry.core.protocol import codec, events as ev
from telemetry.errors import OutboxTooNew

T = 1_767_225_600_000
KEY = PostKey("key")
BEAT = ev.DeviceHeartbeat(n=1, t=T)
MODE = ev.CentreModeSet(n=1, t=T, mode="closed")


def issued(name: str = "k") -> ev.TicketIssued:
    return ev.TicketIssued(n=1, t=T, ticket=name, queue="q", service="s")


def opened(folder: Path, cap_bytes: int = 1 << 28) -> Outbox:
    return Outbox(folder / "outbox.db", lambda: "spool1", cap_bytes)


def numbers(box: Outbox) -> list[int]:
    return [row.n for row in box.rows_after(0, 10_000)]


def events(box: Outbox) -> list[ev.Event]:
    return [codec.decode_event(row.body) for row in box.rows_after(0, 10_000)]


def drops(box: Outbox) -> list[ev.OutboxDropped]:
    return [e for e in events(box) if isinstance(e, ev.OutboxDropped)]


# --- numbers, cursors, restarts ---------------------------------------------------------------


def test_rows_are_numbered_from_one_and_carry_their_number(tmp_path: Path) -> None:
    box = opened(tmp_path)
    assert box.append([issued(), issued()]) == (1, 2)
    assert box.append([]) == (0, 0)
    assert [e.n for e in events(box)] == numbers(box) == [1, 2]
    assert (box.highest_n, box.pending_count()) == (2, 2)


def test_a_restart_keeps_rows_spool_cursor_and_size(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued()], source="log", cursor="line 7")
    rows, weight = box.rows_after(0, 9), box.size_bytes
    box.close()
    again = Outbox(tmp_path / "outbox.db", lambda: "other")
    assert (again.rows_after(0, 9), again.size_bytes, again.outbox_id) == (rows, weight, "spool1")
    assert (again.cursor("log"), again.cursor("other")) == ("line 7", "")


def test_numbers_go_on_after_a_restart_of_an_emptied_outbox(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued(), issued(), issued()])
    box.delete_receipted([(1, 3)])
    box.close()
    again = opened(tmp_path)
    assert (again.pending_count(), again.size_bytes, again.highest_n) == (0, 0, 3)
    assert again.append([issued()]) == (4, 4)


def test_a_cursor_without_events_moves_too(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([], source="log", cursor="line 8")
    assert (box.cursor("log"), box.pending_count()) == ("line 8", 0)


class Unstorable:
    """A cursor that SQLite cannot store: the write fails after the rows."""


def test_events_and_cursor_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued()], source="log", cursor="1")
    weight = box.size_bytes
    with pytest.raises(sqlite3.Error):
        box.append([issued()], source="log", cursor=Unstorable())  # type: ignore[arg-type]
    assert (numbers(box), box.cursor("log"), box.highest_n, box.size_bytes) == ([1], "1", 1, weight)
    assert box.append([issued()]) == (2, 2)


def test_a_full_disk_fails_the_append_and_the_outbox_works_on_when_there_is_room(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued()])
    weight = box.size_bytes
    box.file.db.execute("PRAGMA max_page_count=1")  # SQLite takes the present size: no page more
    with pytest.raises(sqlite3.Error, match="full"):
        box.append([issued(f"k{i}") for i in range(2_000)])
    assert (numbers(box), box.highest_n, box.size_bytes) == ([1], 1, weight)
    box.file.db.execute("PRAGMA max_page_count=1000000")
    assert box.append([issued()]) == (2, 2)


def test_a_commit_that_fails_leaves_nothing_open(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.file.db.execute("PRAGMA foreign_keys=ON")
    box.file.db.execute("CREATE TABLE child (n REFERENCES rows (n) DEFERRABLE INITIALLY DEFERRED)")
    box.file.db.execute("CREATE TRIGGER orphan AFTER INSERT ON rows BEGIN INSERT INTO child VALUES (-1); END")
    with pytest.raises(sqlite3.IntegrityError):
        box.append([issued()])
    assert (box.pending_count(), box.highest_n, box.size_bytes) == (0, 0, 0)
    box.file.db.execute("DROP TRIGGER orphan")
    assert box.append([issued()]) == (1, 1)


def test_an_outbox_of_a_newer_version_is_refused_with_the_way_out(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / "outbox.db") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(OutboxTooNew, match="99 is newer than this agent's 3; upgrade the agent"):
        opened(tmp_path)


def test_the_agent_is_told_after_every_append(tmp_path: Path) -> None:
    box, told = opened(tmp_path), []
    box.on_appended = lambda: told.append(box.pending_count())
    box.append([issued()])
    box.append_numbered([ev.DeviceHeartbeat(n=9, t=T)])
    box.append_idempotent([issued()], KEY, T)
    assert told == [1, 2, 3]


def test_threads_may_append_at_once(tmp_path: Path) -> None:
    box = opened(tmp_path)
    threads = [threading.Thread(target=lambda: [box.append([issued()]) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(box) == list(range(1, 81))


def test_rows_are_read_after_a_number_or_by_number(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued() for _ in range(5)])
    box.delete_receipted([(2, 2)])
    assert [row.n for row in box.rows_after(1, 2)] == [3, 4]
    assert [row.n for row in box.rows_by_number([5, 2, 1])] == [1, 5]
    assert box.rows_by_number([]) == []


def test_forgetting_what_is_gone_changes_nothing(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued()])
    weight = box.size_bytes
    box.delete_receipted([(2, 99)])
    assert (box.pending_count(), box.size_bytes) == (1, weight)


# --- replay and posts -------------------------------------------------------------------------


def test_events_with_their_own_numbers_are_kept_once(tmp_path: Path) -> None:
    box = opened(tmp_path)
    found = [ev.DeviceHeartbeat(n=n, t=T) for n in (3, 5, 8)]
    box.append_numbered(found[:2])
    box.delete_receipted([(3, 5)])
    box.append_numbered(found)
    assert (numbers(box), box.highest_n) == ([8], 8)


def test_a_post_with_a_key_seen_before_gets_the_same_answer_and_no_rows(tmp_path: Path) -> None:
    box = opened(tmp_path)
    assert box.append_idempotent([issued(), issued()], KEY, T) == PostResult(1, 2)
    again = box.append_idempotent([issued()], KEY, T + IDEMPOTENCY_KEY_TTL_MS)
    assert again == PostResult(1, 2, repeated=True)
    assert box.pending_count() == 2


def test_a_key_with_another_body_is_a_conflict_and_adds_no_rows(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append_idempotent([issued()], PostKey("key", "body-1"), T)
    assert box.append_idempotent([issued()], PostKey("key", "body-1"), T) == PostResult(1, 1, repeated=True)
    other = box.append_idempotent([issued()], PostKey("key", "body-2"), T)
    assert other == PostResult(1, 1, repeated=True, conflicts=True)
    assert box.pending_count() == 1


def test_a_key_is_forgotten_after_seven_days(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append_idempotent([issued()], KEY, T)
    assert box.append_idempotent([issued()], KEY, T + IDEMPOTENCY_KEY_TTL_MS + 1) == PostResult(2, 2)


def test_a_key_survives_a_restart(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append_idempotent([issued()], KEY, T)
    box.close()
    assert opened(tmp_path).append_idempotent([issued()], KEY, T).repeated


# --- refusals ---------------------------------------------------------------------------------


def test_a_refused_row_is_put_aside_and_reported_once(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued(), issued()])
    for _ in range(2):
        box.move_to_refused([(1, "personal_data"), (77, "malformed")], T + 5)
    assert numbers(box) == [2, 3]
    assert events(box)[1] == ev.OutboxRefused(n=3, t=T + 5, row=1, reason="personal-data")
    assert box.refused_count() == 1
    assert box.size_bytes == sum(len(row.body) for row in box.rows_after(0, 9))


def test_the_report_of_a_refused_row_is_announced_like_every_new_row(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued()])
    announced: list[list[int]] = []
    box.on_appended = lambda: announced.append(numbers(box))
    box.move_to_refused([(1, "malformed")], T)
    assert announced == [[2]]
    box.move_to_refused([(2, "malformed")], T)
    assert announced == [[2]], "nothing was added, so nothing is to be sent"


def test_a_refused_report_is_put_aside_without_another_report(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued()])
    box.move_to_refused([(1, "malformed")], T)
    box.move_to_refused([(2, "malformed")], T)
    assert (box.pending_count(), box.refused_count(), box.highest_n) == (0, 2, 2)


def test_a_row_that_no_decoder_takes_can_be_refused(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued("not a ticket id")])
    box.move_to_refused([(1, "malformed")], T)
    assert (numbers(box), box.refused_count()) == ([2], 1)


def test_refused_rows_are_kept_up_to_a_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REFUSED_ROWS", 3)
    box = opened(tmp_path)
    box.append([issued() for _ in range(9)])
    box.move_to_refused([(n, "malformed") for n in range(1, 10)], T)
    assert box.refused_count() == 3


# --- the cap ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("event", "cls"), [(BEAT, SAMPLE), (issued(), EVENT), (MODE, VITAL)])
def test_each_kind_of_event_has_its_class(event: ev.Event, cls: int) -> None:
    assert priority_class(event) == cls


def test_the_cap_gives_up_the_oldest_samples_first_and_says_which(tmp_path: Path) -> None:
    box = opened(tmp_path, cap_bytes=2_000)
    while not box.dropped_count:
        box.append([BEAT, issued()])
    (drop,) = drops(box)
    kept = set(numbers(box))
    gone = {n for low, high in drop.ranges for n in range(low, high + 1)}
    assert gone == set(range(1, box.highest_n)) - kept
    assert gone == set(range(1, 2 * len(gone), 2))
    assert (drop.count, drop.cls, drop.t, box.dropped_count) == (len(gone), "sample", T, len(gone))


def test_without_samples_the_oldest_events_go_and_vital_rows_never(tmp_path: Path) -> None:
    box = opened(tmp_path, cap_bytes=3_000)
    box.append([MODE])
    for _ in range(60):
        box.append([issued()])
    assert {d.cls for d in drops(box)} == {"event"}
    assert 1 in numbers(box)
    assert not {d.n for d in drops(box)} & {
        n for d in drops(box) for low, high in d.ranges for n in range(low, high + 1)
    }


def test_when_samples_do_not_suffice_events_follow_in_a_declaration_of_their_own(tmp_path: Path) -> None:
    box = opened(tmp_path, cap_bytes=1_000)
    box.append([BEAT])
    box.append([issued() for _ in range(30)])
    assert [(d.cls, d.ranges[0][0]) for d in drops(box)] == [("sample", 1), ("event", 2)]


def test_vital_rows_alone_may_exceed_the_cap(tmp_path: Path) -> None:
    box = opened(tmp_path, cap_bytes=100)
    box.append([MODE] * 5)
    assert (numbers(box), box.dropped_count) == ([1, 2, 3, 4, 5], 0)
    assert box.size_bytes > 100


def test_many_gaps_are_declared_in_parts_that_fit_into_a_frame(tmp_path: Path) -> None:
    box = opened(tmp_path, cap_bytes=10_000_000)
    box.append([BEAT, issued()] * 20_000)
    box._cap = 10
    box.append([MODE])
    assert all(len(row.body) < codec.MAX_FRAME_BYTES // 2 for row in box.rows_after(0, 10**6))
    assert (
        count_rows(union_ranges(*(d.ranges for d in drops(box))))
        == sum(d.count for d in drops(box))
        == box.dropped_count
        == 40_000
    )


def test_the_size_is_that_of_the_rows_kept(tmp_path: Path) -> None:
    box = opened(tmp_path, cap_bytes=2_000)
    for i in range(50):
        box.append([BEAT if i % 3 else issued()])
    weight = sum(len(row.body) for row in box.rows_after(0, 10_000))
    box.close()
    assert box.size_bytes == opened(tmp_path).size_bytes == weight


# --- against a model --------------------------------------------------------------------------

kinds = st.lists(st.sampled_from([BEAT, issued(), MODE]), max_size=4)
ops = st.one_of(
    st.tuples(st.just("append"), kinds),
    st.tuples(st.just("forget"), st.tuples(st.integers(1, 30), st.integers(0, 5))),
    st.tuples(st.just("refuse"), st.integers(1, 30)),
    st.tuples(st.just("crash"), kinds),
)


def crashed(box: Outbox, folder: Path, half: list[ev.Event]) -> Outbox:
    """Die inside a write: what was not committed is gone when the file is opened again."""
    box.file.db.execute("BEGIN IMMEDIATE")
    for i, e in enumerate(half):
        box.file.db.execute(
            "INSERT INTO rows (n, class, size, body) VALUES (?, 0, 1, ?)",
            (box.highest_n + 1 + i, codec.encode_event(e)),
        )
    box.close()
    return opened(folder)


@settings(max_examples=40, deadline=None)
@given(st.lists(ops, max_size=15))
def test_any_sequence_of_appends_receipts_refusals_and_crashes_matches_a_plain_model(
    found: list[tuple[str, Any]],
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        box = opened(folder)
        model: dict[int, str] = {}
        highest = 0
        for step, value in found:
            match step:
                case "append":
                    box.append(value)
                    model |= {highest + i: ev.event_type_of(e) for i, e in enumerate(value, 1)}
                    highest += len(value)
                case "forget":
                    low, high = value[0], sum(value)
                    box.delete_receipted([(low, high)])
                    model = {n: kind for n, kind in model.items() if not low <= n <= high}
                case "refuse":
                    box.move_to_refused([(value, "malformed")], T)
                    if model.pop(value, "outbox.refused") != "outbox.refused":
                        highest += 1
                        model[highest] = "outbox.refused"
                case _:
                    box = crashed(box, folder, value)
            assert {e.n: ev.event_type_of(e) for e in events(box)} == model
            assert (box.highest_n, box.pending_count()) == (highest, len(model))
        box.close()


def test_refusal_in_a_log_with_its_own_numbers_takes_no_later_rows_number(tmp_path: Path) -> None:
    box = opened(tmp_path)
    numbered = [ev.TicketIssued(n=n, t=T, ticket=f"k{n}", queue="q", service="s") for n in (1, 2, 3)]
    box.append_numbered(numbered[:2])
    box.move_to_refused([(2, "malformed")], T)
    box.append_numbered(numbered)
    assert numbers(box) == [1, 3]
    assert box.refused_count() == 1
