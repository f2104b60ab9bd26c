"""`motcua backtest arrivals`: a store with five weeks of one hall, forecast day by day from the days before."""

from __future__ import annotations

import csv
import random
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from motcua.cli.app import app
from telemetry.core.calendar.windows import Window, local_ms
from telemetry.core.fold.totals import Total
from telemetry.errors import ConfigError, MotcuaError
from telemetry.inventory import default_path, load
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Centre

HALL = "vn83-829"
FIRST = date(2026, 8, 3)
DAYS = 35


def fill(store: SqliteStore, centre: Centre) -> int:
    """Write 5-minute totals of DAYS days whose half hours have 12 tickets and a morning peak; return the tickets."""
    rng, totals = random.Random(7), []
    for day in (FIRST + timedelta(days=n) for n in range(DAYS)):
        for minute in range(7 * 60, 17 * 60, 5):
            start = local_ms(day, time(minute // 60, minute % 60), centre.zone)
            if centre.is_open(start):
                count = rng.choice((0, 1, 2, 3)) + (4 if minute < 8 * 60 else 0)
                totals.append(Total(HALL, f"desk:{HALL}:land", "5m", start, centre.province, {"issued": count}))
    end = local_ms(FIRST + timedelta(days=DAYS), time(), centre.zone)
    store.replace_totals(HALL, "5m", Window(totals[0].start, end), totals)
    return sum(total.sums["issued"] for total in totals)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("backtest") / "store.db"
    opened = SqliteStore(path)
    fill(opened, load(default_path()).centres[HALL])
    opened.close()
    return f"sqlite:///{path}"


def run(store: str, *words: str) -> str:
    result = CliRunner().invoke(app, ["backtest", "arrivals", "--store", store, *words], env={"COLUMNS": "160"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_each_half_hour_from_the_day_on_has_a_row_and_both_errors_are_printed(store: str, tmp_path: Path) -> None:
    file = tmp_path / "arrivals.csv"
    printed = run(store, "--fit-until", "2026-08-24", "--to", "2026-08-29", "--csv", str(file))
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    starts = [datetime.fromisoformat(row["from"]) for row in rows]
    assert {start.date() for start in starts} == {date(2026, 8, 24) + timedelta(days=n) for n in range(5)}
    assert starts == sorted(set(starts))
    assert {row["centre"] for row in rows} == {HALL}
    assert {row["model"] for row in rows} == {"profile"}
    actual = sum(int(row["arrivals"]) for row in rows)
    error, plain = (
        sum(abs(int(row["arrivals"]) - float(row[name])) for row in rows) / actual
        for name in ("expected", "same_slot_mean")
    )
    assert error < plain
    for figure in (HALL, str(actual), f"{error:.3f}", f"{plain:.3f}"):
        assert figure in printed
    assert all(int(row["p10"]) <= float(row["expected"]) + 1 for row in rows)


def test_a_time_with_offset_and_its_local_day_mean_the_same(store: str, tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"]
    times = ("2026-08-24", "2026-08-23T17:00Z", "2026-08-23T00:01+07:00")
    for file, at in zip(files, times, strict=True):
        run(store, "--fit-until", at, "--centre", HALL, "--csv", str(file))
    assert len({file.read_text(encoding="utf-8") for file in files}) == 1


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (("--fit-until", "soon"), ConfigError, "--fit-until: not a time: 'soon'"),
        (("--fit-until", "2026-08-24", "--to", "later"), ConfigError, "--to: not a time"),
        (("--fit-until", "2026-08-24", "--centre", "vn83-none"), ConfigError, "unknown centre 'vn83-none'"),
        (("--fit-until", "2027-01-01"), MotcuaError, "five open days must be before --fit-until"),
        (("--fit-until", "2026-08-04", "--to", "2026-08-07"), MotcuaError, "no stored day could be forecast"),
        (("--fit-until", "2026-08-24", "--csv", "/nowhere/a.csv"), MotcuaError, "/nowhere/a.csv: No such file"),
    ],
)
def test_what_cannot_be_forecast_is_refused_with_a_remedy(
    store: str, words: tuple[str, ...], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        run(store, *words)


def test_a_store_that_is_not_there_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(MotcuaError, match="there is no store"):
        run(f"sqlite:///{tmp_path / 'none.db'}", "--fit-until", "2026-08-24")
    assert not (tmp_path / "none.db").exists()
