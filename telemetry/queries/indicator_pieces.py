"""Past months of figures, from which longer windows are added up: cached, and read from documents; it must not write.

The nightly work of the rollup role stores each past month as a document (`month_figures`), so that the first answer
after a start need not read the totals of a year.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.calendar_values import repr_digest
from telemetry.core.calendar.windows import Window, day_window
from telemetry.core.inventory import local_date
from telemetry.core.kpi.stored_figures import decode_figures
from telemetry.core.slo.periods import calendar_period
from telemetry.queries.buckets import local_months
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.totals_cache import SETTLING_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.inventory import Inventory
    from telemetry.core.kpi.figures import PeriodFigures

FigureGroup = Literal["administration", "operation"]
"""Events of digital administration, or everything else."""
ALL_GROUPS: frozenset[FigureGroup] = frozenset({"administration", "operation"})
PIECE_FOR_MS = 600_000
"""After this time a past piece may be read again."""
RECENT_FOR_MS = 5_000
"""How long the running day is used again: the totals and the months of one page are made of the same."""
MAX_CACHED_PIECES = 256
STORED_MONTHS = 12
"""So many months before the present one are stored, beside its own past days."""


@dataclass(frozen=True, slots=True)
class FigurePiece:
    """A window that is read as a whole, of one group of figures; `of` tells the figures of a few centres apart."""

    group: FigureGroup
    window: Window
    declaration: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class CachedPiece:
    """The figures of a piece, and when they were read from totals."""

    read_at: int
    period: PeriodFigures


class PieceCache:
    """The figures of whole past months and of the past days of this one, from which longer windows are added up.

    One of them is read again each time when it is older than PIECE_FOR_MS, the oldest first: late data correct the past
    within as many minutes as there are pieces, without reading a year every minute.
    """

    def __init__(self) -> None:
        self._pieces: dict[FigurePiece, CachedPiece] = {}
        self._recent: dict[FigurePiece, CachedPiece] = {}

    def periods(
        self, pieces: Sequence[FigurePiece], now: int, read: Callable[[FigurePiece], PeriodFigures],
        stored: Callable[[FigurePiece], CachedPiece | None] = lambda _: None,
    ) -> list[PeriodFigures]:  # fmt: skip
        """Return the figures of each piece; those that end later than SETTLING_MS ago are read every few seconds."""
        self._recent = {p: e for p, e in self._recent.items() if 0 <= now - e.read_at < RECENT_FOR_MS}
        stable = {piece for piece in pieces if piece.window.end + SETTLING_MS <= now}
        cached = [(self._pieces[piece].read_at, piece) for piece in stable if piece in self._pieces]
        read_at, oldest = min(cached, key=lambda pair: (pair[0], pair[1].window.start), default=(now, None))
        due = oldest if now - read_at >= PIECE_FOR_MS else None
        collected = []
        for piece in pieces:
            known = self._pieces if piece in stable else self._recent
            entry = known.get(piece) if piece != due else None
            if entry is None and piece != due and piece in stable:
                entry = stored(piece)
            known[piece] = entry = entry or CachedPiece(now, read(piece))
            collected.append(entry.period)
        while len(self._pieces) > MAX_CACHED_PIECES:
            del self._pieces[next(iter(self._pieces))]
        return collected


def pieces_of(bucket: Window, now: int, zone: ZoneInfo) -> list[Window]:
    """Return a bucket as its local months, the present one as the days before today and today: the rest is empty."""
    today = day_window(local_date(now, zone), zone)
    pieces: list[Window] = []
    for month in local_months(bucket, zone):
        part = month.clip(bucket)
        if part is not None:
            end = min(part.end, today.end) if part.start < today.end else part.end
            cuts = [part.start, *([today.start] if part.start < today.start < end else []), end]
            pieces += [Window(first, last) for first, last in pairwise(cuts)]
    return pieces


def months_to_store(now: int, zone: ZoneInfo) -> list[Window]:
    """Return the past days of the present month, if there are any, and the months before it, newest first."""
    month, today = calendar_period("month", now, zone), day_window(local_date(now, zone), zone).start
    windows = [Window(month.start, today)] if month.start < today else []
    for _ in range(STORED_MONTHS):
        month = calendar_period("month", month.start - 1, zone)
        windows.append(month)
    return windows


def document_name(group: FigureGroup, window: Window, zone: ZoneInfo) -> str:
    """Return the name of the document of the month in which a window begins."""
    return f"indicators:{group}:{local_date(window.start, zone):%Y-%m}"


def stored_piece(document: Callable[[str], bytes | None], piece: FigurePiece, zone: ZoneInfo) -> CachedPiece | None:
    """Return a piece from its document, None when there is none of the same window, declaration and fold."""
    body = None if piece.of else document(document_name(piece.group, piece.window, zone))
    figures = None if body is None else decode_figures(body)
    if figures is None or not figures.is_of(piece.window.start, piece.window.end, piece.declaration):
        return None
    return CachedPiece(figures.made_at, figures.period())


def declaration_of(inventory: Inventory) -> str:
    """Return a digest of what is declared that figures of past months depend on: centres, systems and their hours."""
    centres = [
        (c.id, c.level, c.counters, c.services, c.owner_agency, c.calendar.version, c.declared_period)
        for c in declared_centres(inventory.centres.values())
    ]
    systems = [
        (s.id, s.kind, s.calendar(inventory.zone).version, s.declared_period) for s in inventory.whole_systems.values()
    ]
    return repr_digest((inventory.province, inventory.zone.key, centres, systems))
