"""cloud.lock is one sorted line for each zone of a system."""

from __future__ import annotations

from telemetry.core.cloud.lock_text import render_lock
from telemetry.core.cloud.values import LockEntry


def test_the_text_of_a_lock_is_sorted_and_stable() -> None:
    entries = (LockEntry("vn83-b", "dmz", 2, "vn83-b-dmz"), LockEntry("vn83-a", "server", 1, "vn83-a-server"))
    text = "system,zone,slot,name\nvn83-a,server,1,vn83-a-server\nvn83-b,dmz,2,vn83-b-dmz\n"
    assert render_lock(entries) == render_lock(reversed(entries)) == text


def test_an_empty_lock_has_its_header() -> None:
    assert render_lock(()) == "system,zone,slot,name\n"
