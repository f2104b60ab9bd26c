"""The codec: what was said comes back; whatever else arrives has a verdict and a reason, never a surprise."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from telemetry.core.protocol import codec, events as ev
from telemetry.core.protocol.codec import (
    CONTENT_TYPE,
    MAX_FRAME_BYTES,
    MAX_INFLATED_BYTES,
    ZLIB_SUFFIX,
    Clock,
    DecodedFrame,
    DeliveryReceipt,
    UnreadableFrame,
)

NOW = 1_767_225_600_000
ISSUED = {"type": "ticket.issued", "n": 7, "t": NOW, "ticket": "k3f9", "queue": "land", "service": "land"}
TICKET: dict[str, Any] = {"n": 1, "t": NOW, "ticket": "k3", "queue": "land", "service": "land"}
EXAMPLES: tuple[ev.Event, ...] = (
    ev.PlatformBeat(n=1, t=NOW),
    ev.TicketIssued(**TICKET, channel="qr", priority="elderly"),
    ev.TicketCalled(**TICKET, counter="c1", entered=NOW - 9, call=2),
    ev.TicketRecalled(**TICKET, counter="c1", entered=NOW - 9),
    ev.TicketServingStarted(**TICKET, counter="c1", entered=1, called=2),
    ev.TicketHeld(**TICKET, counter="c1", reason="payment"),
    ev.TicketResumed(**TICKET, counter="c1"),
    ev.TicketTransferred(**TICKET, entered=1, to_queue="tax", to_service="tax", counter="c1", called=2),
    ev.TicketFinished(**TICKET, counter="c1", entered=1, called=2, started=3, held_ms=4, quality="clock"),
    ev.TicketAbandoned(**TICKET, entered=1, by="staff", stage="held"),
    ev.TicketNoShow(**TICKET, entered=1, calls=3),
    ev.TicketClosedEod(**TICKET, entered=1),
    ev.TicketCorrected(n=1, t=2, ticket="k3", field="outcome"),
    ev.CounterState(n=1, t=2, counter="c1", state="open", queues=("land", "tax")),
    ev.KioskState(n=1, t=2, state="degraded", printer="paper_low", paper_pct=4.5),
    ev.DisplayState(n=1, t=2, state="frozen", age_ms=3, content="v1.2"),
    ev.RatingSubmitted(n=1, t=2, rating=5, service="land", counter="c1", ticket="k3"),
    ev.DeviceHeartbeat(n=1, t=2, fw="1.0", counters=(ev.CounterNow(counter="c1", state="break"),), simulated=True),
    ev.CentreModeSet(n=1, t=2, mode="online_only"),
    ev.SchedulePublished(n=1, t=2, counter="c1", opens=3, closes=4),
    ev.LinkState(n=1, t=2, up=False, rtt_ms=1.5),
    ev.ProbeResult(n=1, t=2, system="vn-ngsp", kind="tls", ok=False, error="tls", tls_days=-1.5),
    ev.ConnectorStats(n=1, t=2, system="vn-ngsp", ok=1, failed=2, period_ms=3, last_success=1),
    ev.DatabaseFigures(n=1, t=2, system="vn83-onestop--db", instances=2, unread=1, archive_age_ms=-1, lag_ms=3),
    ev.PaymentResult(n=1, t=2, outcome="user_cancel"),
    ev.DossierReceived(n=1, t=2, dossier="d1", service="land", channel="post", due=5),
    ev.DossierResolved(n=1, t=2, dossier="d1", service="land", received=1, digital=True),
    ev.DossierBacklog(n=1, t=2, open=7, overdue=2, level="commune"),
    ev.EformSession(n=1, t=2, outcome="submitted", procedure="1-004203", fill_ms=9),
    ev.SignResult(n=1, t=2, kind="seal", ok=False, count=3),
    ev.AuthResult(n=1, t=2, method="e_id", outcome="system_error"),
    ev.DocumentFlow(n=1, t=2, direction="outgoing", electronic=True, signed=True),
    ev.PetitionState(n=1, t=2, state="answered", on_time=False),
    ev.SyncBatch(n=1, t=2, dossiers=4, synced=3, lag_ms=1.5),
    ev.CatalogueSnapshot(n=1, t=2, procedures=9, full=0),
    ev.OutboxDropped(n=9, t=2, ranges=((1, 3), (5, 5)), count=4),
    ev.OutboxRefused(n=9, t=2, row=3, reason="malformed"),
    ev.AgentAlarm(n=9, t=2, alarm="source_hung", subject="escpos", count=3),
    ev.ClockStep(n=9, t=2, step_ms=-3_600_000, synced=True),
    ev.ConfigResult(n=9, t=2, version=7, outcome="rolled_back", reason="no-receipt"),
    ev.CommandResult(n=9, t=2, id="01J", command="flush", outcome="expired"),
    ev.AgentDiagnostics(n=9, t=2, outbox_rows=1, outbox_bytes=200),
    ev.DeviceContact(n=1, t=2),
    ev.DeviceStatus(n=1, t=2, online=True, sid="s"),
    ev.WaitPromised(n=1, t=2, service="land", wait_ms=3, p50_ms=4, p90_ms=5, method="drain"),
)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
values = json | st.sampled_from([NOW, "c1", "open", "land", [], {}, "0912345678", 1.0, True, -1])


def frame(*rows: object, **head: object) -> bytes:
    return msgspec.json.encode({"v": 1, "spool": "s1", "boot": "b", "sent": NOW, "events": list(rows), **head})


def decode(payload: bytes, kind: str = CONTENT_TYPE) -> DecodedFrame:
    return codec.decode_frame(payload, kind, NOW)


def verdict(row: dict[str, object]) -> tuple[str, str]:
    """What became of one row: ('stored' | 'rejected' | 'deferred', reason)."""
    found = decode(frame(row))
    if found.events:
        return "stored", ""
    if found.unidentified:
        return "unnamed", found.unidentified[0]
    ((_, reason),) = found.rejected or found.deferred
    return ("rejected" if found.rejected else "deferred"), reason


def reason_of(payload: bytes, kind: str = CONTENT_TYPE) -> str:
    with pytest.raises(UnreadableFrame) as caught:
        decode(payload, kind)
    return caught.value.reason


# --- round trips ------------------------------------------------------------------------------


def test_the_examples_cover_every_event_type() -> None:
    assert {type(e) for e in EXAMPLES} == set(ev.AGENT_EVENTS + ev.SERVER_EVENTS)


@pytest.mark.parametrize("event", EXAMPLES, ids=ev.event_type_of)
def test_every_event_comes_back_from_the_store_as_it_was(event: ev.Event) -> None:
    assert codec.decode_event(codec.encode_event(event)) == event


@pytest.mark.parametrize("compressed", [False, True])
def test_every_agents_event_comes_back_from_a_frame_as_it_was(compressed: bool) -> None:
    said = [e for e in EXAMPLES if isinstance(e, ev.AGENT_EVENTS)]
    bodies = [codec.encode_event(e) for e in said]
    payload = codec.encode_frame("s1", "b1", NOW, bodies, Clock(synced=True, error_ms=1.5))
    found = decode(codec.compress(payload), CONTENT_TYPE + ZLIB_SUFFIX) if compressed else decode(payload)
    assert found == DecodedFrame("s1", said)


def test_every_agents_event_passes_the_slow_way_too() -> None:
    said = [e for e in EXAMPLES if isinstance(e, ev.AGENT_EVENTS)]
    payload = codec.encode_frame("s1", "b1", NOW, [codec.encode_event(e) for e in said] + [b'{"n":99,"t":1}'])
    assert decode(payload) == DecodedFrame("s1", said, rejected=[(99, "malformed")])


def test_an_empty_frame_has_no_rows() -> None:
    assert decode(codec.encode_frame("s1", "b", NOW, [])) == DecodedFrame("s1")


def test_a_stored_body_of_unknown_type_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError):
        codec.decode_event(b'{"type":"alien","n":1,"t":1}')


def test_a_receipt_comes_back_as_it_was() -> None:
    receipt = DeliveryReceipt(spool="s", ranges=[(1, 5)], rejected=[(6, "malformed")], deferred=[(7, "future")], at=NOW)
    assert codec.decode_receipt(codec.encode_receipt(receipt)) == receipt


@pytest.mark.parametrize("payload", [b"", b"{}", b"\xff", b'{"spool":"s","ranges":[[1]]}', b"[" * 100_000])
def test_what_is_no_receipt_is_none(payload: bytes) -> None:
    assert codec.decode_receipt(payload) is None


# --- verdicts on single rows ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (ISSUED, ("stored", "")),
        (ISSUED | {"colour": "red"}, ("deferred", "unsupported_field")),
        (ISSUED | {"class": "astronaut"}, ("deferred", "unsupported_value")),
        (ISSUED | {"type": "ticket.cloned"}, ("deferred", "unsupported_type")),
        ({"type": "device.contact", "n": 1, "t": NOW}, ("deferred", "unsupported_type")),
        ({"type": "device.status", "n": 1, "t": NOW, "online": True, "sid": "s"}, ("deferred", "unsupported_type")),
        (ISSUED | {"t": NOW + 300_000}, ("stored", "")),
        (ISSUED | {"t": NOW + 300_001}, ("deferred", "future")),
        (ISSUED | {"t": -1}, ("rejected", "malformed")),
        (ISSUED | {"t": "now"}, ("rejected", "malformed")),
        (ISSUED | {"type": 5}, ("rejected", "malformed")),
        ({"n": 3, "t": NOW}, ("rejected", "malformed")),
        ({"type": "ticket.issued", "n": 3, "t": NOW}, ("rejected", "malformed")),
        (ISSUED | {"n": 0}, ("unnamed", "malformed")),
        (ISSUED | {"n": True}, ("unnamed", "malformed")),
        (ISSUED | {"n": "1"}, ("unnamed", "malformed")),
        (ISSUED | {"n": (1 << 53) + 1}, ("unnamed", "malformed")),
    ],
)
def test_a_row_gets_the_verdict_and_reason_the_contract_says(row: dict[str, object], expected: tuple[str, str]) -> None:
    assert verdict(row) == expected


@pytest.mark.parametrize("row", [[], "text", 5, None])
def test_a_row_that_is_no_object_is_counted_without_a_number(row: object) -> None:
    assert decode(frame(row)).unidentified == ["malformed"]


@pytest.mark.parametrize("number", [b"1e400", b"9" * 5_000], ids=["1e400", "5,000 digits"])
def test_a_row_with_a_number_beyond_all_bounds_is_rejected_by_its_own_so_that_nobody_repeats_it(number: bytes) -> None:
    decoded = decode(frame(ISSUED).replace(b'"land"', number))
    assert (decoded.rejected, decoded.unidentified) == ([(7, "malformed")], [])


def test_a_row_whose_own_number_is_beyond_all_bounds_is_counted_without_it() -> None:
    assert decode(frame(ISSUED).replace(b'"n":7', b'"n":1e400')).unidentified == ["malformed"]


@pytest.mark.parametrize(
    "field",
    ["name", "customer_name", "full_name", "phone", "Phone_Number", "email", "e_mail", "cccd", "citizen_id", "birthday",
     "address", "ho_ten", "dien_thoai", "licence_plate", "note", "comment", "face"],
)  # fmt: skip
def test_a_personal_field_is_refused_for_good_at_any_depth(field: str) -> None:
    assert verdict(ISSUED | {field: "x"}) == ("rejected", "personal_data")
    assert verdict(ISSUED | {"extra": [{field: 1}]}) == ("rejected", "personal_data")


@pytest.mark.parametrize(
    "text", ["0912345678", "+84912345678", " 001099012345 ", "a@b.vn", "Nguyễn Văn A", "line\nbreak", "012345678"]
)
@pytest.mark.parametrize("field", ["ticket", "queue", "extra"])
def test_a_value_that_looks_personal_is_refused_for_good(text: str, field: str) -> None:
    assert verdict(ISSUED | {field: text}) == ("rejected", "personal_data")
    assert verdict(ISSUED | {"extra": [text]}) == ("rejected", "personal_data")


def test_a_number_hidden_behind_escapes_is_still_personal() -> None:
    payload = frame(ISSUED | {"ticket": "0912345678"}).replace(b'"0912345678"', b'"\\u0030912345678"')
    assert decode(payload).rejected == [(7, "personal_data")]


def test_times_and_shorter_or_longer_ticket_numbers_are_not_personal() -> None:
    assert verdict(ISSUED | {"ticket": "12345678"}) == ("stored", "")
    assert verdict(ISSUED | {"ticket": "12345678901234"}) == ("stored", "")


def test_a_good_row_beside_bad_ones_is_stored() -> None:
    found = decode(frame(ISSUED, ISSUED | {"n": 8, "x": 1}, ISSUED | {"n": 9, "phone": 1}, {}))
    assert [e.n for e in found.events] == [7]
    assert (found.deferred, found.rejected) == ([(8, "unsupported_field")], [(9, "personal_data")])
    assert found.unidentified == ["malformed"]


@pytest.mark.parametrize("depth", [10, 200, 400, 600, 900])
def test_a_deeply_nested_row_gets_a_verdict_and_spares_the_others(depth: int) -> None:
    deep = b'{"type":"ticket.cloned","n":9,"t":1,"x":' + b"[" * depth + b"]" * depth + b"}"
    found = decode(codec.encode_frame("s1", "b", NOW, [msgspec.json.encode(ISSUED), deep]))
    assert [e.n for e in found.events] == [7]
    assert [n for n, _ in found.rejected + found.deferred] == [9]


def test_future_rows_are_put_off_and_the_rest_kept() -> None:
    found = decode(frame(ISSUED, ISSUED | {"n": 8, "t": NOW + 10**9}, ISSUED | {"n": 9, "x": 1}))
    assert [e.n for e in found.events] == [7]
    assert found.deferred == [(9, "unsupported_field"), (8, "future")]


# --- whole frames -----------------------------------------------------------------------------


def test_a_newer_version_puts_its_rows_off() -> None:
    assert decode(frame(ISSUED, v=2)).deferred == [(7, "unsupported_version")]
    assert decode(frame(ISSUED, {"type": "new", "n": 8}, v=2)).deferred == [
        (7, "unsupported_version"),
        (8, "unsupported_version"),
    ]


def test_personal_data_is_refused_in_a_newer_version_too() -> None:
    assert decode(frame(ISSUED | {"phone": "x"}, v=2)).rejected == [(7, "personal_data")]


def test_unknown_head_fields_do_not_harm_the_rows() -> None:
    assert [e.n for e in decode(frame(ISSUED, mood="good")).events] == [7]


def test_a_spool_that_is_a_number_of_a_person_makes_the_frame_unreadable() -> None:
    assert reason_of(frame(ISSUED, spool="0912345678")) == "personal_data"


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"\xff\xfe", frame(spool="a b"), frame(events=3), b"[" * 9_999])
def test_a_payload_that_is_no_frame_is_unreadable(payload: bytes) -> None:
    assert reason_of(payload) == "malformed"


def test_an_oversized_frame_is_unreadable() -> None:
    assert reason_of(b" " * (MAX_FRAME_BYTES + 1)) == "oversized"


def test_a_frame_of_the_largest_size_is_read() -> None:
    payload = frame(ISSUED)
    assert decode(payload + b" " * (MAX_FRAME_BYTES - len(payload))).outbox_id == "s1"


def test_a_zlib_bomb_is_unreadable_and_not_inflated() -> None:
    bomb = zlib.compress(b" " * (50 * MAX_INFLATED_BYTES))
    assert len(bomb) < MAX_FRAME_BYTES
    assert reason_of(bomb, CONTENT_TYPE + ZLIB_SUFFIX) == "oversized"


@pytest.mark.parametrize("payload", [b"", b"not deflated", zlib.compress(frame(ISSUED))[:-20]])
def test_a_broken_deflated_frame_is_unreadable(payload: bytes) -> None:
    assert reason_of(payload, CONTENT_TYPE + ZLIB_SUFFIX) == "malformed"


# --- fuzz -------------------------------------------------------------------------------------


def accounted(payload: bytes, kind: str) -> bool:
    try:
        found = decode(payload, kind)
    except UnreadableFrame as error:
        return error.reason in {"malformed", "oversized", "personal_data"}
    return isinstance(found.outbox_id, str)


@given(st.binary(max_size=300), st.sampled_from([CONTENT_TYPE, CONTENT_TYPE + ZLIB_SUFFIX, ""]))
def test_arbitrary_bytes_raise_nothing_but_unreadable(payload: bytes, kind: str) -> None:
    assert accounted(payload, kind)


@given(st.binary(max_size=300))
def test_arbitrary_deflated_bytes_raise_nothing_but_unreadable(payload: bytes) -> None:
    assert accounted(zlib.compress(payload), CONTENT_TYPE + ZLIB_SUFFIX)


@given(json)
def test_arbitrary_json_raises_nothing_but_unreadable(value: object) -> None:
    assert accounted(msgspec.json.encode(value), CONTENT_TYPE)


@given(st.lists(json, max_size=4))
def test_arbitrary_rows_are_each_accounted_for(rows: list[object]) -> None:
    found = decode(frame(*rows))
    assert len(found.events) + len(found.rejected) + len(found.deferred) + len(found.unidentified) == len(rows)


FIELDS = sorted({name for kind in ev.AGENT_EVENTS for name in kind.__struct_encode_fields__})


@given(
    st.sampled_from([msgspec.to_builtins(e) for e in EXAMPLES]),
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=3),
)
def test_a_bent_event_is_accounted_for_alone_as_beside_a_bad_row(
    row: dict[str, object], bent: dict[str, object]
) -> None:
    alone = decode(frame(row | bent))
    beside = decode(frame(row | bent, None))
    assert beside.unidentified == [*alone.unidentified, "malformed"]
    assert (beside.events, beside.rejected, beside.deferred) == (alone.events, alone.rejected, alone.deferred)


def test_the_highest_row_of_a_receipt_counts_refused_rows_too() -> None:
    spool = "01JH0000000000000000000000"
    receipt = DeliveryReceipt(spool=spool, ranges=[(1, 4), (6, 7)], rejected=[(9, "malformed")], deferred=[(5, "type")])
    assert receipt.highest_row == 9
    assert DeliveryReceipt(spool=spool, ranges=[]).highest_row == 0
