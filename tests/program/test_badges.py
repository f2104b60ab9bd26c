"""Badges and the Statuspage-shaped summary."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from telemetry.core.calendar.calendar_values import CalendarRules, SingleMaintenance
from telemetry.core.calendar.windows import Window
from tests.program.network import Network, busy, local
from tests.program.promises import judged, promised, promising

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    found = promised()
    later = Window(local(7, day=25), local(8, day=25))
    work = CalendarRules(
        maintenance=(SingleMaintenance("Thay tủ mạng", Window(local(9), local(11))), SingleMaintenance("Sau", later))
    )
    centres = {ident: replace(c, rules=work) for ident, c in found.centres.items()}
    net = judged(busy(promising(tmp_path, replace(found, centres=centres))))
    yield net
    net.store.close()


def badge(net: Network, path: str) -> tuple[str, str, str]:
    """Return a badge's title, description and colour; it must be sound and fetch nothing."""
    answer = net.client.get(f"/badges/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.headers["cache-control"] == "max-age=60"
    root = ET.fromstring(answer.text)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {"svg", "title", "desc", "rect", "g", "text"}
    title, detail = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert detail is not None
    return str(title.text), str(detail.text), str(root.findall(f"{SVG}rect")[1].get("fill"))


def test_an_objectives_badge_is_coloured_by_its_worst_scope(net: Network) -> None:
    title, detail, colour = badge(net, "slo/open.svg?lang=en")
    assert (title, colour) == ("Open: 98.84%", "#a3161c")
    assert detail == "98.84% over 28 days; 99.53% of the time is known"
    assert badge(net, "slo/open.svg")[0] == "Mở cửa: 98,84%"


def test_what_was_never_seen_is_grey(net: Network) -> None:
    assert badge(net, "slo/portal.svg?lang=en")[::2] == ("Portal: no data", "#595959")
    assert badge(net, "system/vn83-portal.svg?lang=en&window=7d")[::2] == ("Portal: no data", "#595959")


def test_a_centres_badge_has_its_window(net: Network) -> None:
    title, detail, colour = badge(net, "centre/vn83-a.svg?lang=en&window=1d")
    assert title.startswith("An desk: ")
    assert "over 1 day;" in detail
    assert detail.endswith("; Below target")
    assert colour == "#8a5a00"


@pytest.mark.parametrize("path", ["slo/x.svg", "centre/x.svg", "system/x.svg"])
def test_a_badge_of_nothing_is_a_problem(net: Network, path: str) -> None:
    assert net.client.get(f"/badges/{path}").status_code == 404


def test_a_page_tells_how_badges_are_used(net: Network) -> None:
    html = net.client.get("/badges?lang=en").text
    for path in ("/badges/slo/", "/badges/centre/", "/badges/system/"):
        assert path in html


def test_the_summary_has_the_shape_of_statuspage(net: Network) -> None:
    found = net.client.get("/status/summary.json").json()
    assert set(found) == {"page", "status", "components", "incidents", "scheduled_maintenances"}
    assert set(found["page"]) == {"id", "name", "url", "time_zone", "updated_at"}
    assert found["status"] == {"indicator": "minor", "description": "Minor Service Outage"}
    assert [(c["id"], c["status"]) for c in found["components"]] == [
        ("centre:vn83-a", "degraded_performance"), ("centre:vn83-b", "operational"),
        ("system:vn83-portal", "operational"),
    ]  # fmt: skip
    incident = found["incidents"][0]
    assert (incident["id"], incident["impact"], incident["status"]) == ("open/centre:vn83-a", "major", "investigating")
    assert incident["started_at"] == "2026-11-23T09:30:00+07:00"
    assert [(m["name"], m["status"], len(m["components"])) for m in found["scheduled_maintenances"]] == [
        ("Thay tủ mạng", "in_progress", 2), ("Sau", "scheduled", 2),
    ]  # fmt: skip
