"""Turns answers of `telemetry.queries` into what goes over the wire; it must not compute figures."""

from api.shapes.availability import availability_rows
from api.shapes.days import calendar_day_response, timeline_coverage, timeline_interval
from api.shapes.network import centre_detail, centre_summary, device_response, network_status_response
from api.shapes.objectives import (
    budget_consumption,
    budget_summary,
    coverage_of,
    good_bad_counts,
    seconds_by_state,
    slo_definition,
    slo_history_point,
    slo_meta,
    slo_row,
    slo_status_detail,
)
from api.shapes.origin import completeness_meta, completeness_row, response_meta, window_meta
from api.shapes.queues import current_queue, queue_history_row, wait_figures
from api.shapes.systems import system_detail_response, system_summary

__all__ = [
    "availability_rows",
    "budget_consumption",
    "budget_summary",
    "calendar_day_response",
    "centre_detail",
    "centre_summary",
    "completeness_meta",
    "completeness_row",
    "coverage_of",
    "current_queue",
    "device_response",
    "good_bad_counts",
    "network_status_response",
    "queue_history_row",
    "response_meta",
    "seconds_by_state",
    "slo_definition",
    "slo_history_point",
    "slo_meta",
    "slo_row",
    "slo_status_detail",
    "system_detail_response",
    "system_summary",
    "timeline_coverage",
    "timeline_interval",
    "wait_figures",
    "window_meta",
]  # fmt: skip
