"""Finds the rows that ingest or its store fails on for an unexpected reason; it must not run while nothing fails.

Such rows are deferred: their device keeps them and sends them again, for a version that can process them.  All others
are stored and acknowledged as usual.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from msgspec.structs import replace

from telemetry.core.fold.event_spans import dirty_hours_of_frames
from telemetry.core.protocol import codec
from telemetry.core.protocol.codec import DecodedFrame
from telemetry.errors import StoreUnavailable
from telemetry.store import Batch, ChangeRecord, DeadLetter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from telemetry.core.protocol.events import Event
    from telemetry.mqtt.link import Message
    from telemetry.store import Store, StoredEvent

_log = structlog.get_logger()
UNPROCESSABLE: Final = "unprocessable"
"""The reason of rows on which ingest fails unexpectedly."""
MAX_FAILED_WRITES = 100
"""Failed writes per device in one search; then all that is left of the device is deferred, so that others go on."""


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """The events of a write that are not stored: refused by the store for good, or deferred because storing failed."""

    refused: Sequence[StoredEvent] = ()
    deferred: Sequence[StoredEvent] = ()


def changes_of(events: Iterable[tuple[str, Sequence[Event]]]) -> list[ChangeRecord]:
    """Return what must be folded again after these frames: (centre, events)."""
    return [ChangeRecord(*hours) for hours in dirty_hours_of_frames(events)]


def classify_rows_apart(message: Message, classify: Callable[[Message], DecodedFrame]) -> DecodedFrame:
    """Sort a frame's rows by outcome, each alone; those on which `classify` fails are deferred.

    Raises UnreadableFrame when it cannot be split into rows.
    """
    outbox_id, rows = codec.split_frame(message.payload, message.content_type)
    merged = DecodedFrame(outbox_id)
    for n, payload in rows:
        try:
            part = classify(replace(message, payload=payload, content_type=codec.CONTENT_TYPE))
        except Exception as error:  # noqa: BLE001  # whatever one row makes ingest raise
            log_failure("row_deferred", error, row=n)
            part = DecodedFrame(outbox_id, deferred=[(n, UNPROCESSABLE)] if n else [])
            merged.unidentified.extend([] if n else [UNPROCESSABLE])
        merged.events.extend(part.events)
        merged.rejected.extend(part.rejected)
        merged.deferred.extend(part.deferred)
        merged.unidentified.extend(part.unidentified)
    return merged


def append_each(store: Store, batch: Batch) -> StoreOutcome:
    """Store all rows of a batch that the store does not fail on, device by device. Raises StoreUnavailable.

    A row that is stored twice changes nothing; dead letters are stored last, and so once.
    """
    refused: list[StoredEvent] = []
    deferred: list[StoredEvent] = []
    by_device: dict[tuple[str, str], list[StoredEvent]] = {}
    for s in batch.events:
        by_device.setdefault((s.centre, s.device), []).append(s)
    for events in by_device.values():
        outcome = _append_by_halves(store, batch.written_at, events)
        refused += outcome.refused
        deferred += outcome.deferred
    counts = Counter(s.device for s in deferred)
    now = batch.written_at // 1000
    letters = [DeadLetter(now, device, UNPROCESSABLE, rows) for device, rows in sorted(counts.items())]
    for letter in (*batch.dead_letters, *letters):
        _append_letter(store, batch.written_at, letter)
    return StoreOutcome(refused, deferred)


def _append_by_halves(store: Store, written_at: int, events: list[StoredEvent]) -> StoreOutcome:
    """Store the events of one device but those on which the store fails."""
    refused: list[StoredEvent] = []
    deferred: list[StoredEvent] = []
    pending, failures = [events], 0
    while pending:
        part = pending.pop()
        try:
            refused += store.append(Batch(written_at, part, changes_of((s.centre, [s.event]) for s in part)))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever one row makes the store raise
            failures += 1
            middle = len(part) // 2
            if middle and failures <= MAX_FAILED_WRITES:
                pending += [part[middle:], part[:middle]]
                continue
            log_failure("rows_deferred", error, device=part[0].device, rows=len(part))
            deferred += part
    return StoreOutcome(refused, deferred)


def _append_letter(store: Store, written_at: int, letter: DeadLetter) -> None:
    try:
        store.append(Batch(written_at, dead_letters=[letter]))
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # its rows are answered all the same
        log_failure("dead_letter_not_stored", error, reason=letter.reason, rows=letter.rows)


def defer_all(decoded: DecodedFrame) -> DecodedFrame:
    """Return a frame of which nothing is stored."""
    return replace(decoded, events=[], deferred=[*decoded.deferred, *((e.n, UNPROCESSABLE) for e in decoded.events)])


def log_failure(event: str, error: Exception, **what: object) -> None:
    """Log what failed and where, never the values: an error's text may quote them."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
    remedy = "report it to the makers of Motcua; the others are stored"
    _log.error(event, error=type(error).__name__, where=where, remedy=remedy, **what)
