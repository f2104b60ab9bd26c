"""Publishes a month: checks that it may be, computes its figures, writes them as a file. It must not change totals."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import at
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.inventory import Published
from telemetry.core.slo.corrections import correction
from telemetry.core.slo.periods import settled_until
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.inventory.published import rows_of, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from motcua.month_report import Month
    from telemetry.core.calendar.windows import Window
    from telemetry.core.slo.corrections import Correction
    from telemetry.store import Store

SETTLING = timedelta(days=7)
WORST = 5
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a month published again says otherwise."""

    corrections: tuple[Correction, ...] = ()
    added: int = 0
    gone: int = 0

    def __bool__(self) -> bool:
        return bool(self.corrections or self.added or self.gone)


def check_settled(name: str, window: Window, now: int, zone: ZoneInfo) -> None:
    """Refuse a month that is not over, or may still change. Raises MotcuaError saying from which day on it may be."""
    if settled_until(now, zone) >= window.end:
        return
    ready = at(window.end, zone).date() + SETTLING
    state = "is not settled yet: late data still correct it" if now >= window.end else "is not over"
    msg = f"{name} {state}; publish it from {ready} on"
    raise MotcuaError(msg)


def check_folded(store: Store, name: str, window: Window) -> None:
    """Refuse a store with something of the month not folded yet. Raises MotcuaError with the way out."""
    cursor = store.cursor()
    waiting = [c for c in store.changes(cursor + 1) if c.start < window.end and c.end > window.start]
    if cursor and not waiting and store.mark("fold_version") >= FOLD_VERSION:
        return
    why = f"{len(waiting)} changes of {name} are not folded" if waiting else "the store is not folded by this version"
    msg = f"{why}; let `motcua rollup` catch up, then publish"
    raise MotcuaError(msg)


def figures(month: Month, told: Callable[[str, int, int], None]) -> list[Published]:
    """Compute every row; `told` hears what is done, how much of it, and of how much. Raises MotcuaError."""
    units = month.units()
    days = 0
    for done, unit in enumerate(units, start=1):
        days += month.read(unit)
        told("reading", done, len(units))
    if not days:
        msg = f"the store has no totals of {month.name}: name the store that has them with --store"
        raise MotcuaError(msg)
    out: list[Published] = []
    total = month.count()
    for done, row in enumerate(month.rows(), start=1):
        out.append(row)
        told("adding", done, total)
    return out


def changes(before: Mapping[Key, Published], rows: Sequence[Published]) -> Changes:
    """Compare a month's rows with those published before."""
    now = {(row.month, row.scope, row.objective): row for row in rows}
    both = (correction(before[key], row) for key, row in now.items() if key in before)
    found = tuple(one for one in both if one is not None)
    return Changes(found, len(now.keys() - before.keys()), len(before.keys() - now.keys()))


def standing(file: Path, month: str) -> Mapping[Key, Published]:
    """Return the rows of a file that is to be replaced. Raises ConfigError when it is not that of a month."""
    remedy = "move it away, or name another folder with --out"
    try:
        found = rows_of(month, file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Fault(str(file), 0, "file", "cannot be read", remedy)]) from error
    if found is None:
        raise ConfigError([Fault(str(file), 0, "file", "is not a published month", remedy)])
    return found


def write(file: Path, rows: Iterable[Published]) -> None:
    """Write a month's file whole or not at all. Raises ConfigError when the folder cannot be written."""
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as out:
            out.write(written(rows))
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        remedy = "name a folder that you may write with --out, and put the file into the inventory's published/"
        raise ConfigError([Fault(str(file), 0, "file", f"cannot be written ({error.strerror})", remedy)]) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def worst(rows: Iterable[Published]) -> list[Published]:
    """Return the centres with the least availability in what is known, then with the least known; at most five."""
    centres = [row for row in rows if row.scope.startswith("centre:") and not row.objective and row.open]
    return sorted(centres, key=lambda row: (_share(row.up, row.up + row.down), _share(row.up, row.open)))[:WORST]


def _share(part: int, whole: int) -> float:
    """Return part ÷ whole; of nothing known 2, so that it comes last."""
    return part / whole if whole else 2.0
