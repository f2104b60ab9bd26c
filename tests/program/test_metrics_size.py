"""The main Prometheus page stays small: 700 centres, 8,400 devices, 8 services each, and no series of any device."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.fold.live_row_types import BurnRateNow, CentreNow, DeviceNow, ScopedSloNow, ServiceNow, SloNow
from telemetry.core.fold.totals import encode_sums
from telemetry.core.inventory import Device, Objective
from tests.program.network import NOW, Network, centre, inventory, waits
from tests.program.promises import promising

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.fold.live_row_types import AvailabilityState
    from telemetry.core.inventory import DeviceKind, Inventory, SliKind

CENTRES, LIMIT = 700, 20_000
KINDS: tuple[DeviceKind, ...] = ("gateway", "kiosk", "kiosk", "display", "display", "tablet", *("counter",) * 6)
SLIS: tuple[SliKind, ...] = ("availability", "connectivity", "readiness", "wait")
IDENTS = [f"vn83-{n}" for n in range(CENTRES)]


def declared() -> Inventory:
    services = tuple(f"service{n}" for n in range(8))
    centres = {ident: replace(centre(ident, ident), services=services) for ident in IDENTS}
    devices = [Device(f"{ident}-{kind}{n}", ident, kind) for ident in IDENTS for n, kind in enumerate(KINDS)]
    promises = [Objective(sli, sli, sli, "centre", sli, 0.99, 28, threshold_ms=900_000) for sli in SLIS]
    promises.append(Objective("devices", "d", "d", "device", "availability", 0.9, 28))
    found = inventory()
    return replace(found, centres=centres, devices={d.id: d for d in devices}, objectives=tuple(promises))


def row_of(ident: str) -> CentreNow:
    states: tuple[AvailabilityState, ...] = ("up", "down", "unknown")
    devices = tuple(
        DeviceNow(id=f"{ident}-{kind}{n}", kind=kind, state=states[n % 3], last_event=NOW)
        for n, kind in enumerate(KINDS)
    )
    today = encode_sums(waits(30, 90))
    services = tuple(ServiceNow(service=f"service{n}", waiting=1, serving=1, today=today) for n in range(8))
    return CentreNow(centre=ident, at=NOW, state="up", devices=devices, services=services, last_data=NOW)


def filled(path: Path) -> Network:
    net = promising(path, declared())
    readings = tuple(
        BurnRateNow(rule=f"r{n}", severity="page", long_ms=HOUR, short_ms=5 * MINUTE, threshold=1, long=1, short=1)
        for n in range(4)
    )
    plain: dict[str, Any] = {"start": NOW - 28 * DAY, "end": NOW, "good": 9, "bad": 1, "open": 10, "up": 9, "down": 1}
    scopes: dict[str, list[str]] = {sli: [f"centre:{ident}" for ident in IDENTS] for sli in SLIS}
    scopes["devices"] = [f"device:{ident}-{kind}{n}" for ident in IDENTS for n, kind in enumerate(KINDS)]
    rows = {ident: msgspec.json.encode(row_of(ident)) for ident in IDENTS}
    for slo, names in scopes.items():
        found = tuple(ScopedSloNow(scope=n, standing="healthy", readings=readings, **plain) for n in names)
        rows[f"slo:{slo}"] = msgspec.json.encode(SloNow(slo=slo, at=NOW, settled_until=NOW - 7 * DAY, scopes=found))
    net.store.put_live_rows(rows)
    net.time[0] += 1000
    return net


def test_the_main_page_stays_below_its_limit_and_names_no_device(tmp_path: Path) -> None:
    net = filled(tmp_path)
    families = list(text_string_to_metric_families(net.client.get("/metrics").text))
    samples = [sample for family in families for sample in family.samples]
    assert 15_000 < len(samples) < LIMIT
    assert not [s for s in samples if "device" in s.labels or s.labels.get("scope", "").startswith("device:")]
    assert not [s for s in samples if "service" in s.labels]
    assert len(net.queries.slo_index().sorted_slos) == 4 * CENTRES + CENTRES * len(KINDS)
    net.store.close()
