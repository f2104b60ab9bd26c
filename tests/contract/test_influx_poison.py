"""Rows of a real InfluxDB that cannot be read, and points that it refuses: set aside by name, nobody else waits."""

from __future__ import annotations

import os
from functools import reduce
from typing import TYPE_CHECKING

import pytest

from telemetry import wiring
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window
from telemetry.core.fold.totals import Total
from telemetry.store.influx import InfluxStore
from tests.poisoned_network import MAIN_PATHS, A, B, PoisonedNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.calendar.windows import BucketWidth
    from tests.servers import InfluxServer

KIOSK = b"centre=vn83-a,device=vn83-a-kiosk1"
GARBAGE = b"\x00\xff{["


@pytest.fixture
def network(influx: InfluxServer, bucket: str) -> Iterator[PoisonedNetwork]:
    """A province that a rollup has folded into InfluxDB."""
    store = wiring.open_store(influx.store_url(bucket), influx.token)
    assert isinstance(store, InfluxStore)
    network = PoisonedNetwork(store)
    network.fill()
    yield network
    store.close()


def put(network: PoisonedNetwork, bucket: str, line: bytes) -> None:
    """Write a line as another program would."""
    assert isinstance(network.store, InfluxStore)
    network.store._server.write(bucket, line)


def test_an_unreadable_event_makes_its_centre_unknown_with_the_reason(network: PoisonedNetwork, bucket: str) -> None:
    at = (network.now - MINUTE) * 1_000_000 + 7
    tags = b"event,%b,type=ticket.issued" % KIOSK
    put(network, bucket, b'%b spool="01S",n=7i,body="%b" %d' % (tags, GARBAGE, at))
    network.pass_after_restart(10)
    assert network.failed_paths() == []
    assert network.faults()[A].reason.startswith("event vn83-a-kiosk1/01S/7")
    condition, reasons = network.condition(A)
    assert (condition, reasons[0]) == ("unknown", "data_unreadable")
    assert "data_unreadable" not in network.condition(B)[1]
    assert network.store.unreadable.count_of(A) > 0


def test_an_event_without_a_body_is_set_aside_by_name_and_counted(network: PoisonedNetwork, bucket: str) -> None:
    at = (network.now - MINUTE) * 1_000_000 + 7
    put(network, bucket, b'event,%b,type=ticket.issued spool="01S",n=7i %d' % (KIOSK, at))
    network.pass_after_restart(10)
    fault = network.faults()[A]
    assert fault.reason.startswith(f"event vn83-a-kiosk1/01S/7 at {at}: ValueError('no body')")
    assert fault.failures > 0
    assert network.condition(A)[1][0] == "data_unreadable"
    assert B not in network.faults()


BY_HAND = {
    "an event of another type in the tag": b'event,{a},type=x"y spool="01S",n=7i,body="" {at}',
    "an event without a body": b"event,{a},type=ticket.issued n=7i {at}",
    "an event without a device": b'event,centre=vn83-a,type=ticket.issued spool="01S",n=7i,body="" {at}',
    "a contact": b'server,{a},type=device.contact spool="contact",n=7i,body="{" {at}',
    "a birth": b'server,{a},type=device.status spool="status",n=7i,body="1" {at}',
    "a probe":
        b'event,centre=vn83-a,device=vn83-a-gateway1,system=vn83-portal,type=probe.result spool="g",n=7i,body="{" {at}',
    "a platform heartbeat":
        b'server,centre=motcua,device=ingest,type=platform.beat spool="platform",n=7i,body="{" {at}',
    "changes": b'change,writer=x size=1i,body="[[7]]" {at}',
    "changes of the whole of time":
        b'change,writer=x size=1i,body="[[\\"vn83-a\\",{from},9000000000000000]]" {at}',
    "changes without a body": b"change,writer=x size=1i {at}",
    "row numbers without end":
        b'rows,part=1,writer=x size=1i,body="[[\\"{d}\\",\\"01S\\",[[1,9007199254740992]],[],[],0,0,0]]" {at}',
    "row numbers backwards": b'rows,part=2,writer=x size=1i,body="[[\\"{d}\\",\\"01S\\",[[9,1]],[],[],0,0,0]]" {at}',
    "row numbers of nothing": b'rows,part=3,writer=x size=1i,body="[[\\"{d}\\",\\"01S\\",[],[],[],0,0,0]]" {at}',
    "row numbers": b'rows,part=0,writer=x size=1i,body="[7]" {at}',
    "dead letters of a negative number": b"dead,reason=malformed,writer=x rows=-9223372036854775808i,size=1i {at}",
    "numbers instead of texts, in another week": b"event,{a},type=ticket.issued spool=1,n=1.5,body=3 {before}",
    "changes as numbers, in another week": b"change,writer=x size=1.5,body=3 {before}",
}  # fmt: skip
STATE = {
    "a live row": b'live,unit=vn83-a version=1i,body="\x00\xff{" 0',
    "a live row without a body": b"live,unit=x version=1i 0",
    "a live row of a version beyond all": b'live,unit=vn83-a version=9223372036854775807i,body="{}" 0',
    "the version of live rows beyond all": b"mark,label=live value=9223372036854775807i 0",
    "the version of live rows set back": b"mark,label=live value=0i 0",
    "a negative cursor": b"mark,label=cursor value=-7i 0",
    "a cursor beyond all": b"mark,label=rows_until value=9223372036854775807i 0",
    "the fold version": b"mark,label=fold_version value=-1i 0",
    "contacts": b'live,unit=contacts:vn83-a version=1i,body="{\\"entity\\":\\"vn83-a\\",\\"first\\":7}" 0',
    "faults": b'live,unit=fault:vn83-a version=1i,body="7" 0',
    "an objective": b'live,unit=slo:open version=1i,body="{\\"slo\\":7}" 0',
    "a page of row numbers": b'row_range,device=vn83-a-kiosk1,spool=01S,outcome=stored body="[[1" 0',
    "a page without end": b'row_range,device=vn83-a-kiosk1,spool=01S,outcome=stored body="[[1,9007199254740993]]" 1',
    "a page of another outcome": b'row_range,device=vn83-a-kiosk1,spool=01S,outcome=x body="[[1,2]]" 0',
    "a page backwards": b'row_range,device=vn83-b-kiosk1,spool=01X,outcome=stored body="[[9,1]]" 0',
    "places of rows": b'row_location,device=vn83-a-kiosk1,spool=01S body="[[1" 0',
    "the summary of row numbers": b'ranges,site=vn83-a,part=0 body="[[1" 0',
    "the summary of dead letters": b'dead body="[]" 0',
    "dead letters of a later time": b'dead body="{\\"until\\":9223372036854775807}" 0',
}  # fmt: skip


@pytest.mark.sized
@pytest.mark.parametrize("places", [BY_HAND, STATE], ids=["raw bucket", "state"])
def test_one_row_of_any_measurement_stops_neither_rollup_nor_the_other_centre(
    network: PoisonedNetwork, bucket: str, places: dict[str, bytes]
) -> None:
    assert isinstance(network.store, InfluxStore)
    state_bucket = network.store._address.state_bucket
    for n, (name, line) in enumerate(places.items()):
        at, before = (b"%d" % ((network.now - ago) * 1_000_000) for ago in (MINUTE, 8 * DAY))
        first = -9_000_000_000_000_000 if "LONG" in os.environ else network.now - 2 * DAY  # its hours are folded
        values = {b"{from}": b"%d" % first, b"{a}": KIOSK, b"{d}": b"vn83-a-kiosk1", b"{at}": at, b"{before}": before}
        stamped = reduce(lambda text, item: text.replace(*item), values.items(), line)
        put(network, bucket if places is BY_HAND else state_bucket, stamped)
        if places is STATE:
            assert network.failed_paths(MAIN_PATHS) == [], f"before rollup corrects it: {name}"
        network.pass_after_restart(10 + n)
        assert network.failed_paths(MAIN_PATHS) == [], name
    assert network.failed_paths() == []
    network.rollup.run_once()
    rows = {(r.device, r.outbox_id): r.stored for r in network.store.row_ranges()}
    assert (10 * (9 + len(places)), 10 * (9 + len(places)) + 1) in rows[f"{B}-kiosk1", "01S"]


@pytest.mark.parametrize("width", ["5m", "1h", "1d"])
def test_unreadable_totals_make_their_centre_unknown_in_the_api(
    network: PoisonedNetwork, bucket: str, width: BucketWidth
) -> None:
    starts = {total.start for total in network.store.totals([A], width, Window(0, 1 << 45), "centre")}
    put(network, f"{bucket}-{width}", b'total,kind=centre,unit=vn83-a body="[[1" %d' % (min(starts) * 1_000_000))
    client = network.new_client()
    network.store.totals([A, B], width, Window(0, 1 << 45))
    network.now += 2_000
    found = {c: client.get(f"/api/v1/centres/{c}").json()["data"] for c in (A, B)}
    assert found[A]["condition"] == "unknown"
    assert found[A]["reasons"][0]["code"] == "data_unreadable"
    assert found[B]["condition"] != "unknown"


# --- what InfluxDB refuses ---------------------------------------------------------------------


def total(entity: str, start: int, scope: str = "", size: int = 1) -> Total:
    sums = {f"up_{'x' * 1_000}{n}": n for n in range(size)}
    return Total(entity, scope or f"centre:{entity}", "5m", start, "vn83", sums)


def test_one_point_that_influxdb_refuses_is_set_aside_and_the_others_are_written(
    network: PoisonedNetwork,
) -> None:
    store, window = network.store, Window(0, HOUR)
    totals = [total(A, 0), total(A, 5 * MINUTE, size=1_200), total(A, 10 * MINUTE)]
    store.replace_totals(A, "5m", window, totals)
    assert [t.start for t in store.totals([A], "5m", window)] == [0, 10 * MINUTE]
    assert store.unreadable.count_of(A) == 1
    assert "total 5m 300000 centre" in store.unreadable.reason_of(A)
    assert store.unreadable.count_of(B) == 0


def test_totals_older_than_their_buckets_retention_are_no_fault_of_their_unit(
    network: PoisonedNetwork, influx: InfluxServer, bucket: str
) -> None:
    rule = {"retentionRules": [{"type": "expire", "everySeconds": 86_400, "shardGroupDurationSeconds": 3_600}]}
    influx.call("PATCH", f"/api/v2/buckets/{influx.bucket_id(f'{bucket}-5m')}", rule)
    network.store.replace_totals(A, "5m", Window(0, HOUR), [total(A, 0)])
    assert network.store.unreadable.count_of(A) == 0


def test_a_live_row_that_influxdb_refuses_does_not_hold_back_the_others(network: PoisonedNetwork) -> None:
    version = max(row.version for row in network.store.live_rows())
    network.store.put_live_rows({A: b"x" * 1_100_000, B: b"{}"})
    assert [row.entity for row in network.store.live_rows(after=version)] == [B]
    assert network.store.unreadable.count_of(A) == 1
