"""The events of digital administration (dossiers, payments, forms, signatures …); it must carry no data of persons.

They feed the rows DG-* of the indicator catalogue (`telemetry.core.kpi`).  `level` is the administrative level that
handles the matter; without it, the level of the centre whose device sends the event.  `procedure` is the national code
of the administrative procedure as an id.  `count` says how many equal happenings one event reports.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from telemetry.core.protocol.event_fields import MAX_LATENCY_MS, DossierChannel, Event, Id, LatencyMs, Ms, TicketId

UnitLevel = Literal["province", "district", "commune"]
"""The administrative level that handles a matter."""
FeePayment = Literal["none", "online", "desk"]
"""How the fee of a dossier was paid; `none`: it has no fee."""
DigitisationStep = Literal[
    "papers_digitised", "certified_copy", "data_reused", "personal_storage", "citizen_data_connected",
]  # fmt: skip
"""A step of Decision 766's digitisation group that a dossier went through."""
MAX_EVENT_COUNT = 10_000_000
"""Most happenings that one event reports."""
EventCount = Annotated[int, Meta(ge=1, le=MAX_EVENT_COUNT)]
SnapshotCount = Annotated[int, Meta(ge=0, le=MAX_EVENT_COUNT)]


class _AdministrativeEvent(Event, frozen=True, kw_only=True):
    level: UnitLevel | None = None
    procedure: Id | None = None


class PaymentResult(_AdministrativeEvent, frozen=True, kw_only=True, tag="payment.result"):
    """One online payment's result, or that of `count` payments; no account, no amount."""

    outcome: Literal["ok", "gateway_error", "user_cancel"]
    provider: Id = "paygov"
    service: Id | None = None
    count: EventCount = 1


class DossierReceived(_AdministrativeEvent, frozen=True, kw_only=True, tag="dossier.received"):
    """A dossier was received; `dossier` is a random id, never the public code."""

    dossier: TicketId
    service: Id
    channel: DossierChannel = "direct"
    due: Ms | None = None


class DossierResolved(_AdministrativeEvent, frozen=True, kw_only=True, tag="dossier.resolved"):
    """A dossier is done; on time when t ≤ due.  `digitisation` lists the steps it went through; None: not recorded."""

    dossier: TicketId
    service: Id
    received: Ms
    channel: DossierChannel = "direct"
    due: Ms | None = None
    digital: bool = False
    fee: FeePayment | None = None
    digitisation: Annotated[tuple[DigitisationStep, ...], Meta(max_length=8)] | None = None


class DossierBacklog(_AdministrativeEvent, frozen=True, kw_only=True, tag="dossier.backlog"):
    """How many dossiers are open at `t`, and how many of them are past their due time; a snapshot, daily."""

    open: SnapshotCount
    overdue: SnapshotCount


class EformSession(_AdministrativeEvent, frozen=True, kw_only=True, tag="eform.session"):
    """The end of an electronic form's session, or of `count`: one outcome each, no content; `fill_ms` only of one."""

    outcome: Literal["submitted", "ineligible", "error", "abandoned"]
    fill_ms: Annotated[int, Meta(ge=0, le=MAX_LATENCY_MS)] | None = None
    count: EventCount = 1


class SignResult(_AdministrativeEvent, frozen=True, kw_only=True, tag="sign.result"):
    """The result of one call of the signature or the seal service."""

    kind: Literal["signature", "seal"]
    ok: bool
    count: EventCount = 1


class AuthResult(_AdministrativeEvent, frozen=True, kw_only=True, tag="auth.result"):
    """The result of one login, without identity; `user_error` is no fault of a system."""

    method: Literal["e_id", "password", "other"]
    outcome: Literal["ok", "user_error", "system_error"]
    count: EventCount = 1


class DocumentFlow(_AdministrativeEvent, frozen=True, kw_only=True, tag="doc.flow"):
    """Official documents that were sent or received."""

    direction: Literal["outgoing", "incoming"]
    electronic: bool
    signed: bool = False
    sealed: bool = False
    count: EventCount = 1


class PetitionState(_AdministrativeEvent, frozen=True, kw_only=True, tag="petition.state"):
    """A petition or report of a citizen: received, answered (on time?), or its answer rated (satisfied?)."""

    state: Literal["received", "answered", "rated"]
    on_time: bool | None = None
    satisfied: bool | None = None
    count: EventCount = 1


class SyncBatch(_AdministrativeEvent, frozen=True, kw_only=True, tag="sync.batch"):
    """One batch of dossiers for the national portal: how many were due, how many arrived, and the largest delay."""

    dossiers: SnapshotCount
    synced: SnapshotCount
    lag_ms: LatencyMs | None = None


class CatalogueSnapshot(_AdministrativeEvent, frozen=True, kw_only=True, tag="catalogue.snapshot"):
    """The procedure catalogue of one level at `t`; a snapshot, daily.  What is None was not counted.

    `partial` and `full` are the online levels since 2022; before, level 3 is `partial` and level 4 is `full`.
    """

    procedures: SnapshotCount
    partial: SnapshotCount | None = None
    full: SnapshotCount | None = None
    on_national_portal: SnapshotCount | None = None
    with_fee: SnapshotCount | None = None
    fee_online: SnapshotCount | None = None
    published_on_time: SnapshotCount | None = None
    updated_on_time: SnapshotCount | None = None
    content_complete: SnapshotCount | None = None
    citizen_data_connected: SnapshotCount | None = None
    internal: SnapshotCount | None = None
    internal_published: SnapshotCount | None = None


ADMINISTRATIVE_EVENTS: tuple[type[Event], ...] = (
    PaymentResult, DossierReceived, DossierResolved, DossierBacklog, EformSession, SignResult, AuthResult, DocumentFlow,
    PetitionState, SyncBatch, CatalogueSnapshot,
)  # fmt: skip
