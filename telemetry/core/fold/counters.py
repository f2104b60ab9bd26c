"""What ticket and probe events add to 5-minute totals; it must use no states and no calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import SLOT, Window, floor
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import SumsBySlot, add_to_sums
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.fold.sourced_event import SourcedEvent


def desk_counts(events: Sequence[SourcedEvent], window: Window) -> dict[str, SumsBySlot]:
    """Return what a centre's events (without repeats, sorted by t) add to each service's totals in the window."""
    out: dict[str, SumsBySlot] = {}
    for s in events:
        service = getattr(s.event, "service", None)
        if service is not None and window.start <= s.event.t < window.end and (counts := event_counts(s.event)):
            add_to_sums(out.setdefault(service, {}).setdefault(floor(s.event.t, SLOT), {}), counts)
    return out


def event_counts(event: ev.Event) -> dict[str, int]:
    """Return what one ticket event adds to its service's totals, in the interval of its `t`.

    A wait is t(call) − entered (domain.md Q-02); a negative one means crossed clocks and is not counted.
    """
    match event:
        case ev.TicketCalled():
            return {"called": 1, **_duration_counts("wait", event.t - event.entered)}
        case ev.TicketFinished():
            length_ms = event.t - (event.started or event.called) - event.held_ms
            counts = _duration_counts("service", length_ms) if event.quality == "ok" else {}
            return {"served": 1, "service_count": 1, **counts} if counts else {"served": 1}
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


def _duration_counts(prefix: str, length_ms: int) -> dict[str, int]:
    if length_ms < 0:
        return {}
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
