"""The real call log of a bank as 5-minute desk totals, counted from the file itself: no mapping, no store."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN
from telemetry.core.calendar.windows import SLOT, to_ms
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Centre

if TYPE_CHECKING:
    from pathlib import Path

LOG = "queue/bank-1999-02-first-half.tsv"
ZONE = ZoneInfo("Asia/Jerusalem")
BANK = Centre("replay-bank-1999", "b", "commune", "b", "b", "b", "", 15, ALWAYS_OPEN, (), ZONE, imported=True)


def bank_totals(data_dir: Path) -> list[Total]:
    """Return the calls' sums by service and five minutes: entered when the voice menu ends, called after the wait."""
    sums: dict[tuple[str, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with (data_dir / LOG).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["outcome"] == "PHANTOM":
                continue
            service, entered = row["type"].lower(), _entered_ms(row)
            waited, served = int(row["q_time"]) * 1000, int(row["ser_time"]) * 1000
            called = entered + waited
            _slot(sums, service, entered)["issued"] += 1
            if row["outcome"] == "HANG":
                _slot(sums, service, called)["abandoned"] += 1
                continue
            _slot(sums, service, called)["called"] += 1
            _slot(sums, service, called)["wait_sum_ms"] += waited
            _slot(sums, service, called + served)["service_count"] += 1
            _slot(sums, service, called + served)["service_sum_ms"] += served
    return [Total(BANK.id, f"desk:{BANK.id}:{name}", "5m", start, "b", found) for (name, start), found in sums.items()]


def _slot(sums: dict[tuple[str, int], dict[str, int]], service: str, t: int) -> dict[str, int]:
    return sums[service, t - t % SLOT]


def _entered_ms(row: dict[str, str]) -> int:
    """Return when the menu ended: on the day of its beginning, or the next one after midnight."""
    begin, end = (
        datetime.strptime(f"{row['date']} {row[name]}", "%y%m%d %H:%M:%S").replace(tzinfo=ZONE)
        for name in ("vru_entry", "vru_exit")
    )
    return to_ms(end + timedelta(days=1) if begin - end > timedelta(hours=12) else end)
