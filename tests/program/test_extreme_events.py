"""Events at the extremes of every field, and beyond: no role ends, no answer is a 5xx, what fits is folded for good.

The short size runs with every test, the long one (200,000 events) with `make chaos`.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from telemetry.core.calendar.windows import DAY, MINUTE
from telemetry.core.fold.live_row_types import decode_faults
from telemetry.core.protocol import codec, events as ev
from telemetry.ingest.service import Ingest
from telemetry.mqtt.link import Message
from telemetry.rollup.service import Rollup
from tests.extreme_events import ExtremeEvents
from tests.program.network import inventory, network
from tests.property_sizes import LONG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.program.network import Network

EVENTS = 200_000 if LONG else 3_000
EVENTS_PER_FRAME, FRAMES_PER_PASS = 25, 50 if LONG else 20
PARTS = 8 if LONG else 2
"""How often memory is measured."""
LONGEST_PASS_S, MOST_GROWTH_BYTES = 5.0, 150 * 1024 * 1024
"""The bounds of the long size: one pass, and the growth of memory after its first quarter."""
DECLARED: dict[str, tuple[Any, ...]] = {
    "system": ("vn83-portal", "vn83-portal", "vn83-nowhere", "vn83-a", "motcua"),
    "queue": ("land", "tax"), "service": ("land", "tax"), "to_queue": ("land",), "to_service": ("tax",),
    "counter": ("1", "2", "3"),
}  # fmt: skip
CENTRES = ("vn83-a", "vn83-b")
DEVICES = (*((c, f"{c}-{d}") for c in CENTRES for d in ("gateway1", "kiosk1")), ("vn83-a", "vn83-a-unknown1"))
PATHS = (
    "/api/v1/status", "/api/v1/centres", "/api/v1/centres/vn83-a", "/api/v1/centres/vn83-b/devices", "/api/v1/systems",
    "/api/v1/systems/vn83-portal", "/api/v1/availability?scope=province:vn83", "/api/v1/queues/now?centre=vn83-a",
    "/api/v1/queues/history?centre=vn83-a", "/api/v1/centres/vn83-a/timeline", "/api/v1/completeness", "/api/v1/slos",
    "/api/v1/devices/vn83-a-kiosk1/timeline", "/metrics", "/metrics/devices?centre=vn83-b", "/centres/vn83-a", "/",
    "/metrics/centre?centre=vn83-a", "/centres/vn83-a/history.csv",
)  # fmt: skip


class _Receipts:
    """What ingest answers, instead of a link to a broker."""

    def __init__(self) -> None:
        self.sent: list[codec.DeliveryReceipt] = []

    def largest_payload(self, topic: str) -> int:
        return 1 << 20 if topic else 0

    def acknowledge(self, messages: Iterable[Message]) -> None:
        assert list(messages)

    def publish_many(self, messages: Iterable[tuple[str, bytes]]) -> None:
        self.sent += [r for _, payload in messages if (r := codec.decode_receipt(payload)) is not None]


class ExtremeDay:
    """One province that receives extreme events for a day, on a clock that the test turns."""

    def __init__(self, net: Network, seed: int) -> None:
        self.net, self.random, self.declared = net, random.Random(seed), inventory()
        self.events = ExtremeEvents(self.random, DECLARED)
        self.ingest = Ingest(net.store, lambda: self.declared, lambda: net.time[0])
        self.rollup = Rollup(net.store, lambda: self.declared, lambda: net.time[0])
        self.receipts, self.n = _Receipts(), 0
        self.spoiled: set[int] = set()
        self.fitting: dict[int, str] = {}
        self.stored_rows, self.stored_types = 0, set[str]()

    def time_of_capture(self) -> int:
        now, chance = self.net.time[0], self.random.random()
        if chance < 0.85:
            return now - self.random.randrange(10 * MINUTE)
        far = (0, 1, now, now + 299_999, now + 300_001, now - DAY, now - 89 * DAY, 1 << 53)
        return self.random.choice(far)

    def frame(self) -> Message:
        centre, device = self.random.choice(DEVICES)
        bodies = []
        for _ in range(EVENTS_PER_FRAME):
            self.n += 1
            is_spoiled = self.random.random() < 0.3
            draw = self.events.spoiled_event if is_spoiled else self.events.valid_event
            event = draw(self.n, self.time_of_capture())
            if is_spoiled:
                self.spoiled.add(self.n)
            else:
                self.fitting[self.n] = event["type"]
            bodies.append(msgspec.json.encode(event))
        payload, content_type = codec.encode_frame("01S", "b", self.net.time[0], bodies), codec.CONTENT_TYPE
        if self.random.random() < 0.3:
            payload, content_type = codec.compress(payload), content_type + codec.ZLIB_SUFFIX
        if self.random.random() < 0.02:  # cut, as a bad line does
            payload = payload[: self.random.randrange(len(payload))]
        return Message(f"motcua/v1/{centre}/{device}/up", payload, content_type=content_type)

    def certificates(self) -> list[Message]:
        chosen = [self.random.choice(DEVICES) for _ in range(4)]
        return [
            Message(f"motcua/v1/{centre}/{device}/state", msgspec.json.encode(self.events.presence()), retain=True)
            for centre, device in chosen
        ]

    def run_pass(self) -> float:
        """Receive frames and certificates, then fold; returns how long the pass took, s."""
        for _ in range(FRAMES_PER_PASS):
            self.ingest.accept(self.frame())
        self.ingest.flush(self.receipts)
        self.rollup.store_presence(self.certificates())
        began = time.monotonic()
        self.rollup.run_once()
        took = time.monotonic() - began
        self.check_receipts()
        self.net.time[0] += self.random.choice([MINUTE, 10 * MINUTE, 15 * MINUTE] if LONG else [20_000, 2 * MINUTE])
        return took

    def check_receipts(self) -> None:
        """Check what became of each row against how it was drawn."""
        for receipt in self.receipts.sent:
            stored = {n for low, high in receipt.ranges for n in range(low, high + 1)}
            assert not stored & self.spoiled, "a spoiled event was stored"
            self.stored_rows += len(stored)
            self.stored_types |= {self.fitting[n] for n in stored}
            malformed = {n for n, reason in receipt.rejected if reason == "malformed"}
            assert not malformed & self.fitting.keys(), "a fitting event was refused"
        self.receipts.sent.clear()
        self.spoiled.clear()
        self.fitting.clear()

    def failed_paths(self) -> list[tuple[str, int]]:
        answers = [(path, self.net.client.get(path).status_code) for path in PATHS]
        return [answer for answer in answers if answer[1] != 200]


def memory_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.sized
def test_events_at_the_extremes_of_every_field_stop_no_role(tmp_path: Path) -> None:
    day = ExtremeDay(network(tmp_path), int(os.environ.get("SEED", "1")))
    passes = EVENTS // (EVENTS_PER_FRAME * FRAMES_PER_PASS)
    longest, memory = 0.0, [memory_bytes()]
    for number in range(passes):
        longest = max(longest, day.run_pass())
        assert day.failed_paths() == []
        faults = decode_faults((row.entity, row.body) for row in day.net.store.live_rows())
        assert not faults, "what came in by the door was not folded"
        if (number + 1) % (passes // PARTS) == 0:
            memory.append(memory_bytes())
            figures = {"events": day.n, "stored": day.stored_rows, "longest_pass_s": round(longest, 2)}
            print({**figures, "memory_mb": memory[-1] >> 20}, flush=True)  # noqa: T201  # `make chaos` shows them
    if LONG:
        assert longest <= LONGEST_PASS_S
        assert memory[-1] - memory[PARTS // 4] <= MOST_GROWTH_BYTES
    assert day.stored_types == {str(kind.__struct_config__.tag) for kind in ev.AGENT_EVENTS}
    assert day.stored_rows > EVENTS // 4
