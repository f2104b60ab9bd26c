"""Five questions of a manager who has never seen the pages, answered from the start page with clicks alone.

The walk of docs/tutorials/five-questions.md. With `--pictures` (`make screenshot`) it has two weeks of thirty centres
behind it, and writes the page's pictures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rich.console import Console

from motcua.demo import scenario
from motcua.demo.scenario import DemoEnvironment, DemoOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

    from telemetry.core.inventory import Inventory

pytestmark = [pytest.mark.flow, pytest.mark.browser, pytest.mark.slow]
SHORT, LONG = DemoOptions(days=2, centres=4, port=0), DemoOptions(days=10, centres=30, port=0)
SIZE = {"width": 1366, "height": 768}
WITHIN_MS = 20_000
MOST_CLICKS = 4
MOST_BYTES = 220_000


@pytest.fixture(scope="module")
def hall(world: Inventory, request: pytest.FixtureRequest) -> Iterator[DemoEnvironment]:
    """A small demo with some days behind it."""
    knobs = LONG if request.config.getoption("pictures") else SHORT
    with scenario.run_environment(scenario.demo_inventory(world, knobs), knobs) as running:
        scenario.feed_history(running, knobs, Console(quiet=True))
        scenario.report_host_once(running)
        scenario.wait_ready(running, Console(quiet=True))
        yield running


class Walk:
    """A reader's way from the start page; counts the clicks and pictures the answer."""

    def __init__(self, page: Page, url: str, picture: Path, *, is_for_documents: bool) -> None:
        self.page, self.url, self.picture, self.clicks = page, url, picture, 0
        self._is_for_documents = is_for_documents
        page.goto(url)

    def click(self, target: Locator) -> None:
        """Click a link and wait for its page."""
        self.clicks += 1
        target.first.click()
        self.page.wait_for_load_state("load")

    def ask(self, path: str) -> Any:  # noqa: ANN401
        """Return the API's data: what the page must say, too."""
        return httpx.get(f"{self.url}/api/v1/{path}", trust_env=False).raise_for_status().json()["data"]

    def answered(self, place: Locator) -> str:
        """Picture the answer and return its text; the way must have been short."""
        place.first.scroll_into_view_if_needed()
        text = place.first.inner_text()
        is_stale = self.page.locator("#live-age.is-stale").count() > 0
        assert not (is_stale and self._is_for_documents), "the picture would show old data: take it on a quiet machine"
        self.page.screenshot(path=self.picture, animations="disabled")
        assert self.clicks <= MOST_CLICKS
        assert 10_000 < self.picture.stat().st_size < MOST_BYTES
        return text


@pytest.fixture
def walk(chromium: Browser, hall: DemoEnvironment, pictures: Path, request: pytest.FixtureRequest) -> Iterator[Walk]:
    context = chromium.new_context(locale="vi", viewport=SIZE, reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(WITHIN_MS)
    scenario.report_host_once(hall)
    name = request.node.name.removeprefix("test_").replace("_", "-")
    is_for_documents = bool(request.config.getoption("pictures"))
    yield Walk(context.new_page(), hall.url, pictures / f"tour-{name}.png", is_for_documents=is_for_documents)
    context.close()


def test_who_needs_help(walk: Walk) -> None:
    """No click: the list is on the start page, the worst first."""
    text = walk.answered(walk.page.locator("#live-worst"))
    impaired = [c for c in walk.ask("centres") if c["condition"] in {"down", "degraded", "overloaded", "unknown"}]
    names = [c["name_vi"] for c in impaired][:3]
    assert all(name in text for name in names), (names, text)
    assert walk.clicks == 0


def test_waits_of_yesterday(walk: Walk) -> None:
    """A centre's tile or the search, then its last day: the first sentence has the mean wait."""
    centre = walk.ask("centres?limit=1")[0]
    walk.page.locator("input[type=search]").fill(centre["name_vi"])
    walk.page.keyboard.press("Enter")
    walk.clicks += 1
    walk.click(walk.page.locator(f"main a[href='/centres/{centre['id']}']"))
    walk.click(walk.page.locator("#yesterday a, a#yesterday, #picker a[rel=prev]"))
    if walk.page.locator(".jump a").count():  # yesterday was a Sunday or a holiday
        walk.click(walk.page.locator(".jump a"))
    text = walk.answered(walk.page.locator("#live-hero .sentence"))
    day = re.search(r"from=(\d{4}-\d\d-\d\d)", walk.page.url)
    assert day is not None
    assert re.search(r"\d+ lượt khách.*phút", text), text


def test_this_week_against_last(walk: Walk) -> None:
    """One click from the start page, which says it in a word already."""
    walk.click(walk.page.locator("#week a[href^='/compare']"))
    assert walk.answered(walk.page.locator("main .sentence"))


def test_which_indicator_is_behind(walk: Walk) -> None:
    """One click: those behind their trajectory come first, each with its gap."""
    walk.click(walk.page.locator("#targets a[href='/kpis']"))
    text = walk.answered(walk.page.locator("main .sentence"))
    assert "lộ trình" in text


def test_what_broke_on_a_day(walk: Walk) -> None:
    """Two clicks: the incidents, then the day."""
    walk.click(walk.page.locator(".sections a[href='/incidents']"))
    walk.click(walk.page.get_by_role("link", name=re.compile("^Thứ 3")))
    day = re.search(r"from=(\d{4}-\d\d-\d\d)", walk.page.url)
    assert day is not None
    rows = walk.ask(f"incidents?from={day[1]}T00:00:00%2B07:00&to={day[1]}T23:55:00%2B07:00")
    text = walk.answered(walk.page.locator("main .sentence"))
    assert text if not rows else re.search(r"\d", text)
