"""What explains unknown time: our own platform first, then the site's link; and how late data takes it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given

from telemetry.core.calendar.windows import MINUTE, SLOT, Window, merge, total_length
from telemetry.core.fold.centre_state import centre_devices_of
from telemetry.core.fold.sourced_event import deduplicate
from telemetry.core.fold.totals import STATE_FIELDS
from telemetry.core.protocol import events as ev
from tests.oracles.causes import GapEvidence, attribute_gaps, common_silence, sum_spans
from tests.unit.days import (
    CENTRE_SCOPE,
    GATEWAY,
    KIOSK,
    LONGER,
    REPLAY,
    SECOND,
    SITE,
    beats,
    contacts,
    every_minute,
    five,
    made,
    ms,
    outages,
    said,
    status,
    streams,
    sums_of,
)

if TYPE_CHECKING:
    from telemetry.core.fold.centre_state import CentreDevices
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.inventory import Device

NINE = Window(ms(9), ms(10))
DEVICES = (GATEWAY, KIOSK)


def hour(
    found: list[SourcedEvent], scope: str, *platform: Window, devices: tuple[Device, ...] = DEVICES
) -> dict[str, int]:
    """The hour's time by state of one scope, zeros left out."""
    found_sums = sums_of(five(found, NINE, devices, platform), scope)
    return {name: value for name, value in found_sums.items() if name in STATE_FIELDS}


def heard(start: int, end: int) -> list[SourcedEvent]:
    times = every_minute(start, end)
    return [*contacts(*times, device=GATEWAY), *contacts(*times)]


def worked(start: int, end: int) -> list[SourcedEvent]:
    times = every_minute(start, end)
    return [*beats(*times, device=GATEWAY), *beats(*times)]


# --- the site's link --------------------------------------------------------------------------


def test_a_dead_link_explains_unknown_service_until_the_upload_shows_local_operation() -> None:
    before = [*worked(ms(8, 30), ms(9)), *heard(ms(8, 30), ms(9))]
    known, dark = 150_000, NINE.length - 150_000
    for scope in (CENTRE_SCOPE, f"device:{GATEWAY.id}", f"device:{KIOSK.id}"):
        assert hour(before, scope).items() >= {"up_ms": known, "link_ms": dark, "conn_up_ms": known}.items()
    uploaded = [*before, *worked(ms(9, 1), ms(10)), *heard(ms(10, 5), ms(10, 30))]
    for scope in (CENTRE_SCOPE, f"device:{GATEWAY.id}", f"device:{KIOSK.id}"):
        after = hour(uploaded, scope)
        assert {"up_ms": NINE.length, "conn_up_ms": known}.items() <= after.items()
        assert {"link_ms", "down_ms", "conn_down_ms"}.isdisjoint(after)


def test_a_kiosk_that_is_silent_alone_is_unknown_for_no_reason_and_is_corrected_by_its_upload() -> None:
    gateway = [
        *beats(*every_minute(ms(9), ms(10)), device=GATEWAY),
        *contacts(*every_minute(ms(9), ms(10)), device=GATEWAY),
    ]
    silent = hour(gateway, f"device:{KIOSK.id}")
    assert silent == {}
    later = hour([*gateway, *beats(*every_minute(ms(9), ms(10)))], f"device:{KIOSK.id}")
    assert later == {"up_ms": NINE.length}


def test_one_device_alone_proves_nothing_about_its_link() -> None:
    assert "link_ms" not in hour([*contacts(ms(9)), *beats(ms(9))], CENTRE_SCOPE, devices=(KIOSK, REPLAY))


def test_a_gateways_word_explains_silence_even_of_a_centre_with_one_device() -> None:
    words = [said(made(ev.LinkState, ms(9, 10), {"up": False}), GATEWAY)]
    words += [said(made(ev.LinkState, ms(9, 12), {"up": True}), GATEWAY)]
    assert hour(words, CENTRE_SCOPE, devices=(GATEWAY,)) == {"link_ms": 2 * MINUTE}


def test_devices_that_never_spoke_share_their_sites_silence() -> None:
    found = heard(ms(9), ms(9, 30))
    quiet = hour(found, f"device:{SECOND.id}", devices=(GATEWAY, KIOSK, SECOND))
    assert quiet == {"link_ms": NINE.length - 30 * MINUTE - 150_000}


def test_wills_of_the_whole_site_are_its_link() -> None:
    found = [status(ms(9), False, device=GATEWAY), status(ms(9), False)]
    sums = hour(found, CENTRE_SCOPE)
    assert sums == {"link_ms": NINE.length, "conn_down_ms": ev.MAX_GRACE_MS}


# --- our own platform -------------------------------------------------------------------------


def test_our_own_outage_is_asked_before_the_link() -> None:
    lost = Window(ms(9, 20), ms(9, 40))
    found = [*worked(ms(9), ms(9, 10)), *heard(ms(9), ms(9, 10))]
    until = 10 * MINUTE + 150_000
    for scope in (CENTRE_SCOPE, f"device:{KIOSK.id}"):
        assert hour(found, scope, lost) == {
            "up_ms": until,
            "conn_up_ms": until,
            "platform_ms": lost.length,
            "conn_platform_ms": lost.length,
            "link_ms": NINE.length - until - lost.length,
        }


def test_what_is_known_of_our_own_outage_stays_known() -> None:
    lost = Window(ms(9), ms(10))
    sums = hour(worked(ms(8, 55), ms(10)), CENTRE_SCOPE, lost)
    assert sums == {"up_ms": NINE.length, "conn_platform_ms": NINE.length}


def test_an_outage_reaches_devices_that_never_spoke_and_no_further_than_the_window() -> None:
    lost = Window(ms(8), ms(9, 5))
    assert hour(heard(ms(9), ms(10)), f"device:{SECOND.id}", lost, devices=(KIOSK, SECOND)) == {
        "platform_ms": SLOT,
        "conn_platform_ms": SLOT,
    }


# --- properties -------------------------------------------------------------------------------


@given(streams, outages)
def test_known_and_explained_time_never_exceed_the_five_minutes(
    found: list[SourcedEvent], lost: tuple[Window, ...]
) -> None:
    for t in five(found, LONGER, SITE, lost):
        if not t.scope.startswith("desk:"):
            explained = ("up_ms", "down_ms", "link_ms", "platform_ms")
            assert sum(t.sums[name] for name in explained) <= SLOT
            assert sum(t.sums[name] for name in ("conn_up_ms", "conn_down_ms", "conn_platform_ms")) <= SLOT
            assert 0 <= t.sums.get("cap_low_ms", 0) <= t.sums.get("cap_high_ms", 0) <= SLOT
            assert t.sums.get("mark_up", 0) + t.sums.get("mark_down", 0) <= 1


@given(streams, outages)
def test_causes_are_those_of_the_reference(found: list[SourcedEvent], lost: tuple[Window, ...]) -> None:
    """The fold charges each moment as `causes.attribute_gaps` does, with `causes.common_silence` as evidence."""
    site = centre_devices_of(SITE, deduplicate(found))
    silent = common_silence([site.contact.get(d.id, []) for d in SITE], LONGER)
    why = GapEvidence(platform=lost, link=[*silent, *_said(site)])
    assert merge(site.link_down_windows(site.contact_segments(), LONGER)) == merge(why.link)
    for device in SITE:
        wanted = sum_spans(attribute_gaps(site.service.get(device.id, []), LONGER, why), [LONGER])
        sums = sums_of(five(found, LONGER, SITE, lost), f"device:{device.id}")
        names = ("up_ms", "down_ms", "platform_ms", "link_ms")
        assert [sums.get(name, 0) for name in names] == [
            wanted.up,
            wanted.down,
            wanted.excluded,
            wanted.charged_elsewhere,
        ]
        assert total_length([LONGER]) == wanted.open + wanted.excluded


def _said(site: CentreDevices) -> list[Window]:
    windows = [Window(s.start, s.end) for rows in site.link.values() for s in rows if s.state == "down"]
    return [part for w in windows if (part := w.clip(LONGER))]
