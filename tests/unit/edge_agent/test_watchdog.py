"""The watchdog is fed only while the agent gets on; a lost link or a full disk is no reason to be restarted."""

from __future__ import annotations

import socket
import sqlite3
from typing import TYPE_CHECKING

import pytest

from edge_agent.outbox import OutboxFull
from edge_agent.watchdog import OUTBOX_CHECK_EVERY_MS, RECEIPT_STALL_MS, TICK_STALL_MS, ProgressMonitor, SystemdNotifier
from tests.unit.edge_agent.test_agent_alarms import Kiosk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kiosk(tmp_path: Path) -> Kiosk:
    kiosk = Kiosk(tmp_path)
    kiosk.agent.tick()
    return kiosk


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_by_a_datagram(abstract: bool, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        name = f"@motcua-{tmp_path.name}" if abstract else str(tmp_path / "n")
        ear.bind("\0" + name[1:] if abstract else name)
        SystemdNotifier(name).notify("READY=1")
        ear.settimeout(5)
        assert ear.recv(99) == b"READY=1"


def test_nobody_is_told_without_a_listener(tmp_path: Path) -> None:
    SystemdNotifier("").notify("READY=1")
    SystemdNotifier(str(tmp_path / "gone")).notify("READY=1")
    assert list(tmp_path.iterdir()) == []


def test_an_agent_that_gets_on_has_no_fault(kiosk: Kiosk) -> None:
    assert ProgressMonitor(kiosk.agent).stall_reason(kiosk.now) == ""


def test_a_loop_that_does_not_tick_is_a_fault(kiosk: Kiosk) -> None:
    progress = ProgressMonitor(kiosk.agent)
    assert progress.stall_reason(kiosk.now + TICK_STALL_MS) == ""
    assert progress.stall_reason(kiosk.now + TICK_STALL_MS + 1) == "loop"


def test_an_outbox_that_takes_no_writes_is_a_fault_unless_the_disk_is_full(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress, probes = ProgressMonitor(kiosk.agent), list[int]()

    def broken() -> None:
        probes.append(1)
        raise sqlite3.OperationalError("disk I/O error")

    assert progress.stall_reason(0) == ""
    with monkeypatch.context() as bad:
        bad.setattr(kiosk.outbox, "check_writable", broken)
        assert progress.stall_reason(OUTBOX_CHECK_EVERY_MS - 1) == ""
        assert probes == []
        assert progress.stall_reason(OUTBOX_CHECK_EVERY_MS) == "outbox"
        kiosk.outbox.file.is_disk_full = True
        assert progress.stall_reason(2 * OUTBOX_CHECK_EVERY_MS) == ""
    assert OutboxFull.__mro__[1] is sqlite3.OperationalError
    assert progress.stall_reason(3 * OUTBOX_CHECK_EVERY_MS) == "loop"


def test_where_a_source_has_just_written_no_probe_is_needed(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    progress, probes = ProgressMonitor(kiosk.agent), list[int]()
    progress.stall_reason(0)
    monkeypatch.setattr(kiosk.outbox, "check_writable", lambda: probes.append(1))
    kiosk.send()
    progress.stall_reason(OUTBOX_CHECK_EVERY_MS)
    assert probes == []
    progress.stall_reason(2 * OUTBOX_CHECK_EVERY_MS)
    assert probes == [1]


def test_receipts_that_stay_away_while_the_link_stands_are_a_fault(kiosk: Kiosk) -> None:
    kiosk.send()
    kiosk.agent.tick()
    progress = ProgressMonitor(kiosk.agent)
    kiosk.now += RECEIPT_STALL_MS + 1
    kiosk.agent.last_tick_at = kiosk.now
    assert progress.stall_reason(kiosk.now) == "receipts"


def test_without_a_link_receipts_cannot_come(kiosk: Kiosk) -> None:
    kiosk.send()
    kiosk.link.is_connected = False
    kiosk.now += RECEIPT_STALL_MS + 1
    kiosk.agent.tick()
    assert ProgressMonitor(kiosk.agent).stall_reason(kiosk.now) == ""
