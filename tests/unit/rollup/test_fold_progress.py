"""Folds without a change: which comes next, and how much of them waits."""

from __future__ import annotations

from telemetry.core.calendar.windows import HOUR, Window
from telemetry.rollup.fold_progress import FoldProgress

FIRST, SECOND = Window(0, HOUR), Window(HOUR, 2 * HOUR)
BOTH = Window(0, 2 * HOUR)


def fold_all(progress: FoldProgress) -> list[tuple[str, Window]]:
    """Fold an hour at a time; returns what was folded."""
    folded = []
    while progress.has_queued():
        entity, window = progress.next_queued()
        part = Window(window.start, window.start + HOUR)
        folded.append((entity, part))
        progress.remove_queued(part)
    return folded


def test_stale_and_elapsed_hours_are_folded_in_turn() -> None:
    progress = FoldProgress()
    progress.elapsed.extend([("e1", FIRST), ("e2", FIRST), ("e3", FIRST)])
    progress.stale.append(("s1", BOTH))
    assert progress.queued_entities() == {"e1", "e2", "e3", "s1"}
    assert progress.count_stale_hours() == 2
    expected = [("s1", FIRST), ("e1", FIRST), ("s1", SECOND), ("e2", FIRST), ("e3", FIRST)]
    assert fold_all(progress) == expected
    assert progress.count_stale_hours() == 0


def test_stale_hours_that_come_later_have_every_second_turn() -> None:
    progress = FoldProgress()
    progress.elapsed.extend([("e1", FIRST), ("e2", FIRST)])
    progress.remove_queued(FIRST)
    progress.stale.extend([("s1", FIRST), ("s2", FIRST)])
    assert fold_all(progress) == [("s1", FIRST), ("e2", FIRST), ("s2", FIRST)]


def test_only_elapsed_hours_count_down_to_the_end_of_an_outage() -> None:
    progress = FoldProgress()
    progress.elapsed.extend([("e1", BOTH), ("e2", FIRST)])
    progress.queued_outage_folds = 2
    progress.stale.extend([("s1", FIRST), ("s2", FIRST), ("s3", FIRST)])
    counts = []
    while progress.has_queued():
        progress.remove_queued(Window(progress.next_queued()[1].start, progress.next_queued()[1].start + HOUR))
        counts.append(progress.queued_outage_folds)
    assert counts == [2, 2, 2, 1, 1, 0]
