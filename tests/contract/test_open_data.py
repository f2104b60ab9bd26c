"""The open datasets are the same, byte for byte, whichever store the totals are in."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, strategies as st

from api.app import create_app
from telemetry.core.calendar.windows import DAY, Window, local_ms, to_ms
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import Total, add_sums
from telemetry.core.inventory import Inventory, Service
from telemetry.core.open_data.catalogue import DATASETS
from telemetry.queries.service import Queries
from tests.contract.conftest import OPENERS
from tests.property_sizes import sized
from tests.unit.inventories import ZONE, centre

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.store import Store

NOW = to_ms(datetime(2026, 11, 10, 9, tzinfo=ZONE))
OCTOBER_1 = local_ms(date(2026, 10, 1), time(0), ZONE)
DAYS = 3
_provinces = itertools.count(1)
counts = st.lists(st.integers(0, 12), min_size=7, max_size=7)
"""Tickets of two services on three days at one centre, and its dossiers of the month."""


@dataclass
class Published:
    """A store of each kind with a client over it; all have the inventory of the example."""

    stores: list[Store]
    clients: list[TestClient]
    declared: list[Inventory]


@pytest.fixture(scope="module")
def published(request: pytest.FixtureRequest) -> Iterator[Published]:
    """One store of each kind; each example has centres of its own."""
    stores, declared = [OPENERS[name](request)() for name in sorted(OPENERS)], list[Inventory]()
    clients = [TestClient(create_app(Queries(store, lambda: declared[-1], lambda: NOW))) for store in stores]
    yield Published(stores, clients, declared)
    for store in stores:
        store.close()


def tickets(n: int) -> dict[str, int]:
    one = {
        "issued": 1, "called": 1, "served": 1, "wait_sum_ms": 61_234, "wait_histogram": histogram_of(61_234),
        "service_count": 1, "service_sum_ms": 333_333, "service_histogram": histogram_of(333_333), "level_good_900": 1,
    }  # fmt: skip
    return add_sums([one] * n)


def totals_of(ident: str, numbers: list[int]) -> list[Total]:
    def total(scope: str, day: int, sums: dict[str, int]) -> Total:
        return Total(ident, scope, "1d", OCTOBER_1 + day * DAY, "vn83", sums)

    desks = [
        total(f"desk:{ident}:{service}", day, tickets(numbers[2 * day + place]))
        for day in range(DAYS)
        for place, service in enumerate(("land", "tax"))
        if numbers[2 * day + place]
    ]
    dossiers = {"received_online": numbers[6], "received_direct": 9, "resolved_online": 8, "resolved_digital": 3}
    return [
        *desks,
        total(f"centre:{ident}", 0, {"up_ms": 7_654_321, "open_up_ms": 7_654_321, "open_down_ms": 1_234_567}),
        total(f"administration:{ident}:commune", 1, dossiers),
        total(f"procedure:{ident}:1.001", 1, {"received": numbers[6], "received_online": numbers[6]}),
        total(f"procedure:{ident}:1.002", 1, {"received": 9, "received_online": 0}),
    ]


def files(client: TestClient) -> dict[str, bytes]:
    answers = {}
    for dataset, form in itertools.product(DATASETS, ("csv", "jsonl")):
        params = {} if DATASETS[dataset].period == "declared" else {"window": "2026-10"}
        answer = client.get(f"/api/v1/datasets/{dataset}.{form}", params=params)
        assert answer.status_code == 200, answer.text
        answers[f"{dataset}.{form}"] = answer.content
    return answers


@sized(short=4, long=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(counts, min_size=1, max_size=3))
def test_both_stores_give_the_same_files(published: Published, province: list[list[int]]) -> None:
    number = next(_provinces)
    idents = [f"vn83-p{number}c{i}" for i in range(len(province))]
    services = {"land": Service("land", "Đất đai", "Land"), "tax": Service("tax", "Thuế", "Tax")}
    centres = {ident: replace(centre(ident, "vn83"), services=("land", "tax")) for ident in idents}
    published.declared.append(Inventory(f"v{number}", "vn83", "Tỉnh", "Province", ZONE, {}, centres, {}, services, {}))
    for store, (ident, numbers) in itertools.product(published.stores, zip(idents, province, strict=True)):
        store.replace_totals(ident, "1d", Window(OCTOBER_1 - DAY, NOW), totals_of(ident, numbers))
    one, other = map(files, published.clients)
    assert one == other
    assert one["queues.csv"].count(b"\r\n") > sum(any(numbers[:6]) for numbers in province)
