"""The store's port: it keeps events and additive totals, and never divides. Adapters live beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from telemetry.core.fold.platform_heartbeat import PLATFORM_OUTBOX_ID as PLATFORM_SPOOL
from telemetry.core.protocol.events import Event

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.figures.completeness import OutboxRowRanges
    from telemetry.core.fold.totals import Total


CONTACT_OUTBOX_ID = "contact"
STATUS_OUTBOX_ID = "status"
SERVER_OUTBOX_IDS = frozenset({CONTACT_OUTBOX_ID, STATUS_OUTBOX_ID, PLATFORM_SPOOL})
"""Reserved spools of the points that ingest and rollup write themselves; not rows of any outbox."""


class StoredEvent(Struct, frozen=True, gc=False):
    """An event with its name for ever: (device, spool, event.n). A struct: ingest makes 100,000 of them a second."""

    centre: str
    device: str
    outbox_id: str
    event: Event


class ChangeRecord(Struct, frozen=True, order=True, gc=False):
    """A unit (centre or system) whose totals must be folded again over [start, end) ms; a struct, for speed."""

    entity: str
    start: int
    end: int
    written_at: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A row or frame that was refused or put off: what and why, never its content."""

    at: int
    device: str
    reason: str
    rows: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What one write stores; `written_at` (µs) stamps its changes. After a failure it is written again, whole."""

    written_at: int
    events: Sequence[StoredEvent] = ()
    changes: Sequence[ChangeRecord] = ()
    dead_letters: Sequence[DeadLetter] = field(default=())


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A live row's JSON; `version` rises with every write, over all rows."""

    entity: str
    version: int
    body: bytes


class Store(Protocol):
    """Where events rest. Every method may raise StoreUnavailable; times are Unix ms unless said."""

    def append(self, batch: Batch) -> Sequence[StoredEvent]:
        """Store events, changes and dead letters; a repeated (device, spool, n) keeps the smaller t.

        Returning says that all are stored, and who sees a change sees its events.  A write that fails may leave
        events without their changes: they are not acknowledged, so they come again.  Returns the events that this
        store will never take, each already among the dead letters.
        """

    def reconcile(self) -> None:
        """Finish what writers leave to one reader: row ranges, dead-letter counts, places that moved events left.

        Rollup calls it at the start of each pass; until then those may lag behind what was appended.
        """

    def changes_since(self, since: int) -> list[ChangeRecord]:
        """Return changes with written_at ≥ since (µs), oldest first."""

    def cursor(self) -> int:
        """Return the time (µs) up to which changes are folded, 0 at first."""

    def set_cursor(self, written_at: int) -> None:
        """Remember how far changes are folded; it never goes back unless set to 0.

        Changes a day older than the cursor may be dropped: they are folded.
        """

    def events(self, entity: str, window: Window, types: Collection[str] | None = None) -> list[StoredEvent]:
        """Return the unit's events with t in the (unaligned) window, each name once, by t."""

    def days_with_events(self) -> dict[str, list[Window]]:
        """Return for each unit the whole UTC days in which it has events, neighbours joined, in order."""

    def replace_totals(self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        """Put these totals in place of all the unit's totals of that width starting in the window."""

    def totals(self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        """Return totals starting in the window; `kind` ('device', 'desk', 'centre', 'system') narrows scopes."""

    def put_live_rows(self, rows: Mapping[str, bytes]) -> None:
        """Replace live rows and raise their versions."""

    def live_rows(self, after: int = 0) -> list[LiveRow]:
        """Return live rows with version > after."""

    def row_ranges(self, device: str | None = None) -> list[OutboxRowRanges]:
        """Return what became of each outbox's rows."""

    def dead_letter_counts(self) -> dict[str, int]:
        """Return how many rows were refused or put off, by reason."""

    def count_events(self) -> int:
        """Return how many agents' events are stored (contact and status points not counted)."""

    def checkpoint(self, key: str) -> int:
        """Return a number kept under a name (`fold_version`), 0 at first."""

    def set_checkpoint(self, key: str, value: int) -> None:
        """Keep a number under a name."""

    def raw_retention_ms(self) -> int | None:
        """Return how long raw events are kept, ms; None for ever."""

    def close(self) -> None:
        """Release the store."""
