"""Publishes a month: checks that it may be, computes its figures, writes them as a file. It must not change totals."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import to_local
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.inventory import PublishedFigures
from telemetry.core.slo.periods import settled_until
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.inventory.published import parse_month, to_csv
from telemetry.queries.publication import find_correction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from motcua.month_report import MonthReport
    from telemetry.core.calendar.windows import Window
    from telemetry.queries.publication import PublishedCorrection
    from telemetry.store import Store

SETTLING_TIME = timedelta(days=7)
WORST_COUNT = 5
RowKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class MonthChanges:
    """What a month published again says otherwise."""

    corrections: tuple[PublishedCorrection, ...] = ()
    added: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.corrections or self.added or self.removed)


def check_settled(name: str, window: Window, now: int, zone: ZoneInfo) -> None:
    """Refuse a month that is not over, or may still change. Raises MotcuaError saying from which day on it may be."""
    if settled_until(now, zone) >= window.end:
        return
    publishable_from = to_local(window.end, zone).date() + SETTLING_TIME
    state = "is not settled yet: late data still correct it" if now >= window.end else "is not over"
    msg = f"{name} {state}; publish it from {publishable_from} on"
    raise MotcuaError(msg)


def check_folded(store: Store, name: str, window: Window) -> None:
    """Refuse a store with something of the month not folded yet. Raises MotcuaError with the way out."""
    cursor = store.cursor()
    pending = [c for c in store.changes_since(cursor + 1) if c.start < window.end and c.end > window.start]
    if cursor and not pending and store.checkpoint("fold_version") >= FOLD_VERSION:
        return
    problem = (
        f"{len(pending)} changes of {name} are not folded" if pending else "the store is not folded by this version"
    )
    msg = f"{problem}; let `motcua rollup` catch up, then publish"
    raise MotcuaError(msg)


def compute_rows(month: MonthReport, on_progress: Callable[[str, int, int], None]) -> list[PublishedFigures]:
    """Compute every row; `told` hears what is done, how much of it, and of how much. Raises MotcuaError."""
    entities = month.entities()
    days = 0
    for done, entity in enumerate(entities, start=1):
        days += month.add_entity(entity)
        on_progress("reading", done, len(entities))
    if not days:
        msg = f"the store has no totals of {month.name}: name the store that has them with --store"
        raise MotcuaError(msg)
    out: list[PublishedFigures] = []
    total = month.row_count()
    for done, row in enumerate(month.rows(), start=1):
        out.append(row)
        on_progress("adding", done, total)
    return out


def compare_rows(before: Mapping[RowKey, PublishedFigures], rows: Sequence[PublishedFigures]) -> MonthChanges:
    """Compare a month's rows with those published before."""
    now = {(row.month, row.scope, row.objective): row for row in rows}
    both = (find_correction(before[key], row) for key, row in now.items() if key in before)
    corrections = tuple(item for item in both if item is not None)
    return MonthChanges(corrections, len(now.keys() - before.keys()), len(before.keys() - now.keys()))


def read_existing(file: Path, month: str) -> Mapping[RowKey, PublishedFigures]:
    """Return the rows of a file that is to be replaced. Raises ConfigError when it is not that of a month."""
    remedy = "move it away, or name another folder with --out"
    try:
        rows = parse_month(month, file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Fault(str(file), 0, "file", "cannot be read", remedy)]) from error
    if rows is None:
        raise ConfigError([Fault(str(file), 0, "file", "is not a published month", remedy)])
    return rows


def write_month(file: Path, rows: Iterable[PublishedFigures]) -> None:
    """Write a month's file whole or not at all. Raises ConfigError when the folder cannot be written."""
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as out:
            out.write(to_csv(rows))
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        remedy = "name a folder that you may write with --out, and put the file into the inventory's published/"
        raise ConfigError([Fault(str(file), 0, "file", f"cannot be written ({error.strerror})", remedy)]) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def worst_centres(rows: Iterable[PublishedFigures]) -> list[PublishedFigures]:
    """Return the centres with the least availability in what is known, then with the least known; at most five."""
    centres = [row for row in rows if row.scope.startswith("centre:") and not row.objective and row.open]
    return sorted(centres, key=lambda row: (_ratio(row.up, row.up + row.down), _ratio(row.up, row.open)))[:WORST_COUNT]


def _ratio(part: int, total: int) -> float:
    """Return part ÷ whole; of nothing known 2, so that it comes last."""
    return part / total if total else 2.0
