"""A province whose stored rows a test corrupts: both centres heard, rollup with objectives, and the API over it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.live_row_types import FoldFaultNow, decode_rows
from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY, PLATFORM_OUTBOX_ID
from telemetry.core.protocol import events as ev
from telemetry.queries.service import Queries
from telemetry.rollup.service import Rollup
from telemetry.slo.alerting import Alerting
from telemetry.slo.evaluator import SloEvaluator
from telemetry.store import (
    CONTACT_OUTBOX_ID,
    STATUS_OUTBOX_ID,
    Batch,
    ChangeRecord,
    DeadLetter,
    StoredEvent,
)
from tests.api_client import client_over
from tests.program.network import NOW, inventory
from tests.program.promises import OPEN, PORTAL, WAIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi.testclient import TestClient

    from telemetry.store import Store

A, B, PORTAL_ID = "vn83-a", "vn83-b", "vn83-portal"
PATHS = (
    "/api/v1/status", "/api/v1/centres", f"/api/v1/centres/{A}", f"/api/v1/centres/{A}/devices",
    f"/api/v1/devices/{A}-kiosk1", "/api/v1/systems", f"/api/v1/systems/{PORTAL_ID}",
    "/api/v1/availability?scope=province:vn83", f"/api/v1/availability?scope=centre:{A}&bucket=1h",
    f"/api/v1/availability?scope=system:{PORTAL_ID}", "/api/v1/queues/now", f"/api/v1/queues/history?centre={A}",
    "/api/v1/slos", f"/api/v1/slos/{OPEN.id}/status", f"/api/v1/slos/{OPEN.id}/history?scope=centre:{A}",
    "/api/v1/completeness",
    f"/api/v1/centres/{A}/timeline", f"/api/v1/devices/{A}-kiosk1/timeline", f"/api/v1/calendar/{A}/days",
    "/metrics", f"/metrics/centre?centre={A}", f"/metrics/devices?centre={A}", "/", f"/centres/{A}",
    f"/centres/{A}/history.csv",
)  # fmt: skip
"""Everything that the API reads of the store."""
MAIN_PATHS = (
    "/api/v1/status", f"/api/v1/centres/{A}", "/api/v1/availability?scope=province:vn83",
    f"/api/v1/queues/history?centre={A}", "/api/v1/slos", "/api/v1/completeness", "/metrics",
)  # fmt: skip


class PoisonedNetwork:
    """One province over a store; `now` is its clock, Unix ms."""

    def __init__(self, store: Store, now: int = NOW) -> None:
        self.now, self.store = now, store
        declared = inventory()
        systems = {PORTAL_ID: replace(declared.systems[PORTAL_ID], vantage=(f"{A}-gateway1", f"{B}-gateway1"))}
        self.inventory = replace(declared, systems=MappingProxyType(systems), objectives=(OPEN, WAIT, PORTAL))
        self.rollup = self.restarted()

    def restarted(self) -> Rollup:
        """Return a new rollup over the store, as after a restart."""
        evaluator = SloEvaluator(self.store, lambda: self.inventory, Alerting(lambda: self.inventory))
        return Rollup(self.store, lambda: self.inventory, lambda: self.now, evaluator, lambda: 0.0)

    def new_client(self) -> TestClient:
        """Return a client of a new API process: its caches are new."""
        queries = Queries(self.store, lambda: self.inventory, lambda: self.now)
        return client_over(queries)

    def write(self, n: int) -> None:
        """Store a ticket, a heartbeat, a probe, contact and birth of both centres, and the platform's heartbeat."""
        events = []
        for centre in (A, B):
            kiosk = f"{centre}-kiosk1"
            own = [
                ev.TicketIssued(n=10 * n, t=self.now - MINUTE, ticket=f"k{n}", queue="land", service="land"),
                ev.DeviceHeartbeat(n=10 * n + 1, t=self.now - MINUTE),
            ]
            events += [StoredEvent(centre, kiosk, "01S", event) for event in own]
            probe = ev.ProbeResult(n=n, t=self.now - MINUTE, system=PORTAL_ID, kind="http", ok=True, latency_ms=20)
            events.append(StoredEvent(centre, f"{centre}-gateway1", "01G", probe))
            contact = ev.DeviceContact(n=self.now // MINUTE, t=self.now - MINUTE)
            birth = ev.DeviceStatus(n=2 * n + 1, t=self.now - MINUTE, online=True, sid=f"s{n}")
            events += [
                StoredEvent(centre, kiosk, CONTACT_OUTBOX_ID, contact),
                StoredEvent(centre, kiosk, STATUS_OUTBOX_ID, birth),
            ]
        beat = ev.PlatformBeat(n=self.now // MINUTE, t=self.now - MINUTE)
        events.append(StoredEvent(PLATFORM_ENTITY, "ingest", PLATFORM_OUTBOX_ID, beat))
        spans = dirty_hours((ev.entity_of(s.centre, s.event), s.event) for s in events)
        letters = [DeadLetter(self.now, f"{A}-kiosk1", "malformed", 1, 9)]
        self.store.append(Batch(self.now * 1000, events, [ChangeRecord(*span) for span in spans], letters))

    def fill(self) -> None:
        """Store and fold two hours of events."""
        for n in range(1, 4):
            self.write(n)
            self.rollup.run_once()
            self.now += HOUR if n < 3 else SLOT

    def issued(self, centre: str) -> int:
        """Return how many tickets the totals of days have."""
        totals = self.store.totals([centre], "1d", Window(0, 1 << 45), "desk")
        return sum(total.sums.get("issued", 0) for total in totals)

    def faults(self) -> dict[str, FoldFaultNow]:
        """Return what is set aside."""
        rows = decode_rows(((row.entity, row.body) for row in self.store.live_rows()), FoldFaultNow)
        return {entity: row for entity, row in rows.items() if row.since is not None}

    def condition(self, centre: str) -> tuple[str, list[str]]:
        """Return a centre's condition and the codes of its reasons, as a new API process sees it."""
        view = Queries(self.store, lambda: self.inventory, lambda: self.now).centre(centre)
        return view.condition, [reason.code for reason in view.assessment.reasons]

    def pass_after_restart(self, n: int) -> None:
        """Write events and let a rollup that was restarted fold them; nothing of the second centre may be missing."""
        before = self.issued(B)
        self.now += MINUTE
        self.write(n)
        self.restarted().run_once()
        assert self.issued(B) == before + 1
        assert B not in self.faults()

    def failed_paths(self, paths: Sequence[str] = PATHS) -> list[tuple[str, int]]:
        """Return the paths that a new API process does not answer with 200, each with its status."""
        client = self.new_client()
        answers = [(path, client.get(path).status_code) for path in paths]
        return [answer for answer in answers if answer[1] != 200]
