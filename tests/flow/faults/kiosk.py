"""The programs beside the agents: they post with retries and append lines, and write down what was produced.

An event is produced when its append has returned: a 2xx for a post, a whole line on disk for a file.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from telemetry.core.protocol import codec
from tests.flow.faults.plan import Lines, Post

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.protocol import events as ev
    from tests.flow.faults.cell import Station

Part = TypeVar("Part", Post, Lines)
AGAIN_S = 0.05
GIVE_UP_S = 60.0


@dataclass(slots=True)
class Ledger:
    """What was produced: posts by (device, n), lines by time and content.

    `stepped` names the rows whose time the kiosk took from a clock that stood wrong.
    """

    posts: dict[tuple[str, int], ev.Event] = field(default_factory=dict)
    stepped: set[tuple[str, int]] = field(default_factory=set)
    lines: Counter[tuple[int, bytes]] = field(default_factory=Counter)
    retries: int = 0
    repeated: int = 0
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def posted(self, post: Post, events: Sequence[ev.Event], answer: dict[str, int]) -> None:
        first, last = answer["first"], answer["last"]
        with self.lock:
            if last - first + 1 != len(events):
                self.faults.append(f"{post.key}: {len(events)} events were taken as rows {first} to {last}")
            self.repeated += bool(answer["repeated"])
            for n, event in enumerate(events, first):
                if (post.device, n) in self.posts:
                    self.faults.append(f"{post.key}: row {n} of {post.device} was given twice")
                self.posts[post.device, n] = bare(event)
                if post.now:
                    self.stepped.add((post.device, n))

    def wrote(self, events: Sequence[ev.Event]) -> None:
        with self.lock:
            self.lines.update((event.t, codec.encode_event(bare(event))) for event in events)

    def within(self, windows: Sequence[Window]) -> Ledger:
        """Return what should be found in these windows; where stepped rows lie is not known."""
        with self.lock:
            posts = {k: e for k, e in self.posts.items() if k in self.stepped or inside(windows, e.t)}
            lines = Counter({line: k for line, k in self.lines.items() if inside(windows, line[0])})
        return Ledger(posts, self.stepped, lines)

    def highest(self) -> dict[str, int]:
        """Return the highest row number each device is known to have given."""
        out: dict[str, int] = {}
        for device, n in self.posts:
            out[device] = max(n, out.get(device, 0))
        return out


def inside(windows: Sequence[Window], t: int) -> bool:
    return any(window.start <= t < window.end for window in windows)


def bare(event: ev.Event) -> ev.Event:
    """Return the event without its row number."""
    return msgspec.structs.replace(event, n=1)


def said(event: ev.Event) -> bytes:
    """Return an event as a program writes it: the outbox numbers it."""
    body = json.loads(codec.encode_event(event))
    del body["n"]
    return json.dumps(body).encode()


def paced(parts: Sequence[Part], began: float) -> Iterator[Part]:
    """Yield each part when its time has come."""
    for part in sorted(parts, key=lambda part: part.at_ms):
        time.sleep(max(0.0, began + part.at_ms / 1000 - time.monotonic()))
        yield part


class Poster(threading.Thread):
    """Repeats each post with its key until it gets a 2xx."""

    def __init__(self, station: Station, posts: Sequence[Post], ledger: Ledger, began: float) -> None:
        super().__init__(daemon=True)
        self._station, self._posts, self._ledger, self._began = station, posts, ledger, began

    def run(self) -> None:
        for post in paced(self._posts, self._began):
            events = post.events
            if post.now:
                t = time.time_ns() // 1_000_000 + self._station.ahead_ms
                events = tuple(msgspec.structs.replace(event, t=t + i) for i, event in enumerate(events))
            self._until_taken(post, events)

    def _until_taken(self, post: Post, events: Sequence[ev.Event]) -> None:
        body = b"[" + b",".join(map(said, events)) + b"]"
        deadline = time.monotonic() + GIVE_UP_S
        if post.hangs_up:
            self._try(post.key, body, waits=False)
        while (answer := self._try(post.key, body)) is None:
            self._ledger.retries += 1
            if time.monotonic() > deadline:
                self._ledger.faults.append(f"{post.key}: not taken within {GIVE_UP_S:g} s")
                return
            time.sleep(AGAIN_S)
        self._ledger.posted(post, events, answer)

    def _try(self, key: str, body: bytes, *, waits: bool = True) -> dict[str, int] | None:
        line = http.client.HTTPConnection("127.0.0.1", self._station.port, timeout=3)
        try:
            line.request("POST", "/events", body, {"Idempotency-Key": key, "Content-Type": "application/json"})
            if not waits:
                return None
            answer = line.getresponse()
            text = answer.read()
            # Refused because the device's clock stepped back after the event: repeated until the clock is right again.
            is_ahead = answer.status == 400 and b"after this device's clock" in text
            if 400 <= answer.status < 500 and not is_ahead:
                self._ledger.faults.append(f"{key}: {answer.status} {text!r}")
            return dict(json.loads(text)) if answer.status in {200, 201} else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            line.close()


class Till(threading.Thread):
    """Appends lines to the gateway's file and rotates it."""

    def __init__(self, station: Station, lines: Sequence[Lines], ledger: Ledger, began: float) -> None:
        super().__init__(daemon=True)
        self._path, self._lines, self._ledger, self._began = station.till, lines, ledger, began

    def run(self) -> None:
        for part in paced(self._lines, self._began):
            if part.rotate and self._path.exists():
                self._path.rename(self._path.with_name("till.jsonl.1"))
            self._append(b"".join(said(event) + b"\n" for event in part.events), torn=part.torn)
            self._ledger.wrote(part.events)

    def _append(self, text: bytes, *, torn: bool) -> None:
        with self._path.open("ab", buffering=0) as file:
            at = len(text) - 20 if torn else 0
            for piece in (text[:at], text[at:]):
                file.write(piece)
                os.fsync(file.fileno())
                if torn:
                    time.sleep(AGAIN_S)
