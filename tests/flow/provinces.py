"""Provinces whose roll-ups are streamed to one national InfluxDB, provisioned by the kinds that `infra` uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from infra.providers.influx import KINDS
from infra.providers.influx.client import InfluxClient
from telemetry import wiring
from telemetry.core.calendar.windows import HOUR, MINUTE, BucketWidth, Window, to_ms
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.inventory import Centre, Device, Inventory, Service, System
from telemetry.core.protocol import events as ev
from telemetry.queries.service import Queries
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, ChangeRecord, DeadLetter, StoredEvent
from telemetry.store.influx import InfluxStore
from tests.api_client import client_over
from tests.flow.device import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.fold.totals import Total
    from tests.servers import InfluxServer

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
START = to_ms(datetime(2026, 11, 23, 7, tzinfo=ZONE))
NATIONAL = "vn-ngsp"
"""A system that every province probes."""
WIDTHS: tuple[BucketWidth, ...] = ("5m", "1h", "1d")
EVER = Window(0, START + 1_000 * HOUR)
QUEUE = 33_554_430
WEEK = tuple(((time(7), time(17)),) for _ in range(7))


def make(client: InfluxClient, kind: str, **inputs: object) -> Mapping[str, Any]:
    """Make a thing as a stack would; returns its outputs."""
    one = KINDS[kind](client, False)
    checked, failures = one.check({}, inputs)
    assert failures == []
    return one.create(checked)[1]


def buckets(client: InfluxClient, org: str, name: str) -> None:
    for width in ("", *(f"-{width}" for width in WIDTHS)):
        make(client, "bucket", org=org, name=name + width)


@dataclass
class Nation:
    """The national server: organisation `country` with buckets `all`, `all-5m`, `all-1h` and `all-1d`."""

    server: InfluxServer
    org_id: str = ""
    writer: str = ""
    reader: str = ""

    def provision(self) -> None:
        """Make what the provinces write to: a token that only writes totals, one that only reads them."""
        client = InfluxClient(self.server.url, self.server.token)
        self.org_id = str(make(client, "organisation", name="country")["org_id"])
        buckets(client, "country", "all")
        self.writer, self.reader = (self._token(client, action) for action in ("write", "read"))
        client.close()

    def _token(self, client: InfluxClient, action: str) -> str:
        rights = [{"action": action, "bucket": f"all-{width}"} for width in WIDTHS]
        made = make(client, "authorization", org="country", name=f"totals-{action}", permissions=rights)
        return str(made["token"])


@dataclass
class Province:
    """A province's store, rollup and inventory; its clock is turned by the test."""

    name: str
    lower: InfluxServer
    nation: Nation
    org: str
    token: str = ""
    now: int = START + 10 * HOUR
    rows: int = 0
    stores: dict[str, InfluxStore] = field(default_factory=dict)

    def provision(self) -> None:
        """Make buckets, a token for them, and the address of the national server."""
        client = InfluxClient(self.lower.url, self.lower.token)
        make(client, "organisation", name=self.org)
        buckets(client, self.org, "own")
        remote = {"url": self.nation.server.url, "token": self.nation.writer, "remote_org_id": self.nation.org_id}
        rights = [{"action": action} for action in ("read", "write")]
        self.token = str(make(client, "authorization", org=self.org, name="roles", permissions=rights)["token"])
        make(client, "remote", org=self.org, name="national", **remote)
        client.close()

    def stream(self) -> None:
        """Begin to copy the totals upwards."""
        client = InfluxClient(self.lower.url, self.lower.token)
        for width in WIDTHS:
            local = {"org": self.org, "name": f"{self.name}-{width}", "remote": "national", "bucket": f"own-{width}"}
            bounds = {"max_queue_bytes": QUEUE, "max_age_s": 86_400}
            make(client, "replication", **local, remote_bucket=f"all-{width}", **bounds)
        client.close()

    def store(self, *, copy: bool = False, tagged: bool = True) -> InfluxStore:
        """Open the own store, or the national copy with a token that may only read totals."""
        url = self.url(copy=copy, tagged=tagged)
        if url not in self.stores:
            opened = wiring.open_store(url, self.nation.reader if copy else self.token)
            assert isinstance(opened, InfluxStore)
            self.stores[url] = opened
        return self.stores[url]

    def url(self, *, copy: bool, tagged: bool = True) -> str:
        """Return what MOTCUA_STORE says of the own store, or of the national copy."""
        server, org, bucket = (self.nation.server, "country", "all") if copy else (self.lower, self.org, "own")
        return f"influxdb+{server.url}?org={org}&bucket={bucket}" + (f"&province={self.name}" if tagged else "")

    def inventory(self) -> Inventory:
        centre = Centre(
            f"{self.name}-c1", "u", "commune", "Một cửa", "Desk", self.name, "", 2, WEEK, ("land",), ZONE
        )  # fmt: skip
        gateway = Device(f"{centre.id}-gateway1", centre.id, "gateway")
        system = System(NATIONAL, "Trục", "Platform", "platform", vantage=(gateway.id,), quorum=1)
        return Inventory(
            version="v1", province=self.name, name_vi="T", name_en="T", zone=ZONE, units={},
            centres={centre.id: centre}, devices={gateway.id: gateway},
            services={"land": Service("land", "Đất", "Land")}, systems={NATIONAL: system},
        )  # fmt: skip

    def work(self, minutes: Iterable[int], *, ok: bool = True, tagged: bool = True) -> None:
        """Store some minutes of a morning and fold them: a ticket, a heartbeat and a probe in each."""
        store = self.store(tagged=tagged)
        rollup = Rollup(store, self.inventory, lambda: self.now, stopwatch=lambda: 0.0)
        for minute in minutes:
            self._write(store, START + minute * MINUTE, ok=ok)
        self.now += MINUTE
        rollup.run_once()

    def _write(self, store: InfluxStore, t: int, *, ok: bool) -> None:
        centre, n = f"{self.name}-c1", self.rows
        ticket: dict[str, Any] = {"ticket": f"k{n}", "queue": "land", "service": "land"}
        called = t + 20_000 + 1_000 * len(self.name)
        told: list[ev.Event] = [
            ev.DeviceHeartbeat(n=n + 1, t=t),
            ev.TicketIssued(n=n + 2, t=t, **ticket),
            ev.TicketCalled(n=n + 3, t=called, counter="c1", entered=t, **ticket),
            ev.TicketFinished(n=n + 4, t=called + 9_000, counter="c1", entered=t, called=called, **ticket),
            ev.ProbeResult(n=n + 5, t=t, system=NATIONAL, kind="http", ok=ok, latency_ms=10.0),
        ]
        self.rows += len(told)
        cells = dirty_hours((NATIONAL if isinstance(e, ev.ProbeResult) else centre, e) for e in told)
        stored = [StoredEvent(centre, f"{centre}-gateway1", f"spool-{self.name}", e) for e in told]
        dead = [DeadLetter(t, f"{centre}-gateway1", f"reason-{self.name}", 1)]
        store.append(Batch(self.now * 1000 + n, stored, [ChangeRecord(*cell) for cell in cells], dead))

    def figures(self, *, copy: bool) -> dict[str, object]:
        """Return all that pages, scrapes and alerts read of a store."""
        store = self.store(copy=copy)
        return {
            "totals": self.totals(store),
            "live": store.live_rows(),
            "marks": (store.cursor(), store.checkpoint("fold_version"), store.checkpoint("live")),
            "ranges": store.row_ranges(),
            "dead": store.dead_letter_counts(),
        }

    def totals(self, store: InfluxStore) -> list[Total]:
        units = [f"{self.name}-c1", NATIONAL]
        return [total for width in WIDTHS for total in store.totals(units, width, EVER)]

    def arrived(self, within: float = 60.0) -> None:
        """Wait until the national copy says what the own store says."""
        own = self.figures(copy=False)
        wait_until(lambda: self.figures(copy=True) == own, f"the copy of {self.name} is whole", within)

    def answers(self, *, copy: bool) -> dict[str, object]:
        """Ask the API over a store; returns what it answers, by path."""
        declared = self.inventory()
        queries = Queries(self.store(copy=copy), lambda: declared, lambda: self.now)
        client = client_over(queries)
        answers = {path: client.get(path) for path in self.paths()}
        assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
        return {path: answer.json() for path, answer in answers.items()}

    def paths(self) -> list[str]:
        between = "from=2026-11-23T07:00:00%2B07:00&to=2026-11-23T13:00:00%2B07:00"
        scopes = (f"centre:{self.name}-c1", f"system:{NATIONAL}", "country", f"province:{self.name}")
        asked = [f"/api/v1/availability?scope={s}&{between}&bucket={b}" for s in scopes for b in ("total", "1h")]
        plain = ("status", "centres", "systems", "queues/now", "completeness", f"centres/{self.name}-c1")
        return [*asked, f"/api/v1/queues/history?{between}&bucket=total&within=60", *(f"/api/v1/{p}" for p in plain)]

    def close(self) -> None:
        for store in self.stores.values():
            store.close()
