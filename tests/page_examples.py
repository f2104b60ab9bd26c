"""Addresses of every page over the network of `tests.program.promises`, by route."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "/centres": ("/centres", "/centres?q=an&sort=-centres.waiting"),
    "/districts/{code}": (),
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
