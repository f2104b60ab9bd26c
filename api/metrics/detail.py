"""One centre's families in full: its devices, its queues by service; on pages that are asked for that centre."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from api.metrics.families import TICKET_EVENTS, WAITS_HELP, gauge_family, wait_histogram
from telemetry.queries.views import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from telemetry.queries import CentreView


def device_families(view: CentreView) -> Iterator[Metric]:
    """Yield what there is to say about each device; what nobody has said is left out."""
    label_names = ["centre", "device", "device_type"]
    rows = [([view.centre.id, d.now.id, d.now.kind], d) for d in view.devices]
    yield gauge_family(
        "device_state",
        "A device's service state, as a state set: 1 for the present one.",
        [*label_names, "state"],
        (([*labels, state], int(d.state == state)) for labels, d in rows for state in STATES),
    )
    yield gauge_family(
        "device_online",
        "Whether the device is connected.",
        label_names,
        ((labels, int(d.now.online)) for labels, d in rows if d.now.online is not None),
    )
    for name, text in (("last_event", "last said something"), ("last_contact", "was last heard")):
        yield gauge_family(
            f"device_{name}_timestamp_seconds",
            f"When the device {text}.",
            label_names,
            ((labels, t / 1000) for labels, d in rows if (t := getattr(d.now, name)) is not None),
        )
    yield gauge_family(
        "device_outbox_rows",
        "Rows that wait in the device's outbox.",
        label_names,
        ((labels, d.now.outbox_rows) for labels, d in rows if d.now.outbox_rows is not None),
    )


def centre_families(view: CentreView) -> Iterator[Metric]:
    """Yield the centre's devices by kind, and its queues by service."""
    counts = Counter((d.now.kind, d.state) for d in view.devices)
    kinds = sorted({kind for kind, _ in counts})
    yield gauge_family(
        "centre_devices",
        "The centre's devices by kind and service state.",
        ["centre", "device_type", "state"],
        (([view.centre.id, kind, state], counts[kind, state]) for kind in kinds for state in STATES),
    )
    if view.capacity is not None:
        yield gauge_family(
            "centre_capacity_bound_ratio",
            "Working share of the critical counters, or else kiosks: unknown ones as down (low), as up (high).",
            ["centre", "bound"],
            (([view.centre.id, bound], x) for bound, x in zip(("low", "high"), view.capacity, strict=True)),
        )
    yield from _service_families(view)


def _service_families(view: CentreView) -> Iterator[Metric]:
    label_names = ["centre", "service"]
    rows = [([view.centre.id, s.service], s) for s in view.services]
    yield gauge_family(
        "service_waiting_tickets", "Tickets that wait.", label_names, ((at, s.waiting) for at, s in rows)
    )
    yield gauge_family(
        "service_serving_tickets", "Tickets being served.", label_names, ((at, s.serving) for at, s in rows)
    )
    yield gauge_family(
        "service_tickets_today",
        "Tickets of the local day so far; late data may raise the figure of any hour.",
        [*label_names, "event"],
        (([*at, name], s.today.get(name, 0)) for at, s in rows for name in TICKET_EVENTS),
    )
    yield gauge_family(
        "service_wait_today_seconds",
        "Sum of the waits that ended today; divide by motcua_service_waits_today for the mean.",
        label_names,
        ((at, s.today.get("wait_sum_ms", 0) / 1000) for at, s in rows),
    )
    yield gauge_family(
        "service_waits_today",
        "Waits that ended today.",
        label_names,
        ((at, s.today.get("called", 0)) for at, s in rows),
    )
    yield gauge_family(
        "service_queue_wait_seconds",
        WAITS_HELP,
        [*label_names, "bound"],
        (([*at, bound], count) for at, s in rows for bound, count in wait_histogram(s.today)),
    )
