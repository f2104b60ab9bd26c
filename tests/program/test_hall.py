"""The hall display: called numbers by counter in two languages, and never an old number as a new one."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import DAY, MINUTE
from telemetry.core.fold.live_row_types import CallNow, ExpectedWait, ServiceNow
from tests.program.network import Network, busy, centre_now, network
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def call(label: str, counter: str, ago_s: int, now: int, **other: object) -> CallNow:
    return CallNow(label=label, counter=counter, service="land", at=now - ago_s * 1000, **other)  # type: ignore[arg-type]


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    shown = busy(network(tmp_path))
    now = shown.time[0]
    calls = (
        call("A027", "c3", 12, now),
        call("B104", "c1", 300, now),
        call("A026", "c3", 500, now),
        call("B103", "c2", 600, now, ended=True),
    )
    land = ServiceNow(
        service="land", waiting=14, serving=2, expected=ExpectedWait(p50_ms=9 * MINUTE, p90_ms=21 * MINUTE)
    )
    shown.live("vn83-a", centre_now("vn83-a", now, calls=calls, services=(land,)))
    yield shown
    shown.store.close()


def numbers(html: str) -> list[str]:
    return re.findall(r'class="number[^>]*><strong>([^<]+)<', html)


def test_each_counter_shows_its_newest_open_call_and_the_page_says_what_the_api_says(net: Network) -> None:
    html = unescape(page(net, "/hall/vn83-a?lang=vi"))
    assert numbers(html) == ["A027", "B104"]
    answer = net.client.get("/api/v1/centres/vn83-a").json()["data"]["calls"]
    assert [(c["label"], c["ended"]) for c in answer] == [
        ("A027", False), ("B104", False), ("A026", False), ("B103", True),
    ]  # fmt: skip
    earlier = html.split('class="earlier"')[1]
    assert re.findall(r"<strong>([^<]+)<", earlier)[:2] == ["A026", "B103"]
    for words in ("Quầy 3", "Counter 3", "Đang mở cửa đến 11:30", "Open until 11:30", "khoảng 9–21 phút", "mới gọi"):
        assert words in html


def test_english_may_come_first(net: Network) -> None:
    html = unescape(page(net, "/hall/vn83-a?lang=en"))
    assert '<html lang="en">' in html
    assert html.index("Now calling") < html.index("Đang gọi")


@pytest.mark.parametrize("path", ["/hall/vn83-a", "/hall/vn83-b?lang=en", "/hall/vn83-a?services=tax&chime=1"])
def test_the_board_is_sound_html(net: Network, path: str) -> None:
    outline = Outline(page(net, path))
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.inline == []
    assert all(address.startswith(("/", "#")) for address in outline.fetched)


def test_stale_data_show_no_number_at_all(net: Network) -> None:
    net.time[0] += 4 * MINUTE
    html = unescape(page(net, "/hall/vn83-a?lang=vi"))
    assert numbers(html) == []
    assert "Số liệu dừng ở 10:02" in html
    assert "A02" not in html


def test_calls_of_yesterday_are_gone(net: Network) -> None:
    net.time[0] += DAY
    assert net.queries.centre("vn83-a").calls == ()
    assert net.client.get("/api/v1/centres/vn83-a").json()["data"]["calls"] == []


def test_only_the_chosen_services_are_shown(net: Network) -> None:
    html = unescape(page(net, "/hall/vn83-a?services=tax&lang=vi"))
    assert numbers(html) == []
    assert "Thuế" in html
    assert "Đất đai" not in html


def test_a_queue_system_without_numbers_is_said_so(net: Network) -> None:
    assert "không gửi số thứ tự" in unescape(page(net, "/hall/vn83-b?lang=vi"))


def test_long_numbers_stand_below_each_other(net: Network) -> None:
    now = net.time[0]
    calls = tuple(call(f"LAND-{n:03}", f"c{n}", 10 * n, now) for n in range(1, 7))
    net.live("vn83-a", centre_now("vn83-a", now, calls=calls))
    html = page(net, "/hall/vn83-a")
    assert "is-wide" in html
    assert len(numbers(html)) == 4
