"""The back-test of waits: stored events → one row per queued ticket. It must not write to the store."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from motcua.backtest_output import write_rows
from telemetry.core.calendar.windows import Window, to_local, to_ms
from telemetry.errors import MotcuaError
from telemetry.prediction.wait_backtest import WaitBacktest
from telemetry.prediction.wait_history import HISTORY_MS, read_ticket_events
from telemetry.prediction.wait_rows import fit_quantiles
from telemetry.wiring import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from motcua.backtest_output import BacktestPeriod
    from telemetry.config import ServerSettings
    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

COLUMNS = ("ticket", "queued_at", "p50_s", "p90_s", "wait_s")


def run_backtests(
    settings: ServerSettings, inventory: Inventory, period: BacktestPeriod, centre: str = ""
) -> dict[str, WaitBacktest]:
    """Return the test of a centre, or of each with queued tickets; naive times are local. Raises MotcuaError."""
    tests: dict[str, WaitBacktest] = {}
    with closing(open_store(settings.store, settings.store_token, create=False)) as store:
        for name, stored_until in _stored_centres(store, inventory, centre).items():
            zone = inventory.centres[name].zone if name in inventory.centres else inventory.zone
            start = _at(period.since, zone)
            end = stored_until if period.until is None else _at(period.until, zone)
            if start < end:
                test = WaitBacktest(zone, Window(start, end), fit_quantiles)
                if test.run(read_ticket_events(store, name, end, HISTORY_MS + end - start)):
                    tests[name] = test
    if not tests:
        msg = "nothing to test: no queued ticket after --fit-until at a centre with enough waits before it"
        raise MotcuaError(msg)
    return tests


def _at(given: datetime, zone: ZoneInfo) -> int:
    return to_ms(given.replace(tzinfo=zone) if given.tzinfo is None else given)


def _stored_centres(store: Store, inventory: Inventory, centre: str) -> dict[str, int]:
    """Return the centres with events, each with the end of its last day."""
    ends = {name: days[-1].end for name, days in store.days_with_events().items() if name not in inventory.systems}
    if centre and centre not in ends:
        msg = f"{centre} has no events in this store; it has {', '.join(sorted(ends)) or 'none'}"
        raise MotcuaError(msg)
    return {name: end for name, end in sorted(ends.items()) if centre in {"", name}}


def write_csv(file: Path, tests: Mapping[str, WaitBacktest]) -> None:
    """Write one row per queued ticket; raises MotcuaError when the file cannot be written."""
    write_rows(file, COLUMNS, (row for test in tests.values() for row in _csv_rows(test)), "\n")


def _csv_rows(test: WaitBacktest) -> Iterator[tuple[str, ...]]:
    for ticket in test.tickets:
        queued_at = to_local(ticket.entered, test.zone).isoformat(timespec="milliseconds")
        predicted = ticket.predicted
        wait = "" if ticket.wait_s is None else f"{ticket.wait_s:.3f}"
        yield ticket.ticket, queued_at, f"{predicted.p50_s:.1f}", f"{predicted.p90_s:.1f}", wait
