"""The server roles as commands run them: wait for the store, then run the role's loop; nothing is decided here."""

from __future__ import annotations

import gc
import random
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from motcua.system import wall_ms
from telemetry import wiring
from telemetry.config import parse_listen_address
from telemetry.core.backoff import full_jitter_ms
from telemetry.errors import StoreUnavailable
from telemetry.ingest.service import Ingest
from telemetry.ingest.worker import ingest_link, run_ingest
from telemetry.rollup.service import Rollup
from telemetry.rollup.worker import run_rollup
from telemetry.slo.alert_state import StateFile
from telemetry.slo.alerting import Alerting
from telemetry.slo.alertmanager import Alertmanagers
from telemetry.slo.evaluator import SloEvaluator

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event as Signal

    from telemetry.config import ServerSettings
    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

_log = structlog.get_logger()
MAX_STORE_WAIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """One ingest: its stable name, whether it shares the work, where it shows its figures."""

    name: str
    shared: bool
    metrics: str | None


def wait_for_store(settings: ServerSettings, stop: Signal) -> Store | None:
    """Open the store, waiting for one that is away; None when stopped before. Raises ConfigError, StoreTooNew."""
    attempt = 0
    while not stop.is_set():
        try:
            return wiring.open_store(settings.store, settings.store_token)
        except StoreUnavailable as error:
            wait = 200 + full_jitter_ms(attempt, random.random(), 500, MAX_STORE_WAIT_MS)  # noqa: S311
            _log.error("store_unavailable", error=str(error), again_in_ms=wait)
            attempt += 1
            stop.wait(wait / 1000)
    return None


def _relax_garbage_collection() -> None:
    """Look for cycles rarely: a write makes 100,000 values without one, and looking took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)


def run_ingest_role(
    settings: ServerSettings, inventory: Callable[[], Inventory], options: IngestOptions, stop: Signal
) -> None:
    """Run one ingest until stopped."""
    listen = parse_listen_address(options.metrics, "--metrics") if options.metrics else None
    _relax_garbage_collection()
    with ExitStack() as stack:
        store = wait_for_store(settings, stop)
        if store is None:
            return
        stack.enter_context(closing(store))
        service = Ingest(store, inventory, wall_ms)
        if listen:
            from telemetry.ingest import metrics_server

            stack.callback(metrics_server.serve_metrics(service.stats, wall_ms, listen).shutdown)
        link = ingest_link(settings.mqtt, options.name, shared=options.shared, ingest=service)
        run_ingest(service, link, stop)


def run_rollup_role(settings: ServerSettings, inventory: Callable[[], Inventory], stop: Signal) -> None:
    """Run the rollup until stopped. Raises ConfigError, StateTooNew, StateUnavailable, StoreTooNew."""
    with ExitStack() as stack:
        # Before the store: a state file of a newer version, or an address that is none, is to be seen at once.
        state = stack.enter_context(closing(StateFile(settings.state)))
        sender = stack.enter_context(closing(Alertmanagers(settings.alertmanager)))
        store = wait_for_store(settings, stop)
        if store is None:
            return
        stack.enter_context(closing(store))
        evaluator = SloEvaluator(store, inventory, Alerting(inventory, state, sender))
        service = Rollup(store, inventory, wall_ms, evaluator)
        run_rollup(service, settings.mqtt, stop)


def rebuild_totals(settings: ServerSettings, inventory: Callable[[], Inventory], window: Window | None) -> int:
    """Fold everything again; returns how many units. Raises StoreUnavailable."""
    with closing(wiring.open_store(settings.store, settings.store_token)) as store:
        return Rollup(store, inventory, wall_ms).rebuild(window)


def run_api_role(settings: ServerSettings, inventory: Callable[[], Inventory], stop: Signal) -> None:
    """Serve the API until SIGINT or SIGTERM."""
    from motcua import web

    store = wait_for_store(settings, stop)
    if store is None:
        return
    with closing(store):
        web.run_api(store, inventory, wall_ms, settings.listen)
