"""What dossiers, payments, forms, signatures, documents, petitions and snapshots add to the totals."""

from __future__ import annotations

from typing import get_args

import pytest

from telemetry.core.calendar.windows import SLOT, Window
from telemetry.core.fold import fold
from telemetry.core.fold.administrative_counts import (
    ADMINISTRATION_FIELDS,
    PROCEDURE_FIELDS,
    administrative_counts,
    connector_counts,
    counts_of,
)
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.fold.totals import CONNECTOR_FIELDS
from telemetry.core.protocol import events as ev
from tests.unit.days import CENTRE

T = 10 * SLOT
WINDOW = Window(T, T + SLOT)
DAY_MS = 86_400_000


def received(**fields: object) -> ev.Event:
    return ev.DossierReceived(**{"n": 1, "t": T, "dossier": "d1", "service": "land", **fields})  # type: ignore[arg-type]


def resolved(**fields: object) -> ev.Event:
    usual = {"n": 1, "t": T, "dossier": "d1", "service": "land", "received": T - DAY_MS}
    return ev.DossierResolved(**{**usual, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (received(channel="mobile"), {"received_mobile": 1, "received_with_due": 0}),
        (received(due=T), {"received_direct": 1, "received_with_due": 1}),
        (
            ev.DossierBacklog(n=1, t=T, open=7, overdue=2),
            {"backlog_snapshots": 1, "backlog_open": 7, "backlog_overdue": 2},
        ),
        (ev.PaymentResult(n=1, t=T, outcome="user_cancel", count=4), {"payments_user_cancel": 4}),
        (ev.EformSession(n=1, t=T, outcome="error", count=2, fill_ms=9), {"eform_error": 2}),
        (
            ev.EformSession(n=1, t=T, outcome="submitted", fill_ms=9),
            {"eform_submitted": 1, "fill_sum_ms": 9, "fill_histogram": histogram_of(9)},
        ),
        (ev.SignResult(n=1, t=T, kind="seal", ok=False, count=3), {"seal_failed": 3}),
        (ev.SignResult(n=1, t=T, kind="signature", ok=True), {"signature_ok": 1}),
        (ev.AuthResult(n=1, t=T, method="e_id", outcome="ok", count=5), {"logins_e_id": 5}),
        (ev.AuthResult(n=1, t=T, method="e_id", outcome="system_error"), {"logins_system_error": 1}),
        (ev.PetitionState(n=1, t=T, state="received", count=2), {"petitions_received": 2}),
        (ev.PetitionState(n=1, t=T, state="answered"), {"petitions_answered": 1}),
        (ev.SyncBatch(n=1, t=T, dossiers=4, synced=9), {"sync_dossiers": 4, "sync_synced": 4}),
        (
            ev.CatalogueSnapshot(n=1, t=T, procedures=9, full=0),
            {"catalogue_procedures": 9, "snapshots_procedures": 1, "catalogue_full": 0, "snapshots_full": 1},
        ),
    ],
)
def test_an_event_adds_its_counts(event: ev.Event, counts: dict[str, int]) -> None:
    assert counts_of(event) == counts
    assert set(counts) <= set(ADMINISTRATION_FIELDS)


def test_a_dossier_is_on_time_at_its_due_time_and_late_a_millisecond_later() -> None:
    assert counts_of(resolved(due=T))["resolved_on_time"] == 1
    late = counts_of(resolved(due=T - 1))
    assert late["resolved_late"] == 1
    assert "resolved_on_time" not in late
    assert {"resolved_late", "resolved_on_time"}.isdisjoint(counts_of(resolved()))


def test_a_dossiers_fee_steps_and_processing_time_are_counted() -> None:
    counts = counts_of(resolved(fee="online", digitisation=("data_reused", "certified_copy"), digital=True))
    assert (counts["resolved_with_fee"], counts["resolved_paid_online"], counts["resolved_digital"]) == (1, 1, 1)
    assert (counts["digitisation_recorded"], counts["digitised_data_reused"], counts["digitised_certified_copy"]) == (
        1,
        1,
        1,
    )
    assert (counts["processing_sum_ms"], counts["processing_histogram"]) == (DAY_MS, histogram_of(DAY_MS))
    assert counts_of(resolved(fee="desk"))["resolved_paid_online"] == 0
    assert "resolved_with_fee" not in counts_of(resolved(fee="none"))
    assert "digitisation_recorded" not in counts_of(resolved())


def test_a_dossier_that_ends_before_it_began_is_counted_apart() -> None:
    counts = counts_of(resolved(received=T + 1))
    assert counts["processing_negative"] == 1
    assert "processing_sum_ms" not in counts


def test_documents_sent_are_counted_by_signature_and_seal_and_documents_received_are_not() -> None:
    sent = counts_of(ev.DocumentFlow(n=1, t=T, direction="outgoing", electronic=True, signed=True, count=3))
    assert sent == {
        "documents": 3,
        "documents_electronic": 3,
        "outgoing": 3,
        "outgoing_signed": 3,
        "outgoing_sealed": 0,
    }
    got = counts_of(ev.DocumentFlow(n=1, t=T, direction="incoming", electronic=False, signed=True))
    assert got == {"documents": 1, "documents_electronic": 0}


def test_petitions_answered_and_rated_count_what_is_known_of_them() -> None:
    answered = counts_of(ev.PetitionState(n=1, t=T, state="answered", on_time=False, count=2))
    assert answered == {"petitions_answered": 2, "petitions_timed": 2, "petitions_on_time": 0}
    rated = counts_of(ev.PetitionState(n=1, t=T, state="rated", satisfied=True))
    assert rated == {"petitions_rated": 1, "petitions_satisfied": 1}


def test_another_event_counts_nothing_here() -> None:
    with pytest.raises(TypeError):
        counts_of(ev.CentreModeSet(n=1, t=T, mode="normal"))


def test_events_count_at_their_level_and_procedure_in_their_slot() -> None:
    events = [
        SourcedEvent("d", "s", event)
        for event in (
            received(procedure="p1", channel="online"),
            received(n=2, level="commune", t=T + SLOT - 1),
            received(n=3, t=T + SLOT),
            resolved(n=4, procedure="p1", channel="mobile"),
            ev.PaymentResult(n=5, t=T, outcome="ok", procedure="p1", count=2),
            ev.PaymentResult(n=6, t=T, outcome="gateway_error", procedure="p2"),
            ev.CentreModeSet(n=7, t=T, mode="normal"),
        )
    ]
    counts = administrative_counts("c", "province", events, WINDOW)
    assert set(counts) == {"administration:c:province", "administration:c:commune", "procedure:c:p1"}
    assert counts["administration:c:commune"] == {T: {"received_direct": 1, "received_with_due": 0}}  # type: ignore[index]
    assert counts["procedure:c:p1"] == {  # type: ignore[index]
        T: {
            "received": 1, "received_online": 1, "resolved": 1, "resolved_online": 1, "payments_ok": 2,
            "received_province": 1, "received_online_province": 1, "resolved_province": 1,
            "resolved_online_province": 1, "payments_ok_province": 2,
        }
    }  # fmt: skip


def test_the_totals_of_levels_and_procedures_hold_every_field() -> None:
    events = [SourcedEvent("d", "s", received(procedure="p1"))]
    totals = {t.scope: t for t in fold.fold_centre(CENTRE, (), events, WINDOW)}
    level = totals[f"administration:{CENTRE.id}:{CENTRE.level}"]
    assert tuple(level.sums) == ADMINISTRATION_FIELDS
    assert tuple(totals[f"procedure:{CENTRE.id}:p1"].sums) == PROCEDURE_FIELDS
    assert level.sums["received_direct"] == 1


def test_every_channel_of_a_dossier_has_its_fields() -> None:
    for channel in get_args(ev.DossierChannel):
        assert {f"received_{channel}", f"resolved_{channel}"} <= set(ADMINISTRATION_FIELDS)


def test_connector_statistics_add_requests_and_durations() -> None:
    def stats(n: int, t: int, **fields: object) -> SourcedEvent:
        usual = {"n": n, "t": t, "system": "vn83-lgsp", "ok": 3, "failed": 1, "period_ms": 60_000}
        return SourcedEvent("d", "s", ev.ConnectorStats(**{**usual, **fields}))  # type: ignore[arg-type]

    other = SourcedEvent("d", "s", ev.CentreModeSet(n=9, t=T, mode="normal"))
    events = [stats(1, T, mean_ms=10.25), stats(2, T), stats(3, T + SLOT), other]
    (sums,) = connector_counts(events, WINDOW).values()
    assert tuple(sums[name] for name in CONNECTOR_FIELDS) == (6, 2, 4, 41)
