"""Families of centres, queues, devices and systems; ratios come from the core.

The main page has sums per centre and never a series per device or service; those are on the pages of one centre.
"""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

from prometheus_client.core import CounterMetricFamily

from api.metrics.families import TICKET_EVENTS, WAITS_HELP, gauge_family, single_gauge, wait_histogram
from telemetry.core.fold.totals import add_sums
from telemetry.core.hosted.database_figures import FigureState
from telemetry.core.hosted.derived_systems import component_id
from telemetry.core.hosted.inside_probes import has_figures
from telemetry.queries.hosted import component_view
from telemetry.queries.views import STATES, count_states

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from telemetry.core.hosted.database_figures import FigureId
    from telemetry.queries.completeness import StoreStats
    from telemetry.queries.network import NetworkStatus, NetworkView
    from telemetry.queries.views import CentreView, SystemView


def network_families(status: NetworkStatus) -> Iterator[Metric]:
    """Yield the network's families."""
    views = [*status.centres, *status.imported]
    sums = [([v.centre.id], v.today_sums) for v in views]
    yield single_gauge("simulated", "Whether any of the data is simulated.", int(status.has_simulated_data))
    yield single_gauge(
        "snapshot_timestamp_seconds",
        "When the live rows were last read (at most a second before the scrape).",
        status.network.snapshot.at / 1000,
    )
    yield from _fault_families(status)
    yield from _centre_state_families(views)
    yield from _count_families(status)
    yield from _queue_families(views)
    yield from _today_families("", ["centre"], sums, ", over all services")
    total_waits = wait_histogram(add_sums(s for _, s in sums))
    yield gauge_family("queue_wait_seconds", WAITS_HELP, ["bound"], (([bound], count) for bound, count in total_waits))
    yield from _system_families(status.systems)
    yield from _certificate_families(status.network)
    yield from _component_families(status.network)
    yield from _database_families(status.network)


def _fault_families(status: NetworkStatus) -> Iterator[Metric]:
    """Yield what rollup set aside; an entity without a failure has no series."""
    snapshot = status.network.snapshot
    failures = CounterMetricFamily(
        "motcua_fold_failures",
        "How often stored data of a unit could not be read or folded; the others went on.",
        labels=["unit"],
    )
    for entity, fault in sorted(snapshot.faults.items()):
        failures.add_metric([entity], fault.failures)
    yield failures
    yield gauge_family(
        "unit_set_aside",
        "Units of which stored data cannot be read or folded now: they are shown as unknown.",
        ["unit"],
        (([entity], 1) for entity in sorted(snapshot.set_aside())),
    )


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
        (([v.centre.id, state], n) for v in views for state, n in count_states(v.devices_in_service).items()),
    )


def _count_families(status: NetworkStatus) -> Iterator[Metric]:
    yield gauge_family(
        "centres",
        "Declared centres by condition.",
        ["state"],
        (([c], n) for c, n in status.conditions.items()),
    )
    counts = Counter((d.now.kind, d.state) for v in status.centres for d in v.devices_in_service)
    kinds = sorted({kind for kind, _ in counts})
    yield gauge_family(
        "devices_by_type",
        "Devices of the whole network by kind and service state.",
        ["device_type", "state"],
        (([kind, state], counts[kind, state]) for kind in kinds for state in STATES),
    )


def _queue_families(views: Sequence[CentreView]) -> Iterator[Metric]:
    yield gauge_family(
        "queue_open_counters", "Counters that are open.", ["centre"], (([v.centre.id], v.counters_open) for v in views)
    )
    yield gauge_family(
        "queue_waiting_tickets",
        "Waiting tickets, over all services.",
        ["centre"],
        (([v.centre.id], v.waiting) for v in views),
    )


def _today_families(
    prefix: str, label_names: list[str], rows: Sequence[tuple[list[str], Mapping[str, int]]], note: str = ""
) -> Iterator[Metric]:
    """Yield tickets and waits of the day by event, one row per centre or service: its labels and its sums."""
    yield gauge_family(
        f"{prefix}tickets_today",
        f"Tickets of the local day so far{note}; late data may raise the figure of any hour.",
        [*label_names, "event"],
        (([*labels, name], s.get(name, 0)) for labels, s in rows for name in TICKET_EVENTS),
    )
    yield gauge_family(
        f"{prefix}wait_today_seconds",
        f"Sum of the waits that ended today; divide by motcua_{prefix}waits_today for the mean.",
        label_names,
        ((labels, s.get("wait_sum_ms", 0) / 1000) for labels, s in rows),
    )
    yield gauge_family(
        f"{prefix}waits_today",
        "Waits that ended today.",
        label_names,
        ((labels, s.get("called", 0)) for labels, s in rows),
    )


def _system_families(views: Sequence[SystemView]) -> Iterator[Metric]:
    yield gauge_family(
        "system_state",
        "A digital system's state by quorum, as a state set: 1 for the present one.",
        ["system", "state"],
        (([v.system.id, state], int(v.state == state)) for v in views if v.in_service for state in STATES),
    )


def _certificate_families(network: NetworkView) -> Iterator[Metric]:
    """Yield of each system, component and outside party with a certificate how long it is still valid."""
    views = [network.system(ident) for ident in network.inventory.systems]
    yield gauge_family(
        "system_certificate_expiry_days",
        "Days until a digital system's certificate expires, the least that a vantage point with a state saw.",
        ["system"],
        (([v.system.id], min(days)) for v in views if v.in_service and (days := _certificate_days(v))),
    )


def _certificate_days(view: SystemView) -> list[float]:
    points = view.row.vantage if view.row else ()
    return [one.tls_days for one in points if one.tls_days is not None and one.state != "unknown"]


def _component_families(network: NetworkView) -> Iterator[Metric]:
    """Yield the states of the components of hosted systems that are in service."""
    rows = [
        (component, network.system(node))
        for component in network.inventory.cloud.components
        if (node := component_id(component)) in network.inventory.systems
    ]
    yield gauge_family(
        "hosted_component_state",
        "The state of a component of a hosted system, seen inside the cloud, as a state set: 1 for the present one.",
        ["system", "component", "zone", "state"],
        (
            ([component.system, component.id, component.zone, state], int(view.state == state))
            for component, view in rows
            if view.in_service
            for state in STATES
        ),
    )


_FIGURE_FAMILIES: Mapping[FigureId, tuple[str, str]] = MappingProxyType(
    {
        "copy": ("hosted_database_copy_age_seconds", "Age of a hosted database's newest whole copy."),
        "archive": ("hosted_database_archive_age_seconds", "Time since a hosted database's last change was archived."),
        "instances": ("hosted_database_instances", "Instances of a hosted database that answer."),
        "lag": ("hosted_database_lag_seconds", "How far the last replica of a hosted database is behind."),
        "disk": ("hosted_database_disk_used_ratio", "Share of the declared disk that a hosted database uses."),
    }
)


def _database_families(network: NetworkView) -> Iterator[Metric]:
    """Yield hosted databases' own figures; one that is unknown has a state and no value."""
    parts = [
        component_view(network, component)
        for component in network.inventory.cloud.components
        if has_figures(component) and component_id(component) in network.inventory.systems
    ]
    rows = [([p.component.system, p.component.id], figure) for p in parts if p.view.in_service for figure in p.figures]
    for ident, (name, text) in _FIGURE_FAMILIES.items():
        known = [(at, f.value) for at, f in rows if f.id == ident and f.state != "unknown" and f.value is not None]
        yield gauge_family(name, text, ["system", "component"], known)
    yield gauge_family(
        "hosted_database_figure_state",
        "Whether a hosted database's own figure is within its limit, as a state set: 1 for the present state.",
        ["system", "component", "figure", "state"],
        (([*at, f.id, state], int(f.state == state)) for at, f in rows for state in get_args(FigureState)),
    )


def store_families(stats: StoreStats) -> Iterator[Metric]:
    """Yield the store's families."""
    dead_letters = CounterMetricFamily("motcua_dead_letters", "Rows rejected or deferred.", labels=["reason"])
    for reason, rows in sorted(stats.dead_letters.items()):
        dead_letters.add_metric([reason], rows)
    yield dead_letters
    yield single_gauge("events_stored", "Agents' events in the store (counted at most ten seconds ago).", stats.events)
    ratio = stats.completeness.overall.ratio
    if ratio is not None:
        yield single_gauge("completeness_ratio", "Rows accounted for, of all rows ever numbered.", ratio)
    yield single_gauge(
        "rollup_cursor_timestamp_seconds",
        "Changes written before this time are folded.",
        stats.cursor_us / 1_000_000,
    )
    yield single_gauge(
        "rollup_current_timestamp_seconds",
        "Changes of recent hours written before this time are folded: how old the present figures are.",
        stats.current_until / 1000,
    )
    yield single_gauge(
        "rollup_backlog",
        "Older hours that wait to be folded, those of each centre or system for itself.",
        stats.backlog_hours,
    )


def device_families(view: CentreView) -> Iterator[Metric]:
    """Yield each device's families; values that were never reported are left out."""
    label_names = ["centre", "device", "device_type"]
    rows = [([view.centre.id, d.now.id, d.now.kind], d) for d in view.devices_in_service]
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
    for name, text in (("last_event", "last sent an event"), ("last_contact", "was last in contact")):
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
    counts = Counter((d.now.kind, d.state) for d in view.devices_in_service)
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
    yield gauge_family("service_waiting_tickets", "Waiting tickets.", label_names, ((at, s.waiting) for at, s in rows))
    yield gauge_family(
        "service_serving_tickets", "Tickets being served.", label_names, ((at, s.serving) for at, s in rows)
    )
    yield from _today_families("service_", label_names, [(labels, s.today_sums) for labels, s in rows])
    yield gauge_family(
        "service_queue_wait_seconds",
        WAITS_HELP,
        [*label_names, "bound"],
        (([*at, bound], count) for at, s in rows for bound, count in wait_histogram(s.today_sums)),
    )
