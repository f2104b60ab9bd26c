"""A Prometheus collector over `Queries`, in a registry of its own; it must not compute ratios the core does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from telemetry.errors import MotcuaError
from telemetry.queries.views import CONDITIONS, STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from telemetry.queries import CentreView, Health, Queries, SystemView

router = APIRouter(tags=["health"])
_TICKETS = ("issued", "called", "served", "abandoned", "no_show")


@router.get("/metrics", operation_id="metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Return the metrics in the format the scraper asks for."""
    encoder, media = choose_encoder(request.headers.get("accept", ""))
    return Response(encoder(request.app.state.registry), headers={"Content-Type": media})


def registry_of(queries: Queries, version: str) -> CollectorRegistry:
    """Return a registry that holds the network's collector and nothing else."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NetworkCollector(queries, version))
    return registry


class NetworkCollector(Collector):
    """Answers a scrape by asking the same questions the pages ask."""

    def __init__(self, queries: Queries, version: str) -> None:
        self._queries = queries
        self._version = version

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering asks no questions."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all families; when the store cannot be read only the build and `motcua_source_up` 0."""
        yield _family("build_info", "The build.", ["version"], [([self._version], 1)])
        try:
            families = [*self._network(), *_store(self._queries.health())]
        except MotcuaError:
            families, reached = [], 0
        else:
            reached = 1
        yield _family("source_up", "Whether a source could be read.", ["source"], [(["store"], reached)])
        yield from families

    def _network(self) -> Iterator[Metric]:
        found = self._queries.status()
        views = [*found.centres, *found.imported]
        yield _single("simulated", "Whether any of the data is simulated.", int(found.simulated))
        yield _single(
            "snapshot_timestamp_seconds",
            "When the live rows were last read (at most a second before the scrape).",
            found.world.snapshot.at / 1000,
        )
        yield from _centres(views)
        yield from _queues(views)
        yield from _systems(found.systems)


def _family(name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"motcua_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _single(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"motcua_{name}", text, value=value)


def _centres(views: Sequence[CentreView]) -> Iterator[Metric]:
    yield _family(
        "centre_open",
        "Whether the centre is within its opening hours.",
        ["centre"],
        (([v.centre.id], int(v.open)) for v in views),
    )
    yield _family(
        "centre_state",
        "The centre's condition as a state set: 1 for the present one.",
        ["centre", "state"],
        (([v.centre.id, c], int(v.condition == c)) for v in views for c in CONDITIONS),
    )
    yield _family(
        "devices",
        "Devices by service state.",
        ["centre", "device_type", "state"],
        (row for v in views for row in _devices(v)),
    )


def _devices(view: CentreView) -> Iterator[tuple[list[str], int]]:
    for kind in sorted({d.now.kind for d in view.devices}):
        states = [d.state for d in view.devices if d.now.kind == kind]
        yield from (([view.centre.id, kind, state], states.count(state)) for state in STATES)


def _queues(views: Sequence[CentreView]) -> Iterator[Metric]:
    pairs = [(v.centre.id, s) for v in views for s in v.services]
    place = ["centre", "service"]
    yield _family(
        "queue_open_counters",
        "Counters that are open.",
        ["centre"],
        (([v.centre.id], v.counters_open) for v in views),
    )
    yield _family(
        "queue_waiting_tickets",
        "Tickets that wait.",
        place,
        (([c, s.service], s.waiting) for c, s in pairs),
    )
    yield _family(
        "tickets_today",
        "Tickets of the local day so far; late data may raise the figure of any hour.",
        [*place, "event"],
        (([c, s.service, name], s.today.get(name, 0)) for c, s in pairs for name in _TICKETS),
    )
    yield _family(
        "wait_today_seconds",
        "Sum of the waits that ended today; divide by motcua_waits_today for the mean.",
        place,
        (([c, s.service], s.today.get("wait_sum_ms", 0) / 1000) for c, s in pairs),
    )
    yield _family(
        "waits_today",
        "Waits that ended today.",
        place,
        (([c, s.service], s.today.get("called", 0)) for c, s in pairs),
    )


def _systems(views: Sequence[SystemView]) -> Iterator[Metric]:
    yield _family(
        "system_state",
        "A digital system's state by quorum, as a state set: 1 for the present one.",
        ["system", "state"],
        (([v.system.id, state], int(v.state == state)) for v in views for state in STATES),
    )


def _store(health: Health) -> Iterator[Metric]:
    dead = CounterMetricFamily("motcua_dead_letters", "Rows refused or put off.", labels=["reason"])
    for reason, rows in sorted(health.dead.items()):
        dead.add_metric([reason], rows)
    yield dead
    yield _single("events_stored", "Agents' events in the store (kept at most ten seconds).", health.events)
    ratio = health.rows.whole.ratio
    if ratio is not None:
        yield _single("completeness_ratio", "Rows accounted for, of all rows ever numbered.", ratio)
    yield _single(
        "rollup_cursor_timestamp_seconds",
        "Changes written before this moment are folded.",
        health.cursor_us / 1_000_000,
    )
