"""Where clocks change, an import reads local times so that no wait is negative, and counts such rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.importer import ImportedLog, read_log
from telemetry.core.protocol.events import TicketCalled, TicketFinished

if TYPE_CHECKING:
    from pathlib import Path

DATE = """\
[common]
entered = { date = "day", time = "taken" }
called = { date = "day", time = "called" }
[[event]]
type = "ticket.called"
t = { date = "day", time = "called" }
[[event]]
type = "ticket.finished"
t = { date = "day", time = "left" }
"""
COLUMN = DATE.replace("{ date", "{ column").replace('"day", time = ', "").replace('" }', '", format = "%s" }')
HEAD = """\
name = "hall"
title = { vi = "S", en = "Hall" }
zone = "America/Vancouver"
[services]
land = { vi = "L", en = "Land" }
"""
REST = 'ticket = { ticket = ["no"] }\nservice = { const = "land" }\ncounter = { const = "c1" }\n'
MINUTE = 60_000


def imported(folder: Path, body: str, *rows: str) -> ImportedLog:
    (folder / "m.toml").write_text(HEAD + body.replace("[common]\n", "[common]\n" + REST), "utf-8")
    (folder / "f.csv").write_text("day,no,taken,called,left\n" + "".join(f"{row}\n" for row in rows), "utf-8")
    return read_log(load_mapping(str(folder / "m.toml")), folder / "f.csv")


def waits_and_services(log: ImportedLog) -> list[int]:
    called, finished = list(log.events())
    assert isinstance(called, TicketCalled)
    assert isinstance(finished, TicketFinished)
    assert finished.called == called.t
    return [(called.t - called.entered) // MINUTE, (finished.t - finished.called) // MINUTE]


@pytest.mark.parametrize(
    ("row", "wanted", "repeated", "skipped"),
    [
        ("2025-11-02,1,1:50,1:05,1:20", [15, 15], 1, 0),
        ("2025-11-02,1,0:50,1:40,1:10", [50, 30], 1, 0),
        ("2025-11-02,1,1:10,1:20,1:30", [10, 10], 1, 0),
        ("2025-11-02,1,1:50,2:05,2:10", [75, 5], 1, 0),
        ("2025-11-02,1,3:00,3:05,3:10", [5, 5], 0, 0),
        ("2025-03-09,1,1:55,2:05,3:15", [10, 10], 0, 1),
        ("2025-03-09,1,1:55,3:05,3:15", [10, 10], 0, 0),
    ],
)
def test_waits_across_a_change_of_clocks(
    tmp_path: Path, row: str, wanted: list[int], repeated: int, skipped: int
) -> None:
    log = imported(tmp_path, DATE, row)
    assert waits_and_services(log) == wanted
    assert (log.check.repeated_times.count, log.check.skipped_times.count) == (repeated, skipped)
    assert sum("clocks" in warning for warning in log.check.warnings()) == repeated + skipped


def test_times_in_one_column_follow_the_same_rule(tmp_path: Path) -> None:
    row = "x,1,2025-11-02 1:50,2025-11-02 1:05,2025-11-02 1:20"
    log = imported(tmp_path, COLUMN.replace("%s", "%Y-%m-%d %H:%M"), row)
    assert waits_and_services(log) == [15, 15]
    (warning,) = [warning for warning in log.check.warnings() if "clocks" in warning]
    assert warning.startswith(
        "rows in the hour that clocks show twice: 1 (first in line 2); the first of the two is ta"
    )
    row = "x,1,2025-03-09T01:55,2025-03-09T02:05,2025-03-09T03:15"
    log = imported(tmp_path, COLUMN.replace("%s", "iso"), row)
    assert waits_and_services(log) == [10, 10]
    assert log.check.skipped_times.count == 1


def test_times_with_an_offset_are_what_they_say_and_crossed_clocks_are_counted(tmp_path: Path) -> None:
    row = "x,1,2025-11-02T01:50:00-07:00,2025-11-02T01:05:00-07:00,2025-11-02T01:20:00-07:00"
    log = imported(tmp_path, COLUMN.replace("%s", "iso"), row)
    assert waits_and_services(log) == [-45, 15]
    assert log.check.repeated_times.count == 0
    assert log.check.negative_waits.count == 1
