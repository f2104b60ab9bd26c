"""Opens the outbox file, distinguishes a damaged file from a full disk, and reserves disk space; it handles no rows."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry import sqlite_file

if TYPE_CHECKING:
    from pathlib import Path

_CORRUPT_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FILE_SUFFIXES = ("", "-wal", "-shm")
WAL_PAGES = 500
"""Most pages of the write-ahead log: what a full disk must still accept so that rows can be freed."""
RESERVE_BYTES = 4 * 1024 * 1024
MIN_FREE_BYTES = 1024 * 1024
"""A disk with less than this counts as full."""


def connect(path: Path) -> sqlite3.Connection:
    """Open or create the file: WAL, every commit synced, locked against other processes. Raises sqlite3.Error."""
    pragmas = ("locking_mode=EXCLUSIVE", f"wal_autocheckpoint={WAL_PAGES}")
    return sqlite_file.connect(path, busy_ms=5_000, pragmas=pragmas)


def is_corrupt(error: BaseException) -> bool:
    """Return whether the file itself is damaged, as opposed to a full disk or a locked file."""
    return isinstance(error, sqlite3.DatabaseError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT_CODES


def is_disk_full(error: BaseException) -> bool:
    """Return whether the disk was full."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def free_bytes(path: Path) -> int:
    """Return how many bytes are free on the file's file system."""
    stats = os.statvfs(path.parent)
    return stats.f_bavail * stats.f_frsize


def fresh_path(path: Path) -> Path:
    """Return where a new file is built while the damaged one still has its name."""
    return path.with_name(f"{path.name}.fresh")


def delete_files(path: Path) -> None:
    """Delete a file that was never completed, with its side files."""
    for suffix in _FILE_SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def swap_in_fresh(path: Path, tag: str) -> Path:
    """Move the damaged file and its side files aside, rename the fresh one; returns the damaged file's path."""
    corrupt_path = path.with_name(f"{path.name}.corrupt-{tag}")
    for suffix in reversed(_FILE_SUFFIXES):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(corrupt_path.with_name(corrupt_path.name + suffix))
    fresh_path(path).rename(path)
    return corrupt_path


def finish_swap(path: Path) -> None:
    """Complete a `swap_in_fresh` that a power failure interrupted."""
    fresh = fresh_path(path)
    if fresh.exists() and not path.exists():
        fresh.rename(path)
    else:
        delete_files(fresh)


@dataclass(slots=True)
class DiskReserve:
    """A file of `size` bytes that is deleted when the disk is full, so that rows can still be freed; 0: none."""

    path: Path
    size: int

    def fill(self) -> bool:
        """Reserve the space (again); returns whether there was enough."""
        if not self.size or (self.path.exists() and self.path.stat().st_size == self.size):
            return True
        try:
            with self.path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.size)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Free the space."""
        if self.size:
            self.path.unlink(missing_ok=True)
