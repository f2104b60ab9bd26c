"""Predicted waits on a bank's call log (1 to 14 February 1999), fitted on its first ten days and tested on the rest.

Every ticket of the last four days that queued is predicted from the events before it; the model is fitted again at each
midnight.  The log is not part of the project: MOTCUA_DATA is the folder that has `queue/`.

Run: python -m bench waits
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bench.progress import print_message
from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.importer import read_log
from telemetry.core.calendar.windows import Window, to_local, to_ms
from telemetry.core.queueing.drain import Newcomer
from telemetry.core.queueing.wait_model import WaitPredictor
from telemetry.core.queueing.waiting_line import TicketKind
from telemetry.prediction.wait_backtest import WaitBacktest
from telemetry.prediction.wait_report import compare_methods
from telemetry.prediction.wait_rows import fit_quantiles
from telemetry.prediction.wait_walk import Entries, WaitWalk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.protocol.events import Event
    from telemetry.prediction.wait_backtest import TestedTicket
    from telemetry.prediction.wait_rows import WaitRow

LOG = "queue/bank-1999-02-first-half.tsv"
ZONE = ZoneInfo("Asia/Jerusalem")
TESTED = Window(to_ms(datetime(1999, 2, 11, tzinfo=ZONE)), to_ms(datetime(1999, 2, 15, tzinfo=ZONE)))
MIN_GROUP = 500
PREDICTED = 200
"""Newcomers that are timed."""


def data_folder() -> Path:
    """Return where the real input lies."""
    return Path(os.environ.get("MOTCUA_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def read_events() -> list[Event]:
    """Return the log's events."""
    return list(read_log(load_mapping("bank-1999"), data_folder() / LOG).events())


def group_shares(tickets: list[TestedTicket]) -> dict[str, dict[str, float]]:
    """Return the share of waits within p90 by service, class and time of day, of groups of at least MIN_GROUP."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for ticket in tickets:
        if ticket.wait_s is None:
            continue
        is_within, hour = ticket.wait_s <= ticket.predicted.p90_s, to_local(ticket.entered, ZONE).hour
        band = "before 12:00" if hour < 12 else "12:00 to 17:00" if hour < 17 else "from 17:00"
        for name in (f"service {ticket.kind.service}", f"class {ticket.kind.priority}", band):
            groups[name].append(is_within)
    return {
        name: {"tickets": len(within), "share_within": sum(within) / len(within)}
        for name, within in sorted(groups.items())
        if len(within) >= MIN_GROUP
    }


def measure() -> dict[str, Any]:
    """Return the scores of all methods, shares by group, and what fitting and predicting cost."""
    if not (data_folder() / LOG).exists():
        raise SystemExit(f"{data_folder() / LOG} is missing: set MOTCUA_DATA to the folder that has queue/")
    test = WaitBacktest(ZONE, TESTED, fit_quantiles)
    tickets = test.run(read_events())
    methods = compare_methods(tickets, test.trained_waits)
    cost = subprocess.run([sys.executable, "-m", "bench.waits"], check=True, capture_output=True, text=True)
    return {
        "methods": [{"method": m.method, "has_p90": m.has_p90, **asdict(m.scores)} for m in methods],
        "groups": group_shares(tickets),
        "cost": json.loads(cost.stdout),
    }


def measure_cost() -> dict[str, float]:
    """Return the seconds of a walk over ten days and of one fit, the ms of one newcomer, and this process's peak."""
    rows: list[WaitRow] = []

    def fit_last(given: Sequence[WaitRow]) -> None:
        rows[:] = given

    events = [event for event in read_events() if event.t < TESTED.start + 12 * 3_600_000]
    began = time.perf_counter()
    test = WaitBacktest(ZONE, TESTED, fit_last)
    test.run(events)
    walk_s, began = time.perf_counter() - began, time.perf_counter()
    predictor = WaitPredictor(test.walk.collector.profile(), fit_quantiles(rows))
    fit_s = time.perf_counter() - began
    lines = [step.line for step in WaitWalk().steps(events) if isinstance(step, Entries)][-PREDICTED:]
    began = time.perf_counter()
    for line in lines:
        predictor.predict_row(predictor.features_of(line, Newcomer(TicketKind("ps"), line.at)))
    predict_ms = 1000 * (time.perf_counter() - began) / len(lines)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": len(rows), "walk_s": walk_s, "fit_s": fit_s, "predict_ms": predict_ms, "peak_mb": peak_mb}


if __name__ == "__main__":
    print_message("walking, fitting")
    print(json.dumps(measure_cost()))
