"""Other tools read hours and days from InfluxDB as numbers: the documented queries give the API's own figures."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from datetime import date, time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
import urllib3

from telemetry import wiring
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, day_window
from telemetry.core.figures.chart_points import ChartedEntity, entity_chart
from telemetry.core.fold.totals import Total
from telemetry.core.in_service import ALL_IN_SERVICE
from telemetry.core.inventory import Centre, DeclaredPeriod, Device, Inventory, System
from telemetry.core.protocol import events as ev
from telemetry.core.scope import Scope
from telemetry.queries.service import Queries
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.store import Store
    from tests.servers import InfluxServer

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
PERIOD = Window(day_window(date(2026, 11, 2), ZONE).start, day_window(date(2026, 11, 29), ZONE).end)
FIRST = day_window(date(2026, 11, 27), ZONE)
HALL, PORTAL = "vn83-28756", "vn83-portal"
KIOSK = f"{HALL}-kiosk1"
DOCUMENT = Path("docs/reference/influxdb.md")
SERVED = Window(FIRST.start, PERIOD.end)
SINCE = DeclaredPeriod(FIRST.start)
ALL = "province = 'vn83'"


def inventory(services: tuple[str, ...] = ("land", "tax")) -> Inventory:
    morning = ((time(7), time(11, 30)),)
    hall = Centre(
        HALL, "83", "commune", "Một", "One", "vn83", "", 2, (morning,) * 7, services, ZONE, declared_period=SINCE
    )
    devices = {
        ident: Device(ident, HALL, kind, declared_period=SINCE)  # type: ignore[arg-type]
        for ident, kind in ((KIOSK, "kiosk"), (f"{HALL}-gateway1", "gateway"))
    }
    portal = System(PORTAL, "P", "P", "portal", vantage=(f"{HALL}-gateway1",), declared_period=SINCE)
    none: Any = MappingProxyType({})
    return Inventory("v", "vn83", "T", "T", ZONE, none, {HALL: hall}, devices, none, {PORTAL: portal})


def events() -> list[StoredEvent]:
    """Two mornings of a kiosk that is down for an hour and silent for another, with tickets of three services."""
    out: list[StoredEvent] = []
    n = 0

    def add(device: str, event: ev.Event) -> None:
        out.append(StoredEvent(HALL, device, "01S", event))

    for day in (FIRST.start, FIRST.start + DAY):
        for t in range(day + 7 * HOUR, day + 11 * HOUR, 5 * MINUTE):
            n += 1
            if not day + 9 * HOUR <= t < day + 10 * HOUR:
                is_down = t >= day + 10 * HOUR
                add(KIOSK, ev.DeviceHeartbeat(n=n, t=t, state="out_of_order" if is_down else "in_service", fw="1"))
            add(f"{HALL}-gateway1", ev.DeviceHeartbeat(n=n, t=t, state="in_service", fw="1"))
            add(
                f"{HALL}-gateway1",
                ev.ProbeResult(n=1000 + n, t=t, system=PORTAL, kind="http", ok=n % 5 > 0, latency_ms=3.0 * n),
            )
        for i in range(40):
            n += 1
            t, ticket, service = day + 7 * HOUR + i * 4 * MINUTE, f"k{n}", ("land", "tax", "lnad")[i % 3]
            wait = i * 37_000
            add(KIOSK, ev.TicketIssued(n=2000 + n, t=t, ticket=ticket, queue="q", service=service))
            add(KIOSK, ev.TicketCalled(
                n=3000 + n, t=t + wait, ticket=ticket, queue="q", service=service, counter="c1", entered=t, call=1,
            ))  # fmt: skip
    return out


class Charted:
    """A store whose hours and days rollup has folded, with the API's questions and the raw ones of other tools."""

    def __init__(self, influx: InfluxServer, bucket: str, store: Store | None = None) -> None:
        self._influx, self.bucket = influx, bucket
        self.store = store or wiring.open_store(influx.store_url(bucket), influx.token)
        self.world, self.now = inventory(), PERIOD.end
        self.store.append(Batch(1, events()))
        self.rollup = Rollup(self.store, lambda: self.world, lambda: self.now)
        self.queries = Queries(self.store, lambda: self.world, lambda: self.now)
        self.rollup.run_once()
        for entity in (HALL, PORTAL):
            self.rollup.fold(entity, SERVED)

    def flux(self, text: str) -> list[dict[str, str]]:
        answer = self._post("/api/v2/query?org=" + self._influx.org, text.encode(), "application/vnd.flux")
        return list(csv.DictReader(line for line in answer.decode().splitlines() if line))

    def influxql(self, text: str, database: str) -> list[Any]:
        body = urlencode({"db": database, "q": text}).encode()
        answer = self._post("/query", body, "application/x-www-form-urlencoded")
        series: list[Any] = json.loads(answer)["results"][0].get("series", [])
        return series

    def _post(self, path: str, body: bytes, content: str) -> bytes:
        headers = {"Authorization": f"Token {self._influx.token}", "Content-Type": content, "Accept": "application/csv"}
        if content != "application/vnd.flux":
            del headers["Accept"]
        answer = urllib3.request("POST", self._influx.url + path, body=body, headers=headers)
        assert answer.status == 200, answer.data
        return answer.data

    def sums(self, measurement: str, width: str, *fields: str, where: str = ALL) -> dict[str, int]:
        """Return the sum of each field over the period and all series."""
        listed = ", ".join(f"sum({field}) AS {field}" for field in fields)
        period = f"time >= {PERIOD.start}ms AND time < {PERIOD.end}ms"
        series = self.influxql(
            f"SELECT {listed} FROM {measurement} WHERE {period} AND {where}", f"{self.bucket}-{width}"
        )
        return dict(zip(series[0]["columns"][1:], series[0]["values"][0][1:], strict=True)) if series else {}


@pytest.fixture(scope="module")
def charted(influx: InfluxServer) -> Iterator[Charted]:
    made = Charted(influx, "charts")
    yield made
    made.store.close()


def documented(language: str, bucket: str) -> str:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (text,) = found
    return text.replace("motcua-1d", f"{bucket}-1d")


def test_the_documented_flux_query_gives_the_apis_availability(charted: Charted) -> None:
    (row,) = charted.flux(documented("flux", charted.bucket))
    result = charted.queries.availability(f"centre:{HALL}", PERIOD)
    account = result.overall
    assert account.down > 0 < account.unknown
    assert [round(int(row[s]) / 1000) for s in ("up", "down", "unknown")] == [
        account.up, account.down, account.unknown,
    ]  # fmt: skip
    assert float(row["availability"]) == pytest.approx(result.ratio_of(account).value)
    assert float(row["coverage"]) == pytest.approx(account.coverage)


def test_the_documented_influxql_query_gives_the_apis_waits(charted: Charted) -> None:
    series = charted.influxql(documented("sql", charted.bucket), f"{charted.bucket}-1d")
    found = {s["tags"]["service"]: s["values"][0][1:] for s in series}
    rows = charted.queries.queue_history(HALL, None, PERIOD).rows
    assert found == {
        r.service: [r.figures.issued, r.figures.wait.within_threshold(900).count, r.figures.wait.count] for r in rows
    }
    assert set(found) == {"land", "tax", "undeclared"}


def test_the_documented_panels_query_gives_the_apis_mean_waits_by_day(charted: Charted) -> None:
    panel = json.loads(documented("json", charted.bucket))
    period = "time >= '2026-11-01T17:00:00Z' AND time < '2026-11-29T17:00:00Z'"
    query = panel["targets"][0]["query"].replace("$timeFilter", period).replace("$centre", HALL)
    (series,) = charted.influxql(query, f"{charted.bucket}-1d")
    days = charted.queries.queue_history(HALL, None, PERIOD, "1d", "centre").rows
    assert [value for _, value in series["values"]] == pytest.approx([r.figures.wait.mean_s / 60 for r in days])  # type: ignore[operator]


@pytest.mark.parametrize("width", ["1h", "1d"])
@pytest.mark.parametrize(("clock", "prefix"), [("open", "open_"), ("wall", "")])
def test_hours_and_days_add_up_to_the_apis_time(charted: Charted, width: str, clock: Any, prefix: str) -> None:  # noqa: ANN401
    states = ("up", "down", "unknown", "excluded")
    for measurement, scope, dimension in (
        ("centre", f"centre:{HALL}", "service"), ("centre", f"centre:{HALL}", "connectivity"),
        ("device", f"device:{KIOSK}", "service"), ("system", f"system:{PORTAL}", "service"),
    ):  # fmt: skip
        names = [f"{prefix}{'conn_' if dimension == 'connectivity' else ''}{state}_ms" for state in states]
        where = f"device = '{KIOSK}'" if measurement == "device" else ALL
        found = charted.sums(measurement, width, *names, where=where)
        account = charted.queries.availability(scope, SERVED, "total", clock, "exclude", dimension).overall  # type: ignore[arg-type]
        expected = [account.up, account.down, account.unknown, account.excluded]
        assert [round(found[name] / 1000) for name in names] == expected, (scope, dimension)


def test_a_systems_probes_are_numbers(charted: Charted) -> None:
    found = charted.sums("system", "1h", "probes", "probes_ok", "latency_count", "latency_within_200_ms")
    assert found == {"probes": 96, "probes_ok": 77, "latency_count": 77, "latency_within_200_ms": 39}


def test_a_store_of_an_earlier_version_gets_its_points_and_a_changed_declaration_new_ones(
    influx: InfluxServer, bucket: str
) -> None:
    store = wiring.open_store(influx.store_url(bucket), influx.token)
    store.has_chart_points = False  # type: ignore[misc]  # as before chart points existed
    made = Charted(influx, bucket, store)
    assert made.sums("desk", "1d", "issued") == {}
    del store.has_chart_points
    rollup = Rollup(store, lambda: made.world, lambda: made.now)
    passes(rollup, 3)
    assert (made.sums("desk", "1d", "issued"), made.sums("desk", "1h", "issued")) == ({"issued": 80}, {"issued": 80})
    account = made.queries.availability(f"centre:{HALL}", PERIOD).overall
    hours = made.sums("centre", "1h", "open_up_ms", "open_down_ms")
    assert (hours["open_up_ms"], hours["open_down_ms"]) == (account.up * 1000, account.down * 1000)
    made.world = inventory(("land", "tax", "lnad"))
    passes(rollup, 3)
    by_service = {s: made.sums("desk", "1h", "issued", where=f"service = '{s}'") for s in ("undeclared", "lnad")}
    assert by_service == {"undeclared": {"issued": 0}, "lnad": {"issued": 26}}
    store.close()


def passes(rollup: Rollup, count: int) -> None:
    for _ in range(count):
        rollup.run_once()


def test_a_ticket_that_has_vanished_is_zero_for_the_writer_that_wrote_it_and_for_the_next_one(
    influx: InfluxServer, bucket: str
) -> None:
    made = Charted(influx, bucket)
    total = Total(HALL, Scope.desk(HALL, "land"), "1d", FIRST.start, "vn83", {"issued": 2, "recalled": 1})
    later = replace(total, sums={"issued": 2})
    day = Window(FIRST.start, FIRST.start + 1)
    entity = ChartedEntity(HALL, "vn83", made.world.centres[HALL].calendar, (), ALL_IN_SERVICE, str)
    for writer in (made.store, wiring.open_store(influx.store_url(bucket), influx.token)):
        for rows, expected in (([total], (2, 1)), ([later], (2, 0)), ([], (0, 0)), ([total], (2, 1))):
            writer.replace_totals(HALL, "1d", day, rows, entity_chart(entity, "1d", day, rows, made.now))
            found = made.sums("desk", "1d", "issued", "recalled", where=f"time = {FIRST.start}ms")
            assert (found["issued"], found["recalled"]) == expected
        writer.close()
