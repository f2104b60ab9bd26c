"""The tests' network with objectives: what is declared, and live rows as rollup would write them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.fold.live_row_types import BurnRateNow, ScopedSloNow, SloNow
from telemetry.core.inventory import Objective
from telemetry.queries.service import Queries
from telemetry.store.sqlite import SqliteStore
from tests.api_client import client_over
from tests.program.network import NOW, Network, inventory, local

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

OPEN = Objective("open", "Mở cửa", "Open", "centre", "availability", 0.995, 28)
WAIT = Objective("wait", "Chờ", "Wait", "centre", "wait", 0.8, 28, threshold_ms=900_000)
PORTAL = Objective("portal", "Cổng", "Portal", "system:vn83-portal", "availability", 0.99, 28, "wall")
MONTH = Objective("month", "Tháng", "Month", "device:vn83-a-kiosk1", "availability", 0.99, 30, period="month")
SETTLED = local(0, day=16)
START = NOW - 28 * DAY


def promised() -> Inventory:
    return replace(inventory(), objectives=(OPEN, WAIT, PORTAL, MONTH))


def promising(path: Path, declared: Inventory | None = None) -> Network:
    """Return the network with objectives, nothing heard or judged yet."""
    return promising_on(SqliteStore(path / "store.db"), declared)


def promising_on(store: Store, declared: Inventory | None = None) -> Network:
    """Return the network with objectives on a store of any kind."""
    clock = [NOW]
    found = declared or promised()
    queries = Queries(store, lambda: found, lambda: clock[0])
    return Network(store, queries, client_over(queries), clock)


FIRING = BurnRateNow(
    rule="page-fast", severity="page", long_ms=HOUR, short_ms=5 * MINUTE, threshold=8.3, long=9.5, short=20.0,
    armed=True, fired=local(9, 30),
)  # fmt: skip
QUIET = BurnRateNow(rule="ticket-day", severity="ticket", long_ms=450 * MINUTE, short_ms=40 * MINUTE, threshold=3.32)
WORKED = ScopedSloNow(
    scope="centre:vn83-a", start=START, end=NOW, open=597_600, up=590_660, down=4120, unknown=2820, good=590_660,
    bad=6940, standing="exhausted", readings=(FIRING, QUIET),
)  # fmt: skip
"""The worked example of the reference: a policy that counts unknown as down."""
WELL = ScopedSloNow(scope="centre:vn83-b", start=START, end=NOW, open=1000, up=1000, good=1000, bad=0, down=0,
                standing="healthy")  # fmt: skip
CALLED = ScopedSloNow(scope="centre:vn83-a", start=START, end=NOW, good=90, bad=10, standing="healthy")


def judged(net: Network) -> Network:
    """Put what rollup would have judged: `open` at both centres, `wait` at one; the rest was never judged."""
    rows = {
        "slo:open": SloNow(slo="open", at=NOW, settled_until=SETTLED, scopes=(WORKED, WELL)),
        "slo:wait": SloNow(slo="wait", at=NOW - 15_000, settled_until=SETTLED, scopes=(CALLED,)),
    }
    net.store.put_live_rows({unit: msgspec.json.encode(row) for unit, row in rows.items()})
    net.time[0] += 1000
    return net
