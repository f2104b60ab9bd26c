"""Every page in a real Chromium: accessible, without sideways scrolling, faults in the console or another host.

A page's route without an example here is a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi.routing import APIRoute

from api.pages import ROUTERS
from telemetry.store.sqlite import SqliteStore
from tests.page_examples import EXAMPLES, REFUSED, page_network
from tests.page_server import serving_queries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, Page

WIDTHS = (320, 390, 1280, 1920)
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
CONTRAST = {"type": "rule", "values": ["color-contrast"]}
SPILLING = """() => [...document.querySelectorAll(
    ".card .tag, .card p, .systems .tag, td .tag, th .tag"
)].filter(inner => {
    const box = inner.closest(".card, li, td, th").getBoundingClientRect(), own = inner.getBoundingClientRect();
    return own.right > box.right + 1 || own.left < box.left - 1;
}).map(inner => inner.textContent.trim())"""
"""Texts that leave their card or cell."""
SEEN: list[tuple[str, str]] = [(route, address) for route, addresses in EXAMPLES.items() for address in addresses]


def test_every_page_has_an_example() -> None:
    pages = {
        route.path
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and "." not in route.path
    }
    assert pages == set(EXAMPLES)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two centres with objectives, with a morning and a week behind them, and an imported log; nothing changes."""
    net = page_network(SqliteStore(tmp_path_factory.mktemp("shown") / "store.db"))
    with serving_queries(net.queries) as (url, _stop):
        yield url
    net.store.close()


class Tab:
    """A tab with what its pages did wrong: console messages, failed and foreign requests."""

    def __init__(self, browser: Browser, origin: str, lang: str, colours: Literal["light", "dark"]) -> None:
        self.origin, self.faults = origin, list[str]()
        self.context = browser.new_context(
            locale=lang, color_scheme=colours, reduced_motion="reduce", viewport={"width": 1280, "height": 900}
        )
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith(origin) else self.faults.append(r.url))

    def show(self, address: str) -> Page:
        """Open an address with all its details open."""
        self.faults.clear()
        self.page.set_viewport_size({"width": 1280, "height": 900})
        answer = self.page.goto(self.origin + address, wait_until="load")
        assert answer is not None
        assert answer.ok or address in REFUSED, address
        if address in REFUSED:  # the browser itself reports that the page is an answer to an error
            self.faults = [fault for fault in self.faults if "Failed to load resource" not in fault]
        self.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        return self.page


@pytest.fixture(scope="module")
def light(chromium: Browser, shown: str) -> Iterator[Tab]:
    tab = Tab(chromium, shown, "vi", "light")
    yield tab
    tab.context.close()


@pytest.fixture(scope="module")
def dark(chromium: Browser, shown: str) -> Iterator[Tab]:
    tab = Tab(chromium, shown, "en", "dark")
    yield tab
    tab.context.close()


def violations(page: Page, only: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return (rule, place) of all that axe-core finds."""
    found = Axe().run(page, options={"runOnly": only, "resultTypes": ["violations"]}).response["violations"]
    return [(rule["id"], str(node["target"])) for rule in found for node in rule["nodes"]]


@pytest.mark.browser
@pytest.mark.parametrize("address", [address for _, address in SEEN])
def test_a_page_is_accessible_and_fits_every_width(light: Tab, address: str) -> None:
    page = light.show(address)
    assert page.locator("html").get_attribute("lang") == "vi"
    assert violations(page, RULES) == []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert room[0] <= room[1] <= width, width
        assert page.evaluate(SPILLING) == [], width
    assert light.faults == []


@pytest.mark.browser
@pytest.mark.parametrize("address", [address for _, address in SEEN])
def test_a_page_in_english_and_dark_has_contrast_and_begins_with_a_skip_link(dark: Tab, address: str) -> None:
    page = dark.show(address)
    assert page.locator("html").get_attribute("lang") == "en"
    assert violations(page, CONTRAST) == []
    if page.locator("header .sections").count() == 0:  # a display has nothing to skip
        assert page.locator("header a[href], header button").count() == 0
        assert dark.faults == []
        return
    page.evaluate("window.getSelection().removeAllRanges(); document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")
    assert dark.faults == []
