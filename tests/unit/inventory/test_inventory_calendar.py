"""calendar.toml: the facts of 2021 and 2026, every table and who it is for, every fault with file and line."""

from __future__ import annotations

import builtins
import tomllib
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import holidays
import pytest

from telemetry.core.calendar.windows import DAY, HOUR, Window, day_window, to_local, to_ms
from telemetry.inventory import default_path, load, recurrence
from telemetry.inventory.hours import HoursError, parse_hours
from telemetry.inventory.recurrence import (
    RECURRENCE_END,
    OutdatedHolidays,
    RecurringMaintenance,
    RuleError,
    UnknownCountry,
    check_rule,
    public_holidays,
)  # fmt: skip
from tests.unit.inventory.test_inventory import SMALL, change, faults_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.inventory import Inventory

ROOT = Path(__file__).resolve().parents[3]
HANOI, NEW_YORK = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("America/New_York")
FULL = """\
[days]
2026-09-02 = { hours = "closed", name = "Quốc khánh" }
[centre_days.vn83-829]
2026-09-03 = "closed"
[holidays]
country = "VN"
[[swap]]
off = 2026-08-31
work = 2026-08-22
name = "hoán đổi"
[[swap]]
off = 2026-03-06
work = 2026-03-07
centres = ["vn83-829"]
[[week]]
from = 2026-05-01
to = 2026-06-01
mon = "07:00-17:00"
[[week]]
from = 2026-05-15
sat = "08:00-11:00"
centres = ["vn83-829"]
[[mode]]
mode = "online_only"
from = 2026-07-01
to = 2026-07-08
reason = "Chỉ thị 16"
[[mode]]
mode = "normal"
from = 2026-07-02T07:00:00
to = 2026-07-02T08:00:00
centres = ["vn83-829"]
[[maintenance]]
name = "cập nhật"
from = 2026-01-03T22:00:00
to = 2026-01-04T02:00:00
repeat = "FREQ=MONTHLY;BYDAY=1SA"
systems = ["vn83-portal"]
[[maintenance]]
name = "điện"
from = 2026-10-05T08:00:00
to = 2026-10-05T09:00:00
"""


@pytest.fixture(scope="module")
def sample() -> Inventory:
    return load(default_path())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a small inventory that declares one of everything."""
    for name, text in {**SMALL, "calendar.toml": FULL}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def hours_on(found: Inventory, centre: str, days: Iterable[date]) -> list[float]:
    calendar = found.centres[centre].calendar
    return [calendar.open_ms(day_window(day, calendar.zone)) / HOUR for day in days]


def year(found: Inventory, number: int) -> dict[date, float]:
    days = [date(number, 1, 1) + timedelta(days=n) for n in range(365)]
    return dict(zip(days, hours_on(found, "vn83-83", days), strict=True))


def days(text: str) -> set[date]:
    return {date.fromisoformat(day) for day in text.split()}


# Facts


OFF_2021 = (
    "2021-01-01 2021-02-10 2021-02-11 2021-02-12 2021-02-15 2021-02-16 "
    "2021-04-21 2021-04-30 2021-05-03 2021-09-02 2021-09-03"
)
OFF_2026 = (
    "2026-01-01 2026-01-02 2026-02-16 2026-02-17 2026-02-18 2026-02-19 2026-02-20 "
    "2026-04-27 2026-04-30 2026-05-01 2026-08-31 2026-09-01 2026-09-02 2026-11-24"
)


@pytest.mark.parametrize(("number", "off", "extra"), [(2021, OFF_2021, ""), (2026, OFF_2026, "2026-01-10 2026-08-22")])
def test_the_years_days_off_and_extra_days_are_those_of_viet_nam(
    sample: Inventory, number: int, off: str, extra: str
) -> None:
    found = year(sample, number)
    assert {day for day, hours in found.items() if day.weekday() < 5 and not hours} == days(off)
    assert {day for day, hours in found.items() if day.weekday() > 4 and hours} == days(extra)
    assert set(found.values()) == {0, 8}


@pytest.mark.parametrize(
    ("day", "basis", "words"),
    [
        ("2021-02-12", "holiday", "Tết"),
        ("2021-04-21", "holiday", "Hùng Vương"),
        ("2026-02-17", "holiday", "Tết"),
        ("2026-04-27", "holiday", "Hùng Vương"),
        ("2026-01-02", "exception", "12729/VPCP-KGVX"),
        ("2026-01-10", "exception", "12729/VPCP-KGVX"),
        ("2026-08-22", "swap", "Hoán đổi"),
        ("2026-08-31", "swap", "Hoán đổi"),
        ("2026-11-24", "exception", "Văn hóa"),
        ("2026-03-02", "week", ""),
    ],
)
def test_every_day_says_what_decided_it(sample: Inventory, day: str, basis: str, words: str) -> None:
    plan = sample.centres["vn83-28756"].calendar.day_plan(date.fromisoformat(day))
    assert plan.basis == basis
    assert words in plan.name


def test_the_library_alone_is_wrong_about_january_2026() -> None:
    found = public_holidays("VN", "")
    assert date(2026, 1, 2) not in found.days_off
    assert date(2026, 1, 10) not in found.working_weekend_days
    assert date(2026, 8, 22) in found.working_weekend_days


def test_the_centres_of_the_sample_share_one_calendar(sample: Inventory) -> None:
    assert len({centre.calendar.version for centre in sample.centres.values()}) == 1
    assert len({id(centre.rules) for centre in sample.centres.values()}) == 1


# Tables


def test_an_extra_day_of_the_library_is_worked_like_a_monday(folder: Path) -> None:
    assert hours_on(load(folder), "vn83-83", [date(2025, 4, 26), date(2025, 5, 2)]) == [8, 0]


def test_a_centres_own_tables_add_to_those_for_all(folder: Path) -> None:
    found = load(folder)
    asked = [date(2026, 9, 2), date(2026, 9, 3), date(2026, 3, 6), date(2026, 3, 7), date(2026, 8, 22)]
    assert hours_on(found, "vn83-829", asked) == [0, 0, 0, 8, 8]
    assert hours_on(found, "vn83-83", asked) == [0, 8, 8, 0, 8]
    assert found.centres["vn83-83"].calendar.day_plan(date(2026, 9, 2)).name == "Quốc khánh"


def test_a_week_changes_the_days_it_names_while_it_holds(folder: Path) -> None:
    found = load(folder)
    mondays = [date(2026, 4, 20), date(2026, 5, 4), date(2026, 5, 25), date(2026, 6, 1)]
    assert hours_on(found, "vn83-83", mondays) == [8, 10, 10, 8]
    assert hours_on(found, "vn83-829", mondays) == [8, 10, 8, 8]
    saturdays = [date(2026, 5, 9), date(2026, 5, 16)]
    assert hours_on(found, "vn83-829", saturdays) == [0, 3]
    assert hours_on(found, "vn83-28756", saturdays) == [4.5, 4.5]


def test_a_mode_pauses_all_but_the_centre_that_says_otherwise(folder: Path) -> None:
    found = load(folder)
    asked = [date(2026, 6, 30), date(2026, 7, 1), date(2026, 7, 2), date(2026, 7, 8)]
    assert hours_on(found, "vn83-83", asked) == [8, 0, 0, 8]
    assert hours_on(found, "vn83-829", asked) == [8, 0, 1, 8]
    first = found.centres["vn83-83"].calendar.explain_days(day_window(asked[1], HANOI))[0]
    assert [(part.cause, part.reason) for part in first.excluded] == [("online_only", "Chỉ thị 16")] * 2
    assert not found.centres["vn83-83"].is_open(first.window.start + 8 * HOUR)


def test_maintenance_of_a_system_is_no_centres_and_that_of_all_centres_is_no_systems(folder: Path) -> None:
    found = load(folder)
    day = day_window(date(2026, 10, 5), HANOI)
    assert hours_on(found, "vn83-83", [date(2026, 10, 5)]) == [7]
    assert found.centres["vn83-83"].is_open(day.start + 8 * HOUR)
    portal = found.systems["vn83-portal"].calendar(HANOI)
    assert portal.open_ms(day) == DAY
    night = Window(to_ms(datetime(2026, 10, 3, tzinfo=HANOI)), to_ms(datetime(2026, 10, 5, tzinfo=HANOI)))
    assert [to_local(w.start, HANOI) for w in portal.excluded_windows(night)] == [
        datetime(2026, 10, 3, 22, tzinfo=HANOI)
    ]
    assert portal.open_ms(night) == 44 * HOUR
    assert found.systems["vn-ngsp"].maintenance == ()


def test_a_mode_without_an_end_lasts(folder: Path) -> None:
    change(folder, "calendar.toml", "to = 2026-07-08\n", "")
    assert hours_on(load(folder), "vn83-83", [date(2036, 7, 1)]) == [0]


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("22:00-02:00", ((time(22), time(2)),)),
        ("08:00-11:00,18:00-06:00", ((time(8), time(11)), (time(18), time(6)))),
    ],
)
def test_hours_may_run_past_midnight(text: str, hours: tuple[tuple[time, time], ...]) -> None:
    assert parse_hours(text) == hours


@pytest.mark.parametrize("text", ["17:00-13:30", "13:30-01:35", "22:00-02:00,23:00-23:30"])
def test_hours_that_look_exchanged_or_overlap_are_refused(text: str) -> None:
    with pytest.raises(HoursError, match=r"ends before it starts|overlaps"):
        parse_hours(text)


# Recurrence

SATURDAY = datetime(2026, 1, 3, 22)  # noqa: DTZ001 - local wall time


def starts(rule: str, window: Window, zone: ZoneInfo = HANOI) -> list[str]:
    planned = RecurringMaintenance("x", SATURDAY, timedelta(hours=4), rule, zone)
    return [f"{to_local(w.start, zone):%m-%d %H:%M}" for w in planned.windows_in(window) if w.clip(window)]


def test_a_rule_is_followed_into_any_window_in_any_order() -> None:
    first = [to_ms(datetime(2026, month, 1, tzinfo=HANOI)) for month in (3, 4)]
    march, april = (Window(start, start + 30 * DAY) for start in first)
    assert starts("FREQ=MONTHLY;BYDAY=1SA", april) == ["04-04 22:00"]
    assert starts("FREQ=MONTHLY;BYDAY=1SA", march) == ["03-07 22:00"]
    assert starts("FREQ=WEEKLY;COUNT=2", Window(0, april.start)) == ["01-03 22:00", "01-10 22:00"]
    assert starts("FREQ=WEEKLY;INTERVAL=2;UNTIL=20260120T000000", Window(0, april.start)) == [
        "01-03 22:00",
        "01-17 22:00",
    ]


def test_an_occurrence_that_began_before_the_window_is_found() -> None:
    midnight = to_ms(datetime(2026, 1, 11, 1, tzinfo=HANOI))
    assert starts("FREQ=WEEKLY", Window(midnight, midnight + HOUR)) == ["01-10 22:00"]


def test_a_rule_keeps_its_wall_times_when_clocks_change() -> None:
    planned = RecurringMaintenance("x", SATURDAY, timedelta(hours=6), "FREQ=WEEKLY", NEW_YORK)
    spring = [to_ms(datetime(2026, 3, day, tzinfo=NEW_YORK)) for day in (1, 14)]
    found = [w for w in planned.windows_in(Window(*spring)) if w.clip(Window(*spring))]
    assert [w.length / HOUR for w in found] == [6, 5]
    assert {f"{to_local(w.end, NEW_YORK):%a %H:%M}" for w in found} == {"Sun 04:00"}


def test_a_rule_without_an_end_is_not_followed_for_ever() -> None:
    last = to_ms(RECURRENCE_END.replace(tzinfo=HANOI))
    planned = RecurringMaintenance("x", SATURDAY, timedelta(hours=1), "FREQ=YEARLY", HANOI)
    assert len(list(planned.windows_in(Window(0, last + 9000 * DAY)))) == 2100 - 2026
    assert starts("FREQ=YEARLY", Window(last + DAY, last + 400 * DAY)) == []


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("FREQ=SECONDLY", "'SECONDLY' is no FREQ"),
        ("FREQ=HOURLY", "is no FREQ"),
        ("BYDAY=SA", "has no FREQ"),
        ("FREQ=DAILY;FREQ=WEEKLY", "more than once"),
        ("FREQ=DAILY;BYHOUR=3", "'BYHOUR' is not known"),
        ("FREQ=DAILY;INTERVAL=0", "'0' is no INTERVAL"),
        ("FREQ=DAILY;UNTIL=20270101T000000Z", "is no UNTIL"),
        ("FREQ=DAILY;UNTIL=20270101", "is no UNTIL"),
        ("FREQ=DAILY;UNTIL=20271301T000000", "invalid 'UNTIL'"),
        ("FREQ=WEEKLY;BYDAY=SU", "does not begin with 2026-01-03 22:00"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "does not begin with"),
        ("FREQ=DAILY;UNTIL=20250101T000000", "does not begin with"),
        ("every Saturday", "'every Saturday' is not known"),
    ],
)
def test_a_rule_that_cannot_be_used_says_why(rule: str, problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        check_rule(rule, SATURDAY)


def test_a_country_without_holidays_is_refused() -> None:
    with pytest.raises(UnknownCountry, match="XX"):
        public_holidays("XX", "")


def test_names_of_holidays_do_not_depend_on_the_machines_language(monkeypatch: pytest.MonkeyPatch) -> None:
    public_holidays.cache_clear()
    monkeypatch.setenv("LANGUAGE", "en_US")
    assert public_holidays("VN", "").days_off[date(2026, 2, 17)] == "Tết Nguyên Đán"


@pytest.mark.parametrize("country", ["VN", "VNM"])
@pytest.mark.parametrize("day", ["2021-09-03", "2022-02-01", "2025-05-02", "2026-08-22"])
def test_a_library_that_is_wrong_about_a_known_day_is_named_with_the_version_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, country: str, day: str
) -> None:
    current = holidays.country_holidays

    def outdated(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - as the library's
        found = current(*args, **more)
        if day in found:
            found.pop(day)
        found.weekend_workdays = found.weekend_workdays - {date.fromisoformat(day)}
        return found

    public_holidays.cache_clear()
    change(folder, "calendar.toml", 'country = "VN"', f'country = "{country}"')
    monkeypatch.setattr(holidays, "country_holidays", outdated)
    monkeypatch.setattr(recurrence, "version", lambda _: "0.50")
    [fault] = faults_of(folder)
    public_holidays.cache_clear()
    assert (Path(fault.file).name, fault.line, fault.field) == ("calendar.toml", 6, "country")
    assert fault.problem == f"the library holidays 0.50 is wrong about {day}"
    assert fault.remedy == 'pip install "holidays>=0.106"'


def test_the_version_in_the_remedy_is_the_one_that_both_extras_require() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    required = [line for name in ("server", "infra") for line in extras[name] if line.startswith("holidays")]
    assert [f'pip install "{line}"' for line in required] == [OutdatedHolidays.remedy] * 2


def test_a_country_of_which_no_day_is_known_is_taken_as_the_library_has_it() -> None:
    assert public_holidays("US", "").days_off[date(2026, 7, 4)] == "Independence Day"


# Faults: (old text, new text, line, field, part of the problem)

FAULTS = [
    ('country = "VN"', 'country = "XX"', 6, "country", "XX not available"),
    ('country = "VN"', 'country = "US"\nsubdivision = "ZZ"', 7, "subdivision", "ZZ"),
    ('country = "VN"', 'land = "VN"', 5, "country", "is missing"),
    ('{ hours = "closed", name = "Quốc khánh" }', '{ name = "Quốc khánh" }', 2, "hours", "is missing"),
    ('{ hours = "closed", name = "Quốc khánh" }', '{ hours = "8-9" }', 2, "hours", "'8-9' is not hours"),
    ("work = 2026-08-22", "work = 2026-08-31", 9, "work", "is the day off itself"),
    ("work = 2026-08-22", 'work = "soon"', 9, "work", "soon is not a date"),
    ('centres = ["vn83-829"]', 'centres = ["vn83-1"]', 14, "centres", "there is no centre 'vn83-1'"),
    ('centres = ["vn83-829"]', "centres = []", 14, "centres", "names none"),
    ('work = 2026-03-07\ncentres = ["vn83-829"]', "work = 2026-08-31", 13, "work", "already swapped on line 7"),
    ("to = 2026-06-01", "to = 2026-05-01", 17, "to", "2026-05-01 is not after from"),
    ("to = 2026-06-01", "to = 2026-06-01T00:00:00", 17, "to", "is not a date"),
    ('mon = "07:00-17:00"', "", 16, "from", "changes no day of the week"),
    ('mon = "07:00-17:00"', 'monday = "07:00-17:00"', 18, "monday", "unknown here"),
    ('mon = "07:00-17:00"', 'mon = "07:00-17:02"', 18, "mon", "17:02 is not on a 5-minute mark"),
    ('sat = "08:00-11:00"\ncentres = ["vn83-829"]', 'sat = "08:00-11:00"', 20, "from", "overlaps the table on line 15"),
    ('mode = "online_only"', 'mode = "holiday"', 24, "mode", "'holiday' is not known"),
    ("to = 2026-07-08", "to = 2026-07-01", 26, "to", "is not after from"),
    ("from = 2026-07-01", 'from = "2026-07-01"', 25, "from", "is no time"),
    ("08:00:00\ncentres = [", "08:03:00\ncentres = [", 31, "to", "08:03:00 is not on a 5-minute mark"),
    ("2026-07-02T08:00:00", "2026-07-02T08:00:00+07:00", 31, "to", "has an offset"),
    ('08:00:00\ncentres = ["vn83-829"]', "08:00:00", 30, "from", "overlaps the table on line 23"),
    ('name = "cập nhật"\n', "", 33, "name", "is missing"),
    ("BYDAY=1SA", "BYDAY=1SU", 37, "repeat", "does not begin with 2026-01-03 22:00"),
    ("to = 2026-01-04T02:00:00", "to = 2026-02-04T02:00:00", 36, "to", "more than 31 days after from"),
    ('systems = ["vn83-portal"]', 'systems = ["vn83-gate"]', 38, "systems", "there is no system 'vn83-gate'"),
    ("to = 2026-10-05T09:00:00", "", 39, "to", "is missing"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "problem"), FAULTS)
def test_fault_of_the_calendar_is_named_with_its_line(
    folder: Path, old: str, new: str, line: int, field: str, problem: str
) -> None:
    change(folder, "calendar.toml", old, new)
    found = faults_of(folder)
    hits = [f for f in found if (Path(f.file).name, f.line, f.field) == ("calendar.toml", line, field)]
    assert any(problem in fault.problem for fault in hits), found
    assert all(fault.remedy for fault in hits)


@pytest.mark.parametrize(("library", "line", "field"), [("holidays", 6, "country"), ("dateutil.rrule", 37, "repeat")])
def test_a_library_that_is_not_installed_is_named_with_the_way_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, library: str, line: int, field: str
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - as __import__ is
        if name == library:
            raise ImportError(name)
        return real(name, *args, **more)

    public_holidays.cache_clear()
    change(folder, "calendar.toml", "BYDAY=1SA", f"BYDAY=1SA;WKST={'MO' if line == 6 else 'TU'}")
    monkeypatch.setattr(builtins, "__import__", without)
    assert [(f.line, f.field, f.remedy) for f in faults_of(folder)] == [
        (line, field, 'pip install "motcua[server]" or pip install "motcua[infra]"')
    ]


def test_what_the_reference_shows_is_a_calendar_without_a_fault(folder: Path) -> None:
    text = (ROOT / "docs" / "reference" / "calendar.md").read_text(encoding="utf-8")
    shown = "".join(part.split("```")[0] for part in text.split("```toml\n")[1:])
    (folder / "calendar.toml").write_text(shown, encoding="utf-8")
    assert load(folder).centres
