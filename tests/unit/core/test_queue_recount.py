"""Queue figures recounted while a day is made up, by no code of the fold, equal the stored totals of every width."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.fold import aggregation, fold
from telemetry.core.fold.totals import add_sums
from telemetry.core.protocol import events as ev
from tests.oracles.counter_time import busy_ms
from tests.unit.days import CENTRE, WHOLE, ms, read, said, ticket

if TYPE_CHECKING:
    from telemetry.core.fold.totals import Total

NAMES = (
    "issued", "called", "wait_sum_ms", "recalled", "recall_delay_sum_ms", "way_count", "way_sum_ms", "served",
    "service_sum_ms", "service_count", "abandoned", "no_show", "closed_eod", "transferred", "transferred_in",
)  # fmt: skip


def made_up_day(seed: int) -> tuple[list[ev.Event], Counter[str]]:
    """Return a day's events and its figures, counted as the events are made."""
    chance, events, truth = Random(seed), list[ev.Event](), Counter[str]()
    for i in range(250):
        t, who = ms(7, 30) + chance.randrange(570) * MINUTE, {"ticket": f"k{i}"}
        wait, length = chance.randrange(20) * MINUTE, chance.randrange(1, 25) * MINUTE
        call, counter = t + wait, f"c{chance.randrange(4)}"
        events.append(ticket(ev.TicketIssued, t, **who))
        truth["issued"] += 1
        outcome = chance.choice(("served", "served", "served", "abandoned", "no_show", "closed_eod", "transferred"))
        if outcome in ("abandoned", "closed_eod"):
            kind = ev.TicketAbandoned if outcome == "abandoned" else ev.TicketClosedEod
            events.append(ticket(kind, call, entered=t, **who))
            truth[outcome] += 1
            continue
        events.append(ticket(ev.TicketCalled, call, entered=t, counter=counter, **who))
        truth.update({"called": 1, "wait_sum_ms": wait, outcome: 1})
        if outcome == "no_show":
            events.append(ticket(ev.TicketNoShow, call + MINUTE, entered=t, **who))
            continue
        if outcome == "transferred":
            fields = {"to_queue": "tax", "to_service": "tax", "entered": t}
            events.append(ticket(ev.TicketTransferred, call + MINUTE, **fields, **who))
            truth["transferred_in"] += 1
            continue
        last = call + chance.choice((0, 0, 2)) * MINUTE
        if last > call:
            events.append(ticket(ev.TicketRecalled, last, entered=t, counter=counter, **who))
            truth.update({"recalled": 1, "recall_delay_sum_ms": last - call})
        began = last + MINUTE
        events.append(ticket(ev.TicketServingStarted, began, entered=t, called=call, counter=counter, **who))
        truth.update({"way_count": 1, "way_sum_ms": MINUTE, "service_count": 1, "service_sum_ms": length})
        done = {"entered": t, "called": last, "started": began, "counter": counter}
        events.append(ticket(ev.TicketFinished, began + length, **done, **who))
    return events, truth


@pytest.mark.parametrize("seed", [1, 2])
def test_figures_recomputed_from_raw_events_equal_the_totals_of_every_width(seed: int) -> None:
    events, truth = made_up_day(seed)
    hall = [said(event, spool=f"s{i}") for i, event in enumerate(events)]
    slots: list[Total] = []
    for start in range(WHOLE.start, WHOLE.end, HOUR):
        hour = Window(start, start + HOUR)
        later = [s for s in hall if hour.end <= s.event.t < hour.end + 4 * HOUR]
        slots += fold.fold_centre(CENTRE, [], read(hall, hour), hour, related_events=later)
    hours = aggregation.hourly_totals(slots, CENTRE.calendar)
    days = aggregation.daily_totals(slots, WHOLE, CENTRE.calendar)
    for totals in (slots, hours, days):
        sums = add_sums(t.sums for t in totals if t.scope.startswith("desk:"))
        assert {name: sums.get(name, 0) for name in NAMES} == {name: truth[name] for name in NAMES}
        counters = add_sums(t.sums for t in totals if t.scope.startswith("counters:"))
        assert counters["counter_service_ms"] == busy_ms(events, WHOLE)
