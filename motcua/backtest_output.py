"""What both back-tests take and write: the period that is tested, and rows as CSV; it must not test anything."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.errors import MotcuaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class BacktestPeriod:
    """The time that is tested, from `since` until `until` (None: all that is stored); naive times are local."""

    since: datetime
    until: datetime | None = None


def write_rows(file: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], line_end: str) -> None:
    """Write a header and rows; raises MotcuaError when the file cannot be written."""
    try:
        with file.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, lineterminator=line_end)
            writer.writerow(columns)
            writer.writerows(rows)
    except OSError as error:
        msg = f"{file}: {error.strerror}; give --csv a file that can be written"
        raise MotcuaError(msg) from error
