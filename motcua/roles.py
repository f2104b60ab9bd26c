"""The server roles as commands run them: wait for the store, then run the role's loop; nothing is decided here."""

from __future__ import annotations

import gc
import random
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from motcua.system import wall_ms
from telemetry import roles, wiring
from telemetry.config import listen_address
from telemetry.core.backoff import full_jitter
from telemetry.errors import StoreUnavailable
from telemetry.ingest.service import Ingest
from telemetry.rollup.service import Rollup
from telemetry.slo.alert_state import StateFile
from telemetry.slo.alerting import Alerting
from telemetry.slo.alertmanager import Alertmanagers
from telemetry.slo.evaluator import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event as Signal

    from telemetry.config import Settings
    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

_log = structlog.get_logger()
LONGEST_WAIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Worker:
    """One ingest: its stable name, whether it shares the work, where it shows its figures."""

    name: str
    shared: bool
    metrics: str | None


def opened(found: Settings, stop: Signal) -> Store | None:
    """Open the store, waiting for one that is away; None when stopped before. Raises ConfigError, StoreTooNew."""
    attempt = 0
    while not stop.is_set():
        try:
            return wiring.open_store(found.store, found.store_token)
        except StoreUnavailable as error:
            wait = 200 + full_jitter(attempt, random.random(), 500, LONGEST_WAIT_MS)  # noqa: S311
            _log.error("store_unavailable", error=str(error), again_in_ms=wait)
            attempt += 1
            stop.wait(wait / 1000)
    return None


def _collect_seldom() -> None:
    """Look for cycles rarely: a write makes 100,000 values without one, and looking took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)


def ingest(found: Settings, inventory: Callable[[], Inventory], worker: Worker, stop: Signal) -> None:
    """Run one ingest until stopped."""
    listen = listen_address(worker.metrics, "--metrics") if worker.metrics else None
    _collect_seldom()
    with ExitStack() as stack:
        store = opened(found, stop)
        if store is None:
            return
        stack.enter_context(closing(store))
        desk = Ingest(store, inventory, wall_ms)
        if listen:
            from telemetry.ingest import metrics_server

            stack.callback(metrics_server.serve(desk.figures, wall_ms, listen).shutdown)
        link = roles.ingest_link(found.mqtt, worker.name, shared=worker.shared, ingest=desk)
        roles.run_ingest(desk, link, stop)


def rollup(found: Settings, inventory: Callable[[], Inventory], stop: Signal) -> None:
    """Run the rollup until stopped. Raises ConfigError, StateTooNew, StateUnavailable, StoreTooNew."""
    with ExitStack() as stack:
        # Before the store: a state file of a newer version, or an address that is none, is to be seen at once.
        state = stack.enter_context(closing(StateFile(found.state)))
        sender = stack.enter_context(closing(Alertmanagers(found.alertmanager)))
        store = opened(found, stop)
        if store is None:
            return
        stack.enter_context(closing(store))
        inbox = roles.StateInbox()
        watch = Watch(store, inventory, Alerting(inventory, state, sender))
        folding = Rollup(store, inventory, wall_ms, watch)
        roles.run_rollup(folding, roles.rollup_link(found.mqtt, inbox), inbox, stop)


def rebuild(found: Settings, inventory: Callable[[], Inventory], window: Window | None) -> int:
    """Fold everything again; returns how many units. Raises StoreUnavailable."""
    with closing(wiring.open_store(found.store, found.store_token)) as store:
        return Rollup(store, inventory, wall_ms).rebuild(window)


def api(found: Settings, inventory: Callable[[], Inventory], stop: Signal) -> None:
    """Serve the API until SIGINT or SIGTERM."""
    from motcua import web

    store = opened(found, stop)
    if store is None:
        return
    with closing(store):
        web.run(store, inventory, wall_ms, found.listen)
