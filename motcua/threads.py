"""Runs roles as threads of this process, for demo and replay; each has its own store connection and link."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry import roles
from telemetry.ingest.service import Ingest
from telemetry.rollup.service import Rollup
from telemetry.slo.alerting import Alerting
from telemetry.slo.evaluator import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.link import BrokerAddress
    from telemetry.store import Store


@dataclass(slots=True)
class Parts:
    """Threads that end together; the last one started is stopped first."""

    stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _closing: list[Callable[[], object]] = field(default_factory=list)

    def run(self, name: str, work: Callable[[], object]) -> None:
        """Start a thread."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def at_end(self, act: Callable[[], object]) -> None:
        """Do this when everything has ended."""
        self._closing.append(act)

    def end(self) -> None:
        """Stop all threads, wait for them, close what they used."""
        self.stop.set()
        for thread in reversed(self._threads):
            thread.join(timeout=10)
        for act in reversed(self._closing):
            act()


def serve(
    parts: Parts,
    opener: Callable[[], Store],
    broker: BrokerAddress,
    inventory: Callable[[], Inventory],
    clock: Callable[[], int],
) -> Ingest:
    """Start one ingest and the rollup; returns the ingest, whose counters may be shown."""
    written, folded = opener(), opener()
    ingest = Ingest(written, inventory, clock)
    link = roles.ingest_link(broker, "1", shared=False, ingest=ingest)
    parts.run("ingest", lambda: roles.run_ingest(ingest, link, parts.stop))
    inbox = roles.StateInbox()
    # Alarms are judged and shown; a demonstration calls nobody.
    rollup = Rollup(folded, inventory, clock, Watch(folded, inventory, Alerting(inventory)))
    presence = roles.rollup_link(broker, inbox)
    parts.run("rollup", lambda: roles.run_rollup(rollup, presence, inbox, parts.stop))
    parts.at_end(written.close)
    parts.at_end(folded.close)
    return ingest
