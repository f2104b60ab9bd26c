"""The pages in a real Chromium, beside a real small demo: what a manager sees, hears and reaches by keyboard."""

from __future__ import annotations

import csv
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from motcua import system
from motcua.demo import scenario
from motcua.demo.scenario import DemoEnvironment, DemoOptions
from telemetry.core.protocol.events import TicketIssued
from telemetry.queries.service import Queries
from tests.page_server import serving_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

    from telemetry.core.inventory import Inventory
    from tests.flow.conftest import House
    from tests.flow.device import Until

pytestmark = [pytest.mark.flow, pytest.mark.browser, pytest.mark.slow]
HALL = "vn83-83"
KNOBS = DemoOptions(days=1, centres=12, port=0)
PAGES = ("/", f"/centres/{HALL}")
WITHIN_MS = 20_000
"""A page's start on a busy machine."""
SHOWN_WITHIN_MS = 10_000
"""From the outbox through ingest, rollup, stream and page: 1 to 3 s on a quiet machine (part live of bench)."""
FOCUSED = """() => {
    const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return {id: at.id, cls: at.className, href: at.getAttribute("href") || "", top: box.top, left: box.left, outlined};
}"""
HELLO = """url => new Promise((good, bad) => {
    const source = new EventSource(url);
    source.addEventListener("hello", e => { source.close(); good(JSON.parse(e.data)); });
    source.onerror = () => bad(new Error("stream failed"));
})"""


@pytest.fixture(scope="module")
def town(world: Inventory) -> Iterator[DemoEnvironment]:
    """Twelve centres with yesterday and this morning behind them; nothing more happens but what a test does."""
    knobs = KNOBS
    console = Console(quiet=True)
    with scenario.run_environment(scenario.demo_inventory(world, knobs), knobs) as running:
        scenario.feed_history(running, knobs, console)
        scenario.report_host_once(running)
        scenario.wait_ready(running, console)
        yield running


class Tab:
    """A page and all that went wrong in it."""

    def __init__(self, browser: Browser, url: str, **context: Any) -> None:  # noqa: ANN401
        self.url = url
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.context = browser.new_context(**context)
        self.context.set_default_timeout(WITHIN_MS)
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.on("weberror", lambda error: self.faults.append(str(error.error)))
        self.context.on("console", self._said)
        self.page: Page = self.context.new_page()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(message.text)

    def open(self, path: str) -> Page:
        answer = self.page.goto(self.url + path, wait_until="load")
        assert answer is not None
        assert answer.ok
        return self.page

    @property
    def elsewhere(self) -> list[str]:
        """Requests to any other host than ours."""
        return [url for url in self.asked if urlsplit(url).netloc != urlsplit(self.url).netloc]


@pytest.fixture
def tab(chromium: Browser, town: DemoEnvironment) -> Iterator[Callable[..., Tab]]:
    """Return a function that opens a clean tab; at the end nothing may have gone wrong in any."""
    opened: list[Tab] = []

    def make(**context: Any) -> Tab:  # noqa: ANN401
        opened.append(Tab(chromium, town.url, **context))
        return opened[-1]

    yield make
    for one in opened:
        one.context.close()
    assert [fault for one in opened for fault in one.faults] == []
    assert [url for one in opened for url in one.elsewhere] == []
    assert all(one.asked for one in opened)


_numbers = itertools.count(1)


def take_ticket(town: DemoEnvironment) -> None:
    """Somebody takes a ticket at the first kiosk of the hall."""
    number = next(_numbers)
    ticket = TicketIssued(n=1, t=town.clock(), ticket=f"browser-{number}", queue="land", service="land")
    town.agents[f"{HALL}-kiosk1"].outbox.append([ticket])


def waiting(page: Page) -> int:
    """The number of people waiting, as the page says it."""
    return int(re.sub(r"\D", "", page.locator("#live-cards .big").first.inner_text()))


def becomes(page: Page, number: int) -> None:
    page.wait_for_function(
        """number => {
            const text = document.querySelector("#live-cards .big").textContent;
            return Number(text.replace(/\\D/g, "")) === number;
        }""",
        arg=number,
        timeout=SHOWN_WITHIN_MS,
    )


def is_live(page: Page) -> None:
    page.locator("#live-word.is-on").wait_for()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("lang", "words", "other"),
    [
        ("vi", ("Đang tự cập nhật", "Dữ liệu mô phỏng"), "English"),
        ("en", ("Updating live", "Simulated data"), "Tiếng Việt"),
    ],
)
def test_a_page_shows_itself_in_both_languages(
    tab: Callable[..., Tab], path: str, lang: str, words: tuple[str, ...], other: str
) -> None:
    page = tab(locale=lang).open(path)
    is_live(page)
    assert page.locator("html").get_attribute("lang") == lang
    text = page.locator("body").inner_text()
    assert [word for word in words if word not in text] == []
    assert page.locator("h1").inner_text()
    assert page.locator("#live-hero .sentence").inner_text()
    page.get_by_text(other, exact=True).click()
    page.locator(f"html:not([lang={lang}])").wait_for()
    assert page.locator("h1").inner_text()


def test_the_chosen_language_stays_on_the_next_page(tab: Callable[..., Tab]) -> None:
    page = tab(locale="vi").open("/?lang=en")
    page.locator(f'a[href="/centres/{HALL}"]').first.click()
    page.wait_for_url(f"**/centres/{HALL}")
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("path", PAGES)
def test_a_new_ticket_shows_without_reloading(tab: Callable[..., Tab], town: DemoEnvironment, path: str) -> None:
    page = tab(locale="en").open(path)
    is_live(page)
    page.evaluate("window.notReloaded = true")
    before = waiting(page)
    take_ticket(town)
    becomes(page, before + 1)
    assert page.evaluate("window.notReloaded") is True


def test_pause_stops_updates_until_they_are_resumed(
    tab: Callable[..., Tab], town: DemoEnvironment, until: Until
) -> None:
    watched, other = tab(locale="en"), tab(locale="en")
    watched.page.clock.install()
    page, witness = watched.open(PAGES[1]), other.open(PAGES[1])
    is_live(page)
    is_live(witness)
    page.locator("#pause").click()
    assert page.locator("#pause").get_attribute("aria-pressed") == "true"
    assert page.locator("#live-word").inner_text().endswith("Paused")
    asked, before = len(watched.asked), waiting(page)
    take_ticket(town)
    becomes(witness, before + 1)
    page.clock.run_for(130_000)
    assert waiting(page) == before
    assert watched.asked[asked:] == []
    page.locator("#pause").click()
    becomes(page, before + 1)
    until(lambda: page.locator("#live-word").inner_text().endswith("Updating live"), "the page says that it is live")


def tabbed(page: Page, times: int = 40) -> Iterator[dict[str, Any]]:
    """What has the focus, Tab after Tab; each must be seen to have it."""
    for _ in range(times):
        page.keyboard.press("Tab")
        at: dict[str, Any] = page.evaluate(FOCUSED)
        assert at["outlined"], f"one cannot see the focus on {at}"
        yield at


def test_the_keyboard_reaches_everything(tab: Callable[..., Tab]) -> None:
    page = tab(locale="en").open("/")
    is_live(page)
    seen: list[str] = []
    for at in tabbed(page):
        seen.append(at["id"] or at["cls"] or at["href"])
        if at["href"].startswith("/centres/"):
            break
    assert seen[0] == "skip"
    assert {"pause", "lang"} <= set(seen)
    target = page.evaluate(FOCUSED)["href"]
    assert target.startswith("/centres/")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{target}")


def test_the_skip_link_shows_itself_and_leads_to_the_content(tab: Callable[..., Tab]) -> None:
    page = tab(locale="en").open("/")
    at = next(tabbed(page))
    assert at["cls"] == "skip"
    page.wait_for_function("() => document.activeElement.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'main'")


def test_pause_works_from_the_keyboard(tab: Callable[..., Tab]) -> None:
    page = tab(locale="en").open("/")
    is_live(page)
    assert any(at["id"] == "pause" for at in tabbed(page))
    page.keyboard.press("Space")
    page.locator("#live-word.is-off").wait_for()


def test_the_watch_over_the_pages_sees_faults_and_requests_elsewhere(tab: Callable[..., Tab], until: Until) -> None:
    one = tab(locale="en")
    page = one.open("/")
    page.evaluate("console.error('said'); setTimeout(() => { throw new Error('thrown'); })")
    page.evaluate("() => { window.open('http://127.0.0.1:9/elsewhere'); }")
    until(lambda: page.title() and len(one.faults) >= 2 and one.elsewhere, "faults and a request elsewhere")
    assert {"said", "thrown"} <= set(" ".join(one.faults).split())
    one.faults.clear()
    one.asked = [one.url]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_readable_without_javascript(tab: Callable[..., Tab], path: str) -> None:
    page = tab(locale="en", java_script_enabled=False).open(path)
    text = page.locator("main").inner_text()
    assert "People waiting" in text
    assert page.locator("#live-hero .sentence").inner_text()
    assert page.locator("table.rows tbody tr").count() > 0
    assert not page.locator("#pause").is_visible()


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_a_narrow_screen_needs_no_sideways_scrolling(tab: Callable[..., Tab], path: str, lang: str) -> None:
    page = tab(locale=lang, viewport={"width": 320, "height": 640}).open(path)
    is_live(page)
    wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide[0] <= wide[1] <= 320


def test_the_stream_says_hello_to_a_browser(tab: Callable[..., Tab]) -> None:
    page = tab(locale="en").open("/")
    hello = page.evaluate(HELLO, "/api/v1/events")
    assert HALL in {centre["centre"] for centre in hello["centres"]}


def test_a_wrong_address_is_explained(tab: Callable[..., Tab]) -> None:
    one = tab(locale="vi")
    answer = one.page.goto(one.url + "/centres/nowhere")
    assert answer is not None
    assert answer.status == 404
    assert one.page.locator("h1").inner_text()
    one.faults = [fault for fault in one.faults if "404" not in fault]


PICTURES = {
    "province.png": ("/", 1280, 760),
    "centre.png": (f"/centres/{HALL}", 1280, 900),
    "yesterday.png": (f"/centres/{HALL}?from={{yesterday}}&to={{yesterday}}", 1280, 900),
    "phone.png": (f"/centres/{HALL}", 390, 844),
}
MOST_BYTES = 220_000
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


@pytest.mark.parametrize("name", PICTURES)
def test_the_documentation_has_a_picture(
    tab: Callable[..., Tab], town: DemoEnvironment, pictures: Path, name: str
) -> None:
    path, width, height = PICTURES[name]
    yesterday = scenario.simulated_days(town, KNOBS)[0]
    one = tab(locale="en", viewport={"width": width, "height": height})
    scenario.report_host_once(town)
    page = one.open(path.format(yesterday=yesterday.isoformat()))
    page.locator("svg.chart:visible, .ichart-plot:visible, table.rows:visible").first.wait_for()
    page.screenshot(path=pictures / name, animations="disabled")
    assert 10_000 < (pictures / name).stat().st_size < MOST_BYTES


def test_yesterdays_waits_of_a_centre_are_three_steps_away(tab: Callable[..., Tab], town: DemoEnvironment) -> None:
    """The walk of docs/how-to/find-yesterdays-waits.md."""
    page = tab(locale="en").open("/")
    page.locator(f'a[href="/centres/{HALL}"]').first.click()
    page.locator("#picker a[rel=prev]").click()
    page.wait_for_url("**from=*")
    if page.locator(".jump a").count():  # yesterday was a Sunday or a holiday
        page.locator(".jump a").click()
    page.locator("#chart-waits").wait_for()
    page.locator("#table-time > summary").click()
    with page.expect_download() as download:
        page.locator("#table-time").get_by_text("Download CSV", exact=True).click()
    yesterday = scenario.simulated_days(town, KNOBS)[0]
    assert download.value.suggested_filename == f"{HALL}_{yesterday.isoformat()}_time.csv"
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines()))
    assert sum(int(row["issued"]) for row in rows) > 0
    assert all(float(row["wait_p90_s"]) >= 0 for row in rows if int(row["wait_count"]))


def test_an_imported_log_opens_on_its_own_days(
    chromium: Browser, house: House, world: Inventory, pictures: Path
) -> None:
    """The first example of docs/how-to/import-your-log.md, with the names and the opening hours of its mapping."""
    log, mapping = EXAMPLES / "so-cap-phieu.csv", EXAMPLES / "so-cap-phieu.toml"
    house.ends("replay", str(log), "--mapping", str(mapping), "--store", house.store_url)
    with serving_queries(Queries(house.store, lambda: world, system.wall_ms)) as (url, _stop):
        one = Tab(chromium, url, locale="vi", viewport={"width": 1280, "height": 900})
        page = one.open("/centres/replay-so-cap-phieu")
        assert "(13/10/2025 – 17/10/2025)" in page.locator("#chosen-period").inner_text()
        assert "230 lượt khách" in page.locator("#live-hero .sentence").inner_text()
        assert page.locator("#chart-arrivals tbody tr").count() == 5
        assert "Đất đai" in page.locator("#table-service").inner_text()
        page.screenshot(path=pictures / "import.png", animations="disabled")
        assert (pictures / "import.png").stat().st_size < MOST_BYTES
        assert (one.faults, one.elsewhere) == ([], [])
        one.context.close()
