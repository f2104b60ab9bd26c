"""Services that a centre does not declare are one row wherever services are listed, and one label in metrics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.fold.live_row_types import CentreNow, ServiceNow
from telemetry.core.fold.totals import encode_sums
from tests.program.network import NOW, Network, busy, centre_now, local, network, waits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MORNING = {"from": "2026-11-23T07:00:00+07:00", "to": "2026-11-23T09:00:00+07:00"}
INVENTED = (*(f"lnad{number:03}" for number in range(299)), "undeclared")


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    """Return a network in which one centre's kiosk names 300 services that nobody declares, each with two tickets."""
    found = busy(network(tmp_path))
    queues = [
        ServiceNow(service=name, waiting=1, serving=1, oldest=NOW - (5 + number) * 1_000,
                   today=encode_sums(waits(60, 120)), recent=encode_sums(waits(60)))
        for number, name in enumerate(INVENTED)
    ]  # fmt: skip
    row = centre_now("vn83-a", found.time[0])
    found.live("vn83-a", centre_now("vn83-a", found.time[0], services=(*queues, *row.services)))
    for name in INVENTED[:3]:
        for hour, wait in ((7, 60), (8, 120)):
            found.total(f"desk:vn83-a:{name}", "5m", local(hour, 20), waits(wait))
            found.total(f"desk:vn83-a:{name}", "1h", local(hour), waits(wait))
    yield found
    found.store.close()


def rows_of(net: Network, path: str, **params: str | int) -> list[dict[str, Any]]:
    answer = net.client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def test_queues_now_add_them_into_one_row_after_the_declared_ones(net: Network) -> None:
    rows = rows_of(net, "queues/now", centre="vn83-a")
    assert [(r["service"], r["waiting"], r["serving"]) for r in rows] == [
        ("land", 3, 1), ("tax", 0, 0), ("undeclared", 300, 300),
    ]  # fmt: skip
    undeclared = rows[2]
    assert (undeclared["today"]["called"], undeclared["today"]["wait"]["mean_s"]) == (600, 90.0)
    assert undeclared["oldest_wait_s"] == (net.time[0] - NOW) // 1000 + 304
    assert [s["service"] for s in rows_of(net, "queues/now", service="undeclared")] == ["undeclared"]


def test_history_adds_them_into_one_row_of_each_bucket_and_answers_for_a_single_one(net: Network) -> None:
    total = rows_of(net, "queues/history", centre="vn83-a", **MORNING)
    assert [(r["service"], r["issued"], r["wait"]["sum_s"]) for r in total] == [
        ("land", 2, 120.0), ("tax", 1, 1200.0), ("undeclared", 6, 540.0),
    ]  # fmt: skip
    hours = rows_of(net, "queues/history", service="undeclared", bucket="1h", **MORNING)
    assert [(r["from"][11:16], r["wait"]["count"], r["wait"]["sum_s"]) for r in hours] == [
        ("07:00", 3, 180.0), ("08:00", 3, 360.0),
    ]  # fmt: skip
    single = rows_of(net, "queues/history", centre="vn83-a", service="lnad001", **MORNING)
    assert [(r["service"], r["wait"]["sum_s"]) for r in single] == [("lnad001", 180.0)]
    assert rows_of(net, "queues/history", centre="vn83-b", service="undeclared", **MORNING)[0]["issued"] == 0
    (now,) = rows_of(net, "queues/now", service="lnad001")
    assert (now["service"], now["waiting"]) == ("lnad001", 1)


def test_metrics_have_one_label_for_all_of_them(net: Network) -> None:
    text = net.client.get("/metrics/centre?centre=vn83-a").text
    assert set(re.findall(r'service="([^"]*)"', text)) == {"land", "tax", "undeclared"}
    assert 'motcua_service_waiting_tickets{centre="vn83-a",service="undeclared"} 300.0' in text


@pytest.mark.parametrize(("lang", "name"), [("en", "Undeclared services"), ("vi", "Lĩnh vực chưa khai báo")])
def test_pages_name_them_together(net: Network, lang: str, name: str) -> None:
    live = net.client.get(f"/centres/vn83-a?lang={lang}").text
    past = net.client.get(f"/centres/vn83-a?lang={lang}&date=2026-11-23&service=undeclared").text
    for page in (live, past):
        assert name in page
        assert "lnad" not in page


def test_an_imported_log_keeps_its_own_services(net: Network) -> None:
    declared = {"name_vi": "Nhật ký", "name_en": "Log", "zone": "Europe/Prague"}
    queue = ServiceNow(service="ps", waiting=2, serving=0, oldest=NOW - MINUTE)
    net.total("desk:replay-bank:ps", "1d", local(0), waits(5))
    net.live(
        "replay-bank", CentreNow(centre="replay-bank", at=NOW, state="unknown", declared=declared, services=(queue,))
    )
    assert [r["service"] for r in rows_of(net, "queues/now", centre="replay-bank")] == ["ps"]
