"""The agent's log of rows that the server did not store, one line a minute and reason; it must not change any row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.log import Logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.protocol.codec import DeliveryReceipt

_log = Logger(__name__)
INTERVAL_MS = 60_000
"""How long a reason is not logged again; its rows are counted meanwhile."""

REFUSAL_REMEDIES = {
    "unknown_device": "declare the device in the server's inventory; the rows stay and are sent again",
    "unknown_centre": "declare the centre in the server's inventory; the rows stay and are sent again",
    "unknown_system": "declare the system in the server's inventory; the rows stay and are sent again",
    "not_yours": "a source names a centre, a device or the platform as its system; the rows are in the refused table",
    "too_many_outboxes": "find out why the outbox is made anew so often; the rows stay and are sent again tomorrow",
    "too_many_queues": "the program must send ids of queues and services only; the rows are in the refused table",
    "too_many_counters": "the program must send ids of counters only; the rows are in the refused table",
    "too_many_events": "find out which source sends so many events; the rows are in the refused table",
    "too_many_tickets": "find out why so many tickets are issued or called; the rows are in the refused table",
    "too_many_repeats": "find out why the server's receipts do not arrive; the rows stay and are sent again tomorrow",
    "unsupported_version": "upgrade the server; the rows stay and are sent again",
    "unsupported_type": "upgrade the server; the rows stay and are sent again",
    "unsupported_field": "upgrade the server; the rows stay and are sent again",
    "unsupported_value": "upgrade the server; the rows stay and are sent again",
    "future": "check this device's clock and the server's; the rows stay and are sent again",
    "personal_data": "the program must send random ids only; the rows are in the refused table",
    "unprocessable": "report it to the makers of Motcua; the rows stay and are sent again",
    "store_refused": "the rows are in the refused table; report it to the makers of Motcua",
    "malformed": "the rows are in the refused table; report it to the makers of the program",
    "too_old": "the server accepts no events of that time; the rows are in the refused table",
}
"""What to do about a reason of the server."""


class RefusalLog:
    """Logs the rows that a server defers or rejects, by reason, each with its remedy."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._logged_at: dict[tuple[str, str], int] = {}
        self._rows: dict[tuple[str, str], list[int]] = {}

    def write(self, receipts: Iterable[DeliveryReceipt], now: int) -> None:
        """Count the rows of these receipts and log the reasons that are due; `now` is monotonic ms."""
        for receipt in receipts:
            for outcome, rows in (("deferred", receipt.deferred), ("rejected", receipt.rejected)):
                for n, reason in rows:
                    counted = self._rows.setdefault((outcome, reason), [0, n])
                    counted[0] += 1
                    counted[1] = min(counted[1], n)
        for key in [key for key in self._rows if now - self._logged_at.get(key, now - INTERVAL_MS) >= INTERVAL_MS]:
            (outcome, reason), (count, first) = key, self._rows.pop(key)
            self._logged_at[key] = now
            remedy = REFUSAL_REMEDIES.get(reason, "see the log of the server's ingest")
            _log.warning(f"rows_{outcome}", device=self._device, reason=reason, rows=count, first=first, remedy=remedy)
