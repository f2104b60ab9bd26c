"""The main page's families of centres, queues and systems: sums per centre, never a series per device or service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

from api.metrics.families import TICKETS, WAITS, family, single, waits
from telemetry.core.fold.totals import add
from telemetry.queries import tally
from telemetry.queries.views import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from telemetry.queries import CentreView, Health, Status, SystemView

    Sums = Sequence[tuple[str, Mapping[str, int]]]


def network_families(found: Status) -> Iterator[Metric]:
    """Yield what there is to say about the network now."""
    views = [*found.centres, *found.imported]
    sums = [(v.centre.id, v.sums) for v in views]
    yield single("simulated", "Whether any of the data is simulated.", int(found.simulated))
    yield single(
        "snapshot_timestamp_seconds",
        "When the live rows were last read (at most a second before the scrape).",
        found.world.snapshot.at / 1000,
    )
    yield from _centres(views)
    yield from _counts(found)
    yield from _queues(views)
    yield from _tickets(sums)
    yield from _systems(found.systems)


def _centres(views: Sequence[CentreView]) -> Iterator[Metric]:
    yield family(
        "centre_open",
        "Whether the centre is within its opening hours.",
        ["centre"],
        (([v.centre.id], int(v.open)) for v in views),
    )
    yield family(
        "centre_state",
        "The centre's condition: 1 for the present one; the others are left out.",
        ["centre", "state"],
        (([v.centre.id, v.condition], 1) for v in views),
    )
    yield family(
        "centre_capacity_ratio",
        "Working share of the critical counters, or else kiosks; unknown ones are taken as down.",
        ["centre"],
        (([v.centre.id], found[0]) for v in views if (found := v.capacity) is not None),
    )
    yield family(
        "devices",
        "Devices by service state; by kind too at /metrics/centre.",
        ["centre", "state"],
        (([v.centre.id, state], n) for v in views for state, n in tally(v.devices).items()),
    )


def _counts(found: Status) -> Iterator[Metric]:
    yield family(
        "centres",
        "Declared centres by condition.",
        ["state"],
        (([c], n) for c, n in found.conditions.items()),
    )
    counts: dict[tuple[str, str], int] = {}
    for device in (d for v in found.centres for d in v.devices):
        place = (device.now.kind, device.state)
        counts[place] = counts.get(place, 0) + 1
    kinds = sorted({kind for kind, _ in counts})
    yield family(
        "devices_by_type",
        "Devices of the whole network by kind and service state.",
        ["device_type", "state"],
        (([kind, state], counts.get((kind, state), 0)) for kind in kinds for state in STATES),
    )


def _queues(views: Sequence[CentreView]) -> Iterator[Metric]:
    yield family(
        "queue_open_counters", "Counters that are open.", ["centre"], (([v.centre.id], v.counters_open) for v in views)
    )
    yield family(
        "queue_waiting_tickets",
        "Tickets that wait, over all services.",
        ["centre"],
        (([v.centre.id], v.waiting) for v in views),
    )


def _tickets(sums: Sums) -> Iterator[Metric]:
    yield family(
        "tickets_today",
        "Tickets of the local day so far, over all services; late data may raise the figure of any hour.",
        ["centre", "event"],
        (([c, name], s.get(name, 0)) for c, s in sums for name in TICKETS),
    )
    yield family(
        "wait_today_seconds",
        "Sum of the waits that ended today; divide by motcua_waits_today for the mean.",
        ["centre"],
        (([c], s.get("wait_sum_ms", 0) / 1000) for c, s in sums),
    )
    yield family("waits_today", "Waits that ended today.", ["centre"], (([c], s.get("called", 0)) for c, s in sums))
    everywhere = waits(add(s for _, s in sums))
    yield family("queue_wait_seconds", WAITS, ["bound"], (([bound], count) for bound, count in everywhere))


def _systems(views: Sequence[SystemView]) -> Iterator[Metric]:
    yield family(
        "system_state",
        "A digital system's state by quorum, as a state set: 1 for the present one.",
        ["system", "state"],
        (([v.system.id, state], int(v.state == state)) for v in views for state in STATES),
    )


def store_families(health: Health) -> Iterator[Metric]:
    """Yield what there is to say about the store."""
    dead = CounterMetricFamily("motcua_dead_letters", "Rows refused or put off.", labels=["reason"])
    for reason, rows in sorted(health.dead.items()):
        dead.add_metric([reason], rows)
    yield dead
    yield single("events_stored", "Agents' events in the store (kept at most ten seconds).", health.events)
    ratio = health.rows.whole.ratio
    if ratio is not None:
        yield single("completeness_ratio", "Rows accounted for, of all rows ever numbered.", ratio)
    yield single(
        "rollup_cursor_timestamp_seconds",
        "Changes written before this moment are folded.",
        health.cursor_us / 1_000_000,
    )
