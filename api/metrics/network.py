"""The main page's families of centres, queues and systems: sums per centre, never a series per device or service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

from api.metrics.families import TICKET_EVENTS, WAITS_HELP, gauge_family, single_gauge, wait_histogram
from telemetry.core.fold.totals import add_sums
from telemetry.queries import count_states
from telemetry.queries.views import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from telemetry.queries import CentreView, NetworkStatus, StoreStats, SystemView

    SumsByCentre = Sequence[tuple[str, Mapping[str, int]]]


def network_families(status: NetworkStatus) -> Iterator[Metric]:
    """Yield what there is to say about the network now."""
    views = [*status.centres, *status.imported]
    sums = [(v.centre.id, v.today_sums) for v in views]
    yield single_gauge("simulated", "Whether any of the data is simulated.", int(status.simulated))
    yield single_gauge(
        "snapshot_timestamp_seconds",
        "When the live rows were last read (at most a second before the scrape).",
        status.network.snapshot.at / 1000,
    )
    yield from _centre_state_families(views)
    yield from _count_families(status)
    yield from _queue_families(views)
    yield from _ticket_families(sums)
    yield from _system_families(status.systems)


def _centre_state_families(views: Sequence[CentreView]) -> Iterator[Metric]:
    yield gauge_family(
        "centre_open",
        "Whether the centre is within its opening hours.",
        ["centre"],
        (([v.centre.id], int(v.open)) for v in views),
    )
    yield gauge_family(
        "centre_state",
        "The centre's condition: 1 for the present one; the others are left out.",
        ["centre", "state"],
        (([v.centre.id, v.condition], 1) for v in views),
    )
    yield gauge_family(
        "centre_capacity_ratio",
        "Working share of the critical counters, or else kiosks; unknown ones are taken as down.",
        ["centre"],
        (([v.centre.id], capacity[0]) for v in views if (capacity := v.capacity) is not None),
    )
    yield gauge_family(
        "devices",
        "Devices by service state; by kind too at /metrics/centre.",
        ["centre", "state"],
        (([v.centre.id, state], n) for v in views for state, n in count_states(v.devices).items()),
    )


def _count_families(status: NetworkStatus) -> Iterator[Metric]:
    yield gauge_family(
        "centres",
        "Declared centres by condition.",
        ["state"],
        (([c], n) for c, n in status.conditions.items()),
    )
    counts: dict[tuple[str, str], int] = {}
    for device in (d for v in status.centres for d in v.devices):
        key = (device.now.kind, device.state)
        counts[key] = counts.get(key, 0) + 1
    kinds = sorted({kind for kind, _ in counts})
    yield gauge_family(
        "devices_by_type",
        "Devices of the whole network by kind and service state.",
        ["device_type", "state"],
        (([kind, state], counts.get((kind, state), 0)) for kind in kinds for state in STATES),
    )


def _queue_families(views: Sequence[CentreView]) -> Iterator[Metric]:
    yield gauge_family(
        "queue_open_counters", "Counters that are open.", ["centre"], (([v.centre.id], v.counters_open) for v in views)
    )
    yield gauge_family(
        "queue_waiting_tickets",
        "Tickets that wait, over all services.",
        ["centre"],
        (([v.centre.id], v.waiting) for v in views),
    )


def _ticket_families(sums: SumsByCentre) -> Iterator[Metric]:
    yield gauge_family(
        "tickets_today",
        "Tickets of the local day so far, over all services; late data may raise the figure of any hour.",
        ["centre", "event"],
        (([c, name], s.get(name, 0)) for c, s in sums for name in TICKET_EVENTS),
    )
    yield gauge_family(
        "wait_today_seconds",
        "Sum of the waits that ended today; divide by motcua_waits_today for the mean.",
        ["centre"],
        (([c], s.get("wait_sum_ms", 0) / 1000) for c, s in sums),
    )
    yield gauge_family(
        "waits_today", "Waits that ended today.", ["centre"], (([c], s.get("called", 0)) for c, s in sums)
    )
    total_waits = wait_histogram(add_sums(s for _, s in sums))
    yield gauge_family("queue_wait_seconds", WAITS_HELP, ["bound"], (([bound], count) for bound, count in total_waits))


def _system_families(views: Sequence[SystemView]) -> Iterator[Metric]:
    yield gauge_family(
        "system_state",
        "A digital system's state by quorum, as a state set: 1 for the present one.",
        ["system", "state"],
        (([v.system.id, state], int(v.state == state)) for v in views for state in STATES),
    )


def store_families(stats: StoreStats) -> Iterator[Metric]:
    """Yield what there is to say about the store."""
    dead_letters = CounterMetricFamily("motcua_dead_letters", "Rows refused or put off.", labels=["reason"])
    for reason, rows in sorted(stats.dead_letters.items()):
        dead_letters.add_metric([reason], rows)
    yield dead_letters
    yield single_gauge("events_stored", "Agents' events in the store (kept at most ten seconds).", stats.events)
    ratio = stats.completeness.overall.ratio
    if ratio is not None:
        yield single_gauge("completeness_ratio", "Rows accounted for, of all rows ever numbered.", ratio)
    yield single_gauge(
        "rollup_cursor_timestamp_seconds",
        "Changes written before this moment are folded.",
        stats.cursor_us / 1_000_000,
    )
