"""The calendar of maintenance and holidays: over the API, as a page in both languages, and as a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from api.pages.monitoring.calendar_file import FileEntry, write_calendar
from telemetry.core.calendar.calendar_values import CalendarRules, ModeSpan, SingleMaintenance, Swap
from telemetry.core.calendar.windows import DAY, Window
from tests.program.network import Network, inventory, local, network
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator

SATURDAY_HOURS = ((time(8), time(11)),)
WORK = Window(local(22, day=28), local(23, day=28))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    world = inventory()
    rules = CalendarRules(
        holidays={date(2026, 11, 24): "Ngày Văn hóa", date(2026, 11, 29): "Chủ nhật"},
        swaps={date(2026, 11, 28): Swap(0, date(2026, 11, 27), "Làm bù")},
    )
    own = replace(
        rules, modes=(ModeSpan("online_only", Window(local(7, day=30), local(17, day=30)), "Chỉ thị 16"),)
    )  # fmt: skip
    centres = {
        "vn83-a": replace(world.centres["vn83-a"], rules=rules),
        "vn83-b": replace(world.centres["vn83-b"], rules=own, exceptions={date(2026, 12, 5): SATURDAY_HOURS}),
    }
    portal = replace(world.systems["vn83-portal"], maintenance=(SingleMaintenance("Nâng cấp", WORK),))
    built = network(
        tmp_path_factory.mktemp("maintenance"), replace(world, centres=centres, systems={portal.id: portal})
    )
    yield built
    built.store.close()


def test_each_change_is_listed_once_with_whom_it_is_for(net: Network) -> None:
    rows = net.client.get("/api/v1/maintenance").json()["data"]
    shown = [(r["kind"], r["name"], r["from"][:10], r["hours"], r["scopes"]) for r in rows]
    assert shown == [
        ("holiday", "Ngày Văn hóa", "2026-11-24", "", ["country"]),
        ("swap", "Làm bù", "2026-11-28", "07:00-11:30,13:30-17:00", ["country"]),
        ("maintenance", "Nâng cấp", "2026-11-28", "", ["system:vn83-portal"]),
        ("mode", "Chỉ thị 16", "2026-11-30", "", ["centre:vn83-b"]),
        ("exception", "", "2026-12-05", "08:00-11:00", ["centre:vn83-b"]),
    ]
    later = net.client.get("/api/v1/maintenance?from=2026-12-01&to=2026-12-31").json()["data"]
    assert [row["kind"] for row in later] == ["exception"]
    assert net.client.get("/api/v1/maintenance?from=2025-01-01&to=2026-12-31").status_code == 422


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_page_has_a_grid_for_each_month_and_a_row_for_each_change(net: Network, lang: str) -> None:
    html = page(net, f"/maintenance?lang={lang}")
    outline = Outline(html)
    assert (outline.inline, len(outline.ids)) == ([], len(set(outline.ids)))
    assert html.count('class="month"') == 5
    assert html.count('<tr id="entry-') == 5
    assert html.count('href="#entry-0"') == 1
    assert html.count('aria-current="date"') == 1
    assert {"vi": "Sắp tới: Ngày Văn hóa", "en": "Next: Ngày Văn hóa"}[lang] in html
    assert {"vi": "Tất cả trung tâm", "en": "All centres"}[lang] in html


def test_a_calendar_program_can_subscribe(net: Network) -> None:
    answer = net.client.get("/maintenance.ics?lang=en")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    lines = answer.text.split("\r\n")
    assert (lines[0], lines[-2], lines.count("BEGIN:VEVENT")) == ("BEGIN:VCALENDAR", "END:VCALENDAR", 5)
    assert "DTSTART;VALUE=DATE:20261124" in lines
    assert "DTSTART:20261128T150000Z" in lines
    assert all(len(line.encode()) <= 75 for line in lines)
    assert answer.text == net.client.get("/maintenance.ics?lang=en").text


def test_a_long_text_with_commas_and_letters_of_several_bytes_is_written_as_the_standard_says() -> None:
    entry = FileEntry(Window(0, DAY), "Bảo trì, phần 1; " + "ơ" * 80, "a\\b\nc", is_day=True)
    text = write_calendar("Lịch", [entry], 0, ZoneInfo("UTC"))
    unfolded = text.replace("\r\n ", "")
    assert "SUMMARY:Bảo trì\\, phần 1\\; " + "ơ" * 80 + "\r\n" in unfolded
    assert "DESCRIPTION:a\\\\b\\nc\r\n" in unfolded
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
