"""The whole path of indicators on each store: frames → ingest → totals → API and Prometheus, and a recount by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import TYPE_CHECKING, Any, cast

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from motcua.month_figures import store_month_figures
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, local_ms
from telemetry.core.inventory import Device, Inventory, Target
from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.protocol import administrative_events as ae, codec, events as ev
from telemetry.ingest.service import Ingest
from telemetry.mqtt.link import Message
from telemetry.queries.service import Queries
from telemetry.rollup.service import Rollup
from telemetry.slo.evaluator import SloEvaluator
from tests.unit.inventories import ZONE, centre

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.fold.totals import Total
    from telemetry.store import Store
    from tests.contract.conftest import Opener

CENTRE, DEVICE = "vn83-c0", "vn83-c0-gateway1"
NOW = local_ms(date(2026, 10, 22), time(12), ZONE)
MORNING = NOW - 3 * HOUR


def world() -> Inventory:
    target = Target("DG-17-province", "Trực tuyến", "Online", 0.9, "ratio", date(2026, 12, 31))
    place = centre(CENTRE, "vn83")
    return Inventory(
        "v1", "vn83", "T", "T", ZONE, {}, {CENTRE: place}, {DEVICE: Device(DEVICE, CENTRE, "gateway")}, {}, {},
        targets=(target,),
    )  # fmt: skip


def reported() -> list[ev.Event]:
    """Return a morning's and a day-old event of every kind; each `n` once."""
    numbers = iter(range(1, 200))

    def at(minute: int, days: int = 0) -> dict[str, Any]:
        return {"n": next(numbers), "t": MORNING + minute * MINUTE - days * DAY}

    dossier: dict[str, Any] = {"service": "land", "procedure": "p1-001"}
    out: list[ev.Event] = [
        ae.DossierReceived(**at(i, i % 2), dossier=f"d{i:015}", channel="online" if i < 6 else "direct", **dossier)
        for i in range(10)
    ]
    out += [
        ae.DossierResolved(
            **(when := at(20 + i)), dossier=f"d{i:015}", received=MORNING, channel="online" if i < 3 else "direct",
            due=when["t"] + (MINUTE if i else -MINUTE), digital=i < 2, fee="online" if i < 2 else "desk", **dossier,
        )
        for i in range(5)
    ]  # fmt: skip
    return [
        *out,
        ae.DossierBacklog(**at(1), open=9, overdue=2),
        ae.PaymentResult(**at(2), outcome="ok", count=3, procedure="p1-001"),
        ae.PaymentResult(**at(3), outcome="gateway_error"),
        ae.PaymentResult(**at(4), outcome="user_cancel", count=5),
        ae.EformSession(**at(5), outcome="submitted", count=7),
        ae.EformSession(**at(6), outcome="abandoned", count=3),
        ae.SignResult(**at(7), kind="signature", ok=True, count=9),
        ae.SignResult(**at(8), kind="signature", ok=False),
        ae.AuthResult(**at(9), method="e_id", outcome="ok", count=3),
        ae.AuthResult(**at(10), method="password", outcome="ok"),
        ae.AuthResult(**at(11), method="e_id", outcome="system_error"),
        ae.DocumentFlow(**at(12), direction="outgoing", electronic=True, signed=True, count=4),
        ae.DocumentFlow(**at(13), direction="incoming", electronic=False),
        ae.PetitionState(**at(14), state="answered", on_time=True, count=3),
        ae.PetitionState(**at(15), state="answered", on_time=False),
        ae.SyncBatch(**at(16), dossiers=10, synced=8),
        ae.CatalogueSnapshot(**at(17, 1), procedures=40, full=10, with_fee=4),
        ae.CatalogueSnapshot(**at(18), procedures=40, full=20, partial=10, with_fee=4),
        *(ev.RatingSubmitted(**at(30 + i), rating=rating, service="land") for i, rating in enumerate((5, 4, 4, 1))),
    ]


EXPECTED = {
    "DG-01": (2, 5), "DG-02": (1, 40), "DG-03": (1, 4), "DG-03b": (2, 5), "DG-04": (3, 4), "DG-06": (20, 40),
    "DG-07b": (8, 10), "DG-08": (7, 10), "DG-09": (4, 4), "DG-10": (3, 4), "DG-12": (4, 5), "DG-14": (3, 4),
    "DG-16": (4, 7), "DG-17": (6, 10), "DG-18": (3, 5), "A-07": (3, 4), "A-08": (9, 10), "A-09": (4, 5),
}  # fmt: skip
"""Numerator and denominator, counted by hand from the events above."""


@dataclass(frozen=True)
class Province:
    """A store in which everything reported is folded, and its clock."""

    store: Store
    now: int
    inventory: Inventory

    def queries(self, store: Store | None = None) -> Queries:
        """Return what a freshly started API asks."""
        return Queries(store or self.store, lambda: self.inventory, lambda: self.now)


@pytest.fixture
def province(reopen: Opener) -> Province:
    store, now, declared = reopen(), [NOW], world()
    ingest = Ingest(store, lambda: declared, lambda: now[0])
    payload = codec.encode_frame("01S", "01B", NOW, [codec.encode_event(event) for event in reported()])
    for _ in range(2):  # a repeated frame counts once
        ingest.accept(Message(f"motcua/v1/{CENTRE}/{DEVICE}/up", payload, codec.CONTENT_TYPE, mid=1, qos=1))
    write = ingest.take_batch()
    assert write is not None
    ingest.store_batch(write)
    rollup = Rollup(store, lambda: declared, lambda: now[0], SloEvaluator(store, lambda: declared), lambda: 0.0)
    for _ in range(60):
        now[0] += 1_000
        rollup.run_once()
        if not rollup._progress.has_queued():
            break
    return Province(store, now[0], declared)


@pytest.fixture
def client(province: Province) -> TestClient:
    return TestClient(create_app(province.queries()))


def test_figures_recounted_from_the_events_are_those_of_api_and_prometheus(client: TestClient) -> None:
    rows = {row["id"]: row for row in client.get("/api/v1/kpis", params={"limit": 500}).json()["data"]}
    assert {ident: (rows[ident]["numerator"], rows[ident]["denominator"]) for ident in EXPECTED} == EXPECTED
    silent = {ident for ident, row in rows.items() if row["state"] == "no_source"}
    assert {"DG-05", "DG-07", "DG-14b", "X-01"} <= silent
    text = client.get("/metrics/kpis").text
    for ident, (numerator, denominator) in EXPECTED.items():
        assert f'motcua_kpi_numerator{{kpi="{ident}",level="all"}} {float(numerator)}' in text, ident
        assert f'motcua_kpi_denominator{{kpi="{ident}",level="all"}} {float(denominator)}' in text, ident
        assert f'motcua_kpi_value{{kpi="{ident}",level="all"}} {numerator / denominator}' in text, ident
    assert [ident for ident in silent if f'kpi="{ident}"' in text] == []
    assert 'motcua_kpi_target{kpi="DG-17",level="province"} 0.9' in text


def test_days_add_up_to_the_year(client: TestClient) -> None:
    span = {"from": "2026-10-20", "to": "2026-10-23"}
    for ident in ("DG-01", "DG-17", "DG-09"):
        path = f"/api/v1/kpis/{ident}/values"
        (whole,) = client.get(path, params=span).json()["data"]
        days = client.get(path, params={**span, "bucket": "1d"}).json()["data"]
        for side in ("numerator", "denominator"):
            assert sum(day[side] or 0 for day in days) == whole[side]
    assert set(INDICATORS) >= set(EXPECTED)


class WatchedStore:
    """A store that records where the totals begin that are read of days before today."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.read_from: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def totals(self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> Sequence[Total]:
        if window.start < local_ms(date(2026, 10, 22), time(0), ZONE):
            self.read_from.append(window.start)
        return self.store.totals(entities, width, window, kind)


def test_after_a_start_past_months_come_from_their_documents_and_are_the_same_figures(province: Province) -> None:
    def answers(store: WatchedStore) -> dict[str, Any]:
        fresh = TestClient(create_app(province.queries(cast("Store", store))))
        rows = fresh.get("/api/v1/kpis", params={"limit": 500}).json()["data"]
        return {row["id"]: row for row in rows}

    before, without = WatchedStore(province.store), WatchedStore(province.store)
    expected = answers(before)
    assert before.read_from
    assert store_month_figures(province.store, lambda: province.inventory, lambda: province.now) == 26
    assert answers(without) == expected
    assert without.read_from == []
