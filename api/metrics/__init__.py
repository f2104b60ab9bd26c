"""Prometheus pages over `Queries`, each with a registry of its own; they must not compute ratios the core does not.

The main page has no series of a device and none of a service; those are on pages for one centre or one
objective (the multi-target pattern).
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from api.deps import QueriesDep
from api.heavy_queries import HeavyQueryDep
from api.metrics.families import gauge_family
from api.metrics.forecasts import forecast_families
from api.metrics.indicators import indicator_families
from api.metrics.network import centre_families, device_families, network_families, store_families
from api.metrics.objectives import objective_families, scope_families
from telemetry.errors import MotcuaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric

    from telemetry.queries.service import Queries

router = APIRouter(tags=["metrics"])


@router.get("/metrics", operation_id="metrics", response_class=Response)
def get_network_metrics(request: Request) -> Response:
    """Return the network's metrics in the format that the scraper accepts."""
    return _registry_response(request, request.app.state.registry)


@router.get("/metrics/devices", operation_id="metrics_devices", response_class=Response)
def get_device_metrics(request: Request, queries: QueriesDep, centre: str) -> Response:
    """Return the metrics of one centre's devices."""
    view = queries.centre(centre)
    return _families_response(request, lambda: device_families(view))


@router.get("/metrics/centre", operation_id="metrics_centre", response_class=Response)
def get_centre_metrics(request: Request, queries: QueriesDep, centre: str) -> Response:
    """Return the metrics of one centre's queues by service, of its devices by kind, and what is expected now."""
    view = queries.centre(centre)
    return _families_response(request, lambda: chain(centre_families(view), forecast_families(queries, centre)))


@router.get("/metrics/slos", operation_id="metrics_slos", response_class=Response)
def get_slo_metrics(request: Request, queries: QueriesDep, slo: str) -> Response:
    """Return all metrics of one objective, at every scope it applies to."""
    slo_index = queries.slo_index()
    slo_index.objective(slo)
    return _families_response(request, lambda: scope_families(slo_index.for_slo(slo)))


@router.get("/metrics/kpis", operation_id="metrics_kpis", response_class=Response)
def get_indicator_metrics(request: Request, queries: QueriesDep, gate: HeavyQueryDep) -> Response:
    """Return value, numerator, denominator and target of all indicators with a source, over the local year so far."""
    indicators = queries.indicators
    with gate.admit(indicators.overview_cost(indicators.default_window())):
        overview = indicators.overview()
    return _families_response(request, lambda: indicator_families(overview))


def _families_response(request: Request, build_families: Callable[[], Iterable[Metric]]) -> Response:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_FamiliesCollector(build_families))
    return _registry_response(request, registry)


def _registry_response(request: Request, registry: CollectorRegistry) -> Response:
    encoder, media = choose_encoder(request.headers.get("accept", ""))
    return Response(encoder(registry), headers={"Content-Type": media})


def build_registry(queries: Queries, version: str) -> CollectorRegistry:
    """Return a registry that holds the network's collector and nothing else."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_FamiliesCollector(lambda: _collect_network(queries, version)))
    return registry


class _FamiliesCollector(Collector):
    """Answers a scrape from the same queries as the pages."""

    def __init__(self, build_families: Callable[[], Iterable[Metric]]) -> None:
        self._build_families = build_families

    def describe(self) -> Iterable[Metric]:
        """Return no families, so that registering runs no query."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield from self._build_families()


def _collect_network(queries: Queries, version: str) -> Iterator[Metric]:
    """Yield all families; when the store cannot be read only the build and `motcua_source_up` 0."""
    yield gauge_family("build_info", "The build.", ["version"], [([version], 1)])
    try:
        status, objectives = queries.network_status(), queries.slo_index()
        families = [
            *network_families(status),
            *objective_families(objectives, queries.now(), queries.zone()),
            *store_families(queries.store_stats()),
        ]
    except MotcuaError:
        families, is_up = [], 0
    else:
        is_up = 1
    yield gauge_family("source_up", "Whether a source could be read.", ["source"], [(["store"], is_up)])
    yield from families
