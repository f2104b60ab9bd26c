"""The board of a waiting hall in words, two languages a line; it must not show an old number as a new one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.pages.frame.freshness import Freshness
from api.pages.frame.language import PageLocale
from api.pages.places import ServiceNames
from telemetry.core.calendar.windows import to_local

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from zoneinfo import ZoneInfo

    from api.pages.frame.catalogues import LanguageCode
    from api.pages.frame.render import Renderer
    from telemetry.core.fold.live_row_types import CallNow, ServiceNow
    from telemetry.queries.service import Queries
    from telemetry.queries.views import CentreView

MAX_COUNTERS = 6
"""Called numbers shown large: so many have letters of an eighth of the screen's height."""
MAX_WIDE_COUNTERS = 4
"""Of numbers with more than SHORT_LABEL characters, which stand below each other."""
SHORT_LABEL = 4
MAX_EARLIER = 6
MAX_SERVICES = 5
NEW_FOR_MS = 60_000
"""A call this young is marked as new."""
_NUMBERED_COUNTER = re.compile(r"[a-z-]{0,12}?0*(\d{1,3})")


@dataclass(frozen=True, slots=True)
class TwoLines:
    """A text in the board's first language and in its second one."""

    first: str
    second: str


@dataclass(frozen=True, slots=True)
class HallCall:
    """A called number with its counter."""

    label: str
    counter: TwoLines
    service: str
    time: str
    is_new: bool
    is_repeated: bool


@dataclass(frozen=True, slots=True)
class HallQueue:
    """A service with who waits for it and what a newcomer may expect."""

    name: TwoLines
    waiting: str
    wait: TwoLines | None


@dataclass(frozen=True, slots=True)
class _Texts:
    first: PageLocale
    second: PageLocale

    def both(self, key: str, **values: object) -> TwoLines:
        return TwoLines(self.first.t(key, **values), self.second.t(key, **values))


def build_context(queries: Queries, renderer: Renderer, locale: PageLocale, ident: str, chosen: str) -> dict[str, Any]:
    """Gather what the template shows; `chosen` are ids of services, separated by commas, empty for all."""
    view = queries.centre(ident)
    other: LanguageCode = "en" if locale.lang == "vi" else "vi"
    texts = _Texts(locale, PageLocale(other, renderer.messages[other], view.centre.zone))
    services = frozenset(filter(None, chosen.split(",")))
    names = (ServiceNames(queries, locale, view.centre), ServiceNames(queries, texts.second, view.centre))
    current, earlier = split_calls(view.calls, services)
    is_old = view.stale
    is_wide = any(len(call.label) > SHORT_LABEL for call in current[:MAX_COUNTERS])
    shown = MAX_WIDE_COUNTERS if is_wide else MAX_COUNTERS
    return {
        "view": view,
        "name": TwoLines(locale.name(view.centre), texts.second.name(view.centre)),
        "freshness": Freshness(view.last_data, view.now),
        "texts": texts,
        "is_old": is_old,
        "is_open": view.open,
        "opening": opening_text(view, texts),
        "calls": () if is_old else [hall_call(c, view, texts, names[0]) for c in current[:shown]],
        "earlier": () if is_old else [hall_call(c, view, texts, names[0]) for c in earlier[:MAX_EARLIER]],
        "queues": () if is_old else hall_queues(view, texts, names, services),
        "has_calls": bool(view.calls),
        "is_wide": is_wide,
        "clock": locale.clock(view.now),
        "offset_ms": offset_ms(view.now, view.centre.zone),
        "day": TwoLines(locale.day_of(view.now), texts.second.day_of(view.now)),
        "last_data": locale.since(view.last_data, view.now) if view.last_data else "",
    }


def offset_ms(now: int, zone: ZoneInfo) -> int:
    """Return how far the local clock is ahead of UTC, ms."""
    offset = to_local(now, zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds() * 1000)


def split_calls(calls: Sequence[CallNow], services: Collection[str]) -> tuple[list[CallNow], list[CallNow]]:
    """Return the calls that are current, the newest of each counter, and the others; newest first."""
    current: list[CallNow] = []
    earlier: list[CallNow] = []
    counters: set[str] = set()
    for call in calls:
        if services and call.service not in services:
            continue
        is_current = not call.ended and call.counter not in counters
        (current if is_current else earlier).append(call)
        counters.add(call.counter)
    return current, earlier


def hall_call(call: CallNow, view: CentreView, texts: _Texts, name: ServiceNames) -> HallCall:
    """Return a call in words."""
    is_new = 0 <= view.now - call.at < NEW_FOR_MS and not call.ended
    return HallCall(
        call.label, counter_name(call.counter, texts), name(call.service), texts.first.clock(call.at), is_new,
        call.call > 1 and is_new,
    )  # fmt: skip


def counter_name(counter: str, texts: _Texts) -> TwoLines:
    """Return a counter's name by the number in its id: `c3` is counter 3; the id itself without one."""
    match = _NUMBERED_COUNTER.fullmatch(counter)
    return texts.both("hall_counter", name=match[1] if match else counter.upper())


def opening_text(view: CentreView, texts: _Texts) -> TwoLines:
    """Return whether the centre is open, and until when or from when."""
    change = view.centre.next_opening_change(view.now)
    key = "hall_open" if view.open else "hall_closed"
    if change is None:
        return texts.both(key, at="")
    first, second = (locale.since(change, view.now) for locale in (texts.first, texts.second))
    when = "hall_until" if view.open else "hall_from"
    return TwoLines(
        texts.first.t(key, at=texts.first.t(when, at=first)), texts.second.t(key, at=texts.second.t(when, at=second))
    )


def hall_queues(
    view: CentreView, texts: _Texts, names: tuple[ServiceNames, ServiceNames], services: Collection[str]
) -> list[HallQueue]:
    """Return the chosen services, else those with most who wait, in the order of the declaration."""
    offered = [s for s in view.services if not services or s.service in services]
    busiest = sorted(offered, key=lambda s: -s.waiting)[:MAX_SERVICES]
    return [_queue(s, view, texts, names) for s in offered if s in busiest]


def _queue(
    service: ServiceNow, view: CentreView, texts: _Texts, names: tuple[ServiceNames, ServiceNames]
) -> HallQueue:  # fmt: skip
    expected = service.expected if view.open else None
    wait = None
    if expected is not None and expected.p50_ms is not None:
        wait = TwoLines(texts.first.expected_wait(expected), texts.second.expected_wait(expected))
    name = TwoLines(names[0](service.service), names[1](service.service))
    return HallQueue(name, texts.first.number(service.waiting), wait)
