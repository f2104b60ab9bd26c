"""Runs the server roles, each alone or as threads of demo and replay; it must not decide anything for them."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import structlog

from motcua.refit import run_refits
from motcua.system import wall_ms
from telemetry import wiring
from telemetry.config import ServerSettings, parse_listen_address
from telemetry.core.backoff import full_jitter_ms
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.inventory import Inventory
from telemetry.errors import StoreUnavailable
from telemetry.ingest.service import Ingest
from telemetry.ingest.worker import ingest_link, run_ingest
from telemetry.mqtt.address import BrokerAddress
from telemetry.rollup.pass_stats import PassStats
from telemetry.rollup.service import Rollup
from telemetry.rollup.worker import run_rollup
from telemetry.slo.alert_state import StateFile
from telemetry.slo.alerting import Alerting
from telemetry.slo.alertmanager import Alertmanagers
from telemetry.slo.evaluator import SloEvaluator
from telemetry.store import Store

_log = structlog.get_logger()
MAX_STORE_WAIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """One ingest: its stable name, whether its subscription is shared, the address of its metrics."""

    name: str
    shared: bool
    metrics: str | None


def wait_for_store(settings: ServerSettings, stop: threading.Event, *, create: bool = True) -> Store | None:
    """Open the store, retrying while it is unreachable; None when stopped before. Raises ConfigError, StoreTooNew.

    `create=False` refuses a store that is not there.
    """
    attempt = 0
    while not stop.is_set():
        try:
            return wiring.open_store(settings.store, settings.store_token, create=create)
        except StoreUnavailable as error:
            wait = 200 + full_jitter_ms(attempt, random.random(), 500, MAX_STORE_WAIT_MS)  # noqa: S311
            _log.error("store_unavailable", error=str(error), again_in_ms=wait)
            attempt += 1
            stop.wait(wait / 1000)
    return None


def _relax_garbage_collection() -> None:
    """Collect cycles rarely: a write makes 100,000 objects without any, and collections took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)


def run_ingest_role(
    settings: ServerSettings, inventory: Callable[[], Inventory], options: IngestOptions, stop: threading.Event
) -> None:
    """Run one ingest until stopped."""
    listen = parse_listen_address(options.metrics, "--metrics") if options.metrics else None
    _relax_garbage_collection()
    with ExitStack() as stack:
        store = wait_for_store(settings, stop)
        if store is None:
            return
        stack.enter_context(closing(store))
        service = Ingest(store, inventory, wall_ms, settings.max_event_age_days * DAY)
        if listen:
            from telemetry.ingest import metrics_server

            stack.callback(metrics_server.serve_metrics(service.stats, wall_ms, listen).shutdown)
        link = ingest_link(settings.mqtt, options.name, shared=options.shared, ingest=service)
        run_ingest(service, link, stop)


def run_rollup_role(
    settings: ServerSettings, inventory: Callable[[], Inventory], stop: threading.Event, metrics: str | None = None
) -> None:
    """Run the rollup until stopped; it serves its pages at `metrics`, HOST:PORT.

    Raises ConfigError, StateTooNew, StateUnavailable, StoreTooNew.
    """
    listen, stats = parse_listen_address(metrics, "--metrics") if metrics else None, PassStats()
    with ExitStack() as stack:
        if listen:
            from telemetry.rollup.pass_page import serve_passes

            stack.callback(serve_passes(stats, wall_ms, listen).shutdown)
        # Before the store: a newer state file or an invalid address must be reported at once.
        state = stack.enter_context(closing(StateFile(settings.state)))
        sender = stack.enter_context(closing(Alertmanagers(settings.alertmanager, ca=settings.alertmanager_ca)))
        store = wait_for_store(settings, stop)
        if store is None:
            return
        stack.enter_context(closing(store))
        evaluator = SloEvaluator(store, inventory, Alerting(inventory, state, sender))
        service = Rollup(store, inventory, wall_ms, evaluator)
        refits = threading.Thread(
            target=run_refits, args=(settings, inventory().zone, stop), name="refits", daemon=True
        )
        refits.start()
        run_rollup(service, settings.mqtt, stop, stats)


def rebuild_totals(settings: ServerSettings, inventory: Callable[[], Inventory], window: Window | None) -> int:
    """Fold everything again; returns the number of entities. Raises ConfigError without a store, StoreUnavailable."""
    with closing(wiring.open_store(settings.store, settings.store_token, create=False)) as store:
        return Rollup(store, inventory, wall_ms).rebuild(window)


@dataclass(slots=True)
class RoleThreads:
    """Threads that end together; the last one started is joined first."""

    stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _exit_actions: list[Callable[[], object]] = field(default_factory=list)

    def start(self, name: str, work: Callable[[], object]) -> None:
        """Start a thread."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def on_exit(self, action: Callable[[], object]) -> None:
        """Call `action` after all threads have ended."""
        self._exit_actions.append(action)

    def shutdown(self) -> None:
        """Stop all threads, wait for them, run the exit actions."""
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
    """Start one ingest and the rollup, each with its own store connection and link; returns the ingest."""
    ingest = start_ingest(threads, open_store, broker, inventory, clock)
    start_rollup(threads, open_store, broker, inventory, clock)
    return ingest


def start_ingest(
    threads: RoleThreads,
    open_store: Callable[[], Store],
    broker: BrokerAddress,
    inventory: Callable[[], Inventory],
    clock: Callable[[], int],
) -> Ingest:
    """Start one ingest as a thread, and return it."""
    store = open_store()
    ingest = Ingest(store, inventory, clock)
    link = ingest_link(broker, "1", shared=False, ingest=ingest)
    threads.start("ingest", lambda: run_ingest(ingest, link, threads.stop))
    threads.on_exit(store.close)
    return ingest


def start_rollup(
    threads: RoleThreads,
    open_store: Callable[[], Store],
    broker: BrokerAddress,
    inventory: Callable[[], Inventory],
    clock: Callable[[], int],
) -> None:
    """Start the rollup as a thread; it evaluates the objectives and sends no alert."""
    store = open_store()
    rollup = Rollup(store, inventory, clock, SloEvaluator(store, inventory, Alerting(inventory)))
    threads.start("rollup", lambda: run_rollup(rollup, broker, threads.stop))
    threads.on_exit(store.close)
