"""The pages of digital systems and devices show the API's own figures, in both languages."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.live_row_types import SystemNow, VantageNow
from telemetry.core.protocol.events import DeviceHeartbeat
from telemetry.store import Batch, StoredEvent
from tests.program.network import NOW, Network, local, network
from tests.program.test_incidents_api import fill_broken_morning
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBES = {"probes": 4, "probes_ok": 3, "latency_sum_ms": 360, "latency_histogram": 3 * histogram_of(120)}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    built = network(tmp_path_factory.mktemp("systems-pages"))
    fill_broken_morning(built)
    seen = (
        VantageNow(device="vn83-a-gateway1", state="up", at=NOW - 60_000, latency_ms=118.0, tls_days=12.4),
        VantageNow(device="vn83-b-gateway1", state="down", at=NOW - 60_000, error="timeout"),
    )
    built.live("vn83-portal", SystemNow(system="vn83-portal", at=NOW, state="up", vantage=seen))
    built.total("system:vn83-portal", "1h", local(15, day=22), PROBES | {"open_up_ms": HOUR})
    beats = [DeviceHeartbeat(n=n, t=local(7) + n * MINUTE) for n in (1, 2, 3, 5)]
    built.store.append(Batch(NOW * 1000, [StoredEvent("vn83-a", "vn83-a-kiosk1", "01JH", e) for e in beats]))
    built.time[0] = NOW
    yield built
    built.store.close()


def text_of(html: str, ident: str) -> str:
    part = html.split(f'id="{ident}"')[1].split("</table>", maxsplit=1)[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", part)).split())


@pytest.mark.parametrize(
    "path",
    ["/systems", "/systems/vn83-portal", "/systems/vn83-portal?from=2026-11-23", "/devices", "/devices?centre=vn83-a",
     "/devices/vn83-a-kiosk1", "/devices/vn83-a-kiosk1?from=2026-11-22&to=2026-11-22"],
)  # fmt: skip
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_pages_are_sound_html_that_fetches_nothing_from_elsewhere(net: Network, path: str, lang: str) -> None:
    outline = Outline(page(net, path + ("&" if "?" in path else "?") + f"lang={lang}"))
    assert (outline.inline, len(outline.ids)) == ([], len(set(outline.ids)))
    assert all(address.startswith(("/", "#")) for address in outline.fetched)


def test_the_list_of_systems_shows_the_figures_of_the_api(net: Network) -> None:
    (system,) = net.client.get("/api/v1/systems").json()["data"]
    shown = text_of(page(net, "/systems?lang=en"), "table-systems")
    for field in ("availability_24h", "availability_7d", "availability_28d"):
        assert {"seconds", "coverage", "low"} <= set(system[field])
    assert f"{100 * system['availability_24h']['availability']:.2f}".rstrip("0").rstrip(".") in shown or "–" in shown
    assert f"{round(system['latency_24h']['p95_ms'])}" in shown
    assert (system["tls_expiry"]["days"], "Expires soon" in shown, " 12 " in shown) == (12.4, True, True)
    assert system["owner_agency"] == ""


def test_the_list_is_filtered_by_owner_and_condition(net: Network) -> None:
    assert "Portal" in text_of(page(net, "/systems?lang=en&condition=operational"), "table-systems")
    empty = text_of(page(net, "/systems?lang=en&owner=nobody"), "table-systems")
    assert "Portal" not in empty


def test_a_systems_page_says_who_sees_it_and_how_long_probes_took(net: Network) -> None:
    html = page(net, "/systems/vn83-portal?from=2026-11-22&to=2026-11-22&lang=en")
    vantage = text_of(html, "table-vantage")
    assert "An desk" in vantage
    assert "timeout" in vantage
    rows = net.client.get("/api/v1/systems/vn83-portal/latency?from=2026-11-22&to=2026-11-23&bucket=1h").json()["data"]
    busy = [row for row in rows if row["latency"]["count"]]
    assert [(row["from"][11:13], row["latency"]["ok"], row["latency"]["probes"]) for row in busy] == [("15", 3, 4)]
    assert f"{round(busy[0]['latency']['p50_ms'])} ms" in html
    assert html.count('href="/systems/vn83-portal?from=') >= 28, "each day of the strip is a link"
    assert net.client.get("/systems/nothing").status_code == 404


def test_a_devices_page_shows_its_day_as_the_timeline_of_the_api(net: Network) -> None:
    html = page(net, "/devices/vn83-a-kiosk1?lang=en")
    segments = net.client.get("/api/v1/devices/vn83-a-kiosk1/timeline?from=2026-11-23&to=2026-11-24").json()["data"]
    shown = text_of(html, "table-timeline")
    assert [s["state"] for s in segments] == ["closed", "up", "down", "up"]
    assert "08:00 08:20 Down Device 20 min" in shown
    assert "Kiosk 1" in text_of(html, "table-incidents")
    assert 'href="/devices?centre=vn83-a"' in html
    completeness = html.split('id="live-completeness"')[1].split("</section>", maxsplit=1)[0]
    assert re.findall(r"<dd>([^<]+)</dd>", completeness) == ["80%", "4", "0", "0", "5"]
    assert net.client.get("/devices/nothing").status_code == 404


def test_devices_are_listed_by_centre_and_state(net: Network) -> None:
    every = text_of(page(net, "/devices?lang=en"), "table-devices")
    assert every.count("Gateway 1") == 2
    silent = text_of(page(net, "/devices?lang=en&centre=vn83-b&state=unknown"), "table-devices")
    assert ("Ba desk" in silent, "An desk" in silent) == (True, False)


@pytest.mark.parametrize(("asked", "days"), [("", 28), ("?days=7", 7), ("?days=90", 90), ("?days=365", 28)])
@pytest.mark.parametrize("path", ["/systems/vn83-portal", "/devices/vn83-a-kiosk1"])
def test_uptime_bars_show_the_days_that_are_asked_for_side_by_side(
    net: Network, path: str, asked: str, days: int
) -> None:
    strip = page(net, path + asked).split('class="strip"')[1].split("</svg>", maxsplit=1)[0]
    frames = [tuple(map(int, found)) for found in re.findall(r'class="s-frame" x="(\d+)" y="1" width="(\d+)"', strip)]
    width = re.match(r' viewBox="0 0 (\d+) 76"', strip)
    assert width is not None
    ends = [x + own for x, own in frames]
    assert (len(frames), ends[-1] <= int(width[1]) < 1000) == (days, True)
    assert all(end < following for end, (following, _) in zip(ends, frames[1:], strict=False)), "no cell covers another"
    assert strip.count(f"days={days}") == (0 if days == 28 else days), "the page of a day keeps the length"


def test_a_system_has_the_same_ninety_days_on_its_page_and_in_the_api(net: Network) -> None:
    data = net.client.get("/api/v1/systems/vn83-portal").json()["data"]["availability_90d"]
    assert data["seconds"]["open"] == 90 * 86400
    assert "Last 90 days" in page(net, "/systems/vn83-portal?lang=en")
