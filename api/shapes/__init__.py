"""Turns answers of `telemetry.queries` into what goes over the wire; it must not compute figures."""

from api.shapes.availability import availability_rows
from api.shapes.days import coverage, day, segment
from api.shapes.network import centre, centre_detail, device, status
from api.shapes.objectives import (
    budget_out,
    counted_out,
    known_share,
    point,
    seconds,
    slo_definition,
    slo_meta,
    slo_row,
    slo_status,
    spend,
)
from api.shapes.origin import completeness_meta, completeness_row, meta, window_meta
from api.shapes.queues import queue_now, queue_row, wait
from api.shapes.systems import system, system_detail

__all__ = [
    "availability_rows", "budget_out", "centre", "centre_detail", "completeness_meta", "completeness_row",
    "counted_out", "coverage", "day", "device", "known_share", "meta", "point", "queue_now",
    "queue_row", "seconds", "segment",
    "slo_definition", "slo_meta",
    "slo_row", "slo_status", "spend", "status", "system", "system_detail", "wait", "window_meta",
]  # fmt: skip
