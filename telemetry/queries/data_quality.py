"""What is wrong with the stored data, worst first, as live rows, row ranges and counts show it.

It must not read raw events nor totals, and it invents nothing: what the store does not hold is in UNMEASURED_FIGURES.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from telemetry.core.administrative_tree import unit_at_level
from telemetry.core.calendar.windows import MINUTE
from telemetry.core.fold.live_row_types import SLO_ROW_PREFIX
from telemetry.core.inventory import UNDECLARED_SERVICE
from telemetry.core.scope import Scope
from telemetry.queries.views import STALE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from telemetry.core.inventory import Inventory
    from telemetry.queries.completeness import StoreStats
    from telemetry.queries.network import NetworkStatus
    from telemetry.queries.service import Queries
    from telemetry.queries.snapshot import Snapshot
    from telemetry.queries.views import CentreView, DeviceView, SystemView

QualityIssueKind = Literal[
    "unreadable", "folding_behind", "missing_rows", "silent_device", "stale_system", "silent_vantage", "dropped_rows",
    "rejected", "refused_rows", "deferred", "clock_ahead", "waiting_upload", "undeclared_service",
]  # fmt: skip
QUALITY_ISSUE_KINDS: tuple[QualityIssueKind, ...] = get_args(QualityIssueKind)
"""Worst first: figures that are wrong or behind, rows that are lost or may be, then what delays or hides rows."""
QualityUnit = Literal["rows", "hours", "seconds", "tickets"]
UNIT_BY_KIND: Mapping[QualityIssueKind, QualityUnit] = {
    "unreadable": "seconds", "folding_behind": "hours", "missing_rows": "rows", "silent_device": "seconds",
    "stale_system": "seconds", "silent_vantage": "seconds", "dropped_rows": "rows", "rejected": "rows",
    "refused_rows": "rows", "deferred": "rows", "clock_ahead": "seconds", "waiting_upload": "rows",
    "undeclared_service": "tickets",
}  # fmt: skip
DEFERRED_REASONS = frozenset(
    {
        "unknown_device", "unsupported_version", "unsupported_type", "unsupported_field", "unsupported_value", "future",
        "unknown_system", "too_many_outboxes", "too_many_repeats", "unprocessable",
    }
)  # fmt: skip
"""Reasons with which a device keeps the row and sends it again; every other one is final (`docs/how-to/watch.md`)."""
WAITING_ROWS = 100
"""A device that reports so many rows in its outbox is behind: in contact it empties it within seconds."""
UnmeasuredFigure = Literal["clock_error", "late_share", "rejected_by_device"]
UNMEASURED_FIGURES: tuple[UnmeasuredFigure, ...] = get_args(UnmeasuredFigure)
"""What the store does not hold: a device's clock error and share of late rows, and whose rows were rejected.

The first is in the agent's own metrics, the second in those of ingest, the third in the store's dead letters, which are
counted by reason."""


@dataclass(frozen=True, slots=True)
class QualityIssue:
    """One thing that is wrong with the data: its amount in the kind's unit, and since or until when (Unix ms).

    `scope` is empty for the whole store.  `amount` is None where no report ever arrived.  `detail` is the reason of a
    dead letter, the service that is not declared, or the device that does not report on a system.
    """

    kind: QualityIssueKind
    scope: str
    amount: float | None
    at: int | None = None
    centre: str = ""
    district: str = ""
    detail: str = ""

    @property
    def unit(self) -> QualityUnit:
        """Return what the amount counts."""
        return UNIT_BY_KIND[self.kind]

    @property
    def sort_key(self) -> tuple[int, float, str, str]:
        """Return the sort key: worst kind first, then the greatest amount; what never reported before all."""
        amount = float("1e18") if self.amount is None else self.amount
        return (QUALITY_ISSUE_KINDS.index(self.kind), -amount, self.scope, self.detail)


@dataclass(frozen=True, slots=True)
class QualityInputs:
    """What the issues are looked for in; `now` is Unix ms."""

    inventory: Inventory
    status: NetworkStatus
    snapshot: Snapshot
    stats: StoreStats
    now: int


def read_quality_issues(queries: Queries) -> tuple[QualityIssue, ...]:
    """Return all that is wrong with the data now, worst first; raises StoreUnavailable."""
    inputs = QualityInputs(
        queries.inventory(), queries.network_status(), queries.snapshot(), queries.store_stats(), queries.now()
    )
    return quality_issues(inputs)


def quality_issues(inputs: QualityInputs) -> tuple[QualityIssue, ...]:
    """Return all that is wrong with the data, worst first."""
    issues = [*_store_issues(inputs), *_set_aside_issues(inputs), *_completeness_issues(inputs)]
    for centre in inputs.status.centres:
        issues += _centre_issues(centre, inputs)
    for system in inputs.status.systems:
        issues += _system_issues(system, inputs)
    districts = {
        centre.id: unit_at_level(centre.unit, "district", inputs.inventory)
        for centre in inputs.inventory.centres.values()
    }
    placed = (replace(issue, district=districts.get(issue.centre, "")) for issue in issues)
    return tuple(sorted(placed, key=lambda issue: issue.sort_key))


def _store_issues(inputs: QualityInputs) -> Iterator[QualityIssue]:
    stats = inputs.stats
    if stats.backlog_hours:
        yield QualityIssue("folding_behind", "", stats.backlog_hours, stats.current_until or None)
    for reason, rows in stats.dead_letters.items():
        yield QualityIssue("deferred" if reason in DEFERRED_REASONS else "rejected", "", rows, detail=reason)


def _set_aside_issues(inputs: QualityInputs) -> Iterator[QualityIssue]:
    for entity, since in inputs.snapshot.set_aside().items():
        age_s = max(0, inputs.now - since) / 1000
        if entity.startswith(SLO_ROW_PREFIX):
            yield QualityIssue("unreadable", "", age_s, since, detail=entity)
        elif entity in inputs.inventory.systems:
            yield QualityIssue("unreadable", Scope.system(entity), age_s, since)
        else:
            yield QualityIssue("unreadable", Scope.centre(entity), age_s, since, entity)


def _completeness_issues(inputs: QualityInputs) -> Iterator[QualityIssue]:
    for device in inputs.stats.completeness.devices:
        parts = {
            "missing_rows": device.counts.missing,
            "dropped_rows": device.counts.dropped,
            "refused_rows": device.counts.refused,
        }
        centre = centre_of_device(device.device, inputs.inventory)
        for kind in ("missing_rows", "dropped_rows", "refused_rows"):
            if parts[kind]:
                yield QualityIssue(kind, Scope.device(device.device), parts[kind], centre=centre)


def centre_of_device(device: str, inventory: Inventory) -> str:
    """Return the centre that a device is declared at, empty for one that is not declared."""
    declared = inventory.devices.get(device)
    return "" if declared is None else declared.centre


def _centre_issues(view: CentreView, inputs: QualityInputs) -> Iterator[QualityIssue]:
    for device in view.devices_in_service:
        yield from _device_issues(device, view, inputs)
    for service in view.reported_services:
        if view.centre.shown_service(service.service) == UNDECLARED_SERVICE:
            scope = Scope.centre(view.centre.id)
            tickets = service.today_sums.get("issued", 0)
            yield QualityIssue("undeclared_service", scope, tickets, None, view.centre.id, detail=service.service)


def _device_issues(device: DeviceView, view: CentreView, inputs: QualityInputs) -> Iterator[QualityIssue]:
    scope, centre, now = Scope.device(device.now.id), view.centre.id, device.now
    contact = now.last_contact
    if contact is None:
        first = inputs.snapshot.contacts.get(centre)
        was_in_contact = first is not None and now.id in first.first
        if view.open or not was_in_contact:
            detail = "today" if was_in_contact else "never"
            yield QualityIssue("silent_device", scope, None, None, centre, detail=detail)
        return
    silent_ms = inputs.now - contact - MINUTE
    if view.open and silent_ms > STALE_MS:
        yield QualityIssue("silent_device", scope, silent_ms / 1000, contact, centre)
    if (now.outbox_rows or 0) > WAITING_ROWS:
        yield QualityIssue("waiting_upload", scope, now.outbox_rows, now.last_event, centre)
    ahead = clock_ahead_ms(now.last_event, contact)
    if ahead:
        yield QualityIssue("clock_ahead", scope, ahead / 1000, contact, centre)


def clock_ahead_ms(last_event: int | None, last_contact: int) -> int:
    """Return by how much a device's clock is ahead of the server's at least, ms; 0 when that does not show.

    A contact is the minute in which a frame arrived: no event in it may have a later time than the minute's end.
    """
    return 0 if last_event is None else max(0, last_event - last_contact - MINUTE)


def _system_issues(view: SystemView, inputs: QualityInputs) -> Iterator[QualityIssue]:
    if not view.in_service or not view.system.vantage:
        return
    scope, row = Scope.system(view.system.id), view.row
    if row is None or view.stale:
        age_s = None if row is None else (inputs.now - row.at) / 1000
        yield QualityIssue("stale_system", scope, age_s, None if row is None else row.at)
        return
    seen = {vantage.device: vantage.at for vantage in row.vantage}
    limit = max(STALE_MS, 2 * view.system.every_ms + 30_000)
    for device in view.system.vantage:
        at = seen.get(device)
        age = None if at is None else inputs.now - at
        if age is None or age > limit:
            centre = centre_of_device(device, inputs.inventory)
            seconds = None if age is None else age / 1000
            yield QualityIssue("silent_vantage", scope, seconds, at, centre, detail=device)


def narrow_issues(
    issues: Iterable[QualityIssue], kind: QualityIssueKind | None, district: str | None, centre: str | None = None
) -> list[QualityIssue]:
    """Return the issues of a kind, of a district and of a centre, each if given, in their order."""
    return [
        issue
        for issue in issues
        if kind in (None, issue.kind) and district in (None, issue.district) and centre in (None, issue.centre)
    ]


def count_issues(issues: Iterable[QualityIssue]) -> dict[QualityIssueKind, int]:
    """Return how many issues there are of each kind, worst first, zeros included."""
    counts: dict[QualityIssueKind, int] = dict.fromkeys(QUALITY_ISSUE_KINDS, 0)
    for issue in issues:
        counts[issue.kind] += 1
    return counts
