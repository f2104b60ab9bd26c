"""Keeps the remote configuration in one small file beside the outbox, whole or not at all; it must not judge it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from edge_agent.remote.rollout import RolloutState

if TYPE_CHECKING:
    from pathlib import Path


class RemoteConfigFile:
    """The file; a write is on disk, under its name, when `save` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[RolloutState, bool]:
        """Return what was kept, and whether the file was unreadable and has been moved aside. Raises OSError."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=RolloutState), False
        except FileNotFoundError:
            return RolloutState(), False
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._path.replace(self._unreadable_path())
            return RolloutState(), True

    def _unreadable_path(self) -> Path:
        number = 1
        while (path := self._path.with_name(f"{self._path.name}.unreadable-{number}")).exists():
            number += 1
        return path

    def save(self, state: RolloutState) -> None:
        """Put this in the place of what was kept. Raises OSError; then what was kept is as before."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            with fresh.open("wb") as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
