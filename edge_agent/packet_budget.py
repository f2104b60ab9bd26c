"""How large a packet may be for a broker, as it says and as it was observed to refuse. Pure; it must not send.

A broker announces its limit in CONNACK.  Others only close the connection, or refuse the message: the largest packet
that was accepted and the smallest that was refused then bound the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.mqtt.broker_limits import UNLIMITED_PACKET_BYTES
from telemetry.mqtt.link import PACKET_TOO_LARGE

SIZE_REFUSALS = frozenset({0x83, PACKET_TOO_LARGE, 0x99})
"""PUBACK reasons by which a broker may refuse a large message: implementation specific, packet too large, payload."""
SIZE_CLOSES = frozenset({0x81, 0x82, 0x83, PACKET_TOO_LARGE})
"""DISCONNECT reasons that a large packet causes: malformed, protocol error, implementation specific, too large."""
SILENT_CLOSES_LIMIT = 3
"""So many connections in a row lost without a reason, while a packet larger than any accepted one was on its way."""
SUSPECT_BYTES, SMALL_ROW_BYTES = 4_096, 512
"""Smaller packets are not blamed for a close without a reason; single rows of the smaller size for none at all."""


@dataclass(slots=True)
class PacketBudget:
    """The bounds of one broker, bytes; they last as long as the process."""

    announced: int = UNLIMITED_PACKET_BYTES
    _target: int = UNLIMITED_PACKET_BYTES
    _accepted: int = 0
    _refused: int = UNLIMITED_PACKET_BYTES + 1
    _silent_closes: int = 0

    @property
    def frame_bytes(self) -> int:
        """Return the size that a frame of several rows should have at most."""
        return min(self.announced, self._target)

    def row_fits(self, size: int) -> bool:
        """Return whether the packet of a single row may be sent."""
        return size <= self.announced and size < self._refused

    def on_accepted(self, size: int) -> None:
        """Note that the broker acknowledged a packet."""
        self._accepted, self._silent_closes = max(self._accepted, size), 0

    def on_refused(self, code: int, size: int) -> None:
        """Note that the broker refused a message for a reason that may be its size: later frames are smaller."""
        if code == PACKET_TOO_LARGE:
            self._condemn(size)
        self._target = min(self._target, max(size // 2, SMALL_ROW_BYTES))

    def _condemn(self, size: int) -> None:
        """Send no row any more whose packet is so large."""
        if size > SMALL_ROW_BYTES:
            self._accepted = 0 if size <= self._accepted else self._accepted
            self._refused = min(self._refused, size)

    def on_closed(self, code: int, largest: int) -> None:
        """Note that the connection ended while packets, the `largest` of this size, were not acknowledged."""
        if code not in SIZE_CLOSES and code != 0:
            return
        if code == 0:
            if largest <= max(self._accepted, SUSPECT_BYTES):
                return
            self._silent_closes += 1
            if self._silent_closes < SILENT_CLOSES_LIMIT:
                return
        if largest > SMALL_ROW_BYTES:
            self._condemn(largest)
            self._silent_closes = 0
            self.on_refused(code, largest)
