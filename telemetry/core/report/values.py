"""The figures of a monthly report as values that are stored with a published month; it must hold no words of a page.

Times are whole seconds, durations end in `_ms`; ratios are computed from the counts when they are read, but for values
of indicators, which have their own formulas.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from telemetry.core.figures.accounting import TimeByState
from telemetry.core.figures.outages import IncidentCause
from telemetry.core.kpi.commitments import CommitmentState
from telemetry.core.kpi.values import ValueState
from telemetry.core.protocol.event_fields import Count, Instant, LatencyMs

if TYPE_CHECKING:
    from telemetry.core.figures.histograms import QueueFigures


class ReportedTime(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A scope's time in opening hours by state, whole seconds; open = up + down + unknown."""

    up: Count = 0
    down: Count = 0
    unknown: Count = 0
    excluded: Count = 0

    @classmethod
    def from_account(cls, account: TimeByState) -> ReportedTime:
        """Return the time of an account that is in seconds."""
        return cls(up=account.up, down=account.down, unknown=account.unknown, excluded=account.excluded)

    @property
    def account(self) -> TimeByState:
        """Return it as the account of which ratios are made."""
        return TimeByState(self.up, self.down, self.unknown, self.excluded)


class ReportedTickets(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Tickets by outcome, their waits and services; `within` of the waits did not exceed the report's threshold."""

    issued: Count = 0
    served: Count = 0
    abandoned: Count = 0
    no_show: Count = 0
    waits: Count = 0
    wait_sum_ms: Count = 0
    within: Count = 0
    p50_ms: LatencyMs | None = None
    p90_ms: LatencyMs | None = None
    services: Count = 0
    service_sum_ms: Count = 0

    @classmethod
    def from_figures(cls, figures: QueueFigures, threshold_s: int) -> ReportedTickets:
        """Return the tickets of a window; the threshold is one of the exact bounds."""
        p50, p90 = figures.wait.durations.percentile_ms(0.5), figures.wait.durations.percentile_ms(0.9)
        return cls(
            issued=figures.issued, served=figures.served, abandoned=figures.abandoned, no_show=figures.no_show,
            waits=figures.wait.count, wait_sum_ms=figures.wait.sum_ms,
            within=figures.wait.within_threshold(threshold_s).count, p50_ms=p50, p90_ms=p90,
            services=figures.service_time.count, service_sum_ms=figures.service_time.sum_ms,
        )  # fmt: skip

    @property
    def mean_wait_s(self) -> float | None:
        """Return the mean wait, s; None without waits."""
        return self.wait_sum_ms / self.waits / 1000 if self.waits else None

    @property
    def within_ratio(self) -> float | None:
        """Return the share of waits within the threshold; None without waits."""
        return self.within / self.waits if self.waits else None

    @property
    def mean_service_s(self) -> float | None:
        """Return the mean service time, s; None without services."""
        return self.service_sum_ms / self.services / 1000 if self.services else None

    @property
    def lost_ratio(self) -> float | None:
        """Return (abandoned + no-show) ÷ issued; None without tickets."""
        return (self.abandoned + self.no_show) / self.issued if self.issued else None


class ReportedService(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The tickets of one service."""

    id: str
    name_vi: str
    name_en: str
    tickets: ReportedTickets


class ReportedIncident(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something that was not up; `down` and `unknown` are its time in the month, whole seconds.

    `kind` is that of the device, else of the scope; the name is that of the centre or system.
    """

    scope: str
    kind: str
    name_vi: str
    name_en: str
    start: Instant
    end: Instant
    cause: IncidentCause
    down: Count = 0
    unknown: Count = 0
    ongoing: bool = False


class ReportedIncidents(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The month's incidents: how many were down or silent, their time together, s; `listed` are the longest."""

    down_count: Count = 0
    silent_count: Count = 0
    down: Count = 0
    unknown: Count = 0
    listed: tuple[ReportedIncident, ...] = ()


class ReportedCentre(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A centre's month."""

    id: str
    name_vi: str
    name_en: str
    level: str
    time: ReportedTime
    tickets: ReportedTickets
    services: tuple[ReportedService, ...] = ()
    incidents: ReportedIncidents | None = None
    """None in a document from before incidents were reported."""


class ReportedSystem(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A digital system's month, by quorum over its vantage points."""

    id: str
    name_vi: str
    name_en: str
    time: ReportedTime


class ReportedDay(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The province's tickets of a local day (`2026-10-31`)."""

    day: str
    issued: Count = 0
    waits: Count = 0
    wait_sum_ms: Count = 0


class ReportedObjective(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An objective over its scopes: of `judged` scopes with anything counted `met` reached the goal."""

    id: str
    name_vi: str
    name_en: str
    sli: str
    goal: float
    good: Count = 0
    bad: Count = 0
    judged: Count = 0
    met: Count = 0


class ReportedIndicator(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An indicator over the month with its target; `path` is what the target's path asked for on the last day."""

    id: str
    name_vi: str
    name_en: str
    unit: str
    state: ValueState
    level: str = ""
    numerator: int | None = None
    denominator: int | None = None
    value: float | None = None
    previous: float | None = None
    """The value of the month before."""
    target: float | None = None
    target_by: str = ""
    path: float | None = None
    gap: float | None = None
    on_track: bool | None = None
    declared: bool = False
    """Whether published counts stand for figures that nobody reports."""


class ReportedCommitment(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A signed commitment as it stood at the end of the month."""

    committer: str
    indicator: str
    name_vi: str
    name_en: str
    unit: str
    value: float
    by: str
    state: CommitmentState
    level: str = ""
    measured: float | None = None
    gap: float | None = None
    sample: bool = False


class ReportedRows(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What became of the rows of all devices, until the report was computed."""

    stored: Count = 0
    refused: Count = 0
    dropped: Count = 0
    highest: Count = 0

    @property
    def ratio(self) -> float | None:
        """Return (stored + refused + dropped) ÷ highest; None without rows."""
        return (self.stored + self.refused + self.dropped) / self.highest if self.highest else None


class ReportChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure of a scope that differs; a scope that one side lacks differs in the figure `present`."""

    scope: str
    figure: str
    before: int
    after: int


class ReportRevision(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One publication of a month, from 1 on; `changes` are those since the one before, the first `MAX_CHANGES`."""

    number: Count
    published_at: Instant
    changes: tuple[ReportChange, ...] = ()
    change_count: Count = 0


class MonthlyReport(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A province's month; `revisions` is empty until it is published, else in order.

    `previous_…` are the figures of the month before.  `availability_goal` and `wait_target_s` are the goals that a
    centre is held against, None without one.
    """

    format: Literal[1] = 1
    """The version of the document; a reader refuses a newer one."""
    month: str
    province: str
    name_vi: str
    name_en: str
    computed_at: Instant
    inventory_version: str
    threshold_s: Count
    coverage_floor: float
    wait_target_s: float | None = None
    availability_goal: float | None = None
    simulated: bool = False
    time: ReportedTime
    tickets: ReportedTickets
    previous_time: ReportedTime = ReportedTime()
    previous_tickets: ReportedTickets = ReportedTickets()
    services: tuple[ReportedService, ...] = ()
    days: tuple[ReportedDay, ...] = ()
    centres: tuple[ReportedCentre, ...] = ()
    systems: tuple[ReportedSystem, ...] = ()
    objectives: tuple[ReportedObjective, ...] = ()
    indicators: tuple[ReportedIndicator, ...] = ()
    commitments: tuple[ReportedCommitment, ...] = ()
    incidents: ReportedIncidents | None = None
    """None in a document from before incidents were reported."""
    rows: ReportedRows = ReportedRows()
    revisions: tuple[ReportRevision, ...] = ()

    @property
    def revision(self) -> int:
        """Return the number of the newest publication, 0 before the first."""
        return self.revisions[-1].number if self.revisions else 0

    @property
    def is_empty(self) -> bool:
        """Return whether nothing at all was reported in the month."""
        return not (self.time.up or self.time.down or self.tickets.issued or self.tickets.waits)

    def centre(self, ident: str) -> ReportedCentre | None:
        """Return a centre of the report, None when it has none of the id."""
        return next((centre for centre in self.centres if centre.id == ident), None)


def encode_report(report: MonthlyReport) -> str:
    """Return the text of a published report: one value a line, so that a review shows what changed."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1).decode() + "\n"


@lru_cache(maxsize=60)
def parse_report(month: str, text: str) -> MonthlyReport:
    """Read a published report, each text once; raises ValueError or DecodeError when it is not one of the month."""
    report = msgspec.json.decode(text, type=MonthlyReport)
    if report.month != month:
        msg = f"month is {report.month!r}"
        raise ValueError(msg)
    if not report.revisions:
        msg = "revisions has no publication"
        raise ValueError(msg)
    return report
