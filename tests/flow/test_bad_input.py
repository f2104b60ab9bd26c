"""Whatever is published, ingest goes on, counts it by reason, tells the device, and keeps nothing about a person."""

from __future__ import annotations

import json
import zlib
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, strategies as st

from motcua.system import new_id, wall_ms
from telemetry.core.protocol import codec
from telemetry.core.protocol.topics import Topic
from telemetry.store import SERVER_OUTBOX_IDS
from tests.property_sizes import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.flow.conftest import House, Role
    from tests.flow.device import Until, Wire

pytestmark = [pytest.mark.flow, pytest.mark.slow]
CENTRE = "vn83-83"
KIOSK = Topic(CENTRE, f"{CENTRE}-kiosk1", "up")
GATEWAY = Topic(CENTRE, f"{CENTRE}-gateway1", "up")
PLAIN, SQUEEZED = codec.CONTENT_TYPE, codec.CONTENT_TYPE + codec.ZLIB_SUFFIX
MANY = 1 << 53
PERSONS = ("Nguyễn Văn Ẩn", "0912345678", "+84912345678", "079123456789", "an.nguyen@example.vn", "12 Hùng Vương")
_rows = count(1)
Case = tuple[bytes, str, list[tuple[str, str]]]


class Line:
    """A good kiosk and a hostile client in front of a running ingest."""

    def __init__(self, house: House, ingest: Role, until: Until, kiosk: Wire) -> None:
        self.house, self.ingest, self.until, self.kiosk = house, ingest, until, kiosk
        self.links = ingest.text().count("linked  ")

    def good_frame_is_stored(self) -> None:
        """Messages are taken in order: what was sent before has been judged when this one's receipt comes."""
        n = next(_rows)
        self.kiosk.publish(frame("good", event(n)), PLAIN)
        self.kiosk.told(lambda r: r.spool == "good" and any(a <= n <= b for a, b in r.ranges), f"row {n} is stored")
        assert self.ingest.running
        assert self.ingest.text().count("linked  ") == self.links, "ingest lost its connection"

    def counted(self, case: Case, topic: str = "") -> dict[str, int]:
        """Publish; returns how many rows were counted, by reason."""
        before = self.house.store.dead_letter_counts()
        self.kiosk.publish(*case, topic=topic)
        self.good_frame_is_stored()
        after = self.house.store.dead_letter_counts()
        return {reason: rows - before.get(reason, 0) for reason, rows in after.items() if rows != before.get(reason, 0)}


@pytest.fixture(scope="module")
def ingest(lasting_house: House) -> Role:
    lasting_house.start("broker")
    role = lasting_house.start("ingest")
    lasting_house.linked(role)
    return role


@pytest.fixture
def line(lasting_house: House, ingest: Role, until: Until, wire: Callable[..., Wire]) -> Line:
    return Line(lasting_house, ingest, until, wire(lasting_house.mqtt, KIOSK))


@pytest.fixture
def known(line: Line) -> Iterator[Line]:
    """Look for lasting damage: the rows of no reserved outbox, and of none but those tests name."""
    yield line
    assert not {row.outbox_id for row in line.house.store.row_ranges()} & SERVER_OUTBOX_IDS


def event(n: object = 1, **fields: object) -> dict[str, Any]:
    basis = {"n": n, "t": wall_ms(), "type": "ticket.issued", "ticket": "k3f9", "queue": "land", "service": "land"}
    return {**basis, **fields}


def frame(spool: str, *events: object, v: object = 1) -> bytes:
    return json.dumps({"v": v, "spool": spool, "boot": "b", "sent": 0, "events": events}).encode()


def names(spool: str, first: object = 1, last: object = 2) -> list[tuple[str, str]]:
    return [("spool", spool), ("from", str(first)), ("to", str(last))]


def nested(depth: int, spool: str) -> bytes:
    deep = b"[" * depth + b"]" * depth
    return b'{"v":1,"spool":"%b","events":[{"n":1,"a":%b}]}' % (spool.encode(), deep)


UNREADABLE: dict[str, tuple[bytes, str, str]] = {
    "no JSON": (b"\x00\xff{", PLAIN, "malformed"),
    "an empty payload": (b"", PLAIN, "malformed"),
    "half a frame": (frame("x", event())[:-9], PLAIN, "malformed"),
    "bad zlib": (b"no zlib", SQUEEZED, "malformed"),
    "a lone surrogate": (b'{"v":1,"spool":"\\ud800","events":[]}', PLAIN, "malformed"),
    "an impossible spool": (frame("a b/c", event()), PLAIN, "malformed"),
    "a number as spool": (frame("0912345678", event()), PLAIN, "personal_data"),
    "too many bytes": (b" " * (codec.MAX_FRAME_BYTES + 1), PLAIN, "oversized"),
    "a zlib bomb": (zlib.compress(b" " * 50_000_000), SQUEEZED, "oversized"),
    "brackets without end": (b"[" * 100_000, PLAIN, "malformed"),
    "a deep nest": (nested(5_000, "x"), PLAIN, "malformed"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_frame_is_counted_and_answered_by_its_user_properties(name: str, known: Line) -> None:
    payload, content_type, reason = UNREADABLE[name]
    spool = new_id()
    assert known.counted((payload, content_type, names(spool, 7, 9))) == {reason: 3}
    wanted = [(n, reason) for n in (7, 8, 9)]
    known.kiosk.told(lambda r: r.spool == spool and r.rejected == wanted, f"{spool} is told {reason}")


ROWS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "an unknown field": ({"colour": 3}, "unsupported_field", False),
    "an unknown type": ({"type": "ticket.eaten"}, "unsupported_type", False),
    "an unknown value": ({"channel": "pigeon"}, "unsupported_value", False),
    "a time to come": ({"t": MANY}, "future", False),
    "a time beyond all": ({"t": 1 << 200}, "malformed", True),
    "a time before all": ({"t": -1}, "malformed", True),
    "a missing field": ({"ticket": None}, "malformed", True),
    "a type that is no text": ({"type": ["ticket.issued"]}, "malformed", True),
    "an id that is a path": ({"queue": "../../etc"}, "malformed", True),
    "a citizen's number": ({"ticket": "079123456789"}, "personal_data", True),
    "a name": ({"note": "Nguyễn Văn Ẩn"}, "personal_data", True),
    "a mail address inside": ({"more": [{"who": "an@example.vn"}]}, "personal_data", True),
    "a field for a phone": ({"phone": 5}, "personal_data", True),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_row_is_named_in_the_receipt_and_its_neighbours_are_stored(name: str, known: Line) -> None:
    fields, reason, final = ROWS[name]
    spool = new_id()
    payload = frame(spool, event(1), event(2, **fields), event(3))
    assert known.counted((payload, PLAIN, names(spool, 1, 3))) == {reason: 1}
    named = [(2, reason)]
    wanted = (named, []) if final else ([], named)
    told = f"{spool} is told {reason}"
    known.kiosk.told(lambda r: r.spool == spool and (r.rejected, r.deferred) == wanted, told)
    known.kiosk.told(lambda r: r.spool == spool and r.ranges == [(1, 1), (3, 3)], f"{spool} is told what is stored")


@pytest.mark.parametrize("depth", [100, 300, 450, 900])
def test_a_nest_that_only_just_can_be_read_is_refused(depth: int, known: Line) -> None:
    counted = known.counted((nested(depth, new_id()), PLAIN, names("x", 1, 1)))
    assert sum(counted.values()) == 1


def test_a_version_to_come_is_put_off(known: Line) -> None:
    spool = new_id()
    assert known.counted((frame(spool, event(1), v=2), PLAIN, [])) == {"unsupported_version": 1}
    wanted = [(1, "unsupported_version")]
    known.kiosk.told(lambda r: r.spool == spool and r.deferred == wanted, f"{spool} is put off")


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "1", None, MANY + 1, 1 << 200, {}])
def test_a_row_without_a_number_is_counted(n: object, known: Line) -> None:
    assert known.counted((frame(new_id(), event(n)), PLAIN, [])) == {"malformed": 1}


@pytest.mark.parametrize("spool", sorted(SERVER_OUTBOX_IDS))
def test_the_servers_own_outboxes_cannot_be_written_to(spool: str, known: Line) -> None:
    assert known.counted((frame(spool, event(1)), PLAIN, names(spool))) == {"malformed": 1}


USER = {
    "nothing": [],
    "no numbers": names("x", "one", "two"),
    "the wrong way round": names("x", 9, 1),
    "too many": names("x", 1, 1_000_000),
    "beyond all numbers": names("x", 10**30, 10**30 + 1),
    "digits without end": names("x", "9" * 5_000, "9" * 5_000),
    "no spool": names(""),
    "a long spool": names("x" * 65),
    "signs that no library likes": [("\ufeff", "\ufeff"), ("spool", "\x00"), ("from", "\uffff")],
    "a thousand": [("a", "b")] * 1_000,
}


@pytest.mark.parametrize("name", USER)
def test_user_properties_that_name_nothing_are_survived(name: str, known: Line) -> None:
    assert known.counted((b"{", PLAIN, USER[name])) == {"malformed": 1}


def test_a_content_type_that_no_library_likes_is_survived(known: Line) -> None:
    assert known.counted((b"{", "\ufeff", [])) == {"malformed": 1}


def test_a_frame_of_very_many_bad_rows_is_answered_in_receipts_that_a_broker_takes(known: Line) -> None:
    spool, rows = new_id(), 40_000
    text = b'{"v":1,"spool":"%b","events":[%b]}' % (
        spool.encode(),
        b",".join(b'{"n":%d}' % (MANY - i) for i in range(rows)),
    )
    assert known.counted((codec.compress(text), SQUEEZED, [])) == {"malformed": rows}
    total = lambda: sum(len(r.rejected) for r in list(known.kiosk.receipts) if r.spool == spool) == rows  # noqa: E731
    known.until(total, "every row is told")


def test_a_device_of_another_centre_is_put_off_and_keeps_its_rows(known: Line, wire: Callable[..., Wire]) -> None:
    foreign = Topic("vn83-28756", KIOSK.device, "up")
    liar, spool = wire(known.house.mqtt, foreign, "liar"), new_id()
    assert known.counted((frame(spool, event(1)), PLAIN, []), foreign.path) == {"unknown_device": 1}
    liar.told(lambda r: r.spool == spool and r.deferred == [(1, "unknown_device")], f"{spool} is put off")


@pytest.mark.parametrize("name", ["NGUYEN", "a b", "\ufeff", "x" * 64])
def test_a_topic_that_names_no_device_is_counted(name: str, known: Line) -> None:
    assert known.counted((frame("x", event(1)), PLAIN, []), f"motcua/v1/{CENTRE}/{name}/up") == {"foreign_topic": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(PERSONS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(["n", "t", "type", "ticket", "queue", "phone", "full_name", "address", "class", "channel"])
EVENTS = st.builds(lambda more: event(**{"n": 1, **more}), st.dictionaries(KEYS, JSON, max_size=3)) | JSON
SPOOLS = st.sampled_from(["", "contact", "status", "a b", "0912345678", "x" * 65]) | st.text(max_size=5)
FRAMES = st.builds(lambda spool, events, v: frame(spool, *events, v=v), SPOOLS, st.lists(EVENTS, max_size=4), JSON)
CUT = st.builds(lambda text, at: text[: len(text) * at // 100], FRAMES, st.integers(0, 99))
PAYLOADS = st.binary(max_size=300) | FRAMES | FRAMES.map(zlib.compress) | CUT
TYPES = st.sampled_from([PLAIN, SQUEEZED, "", "+zlib", "text/plain", "\ufeff"])
WORDS = st.text(max_size=8) | st.integers().map(str) | st.sampled_from(PERSONS)
USERS = st.lists(st.tuples(st.sampled_from(["spool", "from", "to", "x"]), WORDS), max_size=5)
TOPICS = st.sampled_from([KIOSK.path, GATEWAY.path, "motcua/v1/a/0912345678/up", "motcua/v1/079123456789/b/up"])


@sized(short=120, long=1_200, suppress_health_check=list(HealthCheck))
@given(messages=st.lists(st.tuples(PAYLOADS, TYPES, USERS, TOPICS), min_size=1, max_size=8))
def test_ingest_outlives_anything_that_can_be_published(known: Line, messages: list[Any]) -> None:
    for payload, content_type, user, topic in messages:
        known.kiosk.publish(payload, content_type, user, topic)
    known.good_frame_is_stored()


def test_nothing_about_a_person_reaches_the_store_or_the_logs(known: Line) -> None:
    for who in PERSONS:
        known.kiosk.publish(frame(new_id(), event(1, ticket=who), event(2, full_name=who)), PLAIN, [("spool", who)])
        known.kiosk.publish(who.encode(), who, names(who))
        known.kiosk.publish(frame(who, event(1)), PLAIN, names(who))
        known.kiosk.publish(frame(new_id(), event(1)), PLAIN, [], f"motcua/v1/a/{who.strip('+')}/up")
    known.good_frame_is_stored()
    written = known.house.bytes_written()
    assert b"ticket.issued" in written
    for who in PERSONS:
        assert who.encode() not in written
        assert json.dumps(who).encode().strip(b'"') not in written
