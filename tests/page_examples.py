"""Addresses of every page, by route, over a small province in which each of them has something to show."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from telemetry.core.fold.live_row_types import DatabaseNow
from telemetry.core.inventory import AdministrativeUnit
from tests.cloud_examples import ONESTOP
from tests.hosted_network import hosting, observe, report_figures
from tests.program.network import NOW, busy
from tests.program.promises import judged, promised, promising_on
from tests.program.test_history_pages import fill_last_week, import_log

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory
    from telemetry.store import Store
    from tests.program.network import Network

EXAMPLES: dict[str, tuple[str, ...]] = {
    "/centres": ("/centres", "/centres?q=an&sort=-centres.waiting"),
    "/districts/{code}": ("/districts/829", "/districts/83"),
    "/hall/{ident}": ("/hall/vn83-a",),
    "/reports": ("/reports",),
    "/reports/{month}": ("/reports/2026-11", "/reports/2026-10"),
    "/reports/{month}/{centre}": ("/reports/2026-11/vn83-a",),
    "/search": ("/search", "/search?q=an"),
    "/": ("/", "/?from=2026-11-16&to=2026-11-22", "/?from=yesterday"),
    "/alerts": ("/alerts",),
    "/badges": ("/badges",),
    "/centres/{ident}": (
        "/centres/vn83-a",
        "/centres/vn83-c",
        "/centres/replay-bank",
        "/centres/vn83-a?from=2026-11-16&to=2026-11-22",
        "/centres/vn83-a?from=2026-11-20&to=2026-11-20",
        "/centres/vn83-a?from=yesterday",
    ),
    "/centres/{ident}/counters": ("/centres/vn83-a/counters",),
    "/centres/{ident}/half-hours": ("/centres/vn83-a/half-hours",),
    "/compare": (
        "/compare",
        "/compare?periods=own&from=2026-11-16&to=2026-11-22&centre1=vn83-a&centre2=vn83-b",
    ),
    "/systems": ("/systems",),
    "/systems/{ident}": ("/systems/vn83-portal", f"/systems/{ONESTOP}"),
    "/devices": ("/devices", "/devices?centre=vn83-a"),
    "/devices/{ident}": ("/devices/vn83-a-kiosk1",),
    "/maintenance": ("/maintenance",),
    "/data-quality": ("/data-quality",),
    "/incidents": ("/incidents", "/incidents?from=2026-11-17&to=2026-11-23"),
    "/datasets": ("/datasets",),
    "/kpis": ("/kpis",),
    "/kpis/{ident}": ("/kpis/Q-01",),
    "/kpis/commitments": ("/kpis/commitments",),
    "/models": ("/models",),
    "/objectives": ("/objectives",),
    "/objectives/{ident}": ("/objectives/open?scope=centre:vn83-a", "/objectives/wait"),
}
"""Addresses to look at, by route; a route that only sends files has none."""
REFUSED = ("/?from=yesterday", "/centres/vn83-a?from=yesterday", "/centres/vn83-c")
"""Addresses that are answered by the page of an error."""


_FIGURES = DatabaseNow(
    at=NOW - 60_000, every_ms=60_000, instances=2, copy_at=NOW - 18_000_000, lag_ms=900_000, disk_bytes=1 << 36
)


def page_network(store: Store) -> Network:
    """Return two centres of a district with objectives, with a morning and a week behind them, and an imported log.

    A hosted system is down, because its database is.
    """
    net = judged(busy(promising_on(store, hosting(_province_with_a_district()))))
    observe(net, onestop="down", web="down", app="down", db="down")
    report_figures(net, _FIGURES)
    fill_last_week(net)
    import_log(net)
    net.store.reconcile()
    return net


def _province_with_a_district() -> Inventory:
    declared, since = promised(), date(2020, 6, 1)
    units = (
        AdministrativeUnit("83", "province", "", "Tỉnh Bến Tre", since),
        AdministrativeUnit("829", "district", "83", "Thành phố Bến Tre", since),
    )
    centres = {ident: replace(centre, unit="829") for ident, centre in declared.centres.items()}
    return replace(declared, units={unit.code: unit for unit in units}, centres=centres)
