"""Datasets by day: availability of centres and systems, queues of centres and services; it must not read raw events."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.totals import add_sums
from telemetry.core.inventory import UNDECLARED_SERVICE, Centre, Service
from telemetry.core.open_data.catalogue import ALL_SERVICES, QUEUES, WITHIN_S
from telemetry.core.open_data.suppression import is_small, suppress_parts
from telemetry.core.scope import Scope
from telemetry.queries.buckets import BucketQuery
from telemetry.queries.open_data.rows import (
    DatasetPart,
    DatasetRow,
    centre_cells,
    chunks,
    complement_order,
    period_cells,
    span_of,
    suppress_cells,
)
from telemetry.queries.queues import queue_history_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.inventory import Inventory, System
    from telemetry.queries.availability import AvailabilityResult
    from telemetry.queries.open_data.rows import CellValue, OpenDataInputs

TICKET_COUNTS = (
    "issued", "served", "abandoned", "no_show", "transferred", "closed_eod", "waits", "service_times",
    "decided_15min", "within_15min",
)  # fmt: skip
"""The counts of a row; all but the first are left out together."""
_WHOLES_AND_PARTS = (
    ("issued", "served"), ("issued", "waits"), ("issued", "service_times"), ("issued", "decided_15min"),
    ("waits", "served"), ("waits", "service_times"), ("decided_15min", "within_15min"),
)  # fmt: skip
TICKET_DIFFERENCES = tuple((TICKET_COUNTS.index(whole), TICKET_COUNTS.index(part)) for whole, part in _WHOLES_AND_PARTS)
_RESTS = frozenset((*TICKET_COUNTS[1:], "service_level_15min"))
_MEANS = {"waits": ("wait_mean_s", "wait_p90_s"), "service_times": ("service_mean_s",)}
_UNDECLARED = Service(UNDECLARED_SERVICE, "Lĩnh vực chưa khai báo", "Undeclared services")
_ALL = Service(ALL_SERVICES, "Tất cả lĩnh vực", "All services")


def availability_parts(inputs: OpenDataInputs, periods: Sequence[Window], *, systems: bool) -> list[DatasetPart]:
    """Return the availability of the centres, and of all systems if wanted, by day."""
    shown = [*inputs.inventory.whole_systems.values()] if systems else []
    return [
        DatasetPart(
            BucketQuery(span_of(days), "1d", inputs.zone).cost(len(inputs.centres) + len(shown)),
            lambda days=days: _availability_rows(inputs, days, shown),  # type: ignore[misc]
        )
        for days in chunks(periods, len(inputs.centres) + len(shown))
    ]


def _availability_rows(inputs: OpenDataInputs, days: Sequence[Window], systems: Sequence[System]) -> list[DatasetRow]:
    window = span_of(days)
    rows: list[DatasetRow] = []
    if len(inputs.centres) > 1:  # one read of all centres: the answers for each then come from the cache
        inputs.availability(Scope.province(inputs.inventory.province), window, "1d")
    for centre in inputs.centres:
        scope = Scope.centre(centre.id)
        cells = _scope_cells(scope, "centre", centre) | {"level": centre.level, "unit": centre.unit}
        rows += _scope_rows(inputs, inputs.availability(scope, window, "1d"), cells)
    for system in systems:
        scope = Scope.system(system.id)
        cells = _scope_cells(scope, system.kind, system) | {"level": None, "unit": None}
        rows += _scope_rows(inputs, inputs.availability(scope, window, "1d"), cells)
    return sorted(rows, key=lambda row: str(row.cells["date"]))


def _scope_cells(scope: Scope, kind: str, names: Centre | System) -> dict[str, CellValue]:
    return {"scope": str(scope), "kind": kind, "name_vi": names.name_vi, "name_en": names.name_en}


def _scope_rows(
    inputs: OpenDataInputs, result: AvailabilityResult, cells: Mapping[str, CellValue]
) -> Iterator[DatasetRow]:
    for day, time in result.rows:
        yield DatasetRow({
            **period_cells("date", day, result.zone), **cells,
            "open_s": time.open, "up_s": time.up, "down_s": time.down, "unknown_s": time.unknown,
            "excluded_s": time.excluded, "availability": time.availability(), "availability_low": time.low,
            "availability_high": time.high, "coverage": time.coverage, "settled": day.end <= inputs.settled_until,
        })  # fmt: skip


def queue_parts(inputs: OpenDataInputs, periods: Sequence[Window]) -> list[DatasetPart]:
    """Return the queues of the centres by service and day, with the sum of each centre's services."""
    desks = sum(len(centre.services) + 1 for centre in inputs.centres)
    return [
        DatasetPart(
            BucketQuery(span_of(days), "1d", inputs.zone).cost(desks),
            lambda days=days: queue_rows(inputs, days),  # type: ignore[misc]
        )
        for days in chunks(periods, desks)
    ]


def queue_rows(inputs: OpenDataInputs, days: Sequence[Window]) -> Iterator[DatasetRow]:
    """Yield the rows of adjacent days, each centre's after the sum of them."""
    query = BucketQuery(span_of(days), "1d", inputs.zone)
    sums: dict[tuple[int, str], dict[str, Mapping[str, int]]] = defaultdict(dict)
    for row in queue_history_rows(inputs.store, inputs.centres, query, None, inputs.now):
        sums[row.window.start, row.centre][row.service] = row.sums
    for day in days:
        for centre in inputs.centres:
            if by_service := sums.get((day.start, centre.id)):
                yield from _centre_rows(inputs, day, centre, by_service)


def ticket_counts(figures: QueueFigures) -> tuple[int, ...]:
    """Return the counts of a row, in the order of TICKET_COUNTS."""
    level = next(one for one in figures.service_levels if one.threshold_s == WITHIN_S)
    return (
        figures.issued, figures.served, figures.abandoned, figures.no_show, figures.transferred, figures.closed_eod,
        figures.wait.count, figures.service_time.count, level.good + level.bad, level.good,
    )  # fmt: skip


def _centre_rows(
    inputs: OpenDataInputs, day: Window, centre: Centre, by_service: Mapping[str, Mapping[str, int]]
) -> Iterator[DatasetRow]:
    """Yield one centre's day; the services are a tree below the sum of all, in the tickets and in the other counts."""
    order = complement_order(day, by_service)
    figures = {name: queue_figures(by_service[name]) for name in order}
    counts = {name: ticket_counts(figures[name]) for name in order}
    issued = suppress_parts([counts[name][:1] for name in order])
    rests = suppress_parts(
        [counts[name] for name in order], TICKET_DIFFERENCES, issued.parts, total_is=issued.total
    )  # fmt: skip
    total = queue_figures(add_sums(by_service.values()))
    shared = {
        **period_cells("date", day, inputs.zone), **centre_cells(centre),
        "settled": day.end <= inputs.settled_until,
    }  # fmt: skip
    left_out = _left_out(issued=issued.total, rests=rests.total)
    yield _queue_row(shared, _ALL, total, left_out)
    for name in sorted(by_service):
        place = order.index(name)
        left_out = _left_out(issued=place in issued.parts, rests=place in rests.parts)
        yield _queue_row(shared, _service_of(inputs.inventory, centre, name), figures[name], left_out)


def _left_out(*, issued: bool, rests: bool) -> frozenset[str]:
    return (frozenset({"issued"}) if issued else frozenset()) | (_RESTS if rests else frozenset())


def _queue_row(
    shared: Mapping[str, CellValue], service: Service, figures: QueueFigures, left_out: frozenset[str]
) -> DatasetRow:
    counts = dict(zip(TICKET_COUNTS, ticket_counts(figures), strict=True))
    means = frozenset(name for count, names in _MEANS.items() if is_small(counts[count]) for name in names)
    decided = counts["decided_15min"]
    cells: dict[str, CellValue] = {
        **shared, "service": service.id, "service_name_vi": service.name_vi, "service_name_en": service.name_en,
        **counts,
        "wait_mean_s": figures.wait.mean_s, "wait_p90_s": figures.wait.percentile_s(0.9),
        "service_mean_s": figures.service_time.mean_s,
        "service_level_15min": counts["within_15min"] / decided if decided else None,
    }  # fmt: skip
    return suppress_cells(cells, left_out | means, QUEUES.names)


def _service_of(inventory: Inventory, centre: Centre, name: str) -> Service:
    own = {service.id: service for service in centre.own_services}
    known = own.get(name) or inventory.services.get(name)
    return _UNDECLARED if name == UNDECLARED_SERVICE else known or Service(name, name, name)
