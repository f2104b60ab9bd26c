"""What one round of the fault matrix does: faults, posts and file lines, all from a seed. Pure: no clock, no IO.

Round `r` of seed `s` is the same wherever it runs.  Each deck of faults is played in full before it is
shuffled again, so that a few dozen rounds meet every fault; more faults are drawn beside the one due.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from telemetry.core.calendar.windows import HOUR, Window
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Kind = Literal[
    "kill_agent", "kill_ingest", "kill_rollup", "kill_broker", "kill_store", "cut", "slow", "lost_receipts",
    "acl_refuses", "token_revoked", "disk_full", "clock_step", "repeats",
]  # fmt: skip
CENTRE = "vn83-83"
GATEWAY, KIOSK, SMALL = f"{CENTRE}-gateway1", f"{CENTRE}-kiosk1", f"{CENTRE}-kiosk2"
DEVICES = (GATEWAY, KIOSK, SMALL)
"""The gateway also follows a file; the last one's outbox lies on a small disk."""
WORKERS = ("a", "b")
PRODUCING_MS = 1_800
LINE_PARTS = 12
SHORT_MS, LONG_MS, LONG_SHARE = (300, 1_800), (5_000, 12_000), 0.06
"""How long faults last; the long ones outlast keep-alives and the waits of clients."""
STRIDE_MS = 16 * HOUR
"""How far the capture times of two rounds lie apart."""
BACK = 3
"""How many rounds back a late event may belong."""
STEP_MS = HOUR
Cut = Literal[0, 1, 2]
RESET, HOLD, HOLD_THEN_RESET = 0, 1, 2
"""How a link is cut: refused and reset; swallowed and delivered late; swallowed and lost."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: on what, from when, for how long (ms since the round began), and how."""

    kind: Kind
    target: str
    at_ms: int
    for_ms: int
    how: int = 0

    @property
    def part(self) -> str:
        """What it disturbs; two faults of one round never disturb one part."""
        if self.kind in {"kill_broker", "acl_refuses", "lost_receipts", "repeats"}:
            return "broker"
        if self.kind in {"kill_store", "token_revoked"}:
            return "store"
        return f"{'process' if self.kind.startswith('kill') else self.kind} {self.target}"

    def __str__(self) -> str:
        how = f" ({self.how})" if self.how else ""
        return f"{self.kind} {self.target}{how} at {self.at_ms} for {self.for_ms} ms"


@dataclass(frozen=True, slots=True)
class Post:
    """One POST to a device's agent.

    `now` puts the kiosk's own clock in place of the events' times; with `hangs_up` the kiosk does not wait for
    the first answer and posts again.
    """

    at_ms: int
    device: str
    key: str
    events: tuple[ev.Event, ...]
    now: bool = False
    hangs_up: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines for the gateway's file; `rotate` renames the file first, `torn` writes the last line in two parts."""

    at_ms: int
    events: tuple[ev.Event, ...]
    rotate: bool = False
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """One round."""

    seed: int
    number: int
    faults: tuple[Fault, ...]
    posts: tuple[Post, ...]
    lines: tuple[Lines, ...]

    @property
    def parts(self) -> tuple[Post | Lines, ...]:
        """All that is produced."""
        return (*self.posts, *self.lines)

    @property
    def size(self) -> int:
        """How many events it produces."""
        return sum(len(part.events) for part in self.parts)

    def __str__(self) -> str:
        return f"{'; '.join(map(str, self.faults))}; {self.size} events"


def deck(absent: Collection[Kind] = ()) -> list[tuple[Kind, str, int]]:
    """Return every fault there is as (kind, target, how), without those that cannot be had here."""
    links = [*DEVICES, *(f"ingest-{w}" for w in WORKERS)]
    stores = [f"store-{w}" for w in WORKERS] if "kill_store" not in absent else []
    cards: list[tuple[Kind, str, int]] = [
        *(("kill_agent", device, 0) for device in (*DEVICES, GATEWAY)),
        *(("kill_ingest", f"ingest-{worker}", 0) for worker in WORKERS),
        ("kill_rollup", "rollup", 0), ("kill_rollup", "rollup", 0),
        ("kill_broker", "broker", 0), ("kill_store", "store", 0),
        *(("cut", link, how) for how, link in enumerate([*links, *stores])),
        *(("slow", link, 0) for link in [links[0], links[-1], *stores[:1]]),
        ("lost_receipts", "devices", 0), ("acl_refuses", "devices", 0), ("token_revoked", "store", 0),
        ("disk_full", SMALL, 0), ("clock_step", KIOSK, STEP_MS), ("clock_step", KIOSK, -STEP_MS),
        ("repeats", "devices", 0),
    ]  # fmt: skip
    return [(kind, target, how % 3 if kind == "cut" else how) for kind, target, how in cards if kind not in absent]


def plan(seed: int, number: int, start: int, absent: Collection[Kind] = ()) -> Plan:
    """Return round `number` (0, 1, …); `start` (ms, a full hour) is when its first events are said to happen."""
    chance = Random(f"{seed}/{number}")
    faults = tuple(_faults(seed, number, chance, absent))
    stepped = {fault.target for fault in faults if fault.kind == "clock_step"}
    posts = tuple(
        post for device in DEVICES for post in _posts(number, device, start, chance, stepped=device in stepped)
    )
    return Plan(seed, number, faults, posts, tuple(_lines(number, start, chance)))


def _due(seed: int, number: int, absent: Collection[Kind]) -> tuple[Kind, str, int]:
    cards = deck(absent)
    turn, place = divmod(number, len(cards))
    Random(f"{seed} deck {turn}").shuffle(cards)
    return cards[place]


def _faults(seed: int, number: int, chance: Random, absent: Collection[Kind]) -> Iterator[Fault]:
    cards, busy = [_due(seed, number, absent)], set[str]()
    cards += chance.sample(deck(absent), k=chance.choice((0, 1, 1, 2)))
    for kind, target, how in cards:
        lasts = LONG_MS if chance.random() < LONG_SHARE else SHORT_MS
        fault = Fault(kind, target, chance.randrange(PRODUCING_MS * 2 // 3), chance.randrange(*lasts), how)
        if fault.part not in busy:
            busy.add(fault.part)
            yield fault


def _posts(number: int, device: str, start: int, chance: Random, *, stepped: bool) -> Iterator[Post]:
    visits = _visits(f"r{number}-{device.rpartition('-')[2]}", start, chance)
    for i in range(chance.randrange(9, 15)):
        events = tuple(e for _ in range(chance.choice((1, 1, 2, 4))) for e in next(visits))
        now = stepped and i % 3 == 1
        if now:
            events = tuple(ev.PaymentResult(n=1, t=0, outcome="ok", service=f"r{number}-{i}-{k}") for k in range(3))
        at, hangs_up = chance.randrange(PRODUCING_MS), chance.random() < 0.1
        yield Post(at, device, f"r{number}-{device}-{i}", events, now, hangs_up)


def _lines(number: int, start: int, chance: Random) -> Iterator[Lines]:
    visits = _visits(f"r{number}-till", start, chance)
    times = sorted(chance.sample(range(PRODUCING_MS), k=LINE_PARTS))
    rotating = chance.randrange(3 * LINE_PARTS // 2)
    for i, at in enumerate(times):
        events = tuple(e for _ in range(chance.randrange(1, 3)) for e in next(visits))
        yield Lines(at, events, rotate=i == rotating, torn=chance.random() < 0.4)


def _visits(name: str, start: int, chance: Random) -> Iterator[tuple[ev.Event, ...]]:
    """Yield tickets from issue to end, each with all its events; some happened long before this round."""
    drawn = Counter[int]()
    while True:
        back = chance.choice((0, 0, 0, 0, 0, 0, 1, BACK)) * STRIDE_MS
        entered = start - back + chance.randrange(STRIDE_MS - 3 * HOUR)
        drawn[0] += 1
        yield tuple(_visit(f"{name}-{drawn[0]}", entered, chance))


def _visit(ticket: str, entered: int, chance: Random) -> Iterator[ev.Event]:
    service = chance.choice(("land", "social", "justice"))
    of: dict[str, Any] = {"n": 1, "ticket": ticket, "queue": service, "service": service}
    yield ev.TicketIssued(t=entered, **of)
    called = entered + chance.randrange(5_000, 4_000_000)
    if chance.random() < 0.2:
        yield ev.TicketAbandoned(t=called, entered=entered, **of)
        return
    desk = f"c{chance.randrange(1, 6)}"
    yield ev.TicketCalled(t=called, entered=entered, counter=desk, **of)
    done = called + chance.randrange(30_000, 2_000_000)
    yield ev.TicketFinished(t=done, entered=entered, called=called, counter=desk, **of)
    if chance.random() < 0.3:
        yield ev.RatingSubmitted(n=1, t=done + 1, rating=chance.randrange(1, 6), service=service, ticket=ticket)


def first_start(now: int, rounds: int) -> int:
    """Return when round 0 is said to begin, so that the last of `rounds` ends two days before `now` (ms)."""
    return now // HOUR * HOUR - rounds * STRIDE_MS - 48 * HOUR


def touched(start: int) -> Window:
    """Return the time a round's events may touch when it begins at `start`."""
    return Window(start - BACK * STRIDE_MS, start + STRIDE_MS)
