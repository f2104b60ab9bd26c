"""The page of incidents shows the rows of the API and answers "what broke on Tuesday" in two clicks."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from api.pages.charts.outages import CHART_WIDTH, LINE_HEIGHT, MAX_LINES, outage_chart
from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window
from telemetry.core.figures.outages import LostTime, Outage, merge_incidents
from telemetry.core.fold.live_row_types import DeviceNow
from telemetry.core.scope import Scope
from telemetry.queries.lost_time import RECENT_TTL_MS
from tests.program.network import Network, centre_now, local, network
from tests.program.test_incidents_api import fill_broken_morning
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    built = network(tmp_path_factory.mktemp("incidents-page"))
    fill_broken_morning(built)
    yield built
    built.store.close()


def table_rows(html: str) -> list[str]:
    body = html.split('id="table-incidents"')[1].split("<tbody>")[1].split("</tbody>", maxsplit=1)[0]
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in body.split("</tr>") if "<th" in row]


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_page_shows_the_incidents_of_the_api_in_its_order(net: Network, lang: str) -> None:
    html = page(net, f"/incidents?lang={lang}")
    outline = Outline(html)
    assert (outline.inline, len(outline.ids)) == ([], len(set(outline.ids)))
    answer = net.client.get("/api/v1/incidents?from=2026-11-23&to=2026-11-24").json()["data"]
    rows = table_rows(html)
    words = {"vi": ("Một cửa Ba", "Kiosk 1 Một cửa An"), "en": ("Ba desk", "Kiosk 1 An desk")}[lang]
    assert len(rows) == len(answer) == 2
    assert all(row.startswith(word) for row, word in zip(rows, words, strict=True))
    unit = {"vi": "phút", "en": "min"}[lang]
    for row, shown in zip(answer, rows, strict=True):
        assert f" {sum(row['seconds'].values()) // 60} {unit}" in shown
    assert ("goes on" if lang == "en" else "đang tiếp diễn") in rows[0]
    assert "08:00" in rows[1]
    assert "08:20" in rows[1]
    assert 'href="/api/v1/incidents?from=2026-11-23&amp;to=2026-11-24"' in html


def test_what_broke_on_a_past_day_is_two_clicks_from_the_start(net: Network) -> None:
    assert '<a href="/incidents"' in page(net, "/?lang=en")
    presets = page(net, "/incidents?lang=en").split('id="presets"')[1].split("</ul>")[0]
    assert re.findall(r'href="([^"]+)"[^>]*>([^<]+)<', presets)[:3] == [
        ("/incidents?from=2026-11-23&amp;to=2026-11-23", "Today"),
        ("/incidents?from=2026-11-22&amp;to=2026-11-22", "Yesterday"),
        ("/incidents?from=2026-11-21&amp;to=2026-11-21", "Sat 21 Nov"),
    ]
    assert "No incident." in page(net, "/incidents?from=2026-11-22&to=2026-11-22&lang=en")
    assert "have not come yet" in page(net, "/incidents?from=2026-11-25&to=2026-11-25&lang=en")


@pytest.mark.parametrize(
    ("query", "later", "mood"),
    [
        ("", 0, "unknown"),
        ("scope=centre:vn83-b", 0, "unknown"),
        ("scope=device:vn83-a-kiosk1", 0, "period"),
        ("scope=system:vn83-portal", 0, "operational"),
        ("from=2026-11-22&to=2026-11-22", 0, "period"),
        ("from=2026-11-23&to=2026-11-23", DAY, "period"),
        ("from=2026-11-23&to=2026-11-23&scope=centre:vn83-b", DAY, "unknown"),
        ("from=2026-11-24&to=2026-11-24&scope=device:vn83-b-kiosk1", DAY, "unknown"),
    ],
)
def test_the_head_is_never_green_beside_unknown_time(net: Network, query: str, later: int, mood: str) -> None:
    net.time[0] += later
    try:
        assert f'class="hero mood-{mood}"' in page(net, f"/incidents?{query}")
    finally:
        net.time[0] -= later


def test_an_open_outage_gives_the_head_its_colour(tmp_path: Path) -> None:
    built = network(tmp_path)
    fill_broken_morning(built)
    built.time[0] = local(10, 6)
    kiosk = DeviceNow(id="vn83-a-kiosk1", kind="kiosk", state="down", online=True, last_event=built.time[0])
    built.live("vn83-a", centre_now("vn83-a", built.time[0], state="down", devices=(kiosk,)))
    for scope, mood in (("device:vn83-a-kiosk1", "degraded"), ("centre:vn83-a", "down")):
        for width in ("5m", "1h"):
            built.total(scope, width, local(10), {"down_ms": SLOT, "open_down_ms": SLOT})
        assert f'class="hero mood-{mood}"' in page(built, f"/incidents?scope={scope}")
        built.time[0] += 2 * RECENT_TTL_MS
    built.store.close()


def test_every_row_and_bar_leads_to_what_broke_on_that_day(net: Network) -> None:
    html = page(net, "/incidents?from=2026-11-17&to=2026-11-23")
    for path in ("/centres/vn83-b", "/devices/vn83-a-kiosk1"):
        assert html.count(f'href="{path}?from=2026-11-23&amp;to=2026-11-23"') == 2, path


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=unknown", ["Ba desk"]),
        ("of=device", ["Kiosk 1"]),
        ("scope=centre:vn83-b", ["Ba desk"]),
        ("scope=device:vn83-a-kiosk1", ["Kiosk 1"]),
        ("state=nothing&of=nobody", ["Ba desk", "Kiosk 1"]),
    ],
)
def test_incidents_are_filtered_by_links(net: Network, query: str, names: list[str]) -> None:
    rows = table_rows(page(net, f"/incidents?lang=en&{query}"))
    assert [row[: len(name)] for row, name in zip(rows, names, strict=True)] == names


def test_a_wrong_scope_or_period_is_refused_in_words(net: Network) -> None:
    assert net.client.get("/incidents?scope=centre:nowhere").status_code == 404
    assert net.client.get("/incidents?from=2026-01-01&to=2026-11-23").status_code == 422


def test_the_table_is_a_file_with_the_same_rows(net: Network) -> None:
    text = net.client.get("/incidents?table=incidents&format=csv&lang=en").text
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == ["Ba desk", "Kiosk 1"]


def test_the_picture_has_a_line_an_incident_and_its_bars_where_time_was_lost() -> None:
    parts = (
        LostTime(Window(8 * HOUR, 9 * HOUR), down_ms=HOUR),
        LostTime(Window(13 * HOUR, 14 * HOUR), unknown_ms=HOUR),
    )
    outage = Outage(Scope.device("c-kiosk1"), Window(8 * HOUR, 14 * HOUR), parts)
    day = Window(0, DAY)
    (incident,) = merge_incidents([], [outage], day)
    chart = outage_chart([incident] * (MAX_LINES + 1), day, [0])
    assert chart is not None
    assert (len(chart.lines), chart.height) == (MAX_LINES, MAX_LINES * LINE_HEIGHT)
    (down, unknown), ticks = chart.lines[0].bars, {t: x for x, t in chart.ticks}
    assert (down.kind, unknown.kind) == ("down", "unknown")
    assert (down.x, unknown.x) == (ticks[8 * HOUR], ticks[13 * HOUR])
    assert (down.width, unknown.width) == (CHART_WIDTH / 10, CHART_WIDTH / 10)
    week = outage_chart([incident], Window(0, 7 * DAY), [day * DAY for day in range(7)])
    assert week is not None
    assert (week.by_day, len(week.ticks)) == (True, 7)
    assert outage_chart([incident], Window(20 * HOUR, DAY), [0]) is None
    late = Outage(Scope.device("c-kiosk1"), Window(DAY - SLOT, DAY), (LostTime(Window(DAY - SLOT, DAY), SLOT),))
    edge = outage_chart(merge_incidents([], [late], day), day, [0])
    assert edge is not None
    assert edge.lines[0].bars[0].x + edge.lines[0].bars[0].width <= CHART_WIDTH
