"""Heartbeats carry this host's metrics and the device's full state, within the wire contract."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psutil

from edge_agent.sources.host import HostSource
from edge_agent.sources.state import DeviceState
from telemetry.core.protocol import codec, events as ev

if TYPE_CHECKING:
    import pytest

    from edge_agent.outbox import Outbox


def test_a_beat_holds_to_the_wire_contract(outbox: Outbox) -> None:
    beat = HostSource(lambda: 1_000, 60_000).build_heartbeat(outbox)
    frame = codec.encode_frame("s", "", 0, [codec.encode_event(beat)])
    assert codec.decode_frame(frame, codec.CONTENT_TYPE, 1_000).events == [beat]
    assert beat.uptime_s > 0
    assert beat.mem_pct is not None
    assert beat.mem_pct > 0
    assert not beat.simulated


def test_a_beat_repeats_the_devices_full_state(outbox: Outbox) -> None:
    state = DeviceState()
    for event in (
        ev.KioskState(n=1, t=1, state="degraded", printer="paper_low", paper_pct=4),
        ev.DisplayState(n=1, t=1, state="frozen"),
        ev.CentreModeSet(n=1, t=1, mode="online_only"),
        ev.CounterState(n=1, t=1, counter="c2", state="open", queues=("land",)),
        ev.CounterState(n=1, t=1, counter="c1", state="open"),
        ev.CounterState(n=1, t=2, counter="c1", state="break"),
        ev.PaymentResult(n=1, t=2, outcome="ok"),
    ):
        state.update(event)
    beat = HostSource(lambda: 3, state=state).build_heartbeat(outbox)
    assert (beat.state, beat.printer, beat.paper_pct) == ("degraded", "paper_low", 4)
    assert (beat.display, beat.mode) == ("frozen", "online_only")
    assert beat.counters == (
        ev.CounterNow(counter="c1", state="break"),
        ev.CounterNow(counter="c2", state="open", queues=("land",)),
    )


def test_a_beat_tells_how_full_the_outbox_is(outbox: Outbox) -> None:
    outbox.append([ev.PaymentResult(n=1, t=2, outcome="ok")] * 3)
    assert HostSource(lambda: 3).build_heartbeat(outbox).outbox_rows == 3


def test_a_host_without_sensors_has_no_temperature(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "sensors_temperatures", dict, raising=False)
    assert HostSource(lambda: 3).build_heartbeat(outbox).temp_c is None
    monkeypatch.delattr(psutil, "sensors_temperatures")
    assert HostSource(lambda: 3).build_heartbeat(outbox).temp_c is None


def test_it_beats_at_once_and_until_stopped(outbox: Outbox) -> None:
    stop, thrice = threading.Event(), threading.Event()
    outbox.on_appended = lambda: thrice.set() if outbox.highest_n >= 3 else None
    thread = threading.Thread(target=HostSource(lambda: 1, every_ms=10).run, args=(outbox, stop))
    thread.start()
    assert thrice.wait(5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
