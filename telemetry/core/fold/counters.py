"""What one ticket event by itself, and probes, add to 5-minute totals; it must use no states and no calendar.

What depends on the earlier events of a ticket is in `ticket_segments`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import SLOT, Window, floor
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import SumsBySlot, add_to_sums
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.fold.sourced_event import SourcedEvent


def event_counts(event: ev.Event) -> dict[str, int]:
    """Return what one ticket event adds to its service's totals, in the interval of its `t`.

    A wait is t(call) − entered (domain.md Q-02); a negative one means crossed clocks and is counted apart, as is a
    service whose record says that it was not closed at its end.
    """
    match event:
        case ev.TicketCalled():
            return {"called": 1, **duration_counts("wait", event.t - event.entered)}
        case ev.TicketFinished():
            if event.quality != "ok":
                return {"served": 1, "forgotten_open": 1}
            length_ms = event.t - (event.started or event.called) - event.held_ms
            counts = duration_counts("service", length_ms)
            return {"served": 1, "service_count": 1, **counts} if length_ms >= 0 else {"served": 1, **counts}
        case ev.WaitPromised():
            within = {"promises_within": 1} if event.wait_ms <= event.p90_ms else {}
            return {"promises": 1, "promise_error_sum_ms": abs(event.wait_ms - event.p50_ms), **within}
        case ev.RatingSubmitted():
            return {"ratings": 1, "ratings_good": int(event.rating >= 4)}
        case _:
            name = _COUNT_FIELD_BY_ENDING.get(type(event))
            return {name: 1} if name else {}


_COUNT_FIELD_BY_ENDING: dict[type[ev.Event], str] = {
    ev.TicketIssued: "issued",
    ev.TicketAbandoned: "abandoned",
    ev.TicketNoShow: "no_show",
    ev.TicketTransferred: "transferred",
    ev.TicketClosedEod: "closed_eod",
}


def duration_counts(prefix: str, length_ms: int) -> dict[str, int]:
    """Return what a duration adds: to its sum and histogram, or, when it is negative, to the number of those."""
    if length_ms < 0:
        return {f"{prefix}_negative": 1}
    return {f"{prefix}_sum_ms": length_ms, f"{prefix}_histogram": histogram_of(length_ms)}


def probe_counts(events: Iterable[SourcedEvent], window: Window) -> SumsBySlot:
    """Return what the probes (without repeats) of one digital system add to its totals in the window."""
    out: SumsBySlot = {}
    for s in events:
        event = s.event
        if not isinstance(event, ev.ProbeResult) or not window.start <= event.t < window.end:
            continue
        counts = {"probes": 1, "probes_ok": int(event.ok)}
        if event.ok and event.latency_ms is not None:
            counts["latency_sum_ms"] = round(event.latency_ms)
            counts["latency_histogram"] = histogram_of(event.latency_ms)
        add_to_sums(out.setdefault(floor(event.t, SLOT), {}), counts)
    return out
