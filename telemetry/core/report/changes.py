"""What differs between two reports of one month, figure by figure; pure, it must not decide which of them is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from telemetry.core.report.values import ReportChange, ReportedTickets, ReportedTime, ReportRevision
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telemetry.core.report.values import MonthlyReport

MAX_CHANGES: Final = 200
"""How many changes a revision lists; their number is stored beside them."""
PRESENT: Final = "present"
_TIME_FIGURES = ("up", "down", "unknown", "excluded")
_TICKET_FIGURES = ("issued", "served", "abandoned", "no_show", "waits", "wait_sum_ms", "within")
_Figures = dict[str, int]


def report_changes(before: MonthlyReport, after: MonthlyReport) -> tuple[ReportChange, ...]:
    """Return every count that differs: the province first, then centres, systems and indicators by id.

    Incidents follow from the time of their scopes, which is compared.
    """
    old, new = _figures_by_scope(before), _figures_by_scope(after)
    scopes = [*old, *(scope for scope in new if scope not in old)]
    return tuple(change for scope in scopes for change in _changes_of(scope, old.get(scope), new.get(scope)))


def _changes_of(scope: str, old: Mapping[str, int] | None, new: Mapping[str, int] | None) -> Iterator[ReportChange]:
    if old is None or new is None:
        yield ReportChange(scope=scope, figure=PRESENT, before=int(old is not None), after=int(new is not None))
        return
    for figure in {**old, **new}:
        if old.get(figure, 0) != new.get(figure, 0):
            yield ReportChange(scope=scope, figure=figure, before=old.get(figure, 0), after=new.get(figure, 0))


def _figures_by_scope(report: MonthlyReport) -> dict[str, _Figures]:
    collected = {str(Scope.province(report.province)): _place_figures(report.time, report.tickets)}
    for centre in sorted(report.centres, key=lambda c: c.id):
        collected[str(Scope.centre(centre.id))] = _place_figures(centre.time, centre.tickets)
    for system in sorted(report.systems, key=lambda s: s.id):
        collected[str(Scope.system(system.id))] = _time_figures(system.time)
    for one in report.indicators:
        parts = {"numerator": one.numerator or 0, "denominator": one.denominator or 0}
        collected[":".join(filter(None, ("indicator", one.id, one.level)))] = parts
    return collected


def _place_figures(time: ReportedTime, tickets: ReportedTickets) -> _Figures:
    return _time_figures(time) | {name: getattr(tickets, name) for name in _TICKET_FIGURES}


def _time_figures(time: ReportedTime) -> _Figures:
    return {name: getattr(time, name) for name in _TIME_FIGURES}


def published_report(report: MonthlyReport, before: MonthlyReport | None, now: int) -> MonthlyReport:
    """Return the report as the next publication after `before` (None: the first); `now` is Unix ms."""
    earlier = before.revisions if before is not None else ()
    changes = report_changes(before, report) if before is not None else ()
    number = (before.revision if before is not None else 0) + 1
    revision = ReportRevision(
        number=number, published_at=now, changes=changes[:MAX_CHANGES], change_count=len(changes)
    )  # fmt: skip
    return msgspec.structs.replace(report, revisions=(*earlier, revision))
