"""The drained line on two days of a real log: it beats every simple estimator, and does not see later events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.importer import read_log
from telemetry.core.calendar.windows import Window, to_ms
from telemetry.prediction.wait_backtest import WaitBacktest
from telemetry.prediction.wait_report import compare_methods
from telemetry.prediction.wait_rows import fit_nothing

if TYPE_CHECKING:
    from pathlib import Path

ZONE = ZoneInfo("Asia/Jerusalem")
TESTED = Window(to_ms(datetime(1999, 2, 2, 8, tzinfo=ZONE)), to_ms(datetime(1999, 2, 2, 13, tzinfo=ZONE)))


def test_the_drained_line_wins_on_the_real_log(data_dir: Path) -> None:
    events = list(read_log(load_mapping("bank-1999"), data_dir / "queue/bank-1999-02-first-half.tsv").events())
    test = WaitBacktest(ZONE, TESTED, fit_nothing)
    test.run(event for event in events if event.t < TESTED.end + 3_600_000)
    scores = {m.method: m.scores for m in compare_methods(test.tickets, test.trained_waits)}
    others = [s.mae_s for name, s in scores.items() if name not in {"drain", "prediction"}]
    assert scores["drain"].count > 200
    assert scores["drain"].mae_s < min(others)
    middle = Window(TESTED.start, TESTED.start + 2 * 3_600_000)
    known = WaitBacktest(ZONE, TESTED, fit_nothing)
    known.run(event for event in events if event.t < middle.end)
    known_queued = [t for t in known.tickets if t.wait_s is not None]
    by_ticket = {t.ticket: t.predicted for t in test.tickets}
    assert len(known_queued) > 50
    assert [t.predicted for t in known_queued] == [by_ticket[t.ticket] for t in known_queued]
