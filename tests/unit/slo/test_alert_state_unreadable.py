"""Garbage in a row of the alert state: no alert is resolved or begun by it, and all other alarms go on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from telemetry.core.slo.alert import ActiveAlert
from telemetry.core.slo.burn_rate import AlarmState
from telemetry.slo.alert_state import StateFile

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.slo.burn_rate import AlarmStates
    from telemetry.slo.alert_state import ObjectiveKey, SavedAlerts

FIRING = AlarmState("page", is_firing=True, fired_at=1_000)
RESOLVED = AlarmState("ticket", fired_at=500, resolved_at=900)
ALERT = ActiveAlert((("alertname", "MotcuaConnectivity"), ("scope", "centre:a")), 1_100, 2_000, muted_since=3)
GARBAGE: dict[str, object] = {
    "bytes": b"\x00\xff", "a text": "x", "a negative number": -7, "a huge number": (1 << 63) - 1, "1e300": 1e300,
}  # fmt: skip


def load_with(path: Path, table: str, column: str, value: object) -> SavedAlerts:
    """Save two alarms and two alerts, change a column of those of scope centre:a, and load."""
    alarms: dict[ObjectiveKey, AlarmStates] = {
        ("contact", f"centre:{c}"): MappingProxyType({"page-fast": FIRING, "ticket-day": RESOLVED}) for c in "ab"
    }
    alerts = {("connectivity", f"centre:{c}", "page"): ALERT for c in "ab"}
    with closing(StateFile(path)) as state:
        state.save(alarms, alerts)
    with closing(sqlite3.connect(path)) as db:
        sql = f"UPDATE {table} SET {column} = ? WHERE scope = 'centre:a'"
        sql += " AND rule = 'page-fast'" if table == "alarm" else ""
        assert db.execute(sql, [value]).rowcount == 1
        db.commit()
    with closing(StateFile(path)) as state:
        return state.load()


def check_others(saved: SavedAlerts) -> None:
    assert saved.alarms["contact", "centre:b"] == {"page-fast": FIRING, "ticket-day": RESOLVED}
    assert saved.active_alerts["connectivity", "centre:b", "page"] == ALERT


@pytest.mark.parametrize("value", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("column", ["severity", "firing", "fired", "resolved"])
def test_a_firing_alarm_goes_on_firing_whatever_part_of_its_row_is_lost(
    tmp_path: Path, column: str, value: object
) -> None:
    with capture_logs() as logged:
        saved = load_with(tmp_path / "s.db", "alarm", column, value)
    alarm = saved.alarms["contact", "centre:a"]["page-fast"]
    assert (alarm.severity if column != "severity" or value != "x" else "page", alarm.is_firing) == ("page", True)
    assert alarm.fired_at == (ALERT.started_at if column == "fired" else 1_000)
    check_others(saved)
    assert "alert_state_unreadable" in {entry["event"] for entry in logged}


@pytest.mark.parametrize("column", ["started", "burned", "shut", "opened", "resolved"])
@pytest.mark.parametrize("value", GARBAGE.values(), ids=GARBAGE.keys())
def test_an_active_alert_stays_active_whatever_time_of_it_is_lost(tmp_path: Path, column: str, value: object) -> None:
    saved = load_with(tmp_path / "s.db", "alert", column, value)
    alert = saved.active_alerts["connectivity", "centre:a", "page"]
    assert (alert.labels, alert.resolved_at) == (ALERT.labels, None)
    assert alert.started_at == (ALERT.last_burned_at if column == "started" else ALERT.started_at)
    check_others(saved)


@pytest.mark.parametrize("labels", [b"\x00", "{", "[]", '{"a":1}', 7, "[" * 100_000], ids=range(6))
def test_an_alert_without_labels_begins_anew_while_its_alarm_fires(tmp_path: Path, labels: object) -> None:
    saved = load_with(tmp_path / "s.db", "alert", "labels", labels)
    assert ("connectivity", "centre:a", "page") not in saved.active_alerts
    assert saved.alarms["contact", "centre:a"]["page-fast"] == FIRING
    check_others(saved)


@pytest.mark.parametrize(("table", "column"), [("alarm", "objective"), ("alarm", "rule"), ("alert", "sli"),
                                               ("alert", "severity")])  # fmt: skip
def test_a_row_without_its_name_is_left_out(tmp_path: Path, table: str, column: str) -> None:
    saved = load_with(tmp_path / "s.db", table, column, b"\x00")
    check_others(saved)
    if table == "alarm":
        assert saved.alarms["contact", "centre:a"] == {"ticket-day": RESOLVED}


def test_an_alarm_without_an_alert_does_not_begin_to_fire(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with closing(StateFile(path)) as state:
        state.save({("contact", "centre:a"): MappingProxyType({"page-fast": RESOLVED})}, {})
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE alarm SET firing = 'x'")
        db.commit()
    with closing(StateFile(path)) as state:
        assert not state.load().alarms["contact", "centre:a"]["page-fast"].is_firing
