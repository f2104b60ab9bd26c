"""How a budget went: figures bucket by bucket, and what spent it; it must read no raw events, only tallies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window
from telemetry.core.slo.budget import Budget, budget
from telemetry.core.slo.burn_rate import burn_rate
from telemetry.core.slo.measures import Measure, measured
from telemetry.core.slo.sli import Tally
from telemetry.core.slo.status import halves, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemetry.core.calendar.open_time import Axis
    from telemetry.core.figures.accounting import Account
    from telemetry.core.slo.series import Cell, Series
    from telemetry.core.slo.status import Aim


@dataclass(frozen=True, slots=True)
class Step:
    """A bucket and the period whose budget it belongs to, as far as it had passed when the bucket ended.

    `allowance` is the open time (s) of the whole period, None for what was seen of it (a rolling period).
    """

    bucket: Window
    period: Window
    allowance: int | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A bucket's own figures and burn rate, and the budget (s) of its period at the bucket's end."""

    bucket: Window
    account: Account
    measure: Measure
    burn: float | None
    budget: Budget


def history(found: Series, steps: Iterable[Step], aim: Aim, settled_until: int) -> list[Point]:
    """Return one point per step; a bucket without open time has ratios of None."""
    return [_point(found, step, aim, settled_until) for step in steps]


def _point(found: Series, step: Step, aim: Aim, settled_until: int) -> Point:
    own = judge(halves(found, step.bucket, settled_until), aim.policy)
    period = judge(halves(found, step.period, settled_until), aim.policy)
    whole = period.account.total if step.allowance is None else step.allowance
    allowed = budget(aim.goal, whole, period.measure.bad)
    return Point(step.bucket, own.account, own.measure, burn_rate(own.measure, aim.goal), allowed)


@dataclass(frozen=True, slots=True)
class Spend:
    """A run of bad time without good cells between: when, its tally and its bad time (ms), its share of all bad."""

    window: Window
    tally: Tally
    bad: int
    share: float


def spending(found: Series, window: Window, axis: Axis, aim: Aim, settled_until: int) -> list[Spend]:
    """Return what consumed the budget, the greatest first, then the earliest; the shares add up to 1.

    Cells with bad time are one run when no open time lies between them: a dead evening and the next dead morning
    are one outage.
    """
    runs = list(_runs(found, window, axis, aim, settled_until))
    whole = sum(bad for _, _, bad in runs)
    spends = [Spend(w, tally, bad, bad / whole) for w, tally, bad in runs]
    return sorted(spends, key=lambda s: (-s.bad, s.window))


Run = tuple[Window, Tally, int]


def _runs(found: Series, window: Window, axis: Axis, aim: Aim, settled_until: int) -> Iterator[Run]:
    run: Run | None = None
    for cell in found.cells:
        bad = _bad(cell, aim, settled_until)
        if not bad or not window.start <= cell.window.start < window.end:
            continue
        if run and not axis.between(Window(run[0].end, cell.window.start)):
            run = Window(run[0].start, cell.window.end), run[1] + cell.tally, run[2] + bad
            continue
        if run:
            yield run
        run = cell.window, cell.tally, bad
    if run:
        yield run


def _bad(cell: Cell, aim: Aim, settled_until: int) -> int:
    return measured(cell.tally, aim.policy, settled=cell.window.start < settled_until).bad
