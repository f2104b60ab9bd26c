"""Figures of counters from sums: what was scheduled, and how much of that was open."""

from __future__ import annotations

from telemetry.core.figures.counter_figures import offered_work_ms, schedule_sums


def test_a_roster_replaces_the_declared_counters_and_online_only_pauses_them() -> None:
    sums = {"counter_rostered_ms": 10, "counter_open_rostered_ms": 4, "open_counter_open_ms": 9}
    assert schedule_sums(sums, 2, 100, has_roster=True) == {
        "counter_scheduled_ms": 10, "counter_open_scheduled_ms": 4,
    }  # fmt: skip
    paused = {"open_online_only_ms": 97, "open_counter_open_ms": 9}
    assert schedule_sums(paused, 2, 100, has_roster=False) == {
        "counter_scheduled_ms": 6, "counter_open_scheduled_ms": 6,
    }  # fmt: skip
    assert offered_work_ms({"issued": 3}, (0, 0)) == 0
