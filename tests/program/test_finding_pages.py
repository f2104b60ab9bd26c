"""The start page and what finds things: who needs help, the list of centres, districts, the search; as the API says."""

from __future__ import annotations

import gzip
import re
import threading
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from api.pages.frame.page_cache import PageCache
from api.pages.latest_figures import LatestFigure
from telemetry.core.fold.live_row_types import SystemNow
from telemetry.core.inventory import AdministrativeUnit
from telemetry.errors import StoreUnavailable
from telemetry.inventory import default_path, load
from tests.program.network import NOW, Network, busy, centre_now, inventory, local, network, waits
from tests.program.test_history_pages import ticket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES, MAX_COMPRESSED_BYTES = 150_000, 30_000


def unit(code: str, level: str, parent: str, name: str) -> AdministrativeUnit:
    return AdministrativeUnit(code, level, parent, name, date(2020, 6, 1))  # type: ignore[arg-type]


UNITS = (
    unit("83", "province", "", "Tỉnh Bến Tre"),
    unit("831", "district", "83", "Huyện Châu Thành"),
    unit("28800", "commune", "831", "Xã Tân Thạch"),
)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    """An in the district, Ba in its commune and out of service since 9:00; the portal is down."""
    world = inventory()
    centres = {
        "vn83-a": replace(world.centres["vn83-a"], unit="831", level="district"),
        "vn83-b": replace(world.centres["vn83-b"], unit="28800"),
    }
    built = busy(network(tmp_path, replace(world, centres=centres, units={u.code: u for u in UNITS})))
    for start, state in ((local(8, 55), "up"), *((local(9, 5 * i), "down") for i in range(12))):
        built.total("centre:vn83-b", "5m", start, {f"{state}_ms": 300_000})
    built.total("centre:vn83-b", "5m", local(10), {"down_ms": 300_000})
    built.live("vn83-b", centre_now("vn83-b", built.time[0], state="down", services=(), counters_open=0))
    built.live("vn83-portal", SystemNow(system="vn83-portal", at=built.time[0], state="down", vantage=()))
    yield built
    built.store.close()


def page(net: Network, path: str) -> str:
    answer = net.client.get(path)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def data(net: Network, path: str) -> Any:  # noqa: ANN401
    return net.client.get(f"/api/v1/{path}").json()["data"]


def section(html: str, ident: str) -> str:
    """Return the words of one part of a page."""
    part = html.split(f'id="{ident}"', 1)[1].split("</section>", 1)[0]
    return " ".join(re.sub(r"<[^>]*>", " ", part).split())


def test_who_needs_help_stands_first_with_why_and_since_when(net: Network) -> None:
    english, vietnamese = page(net, "/?lang=en"), page(net, "/?lang=vi")
    assert "Ba desk Out of service since 09:00 : Cannot serve" in section(english, "live-worst")
    assert "Một cửa Ba Ngừng phục vụ từ 09:00 : Không phục vụ được" in section(vietnamese, "live-worst")
    assert "An desk" not in section(english, "live-worst")
    assert "Portal is down" in section(english, "live-attention")


def test_the_map_has_a_tile_for_each_centre_in_its_district(net: Network) -> None:
    html = page(net, "/?lang=en")
    words = section(html, "live-map")
    assert "Huyện Châu Thành : Out of service" in words
    assert words.index("An desk: Operational") < words.index("Xã Tân Thạch: Out of service")
    assert 'class="tile c-down" href="/centres/vn83-b"' in html
    assert 'href="/districts/831"' in html


def test_the_week_and_the_targets_are_said_in_a_line_each(net: Network) -> None:
    for day in (16, 17, 18, 20):
        ticket(net, "vn83-a", "land", (day, 9, 0), waits(*[1200] * 8))
    for day in (23, 24, 25, 27):
        ticket(net, "vn83-a", "land", (day, 9, 0), waits(*[600] * 8))
    ticket(net, "vn83-a", "tax", (20, 14, 0), waits(*[7200] * 8))
    net.time[0] = local(10, 30, day=27)
    words = first_words(net, "week")
    assert words.startswith("✓ Shorter waits This week: 10 min on average, last week 20 min.")
    compared = page(net, "/compare?periods=week&lang=en")
    assert "This week people waited 10 min less than last week: 10 min on average against 20 min." in compared
    assert 'href="/compare?periods=week"' in page(net, "/?lang=en")
    assert "on course" in section(page(net, "/?lang=en"), "targets")


def test_before_the_first_ticket_of_a_week_the_two_weeks_before_are_compared(net: Network) -> None:
    for day, seconds in ((16, 600), (9, 1200)):
        ticket(net, "vn83-a", "land", (day, 8, 0), waits(seconds))
    net.time[0] = local(7, 5, day=30)
    words = first_words(net, "week")
    assert words.startswith("– No data to compare Last week: – on average, the week before it 10 min.")
    assert 'href="/compare?periods=last-week"' in page(net, "/?lang=en")
    assert "Last week has no calls" in page(net, "/compare?periods=last-week&lang=en")


def first_words(net: Network, ident: str) -> str:
    """Return the words of a part of the start page once its figures are computed, without its heading."""
    net.client.app.state.province_summary.first_wait_s = 60  # type: ignore[attr-defined]
    return section(page(net, "/?lang=en"), ident).partition("This week and last ")[2]


def test_the_centres_are_filtered_by_text_district_level_and_condition(net: Network) -> None:
    def shown(query: str) -> list[str]:
        return re.findall(r'<th scope="row"><a href="/centres/([^"]+)"', page(net, f"/centres?lang=en{query}"))

    assert shown("") == ["vn83-b", "vn83-a"]
    assert shown("&q=mot+cua+an") == ["vn83-a"]
    assert shown("&district=28800") == ["vn83-b"]
    assert shown("&district=831&level=district") == ["vn83-a"]
    assert shown("&condition=down") == [row["id"] for row in data(net, "centres?condition=down")] == ["vn83-b"]
    assert shown("&q=nobody") == []
    assert shown("&sort=centres.centre") == ["vn83-a", "vn83-b"]


def test_a_district_shows_what_the_api_says_of_it(net: Network) -> None:
    answer, html = data(net, "units/831"), page(net, "/districts/831?lang=en")
    assert (answer["condition"], answer["centres"], answer["in_trouble"], answer["waiting"]) == ("down", 2, 1, 3)
    assert [row["code"] for row in answer["units"]] == ["28800"]
    assert [row["id"] for row in answer["all_centres"]] == ["vn83-b", "vn83-a"]
    assert 'mood-down"' in html
    assert "1 of 2 centres needs help." in html
    assert "Centres 2 1 needs help People waiting 3" in section(html, "live-cards")
    assert '/api/v1/units/831"' in html
    assert [row["code"] for row in data(net, "units")] == ["28800", "83", "831"]
    assert net.client.get("/districts/9").status_code == 404
    assert net.client.get("/api/v1/units/9").json()["code"] == "unknown-unit"


def test_a_search_shows_what_the_api_finds(net: Network) -> None:
    hits = data(net, "search?q=chau+thanh")
    assert [(hit["kind"], hit["id"]) for hit in hits] == [("unit", "831")]
    html = page(net, "/search?q=chau+thanh&lang=en")
    assert '<a href="/districts/831">Huyện Châu Thành</a>' in html
    assert "1 match for “chau thanh”." in html
    assert 'value="&lt;b&gt;"' in page(net, "/search?q=%3Cb%3E")
    assert "Accents and case" in page(net, "/search?lang=en") or "accents and case" in page(net, "/search?lang=en")
    assert data(net, "search?q=") == []
    first = net.client.get("/api/v1/search?q=vn83&limit=3").json()
    second = net.client.get(f"/api/v1/search?q=vn83&limit=3&cursor={first['next']}").json()
    assert len({row["id"] for row in (*first["data"], *second["data"])}) == 6


def test_every_page_has_the_search_box(net: Network) -> None:
    for path in ("/", "/centres", "/centres/vn83-a", "/kpis", "/search"):
        assert 'action="/search"' in page(net, path)


def test_a_province_of_167_centres_is_a_light_page(tmp_path: Path) -> None:
    net = network(tmp_path, load(default_path()))
    centres = net.queries.inventory().centres
    assert len(centres) == 167
    net.store.put_live_rows({ident: msgspec.json.encode(centre_now(ident, NOW)) for ident in centres})
    for path in ("/", "/centres", "/districts/831"):
        body = net.client.get(path).content
        assert len(body) <= MAX_BYTES, path
        assert len(gzip.compress(body)) <= MAX_COMPRESSED_BYTES, path
    html = page(net, "/?lang=vi")
    assert html.count('<li><a class="tile') == 167
    assert html.count('class="tile-group"') == 10
    net.store.close()


def test_readers_of_the_same_version_share_one_rendering_in_each_language(net: Network) -> None:
    def ask(lang: str) -> tuple[str, str]:
        answer = net.client.get("/", headers={"accept-language": lang})
        assert answer.headers["content-language"] == lang
        return answer.headers["etag"], answer.text

    cache: PageCache = net.client.app.state.page_cache  # type: ignore[attr-defined]
    vietnamese, english = ask("vi"), ask("en")
    assert (ask("vi"), ask("en")) == (vietnamese, english)
    assert vietnamese != english
    assert len(cache._bodies) == 2
    net.live("vn83-b", centre_now("vn83-b", net.time[0], services=()))
    assert "Một cửa Ba Ngừng phục vụ" not in section(ask("vi")[1], "live-worst")
    assert net.client.get("/?table=units").headers["content-type"].startswith("text/csv")


def test_renderings_wait_for_each_other_and_only_the_newest_stay() -> None:
    cache, rendered = PageCache(max_pages=1), list[str]()

    def render(body: str) -> bytes:
        rendered.append(body)
        return body.encode()

    with cache._turns.setdefault("a", threading.Lock()):
        second = threading.Thread(target=lambda: cache.get("a", lambda: render("second")))
        second.start()
        cache._bodies["a"] = b"first"
    second.join(10)
    assert (rendered, cache._bodies) == ([], {"a": b"first"})
    assert cache.get("b", lambda: render("b")) == b"b"
    assert (rendered, cache._bodies) == (["b"], {"b": b"b"})


def test_a_costly_figure_is_computed_beside_the_page_and_the_last_one_shown_meanwhile() -> None:
    time, computed, may_end = [0], list[int](), threading.Event()
    figure: LatestFigure[int] = LatestFigure(lambda: time[0], 50)

    def compute() -> int:
        computed.append(time[0])
        if time[0] == 200:
            raise StoreUnavailable("gone")
        return time[0]

    def compute_slowly() -> int:
        assert may_end.wait(60)
        return 400

    assert (figure.get("a", compute, 10), figure.get("a", compute, 10), computed) == (0, 0, [0])
    for now, shown in ((100, 0), (200, 100)):
        time[0] = now
        assert figure.get("a", compute, 10) == shown
        with figure._lock:
            assert computed[-1] == now
    assert figure.get("b", compute_slowly, 0.001) is None
    may_end.set()
    with figure._lock:
        pass
    assert figure.get("b", compute_slowly, 10) == 400
