"""Which centres of a month need attention, and why; pure, it must not compute a figure of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.report.values import MonthlyReport, ReportedCentre

AttentionReason = Literal["no_data", "low_coverage", "below_goal", "long_waits"]
"""`no_data`: nothing is known of its opening hours; `low_coverage`: less is known than the floor asks for;
`below_goal`: known time was up for less than the goal; `long_waits`: its mean wait exceeds the target."""
MIN_WAITS: Final = 5
"""Fewer waits say nothing about a month."""


@dataclass(frozen=True, slots=True)
class CentreNeed:
    """A centre with the reasons why it needs attention, in the order of `AttentionReason`."""

    centre: ReportedCentre
    reasons: tuple[AttentionReason, ...]


def centres_in_need(report: MonthlyReport) -> list[CentreNeed]:
    """Return the centres that need attention: most reasons first, then most time down, then the longest mean wait."""
    needs = [CentreNeed(centre, tuple(_reasons(centre, report))) for centre in report.centres]
    return sorted((need for need in needs if need.reasons), key=_order)


def _order(need: CentreNeed) -> tuple[int, int, float, int, str]:
    centre = need.centre
    mean_s = centre.tickets.mean_wait_s or 0.0
    return -len(need.reasons), -centre.time.down, -mean_s, -centre.time.unknown, centre.id


def _reasons(centre: ReportedCentre, report: MonthlyReport) -> Iterator[AttentionReason]:
    account = centre.time.account
    coverage, availability, mean_s = account.coverage, account.availability(), centre.tickets.mean_wait_s
    if coverage is not None and coverage == 0:
        yield "no_data"
    elif coverage is not None and coverage < report.coverage_floor:
        yield "low_coverage"
    if availability is not None and report.availability_goal is not None and availability < report.availability_goal:
        yield "below_goal"
    is_long = mean_s is not None and report.wait_target_s is not None and mean_s > report.wait_target_s
    if is_long and centre.tickets.waits >= MIN_WAITS:
        yield "long_waits"
