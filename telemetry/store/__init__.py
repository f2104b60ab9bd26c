"""The store's port: events, additive totals and live rows. It must not divide; the adapters are beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from telemetry.core.fold.platform_heartbeat import PLATFORM_OUTBOX_ID
from telemetry.core.protocol.events import Event

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.figures.chart_points import EntityChart
    from telemetry.core.figures.completeness import OutboxRowRanges
    from telemetry.core.fold.totals import Total
    from telemetry.store.unreadable import UnreadableRows


CONTACT_OUTBOX_ID = "contact"
STATUS_OUTBOX_ID = "status"
PROMISE_OUTBOX_ID = "promise"
SERVER_OUTBOX_IDS = frozenset({CONTACT_OUTBOX_ID, STATUS_OUTBOX_ID, PLATFORM_OUTBOX_ID, PROMISE_OUTBOX_ID})
"""Reserved ids of the points that ingest and rollup write themselves; they are rows of no outbox."""
BACKLOG_HOURS_CHECKPOINT = "backlog_hours"
"""Checkpoint: how many hours, of all entities, rollup has read changes of and not folded yet."""
STALE_HOURS_CHECKPOINT = "stale_hours"
"""Checkpoint: how many hours, of all entities, rollup still folds again because service periods have changed."""
CURRENT_UNTIL_CHECKPOINT = "current_until"
"""Checkpoint: until when every recent change is folded, Unix ms; written while older hours wait."""
MAX_VERSION = 1 << 53
"""Versions of live rows, and counts of rows, above it are none that this program wrote."""
WAIT_MODELS_CHECKPOINT = "wait_models"
"""Checkpoint: when wait models were last stored, Unix ms."""
MISSING_STORE_REMEDY = (
    "correct MOTCUA_STORE or --store; `motcua ingest`, `motcua rollup` and `motcua replay` create a store"
)


class StoredEvent(Struct, frozen=True, gc=False):
    """An event with its permanent id (device, outbox, event.n). A struct: ingest makes 100,000 of them a second."""

    centre: str
    device: str
    outbox_id: str
    event: Event


class ChangeRecord(Struct, frozen=True, order=True, gc=False):
    """An entity (centre or system) whose totals must be folded again over [start, end) ms; a struct, for speed."""

    entity: str
    start: int
    end: int
    written_at: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A row or frame that was rejected or deferred: its origin and the reason, never its content."""

    at: int
    device: str
    reason: str
    rows: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """One write; `written_at` (µs) stamps its changes. After a failure the whole batch is written again."""

    written_at: int
    events: Sequence[StoredEvent] = ()
    changes: Sequence[ChangeRecord] = ()
    dead_letters: Sequence[DeadLetter] = field(default=())


def wait_model_name(centre: str) -> str:
    """Return the name of the document that is a centre's wait model."""
    return f"waits:{centre}"


def wait_backtest_name(centre: str) -> str:
    """Return the name of the document that is the newest back-test of a centre's wait model."""
    return f"waits-backtest:{centre}"


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A live row's JSON; `version` rises with every write, over all rows."""

    entity: str
    version: int
    body: bytes


class Store(Protocol):
    """A store of events and totals. Every method may raise StoreUnavailable; times are Unix ms unless noted.

    What is stored may be anything: rows that cannot be read are left out and counted in `unreadable`, as are totals and
    live rows that the store will never accept.
    """

    unreadable: UnreadableRows

    def append(self, batch: Batch) -> Sequence[StoredEvent]:
        """Store events, changes and dead letters; of a repeated event id the smaller t is stored.

        When it returns, all are stored, and a reader that reads a change also reads its events.  A failed write may
        store events without their changes: they are not acknowledged, so they are sent again.  Returns the events that
        this store will never accept; each is already among the dead letters.
        """

    def reconcile(self) -> None:
        """Complete the work that writers defer to one reader: row ranges, dead letters, former times of moved events.

        Rollup calls it at the start of each pass; until then these may lag behind what was appended.
        """

    def changes_since(self, since: int) -> list[ChangeRecord]:
        """Return changes with written_at ≥ since (µs), oldest first."""

    def cursor(self) -> int:
        """Return the time (µs) up to which changes are folded, 0 at first."""

    def set_cursor(self, written_at: int) -> None:
        """Store how far changes are folded; it never decreases unless set to 0.

        Changes a day older than the cursor may be dropped: they are folded.
        """

    def events(self, entity: str, window: Window, types: Collection[str] | None = None) -> list[StoredEvent]:
        """Return the entity's events with t in the (unaligned) window, each id once, by t."""

    def newest_births(self, entity: str, before: Mapping[str, int]) -> list[StoredEvent]:
        """Return each device's last stored birth (`device.status`, online) with t < `before[device]`."""

    def days_with_events(self) -> dict[str, list[Window]]:
        """Return for each entity the whole UTC days in which it has events, adjacent days merged, in order."""

    @property
    def has_chart_points(self) -> bool:
        """Return whether other tools read hours and days from this store: it takes the `chart` of `replace_totals`."""

    def replace_totals(
        self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total],
        chart: EntityChart | None = None,
    ) -> None:  # fmt: skip
        """Replace all the entity's totals of that width that start in the window, and its chart points if given."""

    def replace_chart(self, width: BucketWidth, window: Window, chart: EntityChart) -> None:
        """Replace an entity's chart points in the window, and no total."""

    def totals(self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        """Return totals that start in the window; `kind` ('device', 'desk', 'centre', 'system') narrows scopes."""

    def put_live_rows(self, rows: Mapping[str, bytes]) -> None:
        """Replace live rows and raise their versions."""

    def live_rows(self, after: int = 0) -> list[LiveRow]:
        """Return live rows with version > after."""

    def put_document(self, name: str, body: bytes) -> None:
        """Replace a named document of any size up to some megabytes, such as a model."""

    def document(self, name: str) -> bytes | None:
        """Return a named document as it was put; None when there is none, or when its write was not complete."""

    def row_ranges(self, device: str | None = None) -> list[OutboxRowRanges]:
        """Return each outbox's stored, refused and dropped rows."""

    def dead_letter_counts(self) -> dict[str, int]:
        """Return how many rows were rejected or deferred, by reason."""

    def count_events(self) -> int:
        """Return how many agents' events are stored (contact and status points not counted)."""

    def checkpoint(self, key: str) -> int:
        """Return the number stored under a name (`fold_version`), 0 at first."""

    def set_checkpoint(self, key: str, value: int) -> None:
        """Store a number under a name."""

    def raw_retention_ms(self) -> int | None:
        """Return the retention of raw events, ms; None for ever."""

    def close(self) -> None:
        """Release the store."""
