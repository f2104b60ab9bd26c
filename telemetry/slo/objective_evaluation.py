"""Judges one objective at one scope at one moment, from the book's cells and what is believed of the present.

It must not read stores nor keep anything; every ratio is made by `telemetry.core.slo`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.calendar.intervals import length, overlap
from telemetry.core.calendar.windows import FIVE, MINUTE, Window, floor
from telemetry.core.slo.budget import slack
from telemetry.core.slo.burn_rate import OPEN_RULES, WALL_RULES, Burning, Guard, missed_heartbeats, readings
from telemetry.core.slo.cells import TIME
from telemetry.core.slo.evaluation import Judgement, Tail
from telemetry.core.slo.measures import Measure, measured
from telemetry.core.slo.periods import calendar as aligned, rolling
from telemetry.core.slo.sli import Tally
from telemetry.core.slo.status import Aim, Outlook, judge, ticket_status, time_status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.fold.states import Segment
    from telemetry.core.inventory import Objective
    from telemetry.core.slo.budget import Standing
    from telemetry.core.slo.burn_rate import Reading
    from telemetry.core.slo.evaluation import Aimed
    from telemetry.core.slo.readiness import Mark
    from telemetry.core.slo.status import Status
    from telemetry.slo.totals_table import Entry, Ready

LEAST_TICKETS = 20
"""So many tickets or probes must have been decided in a rule's long window: one of two is no outage."""
MOST_GUARD_MS = 3 * MINUTE
"""However seldom a thing is heard, a full outage must page within five minutes of open time."""
READY_MS = 10 * MINUTE
"""A day counts for readiness from so long after its opening: by then its mark is folded."""
_NOBODY = Tail()


@dataclass(frozen=True)
class Moment:
    """When is judged, what is settled by then (Unix ms), and what is believed of the present, by scope.

    What many scopes share is reckoned once and kept for the moment.
    """

    now: int
    settled_until: int
    tails: Mapping[str, Tail]
    deaf: bool = False
    """Nothing comes in, our own beats neither: no clock runs, so that nobody's silence raises an alarm."""
    _spans: dict[tuple[str, str], Span] = field(default_factory=dict)
    _days: dict[tuple[int, Window], tuple[int, ...]] = field(default_factory=dict)

    @property
    def mark(self) -> int:
        """Return the end of the last whole five minutes."""
        return floor(self.now, FIVE)

    def span(self, objective: Objective, zone: ZoneInfo) -> Span:
        """Return an objective's period at this moment in a zone."""
        key = (objective.id, zone.key)
        if key not in self._spans:
            self._spans[key] = span(objective, self.now, zone)
        return self._spans[key]

    def opening_days(self, opens: tuple[Mark, ...], window: Window) -> tuple[int, ...]:
        """Return the starts of the days in a window whose opening is ten minutes past."""
        key = (id(opens), window)
        if key not in self._days:
            passed = self.now - READY_MS + FIVE
            self._days[key] = tuple(day for day, mark in opens if window.start <= day < window.end and mark <= passed)
        return self._days[key]


@dataclass(frozen=True, slots=True)
class Span:
    """A period: as far as it has passed, and whole (the same for a rolling one)."""

    so_far: Window
    whole: Window


def span(objective: Objective, now: int, zone: ZoneInfo) -> Span:
    """Return the period at `now`."""
    if objective.period != "rolling":
        whole = aligned(objective.period, now, zone)
        return Span(Window(whole.start, max(whole.start, floor(now, FIVE))), whole)
    so_far = rolling(objective.days, now, zone)
    return Span(so_far, so_far)


def judged(aimed: Aimed, entry: Entry, moment: Moment, before: Standing, ready: Mapping[int, Ready]) -> Judgement:
    """Judge an objective at a scope; `ready` holds what the days of its centre said after opening."""
    objective, axis = aimed.objective, entry.track.frame.axis
    period = moment.span(objective, entry.calendar.zone)
    allowance = None
    found: list[Reading] = []
    if objective.alert and objective.sli != "readiness":
        found = _readings(aimed, entry, moment, period.whole)
    if objective.sli == "readiness":
        status = _readiness(aimed, entry, moment, before, ready)
    elif objective.sli not in TIME:
        status = ticket_status(objective.goal, _counted(entry, period.so_far), found, before)
    else:
        allowance = axis.between(period.whole) // 1000 if period.whole != period.so_far else None
        outlook = Outlook(allowance, tuple(found), before, _error(aimed, found))
        status = _timed(aimed, entry, moment, period.so_far, outlook)
    return Judgement(
        aimed, moment.now, period.so_far, not moment.deaf and axis.session(moment.now) is not None, status, allowance
    )


def _readings(aimed: Aimed, entry: Entry, moment: Moment, whole: Window) -> list[Reading]:
    """Read the burn-rate rules; without open time in the period there is nothing to burn."""
    rules = OPEN_RULES if aimed.objective.clock == "open" else WALL_RULES
    burning = _burning(aimed, entry, moment, whole)
    return readings(rules, burning, moment.now) if burning.period else []


def _timed(aimed: Aimed, entry: Entry, moment: Moment, so_far: Window, outlook: Outlook) -> Status:
    objective, track = aimed.objective, entry.track
    first, last = track.frame.touching(so_far.start), track.frame.reaching(so_far.end)
    cut = min(max(track.frame.reaching(moment.settled_until), first), last)
    found = judge([(track.tally(first, cut), True), (track.tally(cut, last), False)], objective.unknown)
    return time_status(Aim(objective.goal, objective.unknown), found, outlook, track.frame.axis, moment.now)


def _error(aimed: Aimed, found: list[Reading]) -> float | None:
    """Return the share that was bad in the rules' second window: half a day tells more than an hour."""
    if not found or found[1].long is None:
        return None
    return found[1].long * float(slack(aimed.objective.goal))


def _counted(entry: Entry, window: Window) -> Measure:
    frame = entry.track.frame
    return entry.track.counted(frame.touching(window.start), frame.reaching(window.end))


def _burning(aimed: Aimed, entry: Entry, moment: Moment, whole: Window) -> Burning:
    frame, known = entry.track.frame, entry.track.first_known()
    axis = frame.axis
    since = moment.now if known is None else frame.starts[known]
    timed = aimed.objective.sli in TIME
    guard = missed_heartbeats(min(aimed.every_ms, MOST_GUARD_MS // 3)) if timed else Guard(counted=LEAST_TICKETS)
    running = _running(aimed, entry, moment) if timed else Tally()

    def count(window: Window) -> Measure:
        if not timed:
            return _counted(entry, Window(window.start, max(window.start, floor(window.end, FIVE))))
        seen = entry.track.tally(frame.touching(window.start), frame.reaching(min(window.end, moment.mark)))
        seen += running if window.end > moment.mark else Tally()
        return measured(seen, aimed.objective.unknown, settled=False)

    return Burning(aimed.objective.goal, axis.between(whole), axis, since, count, guard)


def _running(aimed: Aimed, entry: Entry, moment: Moment) -> Tally:
    """Return the running five minutes up to now, cut exactly from what is believed of the present."""
    window = Window(moment.mark, moment.now)
    scope = entry.track.frame.axis.between(window)
    if not scope:
        return Tally()
    tail = moment.tails.get(aimed.scope, _NOBODY)
    known = tail.service if aimed.objective.sli == "availability" else tail.contact
    up, down = (_seen(known, state, window) for state in ("up", "down"))
    rest = max(0, scope - up - down)
    ours = min(rest, _our_outage(entry, moment.mark))
    return Tally(up, down, rest - ours, ours)


def _our_outage(entry: Entry, mark: int) -> int:
    """Return how long we were down ourselves in the running five minutes: else our restart would page everywhere."""
    place = entry.track.frame.by_width["5m"].get(mark)
    return 0 if place is None else entry.track.columns[3][place]


def _seen(known: tuple[Segment, ...], state: str, window: Window) -> int:
    return length(overlap([window], (Window(s.start, s.end) for s in known if s.state == state)))


def _readiness(aimed: Aimed, entry: Entry, moment: Moment, before: Standing, ready: Mapping[int, Ready]) -> Status:
    """Count opening days: up when every critical device was up five minutes after opening."""
    settled, fresh = Tally(), Tally()
    for start in moment.opening_days(entry.opens, moment.span(aimed.objective, entry.calendar.zone).so_far):
        up, down = ready.get(start, (0, 0))
        tally = Tally(up, down, 1 - up - down)
        if start < moment.settled_until:
            settled += tally
        else:
            fresh += tally
    policy = aimed.objective.unknown
    found = measured(settled, policy, settled=True) + measured(fresh, policy, settled=False)
    return ticket_status(aimed.objective.goal, found, (), before)
