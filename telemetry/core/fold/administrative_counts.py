"""What the events of digital administration add to 5-minute totals; it must use no states, no calendar, no inventory.

An event counts in the interval of its `t`.  A snapshot adds its values and one to its number of snapshots, so that the
value of a window is their mean: a repeated snapshot changes nothing, and stores only add.
"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, get_args

from telemetry.core.calendar.windows import SLOT, floor
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import SumsBySlot, add_to_sums
from telemetry.core.protocol import administrative_events as ae, events as ev
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.calendar.windows import Window
    from telemetry.core.fold.sourced_event import SourcedEvent

ONLINE_CHANNELS = frozenset({"online", "mobile"})
"""The channels of a dossier that count as online."""
DOSSIER_CHANNELS: tuple[str, ...] = get_args(ev.DossierChannel)
DIGITISATION_STEPS: tuple[str, ...] = get_args(ae.DigitisationStep)
CATALOGUE_COUNTS = tuple(
    name for name in ae.CatalogueSnapshot.__struct_fields__ if name not in {"n", "t", "level", "procedure"}
)
"""The counts of a catalogue snapshot; each adds `catalogue_NAME` and, when it was counted, one to its snapshots."""
ADMINISTRATION_FIELDS = (
    *(f"received_{channel}" for channel in DOSSIER_CHANNELS),
    "received_with_due",
    *(f"resolved_{channel}" for channel in DOSSIER_CHANNELS),
    "resolved_on_time", "resolved_late", "resolved_digital", "resolved_with_fee", "resolved_paid_online",
    "digitisation_recorded", *(f"digitised_{step}" for step in DIGITISATION_STEPS),
    "processing_sum_ms", "processing_negative", "processing_histogram",
    "backlog_snapshots", "backlog_open", "backlog_overdue",
    "payments_ok", "payments_gateway_error", "payments_user_cancel",
    "eform_submitted", "eform_ineligible", "eform_error", "eform_abandoned", "fill_sum_ms", "fill_histogram",
    "signature_ok", "signature_failed", "seal_ok", "seal_failed",
    "logins_e_id", "logins_password", "logins_other", "logins_user_error", "logins_system_error",
    "documents", "documents_electronic", "outgoing", "outgoing_signed", "outgoing_sealed",
    "petitions_received", "petitions_answered", "petitions_timed", "petitions_on_time", "petitions_rated",
    "petitions_satisfied",
    "sync_dossiers", "sync_synced",
    *(f"catalogue_{name}" for name in CATALOGUE_COUNTS), *(f"snapshots_{name}" for name in CATALOGUE_COUNTS),
)  # fmt: skip
"""The sums of an `administration` scope."""
ADMINISTRATIVE_LEVELS: tuple[str, ...] = get_args(ae.UnitLevel)
PROCEDURE_COUNTS = ("received", "received_online", "resolved", "resolved_online", "payments_ok")
PROCEDURE_FIELDS = (
    *PROCEDURE_COUNTS, *(f"{name}_{level}" for name in PROCEDURE_COUNTS for level in ADMINISTRATIVE_LEVELS),
)  # fmt: skip
"""The sums of a `procedure` scope: over all levels, and those of the matters of each level."""


_ADMINISTRATIVE_TYPES = frozenset(ae.ADMINISTRATIVE_EVENTS)


def administrative_counts(
    centre: str, level: str, events: Iterable[SourcedEvent], window: Window
) -> dict[Scope, SumsBySlot]:
    """Return what a centre's events (without repeats) add to each administrative level and procedure in the window.

    `level` is the centre's own, for events that name none.
    """
    out: dict[Scope, SumsBySlot] = {}
    for s in events:
        event = s.event
        if event.__class__ not in _ADMINISTRATIVE_TYPES or not window.start <= event.t < window.end:
            continue
        slot = floor(event.t, SLOT)
        own_level = event.level or level  # type: ignore[attr-defined]  # all of them have it
        by_slot = out.setdefault(Scope.administration(centre, own_level), {})
        add_to_sums(by_slot.setdefault(slot, {}), counts_of(event))
        if event.procedure and (counts := _procedure_counts(event)):  # type: ignore[attr-defined]
            by_slot = out.setdefault(Scope.procedure(centre, event.procedure), {})  # type: ignore[attr-defined]
            at_level = {f"{name}_{own_level}": count for name, count in counts.items()}
            add_to_sums(by_slot.setdefault(slot, {}), counts | at_level)
    return out


def connector_counts(events: Iterable[SourcedEvent], window: Window) -> SumsBySlot:
    """Return what the connector statistics (without repeats) of one system add to its totals in the window."""
    out: SumsBySlot = {}
    for s in events:
        event = s.event
        if not isinstance(event, ev.ConnectorStats) or not window.start <= event.t < window.end:
            continue
        counts = {"connector_ok": event.ok, "connector_failed": event.failed}
        if event.mean_ms is not None:
            counts["connector_timed"] = event.ok + event.failed
            counts["connector_duration_sum_ms"] = round(event.mean_ms * (event.ok + event.failed))
        add_to_sums(out.setdefault(floor(event.t, SLOT), {}), counts)
    return out


def _procedure_counts(event: ev.Event) -> dict[str, int]:
    match event:
        case ae.DossierReceived():
            return {"received": 1, "received_online": int(event.channel in ONLINE_CHANNELS)}
        case ae.DossierResolved():
            return {"resolved": 1, "resolved_online": int(event.channel in ONLINE_CHANNELS)}
        case ae.PaymentResult(outcome="ok"):
            return {"payments_ok": event.count}
        case _:
            return {}


@singledispatch
def counts_of(event: ev.Event) -> dict[str, int]:
    """Return what one event adds to its level's totals."""
    raise TypeError(event)


@counts_of.register
def _(event: ae.DossierReceived) -> dict[str, int]:
    return {f"received_{event.channel}": 1, "received_with_due": int(event.due is not None)}


@counts_of.register
def _(event: ae.DossierResolved) -> dict[str, int]:
    counts = {f"resolved_{event.channel}": 1, "resolved_digital": int(event.digital)}
    if event.due is not None:
        counts["resolved_on_time" if event.t <= event.due else "resolved_late"] = 1
    if event.fee in {"online", "desk"}:
        counts |= {"resolved_with_fee": 1, "resolved_paid_online": int(event.fee == "online")}
    if event.digitisation is not None:
        counts["digitisation_recorded"] = 1
        counts |= {f"digitised_{step}": 1 for step in event.digitisation}
    if event.t < event.received:
        return counts | {"processing_negative": 1}
    length_ms = event.t - event.received
    return counts | {"processing_sum_ms": length_ms, "processing_histogram": histogram_of(length_ms)}


@counts_of.register
def _(event: ae.DossierBacklog) -> dict[str, int]:
    return {"backlog_snapshots": 1, "backlog_open": event.open, "backlog_overdue": event.overdue}


@counts_of.register
def _(event: ae.PaymentResult) -> dict[str, int]:
    return {f"payments_{event.outcome}": event.count}


@counts_of.register
def _(event: ae.EformSession) -> dict[str, int]:
    counts = {f"eform_{event.outcome}": event.count}
    if event.fill_ms is not None and event.count == 1:
        counts |= {"fill_sum_ms": event.fill_ms, "fill_histogram": histogram_of(event.fill_ms)}
    return counts


@counts_of.register
def _(event: ae.SignResult) -> dict[str, int]:
    return {f"{event.kind}_{'ok' if event.ok else 'failed'}": event.count}


@counts_of.register
def _(event: ae.AuthResult) -> dict[str, int]:
    return {f"logins_{event.method if event.outcome == 'ok' else event.outcome}": event.count}


@counts_of.register
def _(event: ae.DocumentFlow) -> dict[str, int]:
    counts = {"documents": event.count, "documents_electronic": event.count * event.electronic}
    if event.direction == "outgoing":
        counts |= {
            "outgoing": event.count,
            "outgoing_signed": event.count * event.signed,
            "outgoing_sealed": event.count * event.sealed,
        }
    return counts


@counts_of.register
def _(event: ae.PetitionState) -> dict[str, int]:
    counts = {f"petitions_{event.state}": event.count}
    if event.state == "answered" and event.on_time is not None:
        counts |= {"petitions_timed": event.count, "petitions_on_time": event.count * event.on_time}
    if event.state == "rated":
        counts["petitions_satisfied"] = event.count * bool(event.satisfied)
    return counts


@counts_of.register
def _(event: ae.SyncBatch) -> dict[str, int]:
    return {"sync_dossiers": event.dossiers, "sync_synced": min(event.synced, event.dossiers)}


@counts_of.register
def _(event: ae.CatalogueSnapshot) -> dict[str, int]:
    counted = {name: value for name in CATALOGUE_COUNTS if (value := getattr(event, name)) is not None}
    values = {f"catalogue_{name}": value for name, value in counted.items()}
    return values | {f"snapshots_{name}": 1 for name in counted}
