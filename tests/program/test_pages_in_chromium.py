"""The pages in a real Chromium over a store whose data and clock a test moves: layout, dates, downloads, stale data."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from api.live_feed import LiveFeed
from tests.page_server import serving_queries
from tests.program.network import busy, centre_now, network
from tests.program.promises import judged, promised
from tests.program.test_history_pages import fill_last_week, import_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
WITHIN_MS = 20_000
DOT = """() => {
    const word = document.getElementById("live-word"), before = getComputedStyle(word, "::before");
    const green = getComputedStyle(document.documentElement).getPropertyValue("--good").trim();
    const probe = document.createElement("i");
    probe.style.color = green; document.body.append(probe);
    const shown = before.content.includes("●") && before.color === getComputedStyle(probe).color;
    probe.remove();
    return shown;
}"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two centres with a morning and a week behind them, and an imported log; nothing changes."""
    net = judged(busy(network(tmp_path_factory.mktemp("shown"), promised())))
    fill_last_week(net)
    import_log(net)
    with serving_queries(net.queries) as (url, _stop):
        yield url
    net.store.close()


@contextmanager
def opened(browser: Browser, url: str, **context: Any) -> Iterator[Page]:  # noqa: ANN401
    """Open an address in a clean context."""
    fresh = browser.new_context(**context)
    fresh.set_default_timeout(WITHIN_MS)
    page = fresh.new_page()
    page.goto(url, wait_until="load")
    yield page
    fresh.close()


def test_a_phone_shows_the_newest_part_of_a_wide_chart(chromium: Browser, shown: str) -> None:
    with opened(chromium, shown + "/centres/vn83-a", locale="vi", viewport={"width": 390, "height": 844}) as page:
        page.wait_for_function("document.querySelector('#live-strip .scroll').scrollLeft > 0")
        inside = page.evaluate(
            "document.querySelector('#live-strip .scroll').getBoundingClientRect().right"
            " - [...document.querySelectorAll('.s-frame')].at(-1).getBoundingClientRect().right"
        )
        assert inside >= 0


def test_a_manager_finds_a_days_waits_and_takes_them_along(chromium: Browser, shown: str, tmp_path: Path) -> None:
    with opened(chromium, shown + "/centres/vn83-a", locale="en") as page:
        picker = page.get_by_role("navigation", name="Choose a period")
        picker.get_by_text("Choose other days").click()
        picker.get_by_label("From").fill("2026-11-20")
        picker.get_by_label("To").fill("2026-11-20")
        picker.get_by_label("To").press("Enter")
        page.wait_for_url("**from=2026-11-20&to=2026-11-20*")
        assert "3 tickets, mean wait 11 min" in page.locator("#live-hero .sentence").inner_text()
        page.locator("#table-time > summary").click()
        with page.expect_download() as download:
            page.locator("#table-time").get_by_text("Download CSV", exact=True).click()
        assert download.value.suggested_filename == "vn83-a_2026-11-20_time.csv"
        download.value.save_as(tmp_path / "day.csv")
        rows = list(csv.DictReader((tmp_path / "day.csv").read_text("utf-8").splitlines()))
        assert sum(int(row["issued"]) for row in rows) == 3
        page.locator("#picker a[rel=prev]").press("Enter")
        page.wait_for_url("**from=2026-11-19&to=2026-11-19*")
        page.get_by_role("link", name="Week", exact=True).click()
        page.wait_for_url("**from=2026-11-16&to=2026-11-22*")
        assert page.locator("#picker [aria-current]").inner_text() == "Week"


def test_dates_are_chosen_without_javascript(chromium: Browser, shown: str) -> None:
    with opened(chromium, shown + "/", locale="vi", java_script_enabled=False) as page:
        page.get_by_label("Từ ngày").fill("2026-11-16")
        page.get_by_label("Đến ngày").fill("2026-11-22")
        page.get_by_role("button", name="Xem").click()
        page.wait_for_url("**from=2026-11-16&to=2026-11-22*")
        assert "5 lượt khách" in page.locator("#live-hero .sentence").inner_text()
        assert page.locator("svg.chart").count() == 4


def test_a_chart_is_read_zoomed_and_followed_by_keyboard(chromium: Browser, shown: str) -> None:
    with opened(chromium, shown + "/centres/vn83-a?from=2026-11-16&to=2026-11-22", locale="en") as page:
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text))
        chart = page.locator("#chart-waits")
        plot, said, reset = (
            chart.locator(name) for name in (".ichart-plot", "[aria-live=polite]", "[title='Show all']")
        )
        assert not chart.locator(".ichart-picture").is_visible()
        plot.press("Home")
        plot.press("ArrowRight")
        plot.press("ArrowRight")
        plot.press("ArrowRight")
        chart.locator("[aria-live]", has_text="Thu 19 Nov").wait_for(state="attached")
        row = chart.locator("tbody tr", has_text="Thu 19 Nov")
        mean, p90 = (row.locator("td").nth(place).text_content() for place in range(2))
        assert said.text_content() == f"Thu 19 Nov 2026: Mean {mean}, 90% waited at most {p90}"
        assert reset.is_disabled()
        plot.press("+")
        chart.locator("[aria-live]", has_text="From ").wait_for(state="attached")
        assert reset.is_enabled()
        plot.press("Escape")
        assert reset.is_disabled()
        chart.get_by_role("button", name="90% waited at most").click()
        assert chart.locator(".ichart-readout").text_content() == "Thu 19 Nov 2026: Mean 5 min"
        plot.press("Enter")
        page.wait_for_url("**from=2026-11-19&to=2026-11-19*")
        assert faults == []


def test_the_first_glance_fits_a_small_screen_and_a_key_leads_to_the_search(chromium: Browser, shown: str) -> None:
    with opened(chromium, shown + "/", locale="vi", viewport={"width": 1366, "height": 768}) as page:
        assert page.evaluate("document.querySelector('.glance').getBoundingClientRect().bottom") <= 768
        page.keyboard.press("/")
        page.wait_for_function("document.activeElement.id === 'site-search'")
        page.keyboard.type("mot cua ba/")
        page.keyboard.press("Backspace")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search?q=mot+cua+ba")
        page.get_by_role("link", name="Một cửa Ba").click()
        page.wait_for_url("**/centres/vn83-b")


def becomes_stale(page: Page) -> None:
    page.locator("#live-word.is-stale").wait_for()
    page.locator("#live-age.is-stale").wait_for()
    assert "Data are old" in page.locator("#live-word").inner_text()
    assert page.evaluate(DOT) is False


def becomes_fresh(page: Page) -> None:
    page.locator("#live-word.is-on:not(.is-stale)").wait_for()
    assert page.locator("#live-word").inner_text() == "Updating live"
    assert page.evaluate(DOT) is True


def test_data_that_stop_are_called_old_after_a_minute_until_they_come_again(chromium: Browser, tmp_path: Path) -> None:
    net = busy(network(tmp_path))
    with serving_queries(net.queries) as (url, _stop), opened(chromium, "about:blank", locale="en") as page:
        page.clock.install()
        page.goto(url + "/centres/vn83-a")
        becomes_fresh(page)
        assert page.locator("#live-age").inner_text().startswith("Data as of 10:02:2")
        net.time[0] += 70_000
        page.clock.run_for(70_000)
        becomes_stale(page)
        page.clock.run_for(5_000)
        assert "ago)" in page.locator("#live-age").inner_text()
        net.live("vn83-a", centre_now("vn83-a", net.time[0], counters_open=2))
        page.clock.run_for(70_000)
        becomes_fresh(page)
    net.store.close()


def test_a_server_that_stops_makes_the_page_old_too(chromium: Browser, tmp_path: Path) -> None:
    net = busy(network(tmp_path))
    with serving_queries(net.queries) as (url, stop), opened(chromium, "about:blank", locale="en") as page:
        page.clock.install()
        page.goto(url + "/")
        becomes_fresh(page)
        stop()
        page.locator("#live-word.is-lost").wait_for()
        page.clock.run_for(61_000)
        becomes_stale(page)
        assert "Connection lost" in page.locator("#live-word").inner_text()
    net.store.close()


def test_a_page_without_javascript_says_that_its_data_are_old(chromium: Browser, tmp_path: Path) -> None:
    net = busy(network(tmp_path))
    net.time[0] += 61_000
    with (
        serving_queries(net.queries) as (url, _stop),
        opened(chromium, url, locale="vi", java_script_enabled=False) as page,
    ):
        assert page.locator("#live-word").inner_text() == "Dữ liệu cũ"
        assert (
            "phút trước" in page.locator("#live-age").inner_text()
            or "giây trước" in page.locator("#live-age").inner_text()
        )
    net.store.close()


def shows_open_counters(page: Page, number: int) -> None:
    page.wait_for_function(
        "number => document.querySelector('#live-cards').textContent.includes(`${number} counters open`)", arg=number
    )


@pytest.mark.parametrize("has_shared_worker", [True, False])
def test_tabs_of_a_browser_share_one_stream_and_each_shows_a_change(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_shared_worker: bool
) -> None:
    streams: list[object] = []
    listen = LiveFeed.listen

    def listen_counted(feed: LiveFeed, wake: Callable[[], object]) -> int:
        streams.append(wake)
        return listen(feed, wake)

    monkeypatch.setattr(LiveFeed, "listen", listen_counted)
    net = busy(network(tmp_path))
    with serving_queries(net.queries) as (url, _stop), opened(chromium, "about:blank", locale="en") as page:
        tabs = [page, page.context.new_page()]
        if not has_shared_worker:
            page.context.add_init_script("delete window.SharedWorker")
        for tab, path in zip(tabs, ("/", "/centres/vn83-a"), strict=True):
            tab.goto(url + path)
            tab.locator("#live-word.is-on").wait_for()
        net.time[0] += 1000
        net.live("vn83-a", centre_now("vn83-a", net.time[0], counters_open=2))
        shows_open_counters(tabs[0], 3)
        shows_open_counters(tabs[1], 2)
        assert len(streams) == (1 if has_shared_worker else 2)
    net.store.close()


def test_the_documentation_of_the_api_shows_its_operations_and_loads_nothing_from_elsewhere(
    chromium: Browser, shown: str
) -> None:
    requested: list[str] = []
    faults: list[str] = []
    with opened(chromium, "about:blank", locale="en", viewport={"width": 1280, "height": 900}) as page:
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda line: faults.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("requestfailed", lambda request: faults.append(request.url))
        page.goto(shown + "/docs")
        page.locator(".opblock").first.wait_for()
        document = page.request.get(shown + "/openapi.json").json()
        operations = page.locator(".opblock-summary-path").evaluate_all("all => all.map(one => one.dataset.path)")
        assert sorted(operations) == sorted(document["paths"])
        page.locator(".opblock", has=page.locator("[data-path='/api/v1/status']")).locator("button").first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        answer = page.locator(".live-responses-table .response").first
        assert answer.locator(".response-col_status").inner_text().startswith("200")
        assert '"Tỉnh Bến Tre"' in answer.inner_text()
    outside = [address for address in requested if not address.startswith((shown + "/", "data:", "blob:" + shown))]
    assert (outside, faults) == ([], [])
    assert shown + "/api/v1/status" in requested
