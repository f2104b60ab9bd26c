"""`motcua publish`: what it refuses, what it writes, and what it says when a month is published again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from motcua import month_report
from motcua.month_report import MonthReport, month_window
from telemetry.core.calendar.windows import DAY, Window, day_window
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.totals import CALENDAR_FIELD, Total
from telemetry.core.inventory import PublishedFigures
from telemetry.errors import ConfigError, InventoryError, MotcuaError
from telemetry.inventory import default_path, load
from telemetry.inventory.published import to_csv
from telemetry.queries.monthly_reports import find_published_report
from telemetry.queries.service import Queries
from telemetry.store import Batch, ChangeRecord
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
CENTRE, KIOSK, SYSTEM = "vn83-83", "vn83-83-kiosk1", "vn83-portal"
MONTH = "2021-10"
WINDOW = month_window(MONTH, ZONE)
NOW = WINDOW.end + 8 * DAY
HOUR_MS = 3_600_000
DAYS = [date(2021, 10, 1) + timedelta(days=n) for n in range(31)]


def motcua(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "MOTCUA_INVENTORY": str(place.folder), "MOTCUA_STORE": place.url, "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "motcua", "publish", *words], env=env, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


class Place:
    """A copy of the sample inventory, and a store with one centre's, one kiosk's and one system's October."""

    def __init__(self, root: Path) -> None:
        self.folder, self.file = root / "world", root / "store.db"
        shutil.copytree(default_path(), self.folder)
        self.url = f"sqlite:///{self.file}"
        self.world: Inventory = load(self.folder)
        self.published = self.folder / "published" / f"{MONTH}.csv"

    def fill(self, down_ms: int = 0, stamp: int | None = None) -> None:
        store = SqliteStore(self.file)
        for day in DAYS:
            self._day(store, day_window(day, ZONE), down_ms, stamp)
        store.set_checkpoint("fold_version", FOLD_VERSION)
        store.set_cursor(NOW * 1000)
        store.close()

    def _day(self, store: SqliteStore, day: Window, down_ms: int, stamp: int | None) -> None:
        calendar = self.world.centres[CENTRE].calendar
        opened = calendar.open_ms(day)
        found = calendar.fingerprint(day) if stamp is None else stamp
        down = min(down_ms, opened)
        time = {"up_ms": DAY - down, "down_ms": down, "open_up_ms": opened - down, "open_down_ms": down}
        heard = {"open_conn_up_ms": opened // 2, "open_conn_down_ms": 0, CALENDAR_FIELD: found}
        ready = {"ready_up": int(bool(opened)), "ready_down": 0}
        desk = {"level_good_900": 8, "level_bad_900": 2, CALENDAR_FIELD: found}
        rows = {
            f"centre:{CENTRE}": {**time, **heard, **ready},
            f"device:{KIOSK}": {**time, **heard},
            f"desk:{CENTRE}:land": desk,
            f"desk:{CENTRE}:tax": desk,
        }
        totals = [Total(CENTRE, scope, "1d", day.start, "vn83", sums) for scope, sums in rows.items()]
        store.replace_totals(CENTRE, "1d", Window(day.start, day.start + 1), totals)
        probes = {
            "up_ms": DAY,
            "open_up_ms": DAY,
            "probes": 10,
            "probes_ok": 9,
            "latency_le_500": 7,
            "latency_le_inf": 2,
        }
        system = [Total(SYSTEM, f"system:{SYSTEM}", "1d", day.start, "vn83", probes)]
        store.replace_totals(SYSTEM, "1d", Window(day.start, day.start + 1), system)

    def row(self, scope: str, objective: str = "") -> PublishedFigures:
        return load(self.folder).published[MONTH, scope, objective]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def opening_s(place: Place, ident: str = CENTRE) -> int:
    return place.world.centres[ident].calendar.open_ms(WINDOW) // 1000


def test_a_month_becomes_a_file_of_the_inventory(place: Place) -> None:
    place.fill(down_ms=HOUR_MS)
    done = motcua(place, MONTH)
    assert done.returncode == 0, done.stderr
    assert f"{place.published}: 366 scopes" in done.stdout
    assert "Worst centres" in done.stdout
    centre = place.row(f"centre:{CENTRE}")
    days = sum(bool(place.world.centres[CENTRE].open_windows(day_window(day, ZONE))) for day in DAYS)
    assert (centre.open, centre.down, centre.unknown) == (opening_s(place), days * 3600, 0)
    assert place.row(f"device:{KIOSK}") == PublishedFigures(
        MONTH, f"device:{KIOSK}", "", centre.open, centre.up, centre.down, 0, 0
    )
    country = place.row("country")
    assert (country.up, country.down) == (centre.up, centre.down)
    assert country.open == sum(opening_s(place, ident) for ident in place.world.centres)
    silent = place.row("centre:vn83-829")
    assert (silent.open, silent.unknown) == (opening_s(place, "vn83-829"),) * 2


def test_objectives_are_counted_by_their_own_policy(place: Place) -> None:
    place.fill(down_ms=HOUR_MS)
    assert motcua(place, MONTH).returncode == 0
    opened = opening_s(place)
    centre = f"centre:{CENTRE}"
    connected, served = place.row(centre, "centres-connected"), place.row(centre, "centres-open")
    assert (connected.good, connected.bad) == (connected.up, opened - connected.up)
    assert connected.up == pytest.approx(opened / 2, abs=31)
    assert (served.good, served.bad) == (served.up, served.down)
    ready = place.row(centre, "centres-ready")
    assert (ready.bad, ready.open) == (0, 0)
    assert ready.good == sum(bool(place.world.centres[CENTRE].open_windows(day_window(day, ZONE))) for day in DAYS)
    waits = place.row(centre, "called-within-15m")
    assert (waits.good, waits.bad) == (31 * 16, 31 * 4)
    fast = place.row(f"system:{SYSTEM}", "portal-fast")
    assert (fast.good, fast.bad) == (31 * 7, 31 * 3)  # two too slow, one failed
    portal = place.row(f"system:{SYSTEM}", "portal-up")
    assert (portal.open, portal.good, portal.bad) == (31 * 86_400, 31 * 86_400, 0)


def test_a_published_month_stays_until_it_is_replaced(place: Place) -> None:
    place.fill()
    assert motcua(place, MONTH).returncode == 0
    before = place.published.read_bytes()
    place.fill(down_ms=HOUR_MS)
    again = motcua(place, MONTH)
    assert again.returncode == 1
    assert "already published" in again.stderr
    assert place.published.read_bytes() == before
    replaced = motcua(place, MONTH, "--replace")
    assert replaced.returncode == 0, replaced.stderr
    days = sum(bool(place.world.centres[CENTRE].open_windows(day_window(day, ZONE))) for day in DAYS)
    assert f"centre:{CENTRE} availability: up -{days * 3600}, down +{days * 3600}" in replaced.stdout
    assert place.row(f"centre:{CENTRE}").down == days * 3600
    once_more = motcua(place, MONTH, "--replace")
    assert "nothing has changed" in once_more.stdout


def test_a_month_is_published_with_its_report_and_each_revision_says_what_changed(place: Place) -> None:
    place.fill()
    done = motcua(place, MONTH)
    assert f"{place.published.with_suffix('.json')}: the monthly report" in done.stdout
    first = find_published_report(load(place.folder), MONTH)
    assert first is not None
    centre = first.centre(CENTRE)
    assert centre is not None
    assert (first.revision, centre.time.down) == (1, 0)
    assert {o.id: (o.good, o.bad) for o in first.objectives}["called-within-15m"] == (31 * 16, 31 * 4)
    place.fill(down_ms=HOUR_MS)
    replaced = motcua(place, MONTH, "--replace")
    assert "figures of the report change; it becomes revision 2" in replaced.stdout
    second = find_published_report(load(place.folder), MONTH)
    assert second is not None
    assert [revision.number for revision in second.revisions] == [1, 2]
    changed = {(c.scope, c.figure): c.after - c.before for c in second.revisions[-1].changes}
    days = sum(bool(place.world.centres[CENTRE].open_windows(day_window(day, ZONE))) for day in DAYS)
    assert changed[f"centre:{CENTRE}", "down"] == changed["province:vn83", "down"] == days * 3600


def test_a_month_published_without_a_report_gets_one(place: Place) -> None:
    place.fill()
    assert motcua(place, MONTH).returncode == 0
    place.published.with_suffix(".json").unlink()
    assert motcua(place, MONTH, "--replace").returncode == 0
    assert find_published_report(load(place.folder), MONTH) is not None


def test_a_report_that_was_edited_is_a_fault_of_the_inventory(place: Place) -> None:
    place.fill()
    assert motcua(place, MONTH).returncode == 0
    file = place.published.with_suffix(".json")
    for text in (file.read_text().replace('"up":', '"works":'), "{", file.read_text().replace(MONTH, "2021-09")):
        file.write_text(text)
        with pytest.raises(InventoryError, match="is not a published report"):
            load(place.folder)


def test_the_file_goes_elsewhere_when_asked(place: Place, tmp_path: Path) -> None:
    place.fill()
    assert motcua(place, MONTH, "--out", str(tmp_path / "review")).returncode == 0
    assert not place.published.exists()
    assert sorted(path.name for path in (tmp_path / "review").iterdir()) == [f"{MONTH}.csv", f"{MONTH}.json"]


def test_replacing_a_file_elsewhere_says_what_it_overwrites(place: Place, tmp_path: Path) -> None:
    review = tmp_path / "review"
    place.fill()
    assert motcua(place, MONTH, "--out", str(review)).returncode == 0
    place.fill(down_ms=HOUR_MS)
    refused = motcua(place, MONTH, "--out", str(review))
    assert (refused.returncode, "already published" in refused.stderr) == (1, True)
    replaced = motcua(place, MONTH, "--out", str(review), "--replace")
    assert f"centre:{CENTRE} availability: up -" in replaced.stdout
    assert f"{review / f'{MONTH}.csv'} is overwritten" in replaced.stdout


def test_a_file_that_is_no_month_is_never_overwritten(place: Place) -> None:
    place.fill()
    place.published.parent.mkdir()
    place.published.write_text("my notes\n")
    elsewhere = place.published.parent.rename(place.folder.parent / "notes")
    done = motcua(place, MONTH, "--out", str(elsewhere), "--replace")
    assert done.returncode == 2
    assert "is not a published month; move it away" in done.stderr
    assert (elsewhere / f"{MONTH}.csv").read_text() == "my notes\n"


def test_a_month_published_again_elsewhere_is_written_even_when_nothing_changed(place: Place, tmp_path: Path) -> None:
    place.fill()
    assert motcua(place, MONTH).returncode == 0
    done = motcua(place, MONTH, "--out", str(tmp_path / "copy"), "--replace")
    assert "nothing has changed" in done.stdout
    assert (tmp_path / "copy" / f"{MONTH}.csv").read_bytes() == place.published.read_bytes()


def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(place: Place) -> None:
    place.fill()
    (place.folder / "published").write_text("in the way")
    done = motcua(place, MONTH)
    assert done.returncode == 2
    assert f"{place.published.with_suffix('.json')}: file: cannot be written" in done.stderr
    assert "--out" in done.stderr


@pytest.mark.parametrize("month", ["2021-13", "October", "2021-1", "21-10"])
def test_what_is_no_month_exits_2(place: Place, month: str) -> None:
    done = motcua(place, month)
    assert done.returncode == 2
    assert f"{month!r} is not a month; write it like 2026-10" in done.stderr


def test_a_month_to_come_is_refused(place: Place) -> None:
    done = motcua(place, "2099-01")
    assert done.returncode == 1
    assert "2099-01 is not over; publish it from 2099-02-08 on" in done.stderr


def test_a_month_is_settled_seven_days_after_its_end() -> None:
    with pytest.raises(MotcuaError, match=r"2021-10 is not settled yet: .* from 2021-11-08 on"):
        month_report.check_settled(MONTH, WINDOW, WINDOW.end + 7 * DAY - 1, ZONE)
    month_report.check_settled(MONTH, WINDOW, WINDOW.end + 7 * DAY, ZONE)


def test_an_empty_store_is_refused(place: Place) -> None:
    SqliteStore(place.file).close()
    done = motcua(place, MONTH)
    assert done.returncode == 1
    assert "not folded" in done.stderr
    store = SqliteStore(place.file)
    store.set_checkpoint("fold_version", FOLD_VERSION)
    store.set_cursor(1)
    store.close()
    done = motcua(place, MONTH)
    assert done.returncode == 1
    assert f"the store has no totals of {MONTH}" in done.stderr


def test_changes_that_wait_are_refused_and_those_of_another_month_are_not(place: Place) -> None:
    place.fill()
    store = SqliteStore(place.file)
    store.append(Batch((NOW + 1) * 1000, (), [ChangeRecord(CENTRE, WINDOW.end, WINDOW.end + 1)]))
    month_report.check_folded(store, MONTH, WINDOW)
    store.append(Batch((NOW + 2) * 1000, (), [ChangeRecord(CENTRE, WINDOW.start, WINDOW.start + 1)]))
    with pytest.raises(MotcuaError, match="1 changes of 2021-10 are not folded"):
        month_report.check_folded(store, MONTH, WINDOW)
    store.close()


def test_days_of_another_calendar_are_refused(place: Place) -> None:
    place.fill(stamp=7)
    done = motcua(place, MONTH)
    assert done.returncode == 1
    assert f"{CENTRE}: 31 days from 2021-10-01 on were added with another calendar" in done.stderr
    assert not place.published.exists()


def test_a_write_that_fails_leaves_what_was_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    month_report.write_published(place.published, to_csv([]))
    before = place.published.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        month_report.write_published(place.published, to_csv([PublishedFigures(MONTH, "country", "", 1, 1, 0, 0, 0)]))
    assert place.published.read_bytes() == before
    assert [path.name for path in place.published.parent.iterdir()] == [f"{MONTH}.csv"]


def test_the_plain_figures_are_those_of_the_api(place: Place) -> None:
    place.fill(down_ms=HOUR_MS)
    store = SqliteStore(place.file)
    queries = Queries(store, lambda: place.world, lambda: NOW)
    rows = month_report.compute_rows(MonthReport(MONTH, place.world, store, queries), lambda *_: None)
    for row in rows:
        if not row.objective and row.scope.split(":")[-1] in {"country", "vn83", CENTRE, KIOSK, SYSTEM}:
            found = queries.availability(row.scope, WINDOW).overall
            assert (row.open, row.up, row.down, row.excluded) == (found.open, found.up, found.down, found.excluded)
    assert month_report.worst_centres(rows)[0].scope == f"centre:{CENTRE}"
    store.close()


@pytest.mark.parametrize("target", ["host", "kubernetes"])
def test_a_published_month_does_not_stand_in_the_way_of_rendering(place: Place, tmp_path: Path, target: str) -> None:
    month_report.write_published(place.published, to_csv([PublishedFigures(MONTH, "country", "", 1, 1, 0, 0, 0)]))
    words = ["render", "--target", target, "--inventory", str(place.folder), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "motcua", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert load(place.folder).version in done.stdout
