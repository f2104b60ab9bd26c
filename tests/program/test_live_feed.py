"""The live stream: what is sent of a change, to whom and how often; many streams share one reader of the store."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from api.event_stream import stream_events
from api.live_feed import MAX_BATCHES, MESSAGE_INTERVAL_S, PING_INTERVAL_S, LiveFeed
from telemetry.core.fold.live_row_types import SystemNow
from tests.program.network import Network, busy, centre_now, network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORTAL = "vn83-portal"
WITHIN_S = 20


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    built = busy(network(tmp_path))
    yield built
    built.store.close()


def decode_events(frames: bytes) -> list[tuple[str, dict[str, Any], int]]:
    """Return event, data and id of each server-sent event."""
    events = []
    for frame in frames.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in frame.split("\n"))
        events.append((fields["event"], json.loads(fields["data"]), int(fields["id"])))
    return events


class Listener:
    """A feed that a test polls by hand, at the network's clock."""

    def __init__(self, net: Network) -> None:
        self.net, self.wake_count = net, 0
        self.feed = LiveFeed(net.queries, lambda: net.time[0] / 1000, interval_s=3600)
        self.number = self.feed.listen(self._wake)

    def _wake(self) -> None:
        self.wake_count += 1

    def next_events(self, after_s: float = 1.0, centre: str | None = None) -> list[tuple[str, dict[str, Any], int]]:
        """Return what one more poll sends, so many seconds later."""
        self.net.time[0] += int(after_s * 1000)
        self.feed.poll()
        batches = self.feed.batches_after(self.number)
        assert batches is not None
        self.number = batches[-1].number if batches else self.number
        return decode_events(b"".join(batch.frames_of(centre) for batch in batches))

    def change(self, counters_open: int, centre: str = "vn83-a") -> None:
        self.net.live(centre, centre_now(centre, self.net.time[0], counters_open=counters_open))


def test_only_what_changes_is_sent_and_a_heartbeat_alone_is_nothing(net: Network) -> None:
    listener = Listener(net)
    assert listener.next_events() == []
    listener.change(counters_open=3)  # what it has been
    assert listener.next_events() == []
    listener.change(counters_open=2)
    ((event, data, ident),) = listener.next_events()
    assert (event, data["centre"], data["counters_open"], ident) == ("centre.state", "vn83-a", 2, 5)
    assert listener.wake_count == 1


def test_a_first_change_is_sent_at_once_and_the_newest_of_the_next_ones_after_the_interval(net: Network) -> None:
    listener = Listener(net)
    listener.change(counters_open=2)
    assert len(listener.next_events()) == 1
    for counters in (1, 0, 4):
        net.store.put_live_rows({"vn83-a": _row(net, counters)})
        assert listener.next_events(after_s=0.6) == []
    ((_, data, _),) = listener.next_events(after_s=MESSAGE_INTERVAL_S - 3 * 0.6)
    assert data["counters_open"] == 4


def _row(net: Network, counters_open: int) -> bytes:
    return msgspec.json.encode(centre_now("vn83-a", net.time[0], counters_open=counters_open))


def test_a_change_that_is_taken_back_within_the_interval_is_not_sent(net: Network) -> None:
    listener = Listener(net)
    listener.change(counters_open=2)
    assert len(listener.next_events()) == 1
    net.store.put_live_rows({"vn83-a": _row(net, 1)})
    assert listener.next_events(after_s=0.6) == []
    net.store.put_live_rows({"vn83-a": _row(net, 2)})
    assert listener.next_events(after_s=0.6) == []
    assert listener.next_events(after_s=MESSAGE_INTERVAL_S) == []


def test_a_system_that_goes_down_is_sent_to_all_but_those_who_listen_to_a_centre(net: Network) -> None:
    listener = Listener(net)
    net.live(PORTAL, SystemNow(system=PORTAL, at=net.time[0], state="down", vantage=()))
    number = listener.number
    ((event, data, _),) = listener.next_events()
    assert (event, data) == ("system.state", {"system": PORTAL, "condition": "down"})
    listener.number = number
    assert listener.next_events(centre="vn83-a") == []


def test_who_listens_to_one_centre_gets_its_events_and_pings(net: Network) -> None:
    listener = Listener(net)
    listener.change(counters_open=2)
    listener.change(counters_open=2, centre="vn83-b")
    events = listener.next_events(after_s=PING_INTERVAL_S, centre="vn83-b")
    assert [event for event, _, _ in events] == ["centre.state", "queue", "ping"]
    assert {data["centre"] for event, data, _ in events if event != "ping"} == {"vn83-b"}


def test_an_entity_that_is_not_declared_sends_nothing(net: Network) -> None:
    listener = Listener(net)
    net.live("vn83-unknown")
    assert listener.next_events() == []


def test_who_is_too_far_behind_is_not_told_parts(net: Network) -> None:
    listener = Listener(net)
    number = listener.number
    for _ in range(MAX_BATCHES + 1):
        assert listener.next_events(after_s=PING_INTERVAL_S)
    assert listener.feed.batches_after(number) is None
    assert len(listener.feed.batches_after(number + 1) or ()) == MAX_BATCHES


def test_hello_has_all_centres_or_the_one_and_after_a_reconnection_what_has_changed(net: Network) -> None:
    feed = LiveFeed(net.queries)
    ((event, data, ident),) = decode_events(feed.hello(None, None))
    assert (event, ident, data["revision"], data["resumed"]) == ("hello", 3, 3, False)
    assert [c["centre"] for c in data["centres"]] == ["vn83-a", "vn83-b"]
    assert feed.hello(None, None) is feed.hello(None, 99)
    ((_, data, _),) = decode_events(feed.hello("vn83-b", None))
    assert [c["centre"] for c in data["centres"]] == ["vn83-b"]
    hello, *rest = decode_events(feed.hello(None, 1))
    assert (hello[1]["resumed"], hello[1]["centres"]) == (True, [])
    assert [(event, data.get("centre")) for event, data, _ in rest] == [
        ("centre.state", "vn83-b"),
        ("queue", "vn83-b"),
        ("system.state", None),
    ]
    assert [d["centre"] for _, d, _ in decode_events(feed.hello("vn83-a", 0))[1:]] == ["vn83-a", "vn83-a"]


def test_streams_share_one_reader_which_ends_with_the_last_of_them(net: Network) -> None:
    feed = LiveFeed(net.queries, lambda: net.time[0] / 1000, interval_s=0.01)

    async def read_two_streams() -> list[list[bytes]]:
        streams = [stream_events(feed, None, None) for _ in range(2)]
        firsts = [await anext(stream) for stream in streams]
        net.time[0] += 1000
        net.live("vn83-a", centre_now("vn83-a", net.time[0], counters_open=2))
        seconds = [await anext(stream) for stream in streams]
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]
        return [firsts, seconds]

    async def within_time() -> list[list[bytes]]:
        return await asyncio.wait_for(read_two_streams(), WITHIN_S)

    firsts, seconds = asyncio.run(within_time())
    assert firsts[0] is firsts[1]
    assert seconds[0] is seconds[1]
    assert [event for event, _, _ in decode_events(seconds[0])] == ["centre.state"]
    poller = feed._poller
    if poller is not None:
        poller.join(WITHIN_S)
    assert feed._poller is None
