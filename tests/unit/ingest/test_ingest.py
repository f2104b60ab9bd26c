"""What an ingest keeps, writes and answers when writes fail and pile up; over the embedded store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry.core.protocol import codec, events as ev
from telemetry.errors import StoreUnavailable
from telemetry.ingest import service as room
from telemetry.ingest.service import Ingest
from telemetry.inventory import default_path, load
from telemetry.mqtt.link import Message
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from telemetry.store import Batch, StoredEvent

NOW = 1_767_225_600_000
CENTRE, DEVICE = "vn83-83", "vn83-83-kiosk1"
WORLD = load(default_path())


class Failing(SqliteStore):
    """Fails as often as it is told to."""

    failures = 0

    def append(self, batch: Batch) -> Sequence[StoredEvent]:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        return super().append(batch)

    def raw_retention_ms(self) -> int | None:
        return 3_600_000


class Outlet:
    def __init__(self) -> None:
        self.acked: list[int] = []
        self.receipts: list[codec.DeliveryReceipt] = []
        self.payload_limit, self.sizes = 1 << 28, list[int]()

    def acknowledge(self, messages: Iterable[Message]) -> None:
        self.acked += [message.mid for message in messages]

    def largest_payload(self, topic: str) -> int:  # noqa: ARG002
        return self.payload_limit

    def publish_many(self, messages: Iterable[tuple[str, bytes]]) -> None:
        payloads = [payload for _, payload in messages]
        self.sizes += map(len, payloads)
        self.receipts += [receipt for payload in payloads if (receipt := codec.decode_receipt(payload))]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Failing]:
    opened = Failing(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def desk(store: Failing) -> Ingest:
    return Ingest(store, lambda: WORLD, lambda: NOW)


def frame(mid: int, rows: int, t: int = NOW, topic: str = f"motcua/v1/{CENTRE}/{DEVICE}/up") -> Message:
    first = mid * 100
    said = [ev.DeviceHeartbeat(n=first + k, t=t + k) for k in range(rows)]
    payload = codec.encode_frame("s1", "b", NOW, [codec.encode_event(event) for event in said])
    return Message(topic, payload, codec.CONTENT_TYPE, mid=mid, qos=1)


def test_a_failed_write_is_kept_whole_and_answered_in_order_later(desk: Ingest, store: Failing) -> None:
    outlet = Outlet()
    store.failures = 1
    desk.accept(frame(1, 3))
    with pytest.raises(StoreUnavailable):
        desk.flush(outlet)
    assert (outlet.acked, store.count_events(), desk.stats.waiting_messages) == ([], 0, 1)
    desk.accept(frame(2, 2))
    desk.flush(outlet)
    assert (outlet.acked, store.count_events(), desk.stats.waiting_messages) == ([1, 2], 5, 0)
    assert [receipt.ranges for receipt in outlet.receipts] == [[(100, 102), (200, 201)]]


def test_what_piled_up_is_written_in_portions(desk: Ingest, store: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BATCH_ROWS", 10)
    for mid in range(1, 10):
        desk.accept(frame(mid, 4))
    outlet = Outlet()
    portions = 0
    while (write := desk.take_batch()) is not None:
        desk.answer(write, desk.store_batch(write), outlet)
        portions += 1
    assert (portions, outlet.acked, store.count_events()) == (3, list(range(1, 10)), 36)
    assert not desk.is_full()


def test_two_writes_put_back_stand_before_what_came_since(desk: Ingest) -> None:
    desk.accept(frame(1, 1))
    first = desk.take_batch()
    desk.accept(frame(2, 1))
    second = desk.take_batch()
    desk.accept(frame(3, 1))
    assert first is not None
    assert second is not None
    desk.put_back(second)
    desk.put_back(first)
    outlet = Outlet()
    desk.flush(outlet)
    assert outlet.acked == [1, 2, 3]


def test_rows_from_before_the_retention_are_refused_once_it_is_known(desk: Ingest) -> None:
    outlet = Outlet()
    desk.accept(frame(1, 1))
    desk.flush(outlet)
    desk.accept(frame(2, 2, t=NOW - 3_600_001))
    desk.flush(outlet)
    assert outlet.receipts[1].rejected == [(200, "too_old")]
    assert outlet.receipts[1].ranges == [(201, 201)]
    assert desk.stats.refused_by_reason == {"too_old": 1}


def test_a_foreign_topic_is_acknowledged_counted_and_not_answered(desk: Ingest) -> None:
    outlet = Outlet()
    desk.accept(frame(1, 1, topic="motcua/v1/x"))
    desk.flush(outlet)
    assert (outlet.acked, outlet.receipts, desk.stats.refused_by_reason) == ([1], [], {"foreign_topic": 1})


def test_receipts_are_cut_to_what_the_broker_accepts_and_none_is_lost(desk: Ingest) -> None:
    outlet = Outlet()
    outlet.payload_limit = 400
    for mid in range(1, 60):
        desk.accept(frame(mid, 2))
    desk.accept(frame(61, 30, t=NOW + 999_999))
    desk.flush(outlet)
    named = {n for receipt in outlet.receipts for low, high in receipt.ranges for n in range(low, high + 1)}
    assert named == {mid * 100 + k for mid in range(1, 60) for k in (0, 1)}
    assert {n for receipt in outlet.receipts for n, _ in receipt.deferred} == {6100 + k for k in range(30)}
    assert max(outlet.sizes) <= 400
    assert desk.stats.receipts_too_large == 0


def test_a_receipt_that_no_broker_packet_can_carry_is_counted(desk: Ingest) -> None:
    outlet = Outlet()
    outlet.payload_limit = 10
    desk.accept(frame(1, 1))
    desk.flush(outlet)
    assert (outlet.acked, desk.stats.receipts_too_large) == ([1], 1)


def unreadable(mid: int, first: int, last: int, spool: str = "s1") -> Message:
    texts = [text.encode() for pair in (("spool", spool), ("from", f"{first}"), ("to", f"{last}")) for text in pair]
    packed = [len(text).to_bytes(2) + text for text in texts]
    properties = b"".join(b"\x26" + name + value for name, value in zip(packed[::2], packed[1::2], strict=True))
    return Message(f"motcua/v1/{CENTRE}/{DEVICE}/up", b"?", codec.CONTENT_TYPE, properties, mid, 1)


def test_rows_that_many_frames_name_are_answered_once(desk: Ingest) -> None:
    outlet = Outlet()
    for mid in range(1, 25):
        desk.accept(unreadable(mid, 1, 1_000))
    desk.flush(outlet)
    assert [len(receipt.rejected) for receipt in outlet.receipts] == [1_000]
    assert desk.stats.refused_by_reason == {"malformed": 24_000}
    assert desk.stats.receipts_withheld == 0


def test_frames_that_are_refused_fill_a_write_as_stored_rows_do(desk: Ingest) -> None:
    mid = 0
    while not desk.is_full():
        desk.accept(unreadable(mid := mid + 1, 1, 1_000))
    assert mid == room.BATCH_ROWS // 1_000


@pytest.mark.parametrize("rows", [1, 150])
def test_a_device_gets_so_many_receipts_for_a_write_and_others_get_theirs(desk: Ingest, rows: int) -> None:
    outlet = Outlet()
    outlet.payload_limit = 1_000  # 150 rows need several packets
    for mid in range(1, 301):
        desk.accept(unreadable(mid, 1, rows, spool=f"x{mid}"))
    desk.accept(frame(400, 2, topic="motcua/v1/vn83-829/vn83-829-kiosk1/up"))
    desk.flush(outlet)
    of_others = [receipt for receipt in outlet.receipts if receipt.ranges]
    assert [receipt.ranges for receipt in of_others] == [[(40_000, 40_001)]]
    assert len(outlet.receipts) == room.MAX_RECEIPTS_PER_DEVICE + 1
    assert desk.stats.receipts_withheld >= 200
    assert max(outlet.sizes) <= 1_000
