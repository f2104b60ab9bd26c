"""A plausible, seeded day of a centre's dossiers, payments and the like. Pure; it must not simulate the hall.

Shares are plausible for 2021, not measured.  The events come from the gateway, whose heartbeats say `simulated`.
"""

from __future__ import annotations

import base64
import hashlib
from random import Random
from typing import TYPE_CHECKING, Literal, cast, get_args

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.administrative_events import UnitLevel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Centre

DAY_MS = 86_400_000
DOSSIERS_PER_TICKET = 0.3
CHANNELS: tuple[tuple[ev.DossierChannel, int], ...] = (("direct", 58), ("online", 34), ("mobile", 3), ("post", 5))
LATE_CHANCE, DIGITAL_CHANCE = 0.04, 0.35
PROCEDURE_COUNT, WITH_FEE = 12, 8
"""Different procedures of a level, and how many of them have a fee: the first ones."""
PARTIAL, FULL = 2, 9
"""How many of a level's procedures are partial and full online services: the first ones together."""


def simulate_administration(centre: Centre, open_windows: Sequence[Window], name: str) -> Iterator[ev.Event]:
    """Yield the events of one day, unsorted; the same centre and name give the same events."""
    random = Random(f"{name}/administration")  # noqa: S311 - a simulation
    opening, closing = open_windows[0].start, open_windows[-1].end
    for number in range(max(1, round(centre.tickets_per_day * DOSSIERS_PER_TICKET))):
        yield from _dossier(centre, random, f"{name}/{number}", random.randrange(opening, closing))
    yield from _counts(random, closing - 15 * MINUTE, max(2, centre.tickets_per_day // 4))
    if centre.level == "province":  # snapshots of several centres are added, so one centre reports the catalogue
        yield from (_catalogue(level, opening) for level in get_args(UnitLevel))
    waiting = max(1, round(centre.tickets_per_day * DOSSIERS_PER_TICKET * 4))
    yield ev.DossierBacklog(n=1, t=closing - MINUTE, open=waiting, overdue=round(waiting * LATE_CHANCE))


def _dossier(centre: Centre, random: Random, name: str, t: int) -> Iterator[ev.Event]:
    """Yield a dossier that is received at `t` and one of some days before that is resolved then."""
    number = random.randrange(PROCEDURE_COUNT)
    channels = CHANNELS if number < PARTIAL + FULL else [c for c in CHANNELS if c[0] not in {"online", "mobile"}]
    (channel,) = random.choices([c for c, _ in channels], [weight for _, weight in channels])
    procedure, has_fee = f"{centre.level}-{number}", number < WITH_FEE
    service, due_days = random.choice(centre.services), random.randrange(2, 20)
    yield ev.DossierReceived(
        n=1, t=t, dossier=_random_id(name), service=service, channel=channel, procedure=procedure,
        due=t + due_days * DAY_MS,
    )  # fmt: skip
    taken_ms = round(due_days * DAY_MS * (random.uniform(1.01, 1.5) if random.random() < LATE_CHANCE else 0.7))
    is_paid_online = has_fee and channel in {"online", "mobile"} and random.random() < 0.6
    yield ev.DossierResolved(
        n=1, t=t, dossier=_random_id(f"{name}/earlier"), service=service, channel=channel, procedure=procedure,
        received=t - taken_ms, due=t - taken_ms + due_days * DAY_MS, digital=random.random() < DIGITAL_CHANCE,
        fee=("online" if is_paid_online else "desk") if has_fee else "none",
    )  # fmt: skip
    if is_paid_online:
        outcome = random.choices(("ok", "gateway_error", "user_cancel"), (94, 2, 4))[0]
        yield ev.PaymentResult(
            n=1, t=t, outcome=cast("Literal['ok', 'gateway_error', 'user_cancel']", outcome), procedure=procedure
        )


def _counts(random: Random, t: int, size: int) -> Iterator[ev.Event]:
    """Yield the day's counts of forms, logins and documents."""
    yield ev.EformSession(n=1, t=t, outcome="submitted", count=size)
    yield ev.EformSession(n=1, t=t, outcome="abandoned", count=1 + random.randrange(size) // 4)
    yield ev.AuthResult(n=1, t=t, method="e_id", outcome="ok", count=1 + size // 3)
    yield ev.AuthResult(n=1, t=t, method="password", outcome="ok", count=size)
    yield ev.SignResult(n=1, t=t, kind="signature", ok=True, count=size)
    yield ev.DocumentFlow(n=1, t=t, direction="outgoing", electronic=True, signed=True, sealed=True, count=size)
    yield ev.DocumentFlow(n=1, t=t, direction="outgoing", electronic=False, count=1 + size // 5)
    yield ev.PetitionState(n=1, t=t, state="received")
    yield ev.PetitionState(n=1, t=t, state="answered", on_time=random.random() < 0.9)


def _catalogue(level: UnitLevel, t: int) -> ev.CatalogueSnapshot:
    """Return the catalogue of a level."""
    return ev.CatalogueSnapshot(
        n=1, t=t, level=level, procedures=PROCEDURE_COUNT, partial=PARTIAL, full=FULL, on_national_portal=7,
        with_fee=WITH_FEE, fee_online=6, published_on_time=11, updated_on_time=11, content_complete=12,
        internal=5, internal_published=4,
    )  # fmt: skip


def _random_id(name: str) -> str:
    return base64.b32encode(hashlib.blake2b(name.encode(), digest_size=15).digest()).decode().lower()
