"""The load: an inventory with 1,000 kiosks and their frames as ready-made packets. It must not send anything."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import wire
from telemetry.core.protocol import codec, events as ev
from telemetry.inventory import default_path, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEVICES = 1_000
AGE_MS = 3_600_000
"""How long ago the first event was captured: a backlog lies in the past."""
BOOT = "01JB0000000000000000000000"


@dataclass(frozen=True, slots=True)
class Kiosk:
    """One device of the load."""

    centre: str
    device: str
    outbox_id: str


def write_kiosks(folder: Path, count: int = DEVICES, only: str = "") -> list[Kiosk]:
    """Write the sample inventory with so many more kiosks (all in the centre `only`, if given) and return these."""
    source = default_path()
    folder.mkdir(exist_ok=True)
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    table = folder / "devices.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    columns = lines[0].split(",")
    centres = [only] if only else sorted(load(source).centres)
    kiosks = [_build_kiosk(centres[i % len(centres)], i) for i in range(count)]
    for kiosk in kiosks:
        values = {"id": kiosk.device, "centre": kiosk.centre, "kind": "kiosk", "every_ms": "60000", "critical": "no"}
        lines.append(",".join(values.get(column, "") for column in columns))
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return kiosks


def _build_kiosk(centre: str, i: int) -> Kiosk:
    return Kiosk(centre, f"{centre}-kiosk{100 + i}", f"01JBENCH{i:018}")


def ticket_called(n: int, t: int, i: int) -> ev.TicketCalled:
    """Return one event, among the longest that are frequent."""
    return ev.TicketCalled(
        n=n, t=t, ticket=f"k{i:08x}", queue="land", service="land", counter="c3", entered=t - 300_000, call=1
    )


def encode_frames(kiosks: list[Kiosk], events: int, rows: int, now: int) -> Iterator[tuple[Kiosk, int, bytes]]:
    """Yield (kiosk, first row number, frame): events in frames of `rows`, in rotation over the kiosks.

    Capture times are 1 ms apart and so unique within a device, which keeps every system's points apart.
    """
    for i in range(events // rows):
        kiosk = kiosks[i % len(kiosks)]
        first = i // len(kiosks) * rows + 1
        t = now - AGE_MS + i
        bodies = [codec.encode_event(ticket_called(first + k, t + k, i * rows + k)) for k in range(rows)]
        yield kiosk, first, codec.encode_frame(kiosk.outbox_id, BOOT, now, bodies, codec.Clock(synced=True, error_ms=1))


def encode_packets(kiosks: list[Kiosk], events: int, rows: int) -> Iterator[bytes]:
    """Yield the frames as PUBLISH packets at QoS 1, as agents send them."""
    now = time.time_ns() // 1_000_000
    for i, (kiosk, first, payload) in enumerate(encode_frames(kiosks, events, rows, now)):
        user = {"spool": kiosk.outbox_id, "from": str(first), "to": str(first + rows - 1)}
        properties = wire.encode_properties(codec.CONTENT_TYPE, user)
        yield wire.encode_publish(f"motcua/v1/{kiosk.centre}/{kiosk.device}/up", properties, payload, i % 65_535 + 1)
