"""A tiny network for the API's tests: two centres, one system, a store filled through its port, a clock that stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window, to_ms
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.live_row_types import CentreNow, DeviceNow, ServiceNow, SystemNow, VantageNow
from telemetry.core.fold.totals import Total, add_sums, encode_sums
from telemetry.core.inventory import Centre, Device, Inventory, OpeningHours, Service, System, Target
from telemetry.core.protocol.events import DeviceHeartbeat
from telemetry.queries.service import Queries
from telemetry.store import Batch, DeadLetter, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.api_client import client_over

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi.testclient import TestClient

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.store import Store

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = to_ms(datetime(2026, 11, 23, 10, 2, 30, tzinfo=ZONE))
MIDNIGHT = to_ms(datetime(2026, 11, 23, tzinfo=ZONE))
_DAY: OpeningHours = ((time(7), time(11, 30)), (time(13, 30), time(17)))
WEEK: tuple[OpeningHours, ...] = (*(_DAY for _ in range(5)), (), ())


def local(hour: int, minute: int = 0, day: int = 23) -> int:
    return to_ms(datetime(2026, 11, day, hour, minute, tzinfo=ZONE))


def centre(ident: str, name: str) -> Centre:
    return Centre(
        id=ident,
        unit="83",
        level="commune",
        name_vi=f"Một cửa {name}",
        name_en=f"{name} desk",
        province="vn83",
        parent="",
        counters=4,
        hours=WEEK,
        services=("land", "tax"),
        zone=ZONE,
    )


def inventory() -> Inventory:
    centres = {c.id: c for c in (centre("vn83-a", "An"), centre("vn83-b", "Ba"))}
    devices = [
        Device(f"{c}-{d}", c, "kiosk" if "kiosk" in d else "gateway") for c in centres for d in ("gateway1", "kiosk1")
    ]
    targets = (
        Target("wait_mean", "Chờ", "Wait", 1800, "s", date(2022, 12, 31)),
        Target("wait_mean", "Chờ", "Wait", 900, "s", date(2025, 12, 31)),
    )
    return Inventory(
        version="abc123",
        province="vn83",
        name_vi="Tỉnh Bến Tre",
        name_en="Ben Tre Province",
        zone=ZONE,
        units={},
        centres=centres,
        devices={d.id: d for d in devices},
        services={"land": Service("land", "Đất đai", "Land"), "tax": Service("tax", "Thuế", "Tax")},
        systems={"vn83-portal": System("vn83-portal", "Cổng", "Portal", "portal", quorum=1)},
        targets=targets,
    )


def waits(*seconds: int) -> dict[str, int]:
    """Return the sums of tickets issued, called after these waits, and served in a minute each."""
    one = (
        {
            "issued": 1,
            "called": 1,
            "served": 1,
            "wait_sum_ms": s * 1000,
            "wait_histogram": histogram_of(s * 1000),
            "service_count": 1,
            "service_sum_ms": 60_000,
            "service_histogram": histogram_of(60_000),
        }
        for s in seconds
    )
    return add_sums(one)


@dataclass
class Network:
    """The store, the questions over it and a client."""

    store: Store
    queries: Queries
    client: TestClient
    time: list[int]
    held: dict[tuple[str, BucketWidth], list[Total]] = field(default_factory=dict)

    def total(self, scope: str, width: BucketWidth, start: int, sums: dict[str, int]) -> None:
        kind, _, rest = scope.partition(":")
        unit = rest.split(":")[0] if kind != "device" else rest.rsplit("-", 1)[0]
        rows = self.held.setdefault((unit, width), [])
        rows.append(Total(unit, scope, width, start, "vn83", sums))
        self.store.replace_totals(unit, width, Window(0, 1 << 53), rows)

    def live(self, ident: str, row: CentreNow | SystemNow | None = None) -> None:
        found = row or centre_now(ident, self.time[0])
        self.store.put_live_rows({ident: msgspec.json.encode(found)})
        self.time[0] += 1000


def centre_now(ident: str, now: int, **other: object) -> CentreNow:
    devices = tuple(
        DeviceNow(id=f"{ident}-{d}", kind=d[:-1], state="up", online=True, last_event=now - 5000, printer="ok")
        for d in ("gateway1", "kiosk1")
    )
    today = encode_sums(waits(30, 90, 1200))
    land = ServiceNow(service="land", waiting=3, serving=1, oldest=now - 10 * MINUTE, today=today)
    plain = {"centre": ident, "at": now, "state": "up", "counters_open": 3, "services": (land,), "devices": devices}
    return msgspec.convert({"last_data": now - 5000, **plain, **other}, CentreNow)


def network(path: Path, world: Inventory | None = None) -> Network:
    store = SqliteStore(path / "store.db")
    declared, clock = world or inventory(), [NOW]
    queries = Queries(store, lambda: declared, lambda: clock[0])
    return Network(store, queries, client_over(queries), clock)


def busy(net: Network) -> Network:
    """Fill a morning: both centres heard, An's tickets in three half hours, the portal seen from two places."""
    net.live("vn83-a")
    net.live("vn83-b", centre_now("vn83-b", NOW, services=(), counters_open=1))
    seen = tuple(VantageNow(device=f"vn83-{c}-gateway1", state="up", at=NOW) for c in "ab")
    net.live("vn83-portal", SystemNow(system="vn83-portal", at=NOW, state="up", vantage=seen))
    net.total("desk:vn83-a:land", "5m", local(7, 10), waits(30))
    net.total("desk:vn83-a:land", "5m", local(8, 5), waits(90))
    net.total("desk:vn83-a:tax", "5m", local(8, 40), waits(1200))
    net.total("desk:vn83-a:land", "1h", local(7), waits(30))
    net.total("desk:vn83-a:land", "1h", local(8), waits(90))
    net.total("desk:vn83-a:tax", "1h", local(8), waits(1200))
    for mark in range(local(6), local(10), SLOT):
        net.total("centre:vn83-a", "5m", mark, {"up_ms": SLOT, "down_ms": 0})
    for hour, up in ((6, HOUR), (7, HOUR), (8, HOUR - 10 * MINUTE), (9, HOUR)):
        open_up = 0 if hour == 6 else up
        down = HOUR - up
        sums = {"up_ms": up, "down_ms": down, "open_up_ms": open_up, "open_down_ms": down}
        net.total("centre:vn83-a", "1h", local(hour), sums)
    beats = [DeviceHeartbeat(n=n, t=local(7) + n * MINUTE) for n in (1, 2, 3, 5)]
    stored = [StoredEvent("vn83-a", "vn83-a-kiosk1", "01JH", e) for e in beats]
    net.store.append(Batch(NOW * 1000, stored, (), (DeadLetter(NOW, "x", "malformed", 2),)))
    return net
