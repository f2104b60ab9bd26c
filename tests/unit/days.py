"""A centre, its devices and what they say on one day, for the tests of the fold."""

from __future__ import annotations

from datetime import date, datetime, time
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE, Window, day_window, to_ms
from telemetry.core.fold import aggregation, fold
from telemetry.core.fold.late_wills import devices_with_unknown_birth, drop_late_wills
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.inventory import Centre, Device, OpeningHours, System
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from telemetry.core.fold.totals import Total

E = TypeVar("E", bound=ev.Event)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = date(2026, 3, 2)
WHOLE = day_window(DAY, ZONE)
OPENING: OpeningHours = ((time(7, 30), time(11, 30)), (time(13, 30), time(17)))
CENTRE = Centre(
    id="vn83-1",
    unit="28756",
    level="commune",
    name_vi="Một cửa",
    name_en="One door",
    province="83",
    parent="829",
    counters=3,
    hours=(OPENING,) * 7,
    services=("land",),
    zone=ZONE,
    exceptions=MappingProxyType({}),
)
CENTRE_SCOPE = f"centre:{CENTRE.id}"
GATEWAY = Device("vn83-1-gateway1", CENTRE.id, "gateway")
KIOSK = Device("vn83-1-kiosk1", CENTRE.id, "kiosk")
SECOND = Device("vn83-1-kiosk2", CENTRE.id, "kiosk")
DESK = Device("vn83-1-counter1", CENTRE.id, "counter")
NEXT_DESK = Device("vn83-1-counter2", CENTRE.id, "counter")
DISPLAY = Device("vn83-1-display1", CENTRE.id, "display", critical=False)
REPLAY = Device("vn83-1-replay1", CENTRE.id, "replay", critical=False)
SYSTEM = System("vn83-portal", "Cổng", "Portal", "portal", quorum=2, vantage=("a", "b", "c"))


def ms(hour: int, minute: int = 0, second: int = 0) -> int:
    """Return a moment of the day."""
    return to_ms(datetime(DAY.year, DAY.month, DAY.day, hour, minute, second, tzinfo=ZONE))


def said(event: ev.Event, device: Device = KIOSK, spool: str = "s") -> SourcedEvent:
    return SourcedEvent(device.id, spool, event)


def made(kind: type[E], t: int, fields: dict[str, object]) -> E:
    return msgspec.convert({"type": kind.__struct_config__.tag, "n": t // 1000 + 1, "t": t} | fields, kind)


def every_minute(start: int, end: int) -> list[int]:
    """From start to end, both included."""
    return list(range(start, end + 1, MINUTE))


def beats(*times: int, device: Device = KIOSK, **fields: object) -> list[SourcedEvent]:
    return [said(made(ev.DeviceHeartbeat, t, fields), device) for t in times]


def contacts(*times: int, device: Device = KIOSK) -> list[SourcedEvent]:
    return [said(made(ev.DeviceContact, t, {}), device, "contact") for t in times]


def status(t: int, online: bool, sid: str = "a", device: Device = KIOSK) -> SourcedEvent:
    return said(made(ev.DeviceStatus, t, {"online": online, "sid": sid}), device, "status")


def ticket(kind: type[ev.Event], t: int, **fields: object) -> ev.Event:
    return made(kind, t, {"ticket": "k1", "queue": "land", "service": "land"} | fields)


def probe(device: str, t: int, ok: bool = True, **fields: object) -> SourcedEvent:
    return SourcedEvent(device, "s", made(ev.ProbeResult, t, {"system": SYSTEM.id, "kind": "http", "ok": ok} | fields))


def five(
    found: list[SourcedEvent],
    window: Window = WHOLE,
    devices: tuple[Device, ...] = (KIOSK,),
    platform: tuple[Window, ...] = (),
) -> list[Total]:
    return fold.fold_centre(CENTRE, devices, found, window, platform)


def sums_of(totals: list[Total], scope: str) -> dict[str, int]:
    """Add one scope's totals; what is zero is left out."""
    out: dict[str, int] = {}
    for total in totals:
        for name, value in total.sums.items() if total.scope == scope else ():
            out[name] = out.get(name, 0) + value
    return {name: value for name, value in out.items() if value}


def day_of(found: list[SourcedEvent], scope: str, devices: tuple[Device, ...] = (KIOSK,)) -> dict[str, int]:
    """Return the day's row of one scope."""
    totals = aggregation.daily_totals(five(found, devices=devices), WHOLE, CENTRE.calendar)
    (sums,) = [t.sums for t in totals if t.scope == scope]
    return dict(sums)


def read(found: list[SourcedEvent], window: Window) -> list[SourcedEvent]:
    """Return what rollup reads of a store to fold the window: without late Wills, whose births may lie before it."""
    wide = fold.input_window(window)
    events = [s for s in found if wide.start <= s.event.t < wide.end]
    sids: dict[str, str] = {}
    for device, will_at in devices_with_unknown_birth(events).items():
        births = [
            s.event for s in found if s.device == device and isinstance(s.event, ev.DeviceStatus) and s.event.online
        ]
        before = [birth for birth in births if birth.t < will_at]
        if before:
            sids[device] = max(before, key=lambda birth: birth.t).sid
    return drop_late_wills(events, sids)


def as_statuses_arrive(found: list[SourcedEvent]) -> list[SourcedEvent]:
    """Return the events with births and Wills among them in order of time: rollup writes them when they arrive."""
    statuses = iter(sorted((s for s in found if isinstance(s.event, ev.DeviceStatus)), key=lambda s: s.event.t))
    return [next(statuses) if isinstance(s.event, ev.DeviceStatus) else s for s in found]


def hours(window: Window) -> list[Window]:
    return [Window(start, start + HOUR) for start in range(window.start, window.end, HOUR)]


# --- what any devices may say, for properties -------------------------------------------------

STEP = 30_000
SPAN = Window(ms(8), ms(12))
LONGER = Window(SPAN.start, SPAN.end + HOUR)
"""The span and the hour after it, into which the last reports reach."""
SITE = (GATEWAY, KIOSK, SECOND, DESK, DISPLAY)
moments = st.integers(SPAN.start // STEP, SPAN.end // STEP - 1).map(lambda mark: mark * STEP)
_EVERY = st.sampled_from([1_000, 60_000, 600_000])
_states = st.sampled_from(["in_service", "out_of_order"])


def _status(t: int, online: bool, sid: str) -> ev.Event:
    return ev.DeviceStatus(n=1, t=t, online=online, sid=sid)


_any_event = st.one_of(
    st.builds(
        lambda t, state, every: ev.DeviceHeartbeat(n=1, t=t, state=state, every_ms=every), moments, _states, _EVERY
    ),
    st.builds(lambda t, state: ev.KioskState(n=1, t=t, state=state), moments, _states),
    st.builds(lambda t: ev.DeviceContact(n=1, t=t), moments),
    st.builds(_status, moments, st.booleans(), st.sampled_from("ab")),
    st.builds(lambda t, up, every: ev.LinkState(n=1, t=t, up=up, every_ms=every), moments, st.booleans(), _EVERY),
    st.builds(lambda t: ticket(ev.TicketCalled, t, counter="c", entered=t - 90_000), moments),
)  # fmt: skip


def _numbered(found: list[tuple[Device, ev.Event]]) -> list[SourcedEvent]:
    return [SourcedEvent(d.id, "s", msgspec.structs.replace(e, n=i)) for i, (d, e) in enumerate(found, 1)]


streams = st.lists(st.tuples(st.sampled_from(SITE), _any_event), max_size=14).map(_numbered)
outages = st.lists(st.builds(lambda t, n: Window(t, t + n * STEP), moments, st.integers(1, 200)), max_size=2).map(tuple)
"""When our own platform was down."""


def rare(device: str, t: int, ok: bool) -> SourcedEvent:
    return probe(device, t, ok, every_ms=300_000, latency_ms=5.0)


probe_sets = st.lists(
    st.builds(rare, st.sampled_from("abcx"), moments, st.booleans()),
    max_size=14,
    unique_by=lambda s: (s.device, s.event.n),
)
