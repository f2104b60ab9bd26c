"""Page, badge and API agree on what little is known: a range below the coverage floor, the point at it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from api.pages.frame.catalogues import load_messages
from api.pages.frame.language import PageLocale
from telemetry.core.calendar.windows import HOUR
from telemetry.core.figures.accounting import TimeByState, covered_ratio
from telemetry.core.fold.live_row_types import ScopedSloNow, SloNow
from tests.program.network import NOW, ZONE, Network, centre_now, local, waits
from tests.program.promises import SETTLED, START, promised, promising

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth

MUTE = "#595959"
OPEN_MS = 8 * HOUR
"""The opening hours of a Monday."""
LAST_MONDAY = 16
SCOPE = "scope=centre:vn83-a&from=2026-11-16T00:00:00%2B07:00&to=2026-11-17T00:00:00%2B07:00"


FINEST: tuple[BucketWidth, int] = ("5m", 8)
WIDTHS: tuple[tuple[BucketWidth, int], ...] = (("1h", 8), ("1d", 0))


def network_with(path: Path, percent_up: int, percent_down: int, floor: float) -> Network:
    """Return a network whose centre An was up and down for these shares of 16 November, the rest of it unknown.

    Its objective `open` has the same shares over its period.
    """
    net = promising(path, replace(promised(), coverage_floor=floor))
    net.live("vn83-a", centre_now("vn83-a", NOW))
    up, down = OPEN_MS * percent_up // 100, OPEN_MS * percent_down // 100
    if up + down:
        sums = {"up_ms": up, "down_ms": down, "open_up_ms": up, "open_down_ms": down}
        for width, hour in WIDTHS:
            net.total("centre:vn83-a", width, local(hour, day=LAST_MONDAY), sums)
    for width, hour in (*WIDTHS, FINEST):
        net.total("desk:vn83-a:land", width, local(hour, day=LAST_MONDAY), waits(30))
    row = ScopedSloNow(
        scope="centre:vn83-a", start=START, end=NOW, open=1000, up=10 * percent_up, down=10 * percent_down,
        unknown=1000 - 10 * (percent_up + percent_down), good=10 * percent_up, bad=10 * percent_down,
        standing="exhausted" if percent_down else "no_data",
    )  # fmt: skip
    slo = SloNow(slo="open", at=NOW, settled_until=SETTLED, scopes=(row,))
    net.store.put_live_rows({"slo:open": msgspec.json.encode(slo)})
    net.time[0] += 1000
    return net


def answer(net: Network, path: str) -> Any:  # noqa: ANN401 - JSON
    found = net.client.get(path)
    assert found.status_code == 200, found.text
    return found.json()


def badge(net: Network, path: str) -> tuple[str, str, str]:
    svg = net.client.get(path).text
    title, detail = re.findall(r"<(?:title|desc)[^>]*>([^<]*)<", svg)
    return title.rpartition(": ")[2], detail, re.findall(r'fill="(#\w+)"', svg)[1]


CASES = [
    pytest.param(39, 10, 0.5, "39–90%", "39–90%", False, id="0.49 of the time"),
    pytest.param(40, 10, 0.5, "80%", "80%", True, id="0.5 of the time"),
    pytest.param(39, 10, 0.4, "79.59%", "79,59%", True, id="a lower floor"),
    pytest.param(0, 0, 0.5, "–", "–", False, id="nothing known"),
]


@pytest.mark.parametrize(("up", "down", "floor", "english", "vietnamese", "sufficient"), CASES)
def test_pages_badges_and_api_agree(  # noqa: PLR0913, PLR0917
    tmp_path: Path, up: int, down: int, floor: float, english: str, vietnamese: str, sufficient: bool
) -> None:
    net = network_with(tmp_path, up, down, floor)
    availability = answer(net, f"/api/v1/availability?{SCOPE}")
    assert availability["data"][0]["seconds"]["open"] == OPEN_MS // 1000
    assert availability["data"][0]["coverage_sufficient"] is sufficient
    assert availability["meta"]["coverage_sufficient"] is sufficient
    for path in ("slos?scope=centre:vn83-a&slo=open", "slos/open/status?scope=centre:vn83-a", "centres/vn83-a"):
        data = answer(net, f"/api/v1/{path}")["data"]
        figures = data[0] if isinstance(data, list) else data.get("sli") or data["objective"]
        assert figures["coverage_sufficient"] is sufficient, path
    assert answer(net, "/api/v1/slos/open")["data"]["sums"]["coverage_sufficient"] is sufficient
    value, detail, colour = badge(net, "/badges/slo/open.svg?lang=en")
    assert value == ("no data" if english == "–" else english)
    assert detail.startswith(f"{value} over 28 days; {up + down}% of the time is known")
    assert (colour == MUTE) is (not sufficient)
    for (lang, messages), text in zip(load_messages().items(), (vietnamese, english), strict=True):
        day = net.client.get(f"/centres/vn83-a?lang={lang}&from=2026-11-16&to=2026-11-16").text
        centre = net.client.get(f"/centres/vn83-a?lang={lang}").text
        without_labels = re.sub(r' data-label="[^"]*"', "", centre)
        css = " uncertain" if "–" in text and text != "–" else ""
        assert f'class="num{css}" data-label="{messages["so_far"]}">{text}<' in centre
        assert f'<td class="num{css}">{text}</td><td class="num">{up + down}%</td>' in without_labels
        assert f'<p class="big{css}">{text}</p>' in day


def test_the_provinces_page_shows_the_range_that_the_api_has(tmp_path: Path) -> None:
    net = network_with(tmp_path, 40, 10, 0.5)
    net.total("centre:vn83-a", "1h", local(8), {"up_ms": HOUR, "open_up_ms": HOUR})
    (row,) = answer(
        net,
        "/api/v1/availability?scope=province:vn83&from=2026-11-23T00:00:00%2B07:00&to=" + "2026-11-23T10:02:30%2B07:00",
    )["data"]
    assert (row["coverage_sufficient"], row["high"]) == (False, 1)
    page = net.client.get("/?lang=en").text
    assert f'<p class="big uncertain">{int(100 * row["low"])}–100%</p>' in page
    assert "of the time is known: too little for a single figure" in page
    assert "thời gian, chưa đủ để nêu một con số" in net.client.get("/?lang=vi").text


def test_a_centres_badge_is_grey_below_the_floor(tmp_path: Path) -> None:
    net = network_with(tmp_path, 90, 10, 0.5)
    value, detail, colour = badge(net, "/badges/centre/vn83-a.svg?lang=vi&window=28d")
    assert value == "4–99,5%"
    assert detail.startswith(f"{value} trong 28 ngày; có dữ liệu cho ")
    assert colour == MUTE


def test_the_calendar_has_no_coverage_to_judge(tmp_path: Path) -> None:
    net = network_with(tmp_path, 40, 10, 0.5)
    meta = answer(net, "/api/v1/calendar/vn83-a/days")["meta"]
    assert (meta["coverage"], meta["coverage_sufficient"]) == (None, None)


@pytest.mark.parametrize(
    ("account", "text"),
    [
        (TimeByState(381, 49, 570), "38–96%"),
        (TimeByState(380, 50, 570), "38–95%"),
        (TimeByState(290, 10, 700), "29–99%"),
        (TimeByState(300, 3, 697), "30–99.7%"),
        (TimeByState(400, 0, 600), "40–100%"),
        (TimeByState(0, 300, 700), "0–70%"),
    ],
)
def test_a_range_is_rounded_outwards_but_never_up_to_100(account: TimeByState, text: str) -> None:
    locale = PageLocale("en", load_messages()["en"], ZONE)
    assert locale.covered_ratio(covered_ratio(account.availability(), account, 0.5)) == text
