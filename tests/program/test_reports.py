"""The monthly report: page, API, PDF and command show one set of figures; a published month stays as it is."""

from __future__ import annotations

import re
import subprocess
import zlib
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import pytest

from api.report_pdf import PdfMaker, PdfUnavailable, render_in_process
from telemetry.core.calendar.windows import day_window
from telemetry.core.in_service import ServicePeriod, ServicePeriods
from telemetry.core.inventory import local_date
from telemetry.core.report.changes import published_report
from telemetry.core.report.values import encode_report
from telemetry.queries.monthly_reports import LISTED_MONTHS, MonthlyReports, build_report, report_window
from telemetry.queries.service import Queries
from tests.api_client import client_over
from tests.program.network import NOW, ZONE, Network, busy, inventory, local, network, waits
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MONTH = "2026-10"
HOUR_MS = 3_600_000


def fill(net: Network) -> Network:
    """Put a day of October and one of September into the store, and an hour of outage."""
    for at, seconds in ((local(0) - 40 * 24 * HOUR_MS, (60, 1200)), (local(0) - 60 * 24 * HOUR_MS, (60,))):
        start = day_window(local_date(at, ZONE), ZONE).start
        net.total("desk:vn83-a:land", "1d", start, waits(*seconds))
        time = {"up_ms": 7 * HOUR_MS, "down_ms": HOUR_MS, "open_up_ms": 7 * HOUR_MS, "open_down_ms": HOUR_MS}
        net.total("centre:vn83-a", "1d", start, time)
    return net


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    shown = fill(busy(network(tmp_path_factory.mktemp("reports"))))
    yield shown
    shown.store.close()


def inflate(stream: bytes) -> bytes:
    """Return a stream's content, nothing of one that is not deflated."""
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def published(net: Network, **other: object) -> Network:
    """Return the network with October published, then changed by late data: one ticket more."""
    report = published_report(build_report(net.queries, MONTH), None, NOW)
    world = replace(inventory(), published_reports={MONTH: encode_report(report)}, **other)  # type: ignore[arg-type]
    queries = Queries(net.store, lambda: world, lambda: net.time[0])
    return Network(net.store, queries, client_over(queries), net.time, net.held)


def test_the_page_says_what_the_api_says_in_both_languages(net: Network) -> None:
    data = net.client.get(f"/api/v1/reports/{MONTH}").json()["data"]
    assert (data["stage"], data["revision"], data["report"]["tickets"]["issued"]) == ("settled", 0, 2)
    availability = net.client.get(
        "/api/v1/availability", params={"scope": "centre:vn83-a", "window": MONTH}
    ).json()  # fmt: skip
    seconds = availability["data"][0]["seconds"] if "data" in availability else {}
    centre = data["report"]["centres"][0]["time"]
    assert (centre["up"], centre["down"]) == (7 * 3600, 3600)
    assert not seconds or (seconds["up"], seconds["down"]) == (centre["up"], centre["down"])
    vietnamese, english = (unescape(page(net, f"/reports/{MONTH}?lang={lang}")) for lang in ("vi", "en"))
    assert "Trong tháng 10/2026, Tỉnh Bến Tre có 2 lượt khách, đã phục vụ 2 lượt" in vietnamese
    assert "số lượt khách tăng 100% so với tháng trước" in vietnamese
    assert "In October 2026, Ben Tre Province received 2 visitors and served 2" in english
    assert "87.5%" in english
    assert "Settled, not published" in english


@pytest.mark.parametrize("path", ["/reports", f"/reports/{MONTH}", f"/reports/{MONTH}/vn83-a", "/reports?lang=en"])
def test_the_pages_are_sound_html(net: Network, path: str) -> None:
    outline = Outline(page(net, path))
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.inline == []
    assert all(address.startswith(("/", "#")) for address in outline.fetched)
    assert 'href="/reports"' in page(net, "/")


def test_the_present_month_is_provisional_and_a_month_to_come_is_none(net: Network) -> None:
    assert net.client.get("/api/v1/reports/2026-11").json()["data"]["stage"] == "provisional"
    assert "Tạm tính" in page(net, "/reports/2026-11?lang=vi")
    for month, status in (("2026-12", 404), ("2026-13", 422), ("October", 422)):
        assert net.client.get(f"/api/v1/reports/{month}").status_code == status
    assert net.client.get(f"/reports/{MONTH}/vn83-none").status_code == 404


def test_a_published_month_stays_and_late_data_stand_beside_it(tmp_path: Path) -> None:
    late = published(fill(network(tmp_path)))
    day = day_window(local_date(local(0) - 41 * 24 * HOUR_MS, ZONE), ZONE)
    late.total("desk:vn83-a:tax", "1d", day.start, waits(600))
    data = late.client.get(f"/api/v1/reports/{MONTH}").json()["data"]
    assert (data["stage"], data["revision"], data["report"]["tickets"]["issued"]) == ("published", 1, 2)
    changes = {(c["scope"], c["figure"]): (c["before"], c["after"]) for c in data["changes"]}
    assert changes["province:vn83", "issued"] == changes["centre:vn83-a", "issued"] == (2, 3)
    html = unescape(page(late, f"/reports/{MONTH}?lang=en"))
    assert "Revision 1, published on" in html
    assert "received 2 visitors" in html
    assert "Changes by data since the last publication" in html
    listed = late.client.get("/api/v1/reports").json()["data"]
    assert [(m["month"], m["stage"], m["revision"]) for m in listed if m["revision"]] == [(MONTH, "published", 1)]
    late.store.close()


def test_the_incidents_of_the_month_are_those_of_the_api(net: Network) -> None:
    parameters = {"scope": "province:vn83", "from": "2026-10-01", "to": "2026-11-01", "limit": 500}
    incidents = net.client.get("/api/v1/incidents", params=parameters).json()["data"]
    reported = net.client.get(f"/api/v1/reports/{MONTH}").json()["data"]["report"]["incidents"]
    assert incidents
    assert reported.get("down_count", 0) + reported.get("silent_count", 0) == len(incidents)
    assert reported["listed"][0]["scope"] in {incident["scope"] for incident in incidents}
    html = unescape(page(net, f"/reports/{MONTH}?lang=en"))
    assert 'id="report-incidents"' in html
    assert "Sự cố" in unescape(page(net, f"/reports/{MONTH}/vn83-a?lang=vi"))


def test_a_centre_is_compared_with_its_own_month_before(net: Network) -> None:
    before = MonthlyReports(net.queries).centre_before(MONTH, "vn83-a")
    assert before is not None
    assert before.tickets.issued == 1
    assert MonthlyReports(net.queries).centre_before(MONTH, "vn83-none") is None


def test_the_first_month_is_compared_with_no_month_rather_than_with_zero_visitors(net: Network) -> None:
    def key_figures(month: str) -> list[list[str]]:
        text = net.client.get(f"/reports/{month}", params={"table": "key", "format": "csv"}).text
        return [line.split(",") for line in text.splitlines()]

    header, issued, served = key_figures("2026-09")[:3]
    before, this = header.index("before"), header.index("this")
    assert (issued[this], served[this]) == ("1", "1")
    assert (issued[before], served[before]) == ("", "")
    header, issued, served = key_figures("2026-10")[:3]
    assert (issued[before], served[before]) == ("1", "1")


def test_a_computed_report_is_used_again_until_totals_of_the_past_change(net: Network) -> None:
    reports = MonthlyReports(net.queries)
    first = reports.current(MONTH)
    assert reports.current(MONTH) is first
    assert reports.cost(MONTH).rows == 0
    net.time[0] += HOUR_MS
    assert reports.current(MONTH) is first
    assert reports.cost("2026-09").rows > 0


def test_every_table_of_the_report_is_a_file(net: Network) -> None:
    answer = net.client.get(f"/reports/{MONTH}?table=centres&format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    first = answer.text.splitlines()[1].split(",")
    assert first[1:3] == ["2", "2"]


def test_without_its_libraries_a_pdf_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], 3, b"", b"cannot load library libpango")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(PdfUnavailable, match="libpango; install the extra server"):
        render_in_process("<p>")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_pdf_is_offered_where_one_can_be_made(
    net: Network, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    monkeypatch.setattr("api.report_pdf.find_spec", lambda _: object() if is_there else None)
    for path in ("/reports", f"/reports/{MONTH}", f"/reports/{MONTH}/vn83-a"):
        assert (".pdf" in net.client.get(path).text) == is_there, path


def test_months_before_anything_was_in_service_are_not_listed(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = net.queries.zone()
    begin = report_window(MONTH, zone).start
    monkeypatch.setattr(Queries, "service_periods", lambda _: ServicePeriods({"centre:vn83-a": ServicePeriod(begin)}))
    listed = [one.month for one in MonthlyReports(net.queries).months()]
    assert listed[-1] == MONTH
    monkeypatch.setattr(Queries, "service_periods", lambda _: ServicePeriods())
    assert len(MonthlyReports(net.queries).months()) == LISTED_MONTHS


def test_a_pdf_is_made_once_for_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def render(html: str) -> bytes:
        made.append(html)
        return b"%PDF"

    monkeypatch.setattr("api.report_pdf.render_in_process", render)
    maker = PdfMaker()
    assert [maker.make("<p>a"), maker.make("<p>a"), maker.make("<p>b")] == [b"%PDF"] * 3
    assert made == ["<p>a", "<p>b"]


def test_the_pdf_is_tagged_and_has_title_language_and_bookmarks(net: Network) -> None:
    pytest.importorskip("weasyprint", reason="needs WeasyPrint: make setup", exc_type=ImportError)
    answer = net.client.get(f"/reports/{MONTH}/vn83-a.pdf?lang=en")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-1.7")
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", answer.content, re.DOTALL)
    objects = answer.content + b"".join(map(inflate, streams))
    for mark in (b"/Lang (en)", b"/MarkInfo", b"/StructTreeRoot", b"/Outlines", b"/Title"):
        assert mark in objects
