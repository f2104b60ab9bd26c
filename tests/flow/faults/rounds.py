"""Plays one planned round against a cell: faults begin and end while programs produce, then the oracle judges.

A round is over when every outbox is empty and the store, its totals and completeness say what they should.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window
from telemetry.core.protocol.events import PaymentResult
from tests.flow.faults import oracle
from tests.flow.faults.hands import Hands
from tests.flow.faults.kiosk import Ledger, Poster, Till
from tests.flow.faults.plan import GATEWAY, SMALL, Lines, touched

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.core.inventory import Inventory
    from telemetry.store import Store
    from tests.flow.faults.cell import Cell
    from tests.flow.faults.plan import Plan

SETTLE_S = 90.0
LOOK_S = 0.25


class Wrong(AssertionError):
    """A round's verdict: what was found, and with which plan."""


@dataclass(slots=True)
class Drill:
    """A cell, its second reader, and what was produced so far."""

    cell: Cell
    store: Store
    world: Inventory
    name: str
    ledger: Ledger = field(default_factory=Ledger)
    hands: Hands = field(init=False)
    began: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    revived: int = 0
    crashes: int = 0

    def __post_init__(self) -> None:
        self.hands = Hands(self.cell)

    def warm_up(self) -> None:
        """Let the tail meet its file: of one it never saw it cannot know that it was rotated away."""
        now = time.time_ns() // 1_000_000
        line = Lines(0, (PaymentResult(n=1, t=now, outcome="ok", service="warm-up"),))
        Till(self.cell.stations[GATEWAY], [line], self.ledger, time.monotonic()).run()
        windows = (oracle.present(now),)
        deadline = time.monotonic() + SETTLE_S
        self._until_right("warm-up", lambda: oracle.faults_of(self.store, self.ledger, windows, now), deadline)

    def play(self, plan: Plan, start: int) -> None:
        """Play a round. Raises Wrong."""
        began = time.monotonic()
        stations = self.cell.stations
        people = [
            Poster(s, [p for p in plan.posts if p.device == device], self.ledger, began)
            for device, s in stations.items()
        ]
        till = Till(stations[GATEWAY], plan.lines, self.ledger, began)
        for one in (*people, till):
            one.start()
        self._disturb(plan, began)
        for one in (*people, till):
            one.join(120)
        self._settle(plan, start)

    def _disturb(self, plan: Plan, began: float) -> None:
        """Begin and end every fault at its time; each ends, whatever another one raised."""
        acts = [(fault.at_ms, self.hands.begin, fault) for fault in plan.faults]
        acts += [(fault.at_ms + fault.for_ms, self.hands.end, fault) for fault in plan.faults]
        for at, act, fault in sorted(acts, key=lambda act: act[0]):
            time.sleep(max(0.0, began + at / 1000 - time.monotonic()))
            self.crashes += self.cell.broker.revive()
            act(fault)

    def _settle(self, plan: Plan, start: int) -> None:
        """Wait until nothing is on its way any more, then judge until all is right or the deadline has passed."""
        deadline = time.monotonic() + SETTLE_S
        window = oracle.whole_days(touched(start), self.world)
        now = time.time_ns() // 1_000_000
        windows = (window, oracle.present(now))
        checks: list[tuple[str, Callable[[], list[str]]]] = [
            ("processes", lambda: self._ended(plan)),
            ("outboxes", self._unsent),
            ("events", lambda: oracle.faults_of(self.store, self.ledger, windows, time.time_ns() // 1_000_000)),
            ("doubles", lambda: oracle.doubles(self.cell.store, self.store, windows)),
            ("completeness", lambda: oracle.gaps(self.store, self.ledger.highest())),
            ("totals", lambda: oracle.differences(self.store, window, self.world)),
        ]
        for name, check in checks:
            self._until_right(name, check, deadline)

    def _until_right(self, name: str, check: Callable[[], list[str]], deadline: float) -> None:
        while faults := [*self.ledger.faults, *check()]:
            if time.monotonic() > deadline or self.ledger.faults:
                raise Wrong(f"{name}: {len(faults)} faults\n  " + "\n  ".join(faults[:20]))
            time.sleep(LOOK_S)

    def stop_agents(self) -> None:
        """End all agents properly."""
        for station in self.cell.stations.values():
            station.role.end()

    def judge_all(self) -> None:
        """Judge all rounds and the hours of the run itself once more; agents must be stopped."""
        deadline = time.monotonic() + SETTLE_S
        now = time.time_ns() // 1_000_000
        today = oracle.whole_days(oracle.present(now), self.world)
        past = [e.t for k, e in self.ledger.posts.items() if k not in self.ledger.stepped]
        windows = (oracle.whole_days(Window(min(past), max(past) + 1), self.world), today)
        self._until_right("events", lambda: oracle.faults_of(self.store, self.ledger, windows, now), deadline)
        self._until_right("doubles", lambda: oracle.doubles(self.cell.store, self.store, windows), deadline)
        self._until_right("rows", lambda: oracle.rows_of(self.store, self.cell.boxes()), deadline)
        for window in windows:
            self._until_right("totals", lambda w=window: oracle.differences(self.store, w, self.world), deadline)  # type: ignore[misc]

    def summary(self) -> str:
        ledger = self.ledger
        return (
            f"{len(ledger.posts)} events posted ({ledger.retries} retries, {ledger.repeated} answered as repeated), "
            f"{sum(ledger.lines.values())} lines, {self.revived} starts on a full disk, {self.crashes} broker crashes"
        )

    def _ended(self, plan: Plan) -> list[str]:
        """Return who ended; an agent that found its disk full is started again, as systemd would."""
        self.crashes += self.cell.broker.revive()
        dead = self.cell.dead()
        if SMALL in dead and any(fault.kind == "disk_full" for fault in plan.faults):
            self.cell.stations[SMALL].role.start_again()
            self.revived += 1
        return [f"{name} has ended" for name in dead]

    def _unsent(self) -> list[str]:
        self.crashes += self.cell.broker.revive()
        waiting = {device: station.pending() for device, station in self.cell.stations.items()}
        return [f"{device}: {rows} rows wait for a receipt" for device, rows in waiting.items() if rows != 0]
