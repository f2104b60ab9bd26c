"""Quality of the stored data, over the API and as a page: each issue with its amount, order, filters and remedy."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from api.pages.frame.catalogues import LANGS, load_messages
from telemetry.core.calendar.windows import MINUTE
from telemetry.core.contacts import CONTACTS_ROW_PREFIX, ContactsNow
from telemetry.core.fold.live_row_types import DeviceNow, ServiceNow, SystemNow, VantageNow
from telemetry.core.fold.totals import encode_sums
from telemetry.core.inventory import AdministrativeUnit, Inventory
from telemetry.queries.data_quality import DEFERRED_REASONS, QUALITY_ISSUE_KINDS, UNMEASURED_FIGURES
from telemetry.store import BACKLOG_HOURS_CHECKPOINT, Batch, DeadLetter
from tests.program.network import NOW, Network, busy, centre_now, inventory, local, network
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTACT = local(10, 2)
"""The minute of NOW: the last frame arrived in it."""


def district_world() -> Inventory:
    """Return the two centres, An in a commune of district 829 and Ba in the province's own unit."""
    plain, since = inventory(), date(2020, 6, 1)
    units = {
        "83": AdministrativeUnit("83", "province", "", "Tỉnh Bến Tre", since),
        "829": AdministrativeUnit("829", "district", "83", "Thành phố Bến Tre", since),
        "28756": AdministrativeUnit("28756", "commune", "829", "Phường Phú Khương", since),
    }
    centres = {**plain.centres, "vn83-a": replace(plain.centres["vn83-a"], unit="28756")}
    portal = replace(plain.systems["vn83-portal"], vantage=("vn83-a-gateway1", "vn83-b-gateway1"))
    return replace(plain, units=units, centres=centres, systems={portal.id: portal})


def device(ident: str, **other: Any) -> DeviceNow:  # noqa: ANN401
    facts = {"state": "up", "online": True, "last_event": NOW - 5000, "last_contact": CONTACT, **other}
    return DeviceNow(id=ident, kind="kiosk" if "kiosk" in ident else "gateway", **facts)


def put_contacts(net: Network, centre: str, *devices: str) -> None:
    """Store that devices were heard last week, so that they are in service."""
    row = ContactsNow(entity=centre, first=dict.fromkeys(devices, local(7, day=16)))
    net.store.put_live_rows({f"{CONTACTS_ROW_PREFIX}{centre}": msgspec.json.encode(row)})


def troubled(net: Network) -> Network:
    """An: a kiosk whose clock is ahead and that keeps rows, a service nobody declared.  Ba: a silent kiosk."""
    for centre in ("vn83-a", "vn83-b"):
        put_contacts(net, centre, f"{centre}-gateway1", f"{centre}-kiosk1")
    services = (
        ServiceNow(service="land", waiting=1, serving=0),
        ServiceNow(service="visa", waiting=0, serving=0, today=encode_sums({"issued": 7})),
    )
    ahead = device("vn83-a-kiosk1", last_event=CONTACT + 4 * MINUTE, outbox_rows=450)
    net.live("vn83-a", centre_now("vn83-a", NOW, services=services, devices=(device("vn83-a-gateway1"), ahead)))
    quiet = {"last_contact": CONTACT - 20 * MINUTE, "last_event": CONTACT - 20 * MINUTE, "online": False}
    silent = device("vn83-b-kiosk1", **quiet)
    net.live("vn83-b", centre_now("vn83-b", NOW, devices=(device("vn83-b-gateway1"), silent)))
    seen = (VantageNow(device="vn83-a-gateway1", state="up", at=NOW - MINUTE),)
    net.live("vn83-portal", SystemNow(system="vn83-portal", at=NOW, state="up", vantage=seen))
    letters = (DeadLetter(NOW, "x", "unknown_device", 3), DeadLetter(NOW, "x", "personal_data", 1))
    net.store.append(Batch(NOW * 1000, (), (), letters))
    net.store.set_checkpoint(BACKLOG_HOURS_CHECKPOINT, 6)
    net.time[0] = NOW
    return net


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    shown = troubled(busy(network(tmp_path_factory.mktemp("quality"), district_world())))
    yield shown
    shown.store.close()


def ask(net: Network, **params: str | int) -> dict[str, Any]:
    answer = net.client.get("/api/v1/data-quality", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_each_issue_has_its_amount_and_the_worst_kind_comes_first(net: Network) -> None:
    rows = ask(net)["data"]
    assert [(r["kind"], r["scope"], r["amount"], r["unit"], r["detail"]) for r in rows] == [
        ("folding_behind", "", 6, "hours", ""),
        ("missing_rows", "device:vn83-a-kiosk1", 1, "rows", ""),
        ("silent_device", "device:vn83-b-kiosk1", 20 * 60 + 30 - 60, "seconds", ""),
        ("silent_vantage", "system:vn83-portal", None, "seconds", "vn83-b-gateway1"),
        ("rejected", "", 2, "rows", "malformed"),
        ("rejected", "", 1, "rows", "personal_data"),
        ("deferred", "", 3, "rows", "unknown_device"),
        ("clock_ahead", "device:vn83-a-kiosk1", 180, "seconds", ""),
        ("waiting_upload", "device:vn83-a-kiosk1", 450, "rows", ""),
        ("undeclared_service", "centre:vn83-a", 7, "tickets", "visa"),
    ]
    silent = next(r for r in rows if r["kind"] == "silent_device")
    assert (silent["centre"], silent["at"]) == ("vn83-b", "2026-11-23T09:42:00+07:00")


def test_the_list_is_narrowed_by_kind_district_and_centre_and_counts_stay_whole(net: Network) -> None:
    assert {r["scope"] for r in ask(net, district="829")["data"]} == {"device:vn83-a-kiosk1", "centre:vn83-a"}
    assert [r["scope"] for r in ask(net, kind="silent_device")["data"]] == ["device:vn83-b-kiosk1"]
    assert {r["kind"] for r in ask(net, centre="vn83-b")["data"]} == {"silent_device", "silent_vantage"}
    meta = ask(net, kind="silent_device")["meta"]
    assert list(meta["counts"]) == list(QUALITY_ISSUE_KINDS)
    assert (meta["counts"]["rejected"], meta["counts"]["unreadable"], meta["backlog_hours"]) == (2, 0, 6)
    assert meta["totals"] == {"stored": 4, "refused": 0, "dropped": 0, "missing": 1, "highest": 5, "ratio": 0.8}


def test_what_the_store_does_not_hold_is_named_and_not_a_figure(net: Network) -> None:
    assert ask(net)["meta"]["unmeasured"] == ["clock_error", "late_share", "rejected_by_device"]


def test_pages_of_the_list_lose_nothing(net: Network) -> None:
    whole, seen, cursor = ask(net)["data"], [], {"limit": 3}
    while part := ask(net, **cursor):
        seen += part["data"]
        if part["next"] is None:
            break
        cursor["cursor"] = part["next"]
    assert seen == whole


@pytest.mark.parametrize(("params", "status"), [({"district": "9"}, 404), ({"centre": "x"}, 404), ({"kind": "x"}, 422)])
def test_an_unknown_district_centre_or_kind_is_refused(net: Network, params: dict[str, str], status: int) -> None:
    assert net.client.get("/api/v1/data-quality", params=params).status_code == status


@pytest.mark.parametrize(
    ("heard", "minute", "expected"), [(True, 2, [("silent_device", "today")]), (False, 2, []), (True, 140, [])]
)
def test_silence_counts_while_a_centre_is_open_and_only_of_devices_in_service(
    tmp_path_factory: pytest.TempPathFactory, heard: bool, minute: int, expected: list[tuple[str, str]]
) -> None:
    """A device that was never heard is not in service yet; at 12:20 the centre is closed for lunch."""
    net = network(tmp_path_factory.mktemp("silence"), district_world())
    put_contacts(net, "vn83-a", "vn83-a-gateway1", *(["vn83-a-kiosk1"] if heard else []))
    net.time[0] = at = local(10) + minute * MINUTE
    net.live("vn83-a", centre_now("vn83-a", at, devices=(device("vn83-a-gateway1", last_contact=at),)))
    rows = [(r["kind"], r["detail"]) for r in ask(net, centre="vn83-a")["data"] if "kiosk1" in r["scope"]]
    net.store.close()
    assert rows == expected


def test_an_unreadable_live_row_is_the_worst_and_a_stale_system_has_its_age(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    net = network(tmp_path_factory.mktemp("unreadable"), district_world())
    net.live("vn83-portal", SystemNow(system="vn83-portal", at=NOW - 60 * MINUTE, state="up"))
    net.time[0] = NOW
    net.store.put_live_rows({"vn83-a": b'{"centre":', "slo:open": b"x"})
    rows = ask(net)["data"]
    net.store.close()
    assert [(r["kind"], r["scope"], r["detail"]) for r in rows[:2]] == [
        ("unreadable", "", "slo:open"), ("unreadable", "centre:vn83-a", ""),
    ]  # fmt: skip
    stale = next(r for r in rows if r["kind"] == "stale_system")
    assert (stale["scope"], stale["amount"]) == ("system:vn83-portal", 3600)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/data-quality?lang=en", (
            "10 things in the data need attention.", "Rows that have not arrived", "never heard", "19.5 min",
            "malformed",
            "device not declared", "kept by the device, sent again", "7 tickets today", "450 rows", "3 min",
        )),
        ("/data-quality?lang=vi", (
            "Có 10 điểm cần xử lý trong dữ liệu.", "Bản ghi chưa đến máy chủ", "Thiết bị mất tín hiệu",
            "thiết bị chưa khai báo",
            "6 giờ", "Kiểm tra nguồn, mạng, phần mềm thiết bị", "Không có nguồn",
        )),
    ],
)  # fmt: skip
def test_the_page_names_each_issue_with_a_remedy(net: Network, path: str, words: tuple[str, ...]) -> None:
    html = page(net, path)
    assert [word for word in words if word not in html] == []
    outline = Outline(html)
    assert (len(outline.ids), outline.inline) == (len(set(outline.ids)), [])
    assert set(re.findall(r'href="#([^"]+)"', html)) <= {*outline.ids}


def table_of(net: Network, name: str, query: str = "") -> list[dict[str, str]]:
    answer = net.client.get(f"/data-quality?lang=en&table={name}{query}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_tables_of_the_page_have_the_figures_of_the_api(net: Network) -> None:
    issues = ask(net)["data"]
    assert [float(r["amount"]) if r["amount"] else None for r in table_of(net, "issues")] == [
        r["amount"] for r in issues
    ]
    device = table_of(net, "devices")[0]
    row = net.client.get("/api/v1/completeness").json()["data"][0]
    assert [device[name] for name in ("device", "stored", "refused", "dropped", "missing")] == [
        str(row[name]) for name in ("device", "stored", "refused", "dropped", "missing")
    ]
    assert (device["completeness"], device["waiting"], device["ahead"]) == ("0.8", "450", "180")
    assert [(r["centre"], r["missing"]) for r in table_of(net, "centres")] == [("An desk", "1")]
    assert [(r["reason"], r["rows"]) for r in table_of(net, "reasons")] == [
        ("unknown_device", "3"), ("malformed", "2"), ("personal_data", "1"),
    ]  # fmt: skip


def test_the_page_is_narrowed_by_kind_and_district(net: Network) -> None:
    assert [r["place"] for r in table_of(net, "issues", "&kind=silent_device")] == ["kiosk 1, Ba desk"]
    assert {r["place"] for r in table_of(net, "issues", "&district=829")} == {"kiosk 1, An desk", "An desk"}
    assert len(table_of(net, "issues", "&kind=nonsense")) == len(ask(net)["data"])
    assert net.client.get("/data-quality?district=9", headers={"accept": "text/html"}).status_code == 404


def test_each_kind_reason_and_figure_has_its_words_in_both_languages() -> None:
    for lang in LANGS:
        messages = load_messages()[lang]
        wanted = {f"{part}_{kind}" for kind in QUALITY_ISSUE_KINDS for part in ("issue", "fix", "remedy")}
        wanted |= {f"letter_{reason}" for reason in DEFERRED_REASONS}
        wanted |= {f"{part}_{figure}" for figure in UNMEASURED_FIGURES for part in ("unmeasured", "source_of")}
        assert wanted <= {*messages}
