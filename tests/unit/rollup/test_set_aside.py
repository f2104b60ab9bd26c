"""What is stored may be anything: rollup sets aside by name what it cannot read or fold, and nobody else waits."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.live_row_types import FoldFaultNow, decode_rows
from telemetry.core.protocol import events as ev
from telemetry.mqtt.link import Message
from telemetry.queries.service import Queries
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, ChangeRecord, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.unit.rollup.test_rollup import START, world

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory

NOW = START + HOUR + 10 * MINUTE


def two_centres() -> Inventory:
    """The world with a second centre, whose figures must not wait for the first one's."""
    inventory = world()
    first, gateway = inventory.centres["c1"], inventory.devices["c1-gateway1"]
    return replace(
        inventory,
        centres=MappingProxyType({"c1": first, "c2": replace(first, id="c2")}),
        devices=MappingProxyType({
            "c1-gateway1": gateway, "c2-gateway1": replace(gateway, id="c2-gateway1", centre="c2"),
        }),
    )  # fmt: skip


class Site:
    """A SQLite store that a test corrupts, and rollups over it on a clock that the test turns."""

    def __init__(self, folder: Path) -> None:
        self.now, self.path, self.inventory = NOW, folder / "store.db", two_centres()
        self.store = SqliteStore(self.path)
        self.rollup = self.restarted()
        for centre in ("c1", "c2"):
            self.write(centre, 1)

    def restarted(self) -> Rollup:
        return Rollup(self.store, lambda: self.inventory, lambda: self.now, stopwatch=lambda: 0.0)

    def write(self, centre: str, n: int) -> None:
        event = ev.TicketIssued(n=n, t=self.now - MINUTE + n, ticket=f"k{n}", queue="land", service="land")
        changes = [ChangeRecord(*hours) for hours in dirty_hours([(centre, event)])]
        self.store.append(Batch(self.now * 1000, [StoredEvent(centre, f"{centre}-gateway1", "01S", event)], changes))

    def execute(self, sql: str, *values: object) -> None:
        with sqlite3.connect(self.path) as db:
            db.execute(sql, values)

    def issued(self, centre: str) -> int:
        totals = self.store.totals([centre], "1d", Window(0, 1 << 45), "desk")
        return sum(total.sums.get("issued", 0) for total in totals)

    def faults(self) -> dict[str, FoldFaultNow]:
        return decode_rows(((row.entity, row.body) for row in self.store.live_rows()), FoldFaultNow)

    def condition(self, centre: str) -> tuple[str, list[str]]:
        view = Queries(self.store, lambda: self.inventory, lambda: self.now).centre(centre)
        return view.condition, [reason.code for reason in view.assessment.reasons]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


C1_RAW = (
    "UPDATE raw SET body = ? WHERE device = (SELECT id FROM name WHERE text = 'c1-gateway1') AND type LIKE 'ticket%'"
)
POISON: dict[str, bytes] = {
    "no JSON": b"{",
    "no UTF-8": b'{"type":"ticket.issued","n":1,"t":1,"ticket":"\xff","queue":"q","service":"s"}',
    "NULs": bytes(40),
    "another version's type": b'{"type":"ticket.teleported","n":1,"t":1}',
    "a number out of its range": b'{"type":"rating.submitted","n":1,"t":1,"rating":9,"service":"land"}',
    "5,000 digits": b'{"type":"rating.submitted","n":1,"t":%b,"rating":5,"service":"land"}' % (b"9" * 5000),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON.keys())
def test_an_unreadable_event_is_set_aside_by_name_and_the_other_centre_is_folded(site: Site, body: bytes) -> None:
    site.execute(C1_RAW, body)
    site.rollup.run_once()
    fault = site.faults()["c1"]
    assert (site.issued("c2"), "c2" in site.faults()) == (1, False)
    assert fault.failures >= 1
    assert fault.since == NOW
    assert fault.reason
    assert site.condition("c1") == ("unknown", ["data_unreadable"])
    assert "data_unreadable" not in site.condition("c2")[1]


def test_what_was_set_aside_is_folded_by_itself_after_it_is_corrected_also_after_a_restart(site: Site) -> None:
    good = b'{"type":"ticket.issued","n":1,"t":%d,"ticket":"k1","queue":"land","service":"land"}' % (NOW - MINUTE + 1)
    site.execute(C1_RAW, b"{")
    site.rollup.run_once()
    site.execute(C1_RAW, good)
    rollup = site.restarted()
    site.now += 2 * HOUR  # the hour that failed is no longer the present one
    rollup.run_once()
    assert site.issued("c1") == 1
    assert site.faults()["c1"].since is None
    assert site.faults()["c1"].failures >= 1


def test_a_lasting_fault_is_tried_again_ever_more_rarely(site: Site) -> None:
    site.execute(C1_RAW, b"{")
    for _ in range(120):
        site.rollup.run_once()
        site.now += MINUTE // 4
    assert 3 <= site.faults()["c1"].failures <= 40


CORRUPTED = {
    "change with texts": "UPDATE change SET start = 'x' WHERE unit = (SELECT id FROM name WHERE text = 'c1')",
    "change of the whole of time": 'UPDATE change SET start = -9000000000000000, "end" = 9000000000000000 '
    "WHERE unit = (SELECT id FROM name WHERE text = 'c1')",
    "live row of a centre": "UPDATE live SET body = x'00ff' WHERE unit = 'c1'",
    "live row that is a text": "UPDATE live SET body = '{' WHERE unit = 'c1'",
    "live row that is a number": "UPDATE live SET body = 7 WHERE unit = 'c1'",
    "contacts": 'UPDATE live SET body = \'{"entity":"c1","first":{"a":-1e300}}\' WHERE unit = \'contacts:c1\'',
    "faults": "INSERT OR REPLACE INTO live VALUES ('fault:c1', 1, 'x')",
    "totals": "UPDATE total SET sums = '{' WHERE unit = (SELECT id FROM name WHERE text = 'c1')",
    "totals with an unknown key": "UPDATE total SET sums = '[99999,1]' WHERE unit = (SELECT id FROM name WHERE "
    "text = 'c1')",
    "checkpoint": "UPDATE meta SET value = 'x' WHERE key = 'cursor'",
    "fold version": "UPDATE meta SET value = 'x' WHERE key = 'fold_version'",
    "rows of an outbox": "UPDATE row_range SET high = 'x'",
}


@pytest.mark.parametrize("sql", CORRUPTED.values(), ids=CORRUPTED.keys())
def test_one_corrupted_row_of_any_table_stops_neither_rollup_nor_the_other_centre(site: Site, sql: str) -> None:
    site.rollup.run_once()
    site.execute(sql)
    site.now += MINUTE
    for rollup in (site.rollup, site.restarted()):
        site.write("c2", 2)
        site.write("c1", 2)
        rollup.run_once()
    assert site.issued("c2") == 2
    queries = Queries(site.store, lambda: site.inventory, lambda: site.now)
    assert {view.centre.id for view in queries.centres()} == {"c1", "c2"}
    assert queries.store_stats().events >= 2  # an unreadable range of rows counts for nothing


def test_a_certificate_that_does_not_fit_is_dropped_and_counted(site: Site) -> None:
    topic = "motcua/v1/c1/c1-gateway1/state"
    long_sid = msgspec.json.encode({"online": True, "sid": "x" * 65})
    site.rollup.store_presence([Message(topic, long_sid), Message(topic, b""), Message("elsewhere", b"{}")])
    site.rollup.run_once()
    assert site.store.dead_letter_counts() == {"foreign_topic": 1, "invalid_presence": 1}
    assert not site.faults()
