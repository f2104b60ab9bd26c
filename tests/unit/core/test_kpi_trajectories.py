"""Values beside the path of their targets, and where the present pace and the least gain lead."""

from __future__ import annotations

from datetime import date

import pytest

from telemetry.core.inventory import Target
from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.target_paths import TargetSubject
from telemetry.core.kpi.targets import MinimumPace, Trajectory, target_paths
from telemetry.core.kpi.trajectory import Measurement, Projection, TargetPath, TargetPoint


def target(ident: str, value: float, year: int, unit: str = "ratio") -> Target:
    return Target(ident, "Mục tiêu", "Target", value, unit, date(year, 12, 31))


COMMUNES = [target("DG-01-commune", 0.15 + 0.2 * k, 2021 + k) for k in range(5)]
DAY = date(2023, 12, 31)
WAITS = TargetSubject(INDICATORS["Q-04b"])
PROVINCE_RESULTS = TargetSubject(INDICATORS["DG-01"], "province")
COMMUNE_RESULTS = TargetSubject(INDICATORS["DG-01"], "commune")


def test_targets_become_paths_by_date_and_unknown_ones_are_left_out() -> None:
    rows = [target("wait_mean", 900, 2025, "s"), target("wait_mean", 1800, 2022, "s"), target("own", 1, 2025)]
    paths = target_paths([*rows, *COMMUNES])
    assert set(paths) == {WAITS, COMMUNE_RESULTS}
    assert [point.value for point in paths[WAITS].points] == [1800, 900]
    assert [subject.order for subject in (WAITS, PROVINCE_RESULTS, COMMUNE_RESULTS)] == [0, 1, 3]


def test_a_value_below_its_path_is_behind_by_the_gap() -> None:
    path = target_paths(COMMUNES)[COMMUNE_RESULTS]
    trajectory = Trajectory(COMMUNE_RESULTS, path, DAY, 0.45)
    assert trajectory.in_force.by == DAY
    assert trajectory.in_force.value == pytest.approx(0.55)
    assert trajectory.path_value == pytest.approx(0.55)
    assert trajectory.gap == pytest.approx(-0.1)
    assert trajectory.on_track is False


def test_a_wait_below_its_path_is_on_track() -> None:
    path = target_paths([target("wait_mean", 900, 2025, "s")])[WAITS]
    trajectory = Trajectory(WAITS, path, date(2026, 3, 1), 600)
    assert (trajectory.in_force.value, trajectory.gap, trajectory.on_track) == (900, -300, True)
    assert trajectory.minimum_pace is None


def test_without_a_value_there_is_no_gap_and_no_pace() -> None:
    path = target_paths(COMMUNES)[COMMUNE_RESULTS]
    trajectory = Trajectory(COMMUNE_RESULTS, path, DAY)
    assert (trajectory.gap, trajectory.on_track) == (None, None)
    assert trajectory.projection == Projection(None, "no_value")


def test_the_least_gain_takes_the_communes_to_95_percent_and_the_province_to_100() -> None:
    communes = target_paths(COMMUNES)[COMMUNE_RESULTS]
    province = target_paths([target("DG-01-province", 0.3, 2021), target("DG-01-province", 1.0, 2025)])
    assert Trajectory(COMMUNE_RESULTS, communes, DAY).minimum_pace == MinimumPace(0.2, 1.0, 0.95)
    assert not MinimumPace(0.2, 1.0, 0.95).reaches_goal
    pace = Trajectory(PROVINCE_RESULTS, province[PROVINCE_RESULTS], DAY).minimum_pace
    assert pace is not None
    assert (pace.final_value, pace.reaches_goal) == (1.0, True)


def test_a_path_without_points_has_no_least_gain() -> None:
    assert Trajectory(TargetSubject(INDICATORS["DG-01"]), TargetPath(()), DAY).minimum_pace is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([(1, 0.2)], Projection(None, "too_few_values")),
        ([(1, 0.2), (31, 0.2)], Projection(None, "no_progress")),
        ([(1, 0.2), (31, 0.1)], Projection(None, "no_progress")),
        ([(1, 0.2), (31, 0.20001)], Projection(None, "too_slow")),
        ([(1, 0.2), (31, 0.96)], Projection(date(2023, 1, 31), "reached")),
        ([(1, 0.35), (31, 0.65)], Projection(date(2023, 3, 2), "at_present_pace")),
    ],
)
def test_the_present_pace_reaches_the_last_target_or_says_why_not(
    values: list[tuple[int, float]], expected: Projection
) -> None:
    path = target_paths(COMMUNES)[COMMUNE_RESULTS]
    history = [Measurement(date(2023, 1, day), value) for day, value in values]
    assert Trajectory(COMMUNE_RESULTS, path, DAY, 0.2, history).projection == expected


@pytest.mark.parametrize(
    ("day", "measured", "on_track"),
    [
        (date(2026, 1, 1), 0.0, None),
        (date(2030, 12, 31), 0.0, None),
        (date(2031, 1, 1), 0.0, False),
        (date(2026, 1, 1), 1.0, True),
        (date(2026, 1, 1), None, None),
    ],
)
def test_an_open_milestone_is_not_behind_its_path(day: date, measured: float | None, on_track: bool | None) -> None:
    path = TargetPath((TargetPoint(date(2030, 12, 31), 1.0),))
    assert Trajectory(TargetSubject(INDICATORS["DG-20"]), path, day, measured).on_track is on_track
