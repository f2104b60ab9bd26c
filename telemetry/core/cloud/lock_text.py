"""The text of `cloud.lock`: CSV with one line for each zone of a system, sorted, so that equal locks are equal texts.

It must not choose slots or names, nor read files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.cloud.values import LockEntry

LOCK_COLUMNS = ("system", "zone", "slot", "name")


def render_lock(entries: Iterable[LockEntry]) -> str:
    """Return the file's text: a header, then the entries in their order; no value needs quotes."""
    lines = [f"{entry.system},{entry.zone},{entry.slot},{entry.name}" for entry in sorted(entries)]
    return "\n".join([",".join(LOCK_COLUMNS), *lines, ""])
