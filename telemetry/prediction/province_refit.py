"""Fits the wait models of all centres with enough tickets and stores those that changed; it must not serve them.

Bounded for a province: centres with few tickets are not read, all centres share a number of rows, and those that no
time is left for come first the next night.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import structlog

from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.queueing.wait_model_file import (
    MIN_MODEL_ROWS,
    InvalidModel,
    WaitModelFile,
    decode_backtest,
    decode_model,
    encode_model,
)
from telemetry.prediction.wait_history import read_ticket_events
from telemetry.prediction.wait_refit import RefitTask, refit_waits
from telemetry.store import WAIT_MODELS_CHECKPOINT, wait_backtest_name, wait_model_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telemetry.core.inventory import Inventory
    from telemetry.prediction.wait_rows import FitQuantiles
    from telemetry.store import Store

_log = structlog.get_logger()
HISTORY_MS = 28 * DAY
"""A fit looks back over twenty working days, ms."""
MAX_ROWS = 4_000
"""The rows of all centres together."""
MIN_CENTRE_ROWS = 400
BUDGET_S = 50.0


@dataclass(frozen=True, slots=True)
class RefitReport:
    """What a refit did: centres with a new model, with the same one, and those that no time was left for."""

    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    postponed: tuple[str, ...] = ()


def refit_province(
    store: Store, inventory: Inventory, now: int, fit: FitQuantiles, stopwatch: Callable[[], float] = time.monotonic
) -> RefitReport:
    """Fit each centre with enough tickets again; a fault of one centre is logged and leaves its model as it is."""
    called = _called_tickets(store, inventory, now)
    champions = {centre: _stored_model(store, centre) for centre in called}
    tested = {centre: _tested_at(store, centre) for centre in called}
    end, total = stopwatch() + BUDGET_S, sum(called.values())
    replaced, unchanged, postponed = list[str](), list[str](), list[str]()
    for centre in sorted(called, key=lambda c: (tested[c], -called[c], c)):
        if stopwatch() >= end:
            postponed.append(centre)
            continue
        rows = max(MIN_CENTRE_ROWS, MAX_ROWS * called[centre] // total)
        task = RefitTask(centre, inventory.centres[centre].zone, now, champions[centre], rows)
        is_new = _refit_centre(store, task, fit)
        (replaced if is_new else unchanged).append(centre)
    store.set_checkpoint(WAIT_MODELS_CHECKPOINT, now)
    return RefitReport(tuple(replaced), tuple(unchanged), tuple(postponed))


def _called_tickets(store: Store, inventory: Inventory, now: int) -> Mapping[str, int]:
    """Return how many tickets each declared centre called lately, of those with enough of them."""
    centres = [c.id for c in inventory.centres.values() if not c.imported]
    called = dict.fromkeys(centres, 0)
    for total in store.totals(centres, "1d", Window(max(now - HISTORY_MS, 0), now), "desk"):
        called[total.entity] += total.sums.get("called", 0)
    return {centre: count for centre, count in called.items() if count >= MIN_MODEL_ROWS}


def _stored_model(store: Store, centre: str) -> WaitModelFile | None:
    body = store.document(wait_model_name(centre))
    try:
        return None if body is None else decode_model(body)
    except InvalidModel as error:
        _log.warning("wait_model_unreadable", centre=centre, error=str(error), remedy="it is fitted anew")
        return None


def _tested_at(store: Store, centre: str) -> int:
    body = store.document(wait_backtest_name(centre))
    report = None if body is None else decode_backtest(body)
    return 0 if report is None else report.at


def _refit_centre(store: Store, task: RefitTask, fit: FitQuantiles) -> bool:
    """Store a centre's model when it changed; returns whether it predicts with other numbers than before."""
    try:
        events = read_ticket_events(store, task.centre, task.now, HISTORY_MS)
        result = refit_waits(task, events, fit)
    except (ArithmeticError, ValueError, LookupError, TypeError) as error:
        _log.error("wait_refit_failed", centre=task.centre, error=repr(error), exc_info=error)
        return False
    if result is None:
        return False
    store.put_document(wait_backtest_name(task.centre), msgspec.json.encode(result.report))
    if result.model is None:
        return False
    store.put_document(wait_model_name(task.centre), encode_model(result.model))
    return True
