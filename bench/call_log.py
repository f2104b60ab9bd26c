"""The real call log of a bank as 5-minute totals, read as `motcua replay` reads it; none where it is not there."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.progress import print_message
from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.importer import import_centre, read_log
from telemetry.core.calendar.windows import SLOT
from telemetry.core.fold.totals import Total, add_to_sums
from telemetry.core.protocol.events import TicketAbandoned, TicketCalled, TicketFinished, TicketIssued

if TYPE_CHECKING:
    from telemetry.core.inventory import Centre

LOG = "queue/bank-1999-02-first-half.tsv"


@dataclass(frozen=True, slots=True)
class CallLog:
    """The log's centre and its totals."""

    centre: Centre
    totals: list[Total]


def read_call_log() -> CallLog | None:
    """Return the log in $MOTCUA_DATA, else in `shared/data` beside the checkout; None without it."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    file = Path(os.environ.get("MOTCUA_DATA") or default) / LOG
    if not file.is_file():
        print_message(f"{file} is missing: set MOTCUA_DATA to the folder that holds {LOG}")
        return None
    mapping = load_mapping("bank-1999")
    centre = import_centre(mapping)
    sums: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    for event in read_log(mapping, file).events():
        match event:
            case TicketIssued():
                addend = {"issued": 1}
            case TicketCalled():
                addend = {"called": 1, "wait_sum_ms": event.t - event.entered}
            case TicketAbandoned():
                addend = {"abandoned": 1}
            case TicketFinished():
                addend = {"service_count": 1, "service_sum_ms": event.t - event.called}
            case _:
                continue
        add_to_sums(sums[event.service, event.t - event.t % SLOT], addend)
    totals = [
        Total(centre.id, f"desk:{centre.id}:{service}", "5m", start, centre.province, found)
        for (service, start), found in sums.items()
    ]
    return CallLog(centre, totals)
