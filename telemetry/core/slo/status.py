"""Where an objective stands at one moment: SLI with bounds, budget, burn rates, one word; it must read no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window
from telemetry.core.slo.budget import Budget, Standing, budget, exhausts_at, standing
from telemetry.core.slo.measures import Measure, measured
from telemetry.core.slo.sli import total

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.calendar.open_time import Axis
    from telemetry.core.figures.accounting import Account, Policy
    from telemetry.core.slo.burn_rate import Reading
    from telemetry.core.slo.series import Series
    from telemetry.core.slo.sli import Tally


@dataclass(frozen=True, slots=True)
class Aim:
    """What is promised: the share `goal` (0 to 1) of what counts; unknown time counts as `policy` says."""

    goal: float
    policy: Policy = "settle"


@dataclass(frozen=True, slots=True)
class Judged:
    """Time by state and what of it was good and bad, both in whole seconds of the same rounding."""

    account: Account
    measure: Measure


@dataclass(frozen=True, slots=True)
class Status:
    """An objective's figures over its period; `account` is None for objectives that count tickets.

    `measure` and `budget` are in seconds or in tickets.  `value` is the official SLI, None when nothing counted.
    """

    goal: float
    measure: Measure
    budget: Budget
    standing: Standing
    readings: tuple[Reading, ...] = ()
    account: Account | None = None
    exhausts_at: int | None = None

    @property
    def value(self) -> float | None:
        """Return good ÷ (good + bad)."""
        return self.measure.ratio


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a status adds to the figures of its period.

    `period` is all that counts in it when that is more than what was seen (a calendar month's open seconds, those
    to come included), else None.  `error` is the recent share of bad, from which the end of the budget is foretold.
    """

    period: int | None = None
    readings: tuple[Reading, ...] = ()
    before: Standing = "no_data"
    error: float | None = None


def judge(parts: Iterable[tuple[Tally, bool]], policy: Policy) -> Judged:
    """Weigh tallies (ms), each with whether it is settled; open = up + down + unknown holds in whole seconds."""
    rounded = [(tally.seconds(), settled) for tally, settled in parts]
    found = sum((measured(t, policy, settled=settled) for t, settled in rounded), Measure())
    return Judged(total(t for t, _ in rounded).account, found)


def halves(found: Series, window: Window, settled_until: int) -> list[tuple[Tally, bool]]:
    """Return the settled and the provisional tally of a window, cut at a mark of the cells (Unix ms)."""
    cut = min(max(settled_until, window.start), window.end)
    settled, fresh = Window(window.start, cut), Window(cut, window.end)
    return [(found.between(settled), True), (found.between(fresh), False)]


def time_status(aim: Aim, judged: Judged, outlook: Outlook, axis: Axis, now: int) -> Status:
    """Return the status of an objective that counts time; its budget is in seconds: (1 − goal) · open."""
    period = judged.account.total if outlook.period is None else outlook.period
    found = budget(aim.goal, period, judged.measure.bad)
    word = standing(found, judged.measure.counted, outlook.before)
    end = exhausts_at(found, outlook.error, axis, now)
    return Status(aim.goal, judged.measure, found, word, outlook.readings, judged.account, end)


def ticket_status(
    goal: float, found: Measure, readings: Sequence[Reading] = (), before: Standing = "no_data"
) -> Status:
    """Return the status of an objective that counts tickets or days; its budget is in them: (1 − goal) · counted."""
    allowed = budget(goal, found.counted, found.bad)
    return Status(goal, found, allowed, standing(allowed, found.counted, before), tuple(readings))
