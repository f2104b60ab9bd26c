"""Runs roles as threads of this process, for demo and replay; each has its own store connection and link."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.ingest.service import Ingest
from telemetry.ingest.worker import ingest_link, run_ingest
from telemetry.rollup.service import Rollup
from telemetry.rollup.worker import run_rollup
from telemetry.slo.alerting import Alerting
from telemetry.slo.evaluator import SloEvaluator

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.address import BrokerAddress
    from telemetry.store import Store


@dataclass(slots=True)
class RoleThreads:
    """Threads that end together; the last one started is stopped first."""

    stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _exit_actions: list[Callable[[], object]] = field(default_factory=list)

    def start(self, name: str, work: Callable[[], object]) -> None:
        """Start a thread."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def on_exit(self, action: Callable[[], object]) -> None:
        """Do this when everything has ended."""
        self._exit_actions.append(action)

    def shutdown(self) -> None:
        """Stop all threads, wait for them, close what they used."""
        self.stop.set()
        for thread in reversed(self._threads):
            thread.join(timeout=10)
        for action in reversed(self._exit_actions):
            action()


def start_server_roles(
    threads: RoleThreads,
    open_store: Callable[[], Store],
    broker: BrokerAddress,
    inventory: Callable[[], Inventory],
    clock: Callable[[], int],
) -> Ingest:
    """Start one ingest and the rollup; returns the ingest, whose counters may be shown."""
    ingest_store, rollup_store = open_store(), open_store()
    ingest = Ingest(ingest_store, inventory, clock)
    link = ingest_link(broker, "1", shared=False, ingest=ingest)
    threads.start("ingest", lambda: run_ingest(ingest, link, threads.stop))
    # Alarms are judged and shown; a demonstration calls nobody.
    rollup = Rollup(rollup_store, inventory, clock, SloEvaluator(rollup_store, inventory, Alerting(inventory)))
    threads.start("rollup", lambda: run_rollup(rollup, broker, threads.stop))
    threads.on_exit(ingest_store.close)
    threads.on_exit(rollup_store.close)
    return ingest
