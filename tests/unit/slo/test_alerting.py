"""Alerting keeps alarms over restarts, forgets nothing too early, and its state file is refused when it is newer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.slo.alert import ActiveAlert
from telemetry.core.slo.burn_rate import NO_ALARMS, AlarmState, AlarmStates
from telemetry.slo.alert_state import MIGRATIONS, SavedAlerts, StateFile, StateTooNew, StateUnavailable
from telemetry.slo.alerting import UNEVALUATED_RETENTION_MS, Alerting
from tests.judging import WORLD, Line, at_centre, at_device, judged, out, silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from telemetry.core.slo.alert import PostableAlert

NOW = 1_790_000_100_000
STEP = 15_000


class Notes:
    """A sender that keeps what it was offered."""

    def __init__(self) -> None:
        self.offers: list[dict[str, PostableAlert]] = []

    def submit(self, alerts: Sequence[PostableAlert], at: int) -> None:
        assert at
        found = {" ".join(dict(a.labels).get(k, "") for k in ("alertname", "scope")).strip(): a for a in alerts}
        self.offers.append(found)

    @property
    def names(self) -> set[str]:
        return set(self.offers[-1])


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    with closing(StateFile(tmp_path / "kept/state.db")) as one:
        yield one


def alerting(state: StateFile | None = None) -> tuple[Alerting, Notes]:
    notes = Notes()
    return Alerting(lambda: WORLD, state, notes), notes  # type: ignore[arg-type]


def test_an_outage_pages_within_minutes_and_ends_when_the_long_window_is_at_rest() -> None:
    one, notes = alerting()
    line = out(at_centre(1), NOW, NOW + 10 * MINUTE)
    name = "MotcuaConnectivity centre:vn83-00001"
    began = next(t for t in range(NOW, NOW + HOUR, STEP) if one.step(judged([line], t), t) and name in notes.names)
    assert began - NOW <= 3 * MINUTE
    ended = next(
        t
        for t in range(began, began + 8 * HOUR, STEP)
        if one.step(judged([line], t), t) is not None and notes.offers[-1][name].ends_at <= t
    )
    assert ended >= NOW + HOUR
    assert notes.offers[0].keys() == {"MotcuaWatchdog"}


def test_nothing_fires_while_closed_and_a_firing_one_is_told_as_closed() -> None:
    one, notes = alerting()
    night = out(
        at_centre(1), NOW, NOW + 9 * HOUR, [Window(NOW - 400 * HOUR, NOW), Window(NOW + 3 * HOUR, NOW + HOUR * 9)]
    )
    for t in range(NOW, NOW + 3 * HOUR, MINUTE):
        assert not one.step(judged([night], t), t)
    opening = NOW + 3 * HOUR
    began = next(t for t in range(opening, opening + HOUR, STEP) if one.step(judged([night], t), t))
    assert 3 * MINUTE <= began - opening <= 5 * MINUTE
    closing_time = NOW + 9 * HOUR
    alarms = one.step(judged([night], closing_time), closing_time)
    assert alarms["connectivity-28", "centre:vn83-00001"]["page-fast"].is_firing
    assert "MotcuaClosed centre:vn83-00001" in notes.names


def test_a_restart_goes_on_where_it_was(state: StateFile) -> None:
    line = out(at_centre(1), NOW, NOW + 10 * MINUTE)
    one, notes = alerting(state)
    for t in range(NOW, NOW + 10 * MINUTE, STEP):
        before = one.step(judged([line], t), t)
    other, again = alerting(state)
    t = NOW + 10 * MINUTE
    assert other.step(judged([line], t), t) == before
    name = "MotcuaConnectivity centre:vn83-00001"
    assert again.offers[-1][name].labels == notes.offers[-1][name].labels
    assert again.offers[-1][name].starts_at == notes.offers[-1][name].starts_at


def test_what_is_not_judged_at_once_is_neither_ended_nor_kept_for_ever(state: StateFile) -> None:
    one, _ = alerting(state)
    for t in range(NOW, NOW + 10 * MINUTE, STEP):
        one.step(judged([out(at_centre(1), NOW, NOW + HOUR)], t), t)
    other, notes = alerting(state)
    name, t = "MotcuaConnectivity centre:vn83-00001", NOW + 10 * MINUTE
    assert other.step([], t)
    assert notes.offers[-1][name].ends_at > t
    assert other.step([], t + UNEVALUATED_RETENTION_MS - 1)
    t += UNEVALUATED_RETENTION_MS
    assert not other.step([], t)
    assert notes.offers[-1][name].ends_at == t
    assert state.load().alarms == {}


def test_an_objective_without_alerts_has_no_alarms() -> None:
    one, notes = alerting()
    t = NOW + 10 * MINUTE
    assert not one.step(judged([silent(out(at_centre(1), NOW, t))], t), t)
    assert notes.names == {"MotcuaWatchdog"}


def test_a_whole_site_is_one_alert_and_its_devices_stay_silent_when_it_recovers() -> None:
    one, notes = alerting()
    back = NOW + 10 * MINUTE
    lines = [out(at_centre(1), NOW, back), *(out(at_device(1, n), NOW, back + MINUTE) for n in range(20))]
    seen: set[str] = set()
    for t in range(NOW, back + 5 * HOUR, MINUTE):
        one.step(judged(lines, t), t)
        seen |= {name for name, a in notes.offers[-1].items() if a.ends_at > t}
    assert seen == {"MotcuaWatchdog", "MotcuaConnectivity centre:vn83-00001"}


def test_nothing_is_written_when_nothing_changed() -> None:
    class Counted:
        saves = 0

        def load(self) -> SavedAlerts:
            return SavedAlerts()

        def save(self, alarms: Mapping[tuple[str, str], AlarmStates], standing: object) -> None:
            del alarms, standing
            self.saves += 1

    kept = Counted()
    one = Alerting(lambda: WORLD, kept)  # type: ignore[arg-type]
    line = out(at_centre(1), NOW - 10 * MINUTE, NOW + HOUR)
    for t in (NOW, NOW + STEP, NOW + 2 * STEP):
        one.step(judged([line], t), t)
    assert kept.saves == 1


def test_a_state_that_cannot_be_written_stops_nothing_and_is_written_later() -> None:
    class Full:
        full = True
        saved: Mapping[tuple[str, str], AlarmStates] | None = None

        def load(self) -> SavedAlerts:
            return SavedAlerts()

        def save(self, alarms: Mapping[tuple[str, str], AlarmStates], standing: object) -> None:
            assert standing
            if self.full:
                msg = "disk full"
                raise StateUnavailable(msg)
            self.saved = alarms

    kept = Full()
    one = Alerting(lambda: WORLD, kept)  # type: ignore[arg-type]
    line = out(at_centre(1), NOW - 10 * MINUTE, NOW + HOUR)
    assert one.step(judged([line], NOW), NOW)
    kept.full = False
    assert one.step(judged([line], NOW + STEP), NOW + STEP)
    assert kept.saved is not None
    assert kept.saved.keys() == {("connectivity-28", "centre:vn83-00001")}


def test_the_file_returns_what_it_was_given(state: StateFile) -> None:
    alarms = {("o", "centre:a"): MappingProxyType({"page-fast": AlarmState("page", is_firing=True, fired_at=5)})}
    standing = {("connectivity", "centre:a", "page"): ActiveAlert((("centre", "a"), ("rule", "é")), 1, 2, 3, None, 5)}
    state.save(alarms, standing)
    assert state.load() == SavedAlerts(alarms, standing)
    state.save({("o", "centre:a"): NO_ALARMS}, None)
    assert state.load() == SavedAlerts({}, standing)


def test_a_newer_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    StateFile(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    with pytest.raises(
        StateTooNew, match=r"state\.db: state version 2 is newer .* upgrade motcua, or name another file"
    ):
        StateFile(path)


def test_a_file_that_is_no_state_or_is_closed_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_text("no database, but long enough to be looked at " * 100)
    with pytest.raises(StateUnavailable, match="check the path MOTCUA_STATE"):
        StateFile(path)
    one = StateFile(tmp_path / "other.db")
    one.close()
    with pytest.raises(StateUnavailable):
        one.save({}, {})
    with pytest.raises(StateUnavailable):
        one.load()


def test_lines_are_judged_as_the_core_reads_them() -> None:
    reading = Line(at_centre(1), [Window(NOW - 10 * MINUTE, NOW)]).judged(NOW).status.burn_rates[0]
    assert (reading.is_exceeded, reading.has_full_history) == (True, True)
