"""Starts the nightly work in a child process, so that it delays no pass: month figures, and the refit of wait models.

It must not compute or fit anything itself.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import closing
from typing import TYPE_CHECKING

import structlog

from motcua.month_figures import store_figures_now
from motcua.startup import configure_logging, load_inventory, stored_logs
from telemetry import wiring
from telemetry.core.calendar.windows import DAY, HOUR, to_local
from telemetry.errors import MotcuaError
from telemetry.store import WAIT_MODELS_CHECKPOINT

if TYPE_CHECKING:
    from threading import Event as Signal
    from zoneinfo import ZoneInfo

    from telemetry.config import ServerSettings
    from telemetry.prediction.province_refit import RefitReport

_log = structlog.get_logger()
REFIT_HOUR = 2
"""The refit begins at this local hour, or when a rollup starts that missed it."""
CHECK_INTERVAL_S = 60.0
MAX_RUN_S = 600.0
"""A child that takes longer is ended: its models are fitted the next night."""
NICENESS = 10


def refit_now(settings: ServerSettings) -> RefitReport:
    """Store past months' figures and fit the wait models of a store's centres again.

    Raises ConfigError, StoreUnavailable.
    """
    from telemetry.prediction.province_refit import refit_province
    from telemetry.prediction.wait_rows import fit_quantiles

    declared = load_inventory(settings, stored_logs(settings))
    store_figures_now(settings, declared)
    inventory = declared()
    with closing(wiring.open_store(settings.store, settings.store_token, create=False)) as store:
        report = refit_province(store, inventory, time.time_ns() // 1_000_000, fit_quantiles)
    _log.info(
        "wait_models_refitted", replaced=len(report.replaced), unchanged=len(report.unchanged),
        postponed=list(report.postponed),
    )  # fmt: skip
    return report


def _refit_in_child(settings: ServerSettings) -> None:
    os.nice(NICENESS)
    configure_logging(settings.log)
    refit_now(settings)


def is_due(last: int, now: int, zone: ZoneInfo) -> bool:
    """Return whether the local REFIT_HOUR has passed since the last refit (Unix ms, 0: never)."""
    if not last or now - last > DAY:
        return True
    local = to_local(now, zone)
    since_midnight = (local.hour * 60 + local.minute) * 60_000
    return since_midnight >= REFIT_HOUR * HOUR and now - last > since_midnight - REFIT_HOUR * HOUR


def run_refits(settings: ServerSettings, zone: ZoneInfo, stop: Signal) -> None:
    """Refit in a child process whenever it is due, until stopped; what fails is logged and tried the next night."""
    attempted_at = 0
    while not stop.wait(CHECK_INTERVAL_S):
        now = time.time_ns() // 1_000_000
        try:
            with closing(wiring.open_store(settings.store, settings.store_token, create=False)) as store:
                last = max(store.checkpoint(WAIT_MODELS_CHECKPOINT), attempted_at)
        except MotcuaError as error:
            _log.error("refit_postponed", error=str(error))
            continue
        if is_due(last, now, zone):
            attempted_at = now
            _run_child(settings, stop)


def _run_child(settings: ServerSettings, stop: Signal) -> None:
    child = multiprocessing.get_context("spawn").Process(target=_refit_in_child, args=(settings,), daemon=True)
    child.start()
    end = time.monotonic() + MAX_RUN_S
    while child.is_alive() and time.monotonic() < end and not stop.wait(1.0):
        pass
    if child.is_alive():
        child.terminate()
    child.join(10)
    if child.exitcode:
        _log.error("refit_failed", exit_code=child.exitcode, remedy="tried again the next night")
