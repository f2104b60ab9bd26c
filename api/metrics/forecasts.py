"""Families of one centre's expectations: arrivals and counters of the present half hour, a newcomer's wait by service.

They must not be yielded for all centres: staffing is computed, and waits are a series for each service and quantile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.metrics.families import gauge_family

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from telemetry.queries.forecasts import ExpectedHalfHour
    from telemetry.queries.service import Queries


def forecast_families(queries: Queries, centre: str) -> Iterator[Metric]:
    """Yield the centre's families; what is not known now has no sample."""
    present = queries.present_expectation(centre)
    half_hour, staffing = present.half_hour, present.staffing
    yield _centre_gauge(
        "expected_arrivals",
        "Tickets expected in the present half hour.",
        centre,
        None if half_hour is None else half_hour.expected,
    )
    yield gauge_family(
        "expected_arrivals_bound",
        "Tickets that one of ten such half hours does not reach (p10), and does not exceed in nine (p90).",
        ["centre", "bound"],
        _bounds(centre, half_hour),
    )
    yield _centre_gauge(
        "counters_needed",
        "Counters at work that the goal of a mean wait of 15 minutes needs in the present half hour.",
        centre,
        None if staffing is None else staffing.needed,
    )
    yield gauge_family(
        "service_expected_wait_seconds",
        "The wait shown to a newcomer: half of such tickets are called within quantile 0.5, nine of ten within 0.9.",
        ["centre", "service", "quantile"],
        (
            ([centre, service.service, quantile], wait_ms / 1000)
            for service in queries.centre(centre).services
            if service.expected is not None
            for quantile, wait_ms in (("0.5", service.expected.p50_ms), ("0.9", service.expected.p90_ms))
            if wait_ms is not None
        ),
    )


def _centre_gauge(name: str, help_text: str, centre: str, value: float | None) -> Metric:
    return gauge_family(name, help_text, ["centre"], [] if value is None else [([centre], value)])


def _bounds(centre: str, half_hour: ExpectedHalfHour | None) -> Iterator[tuple[list[str], float]]:
    if half_hour is not None:
        yield [centre, "p10"], half_hour.low
        yield [centre, "p90"], half_hour.high
