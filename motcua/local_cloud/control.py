"""The folder through which `motcua cloud stop` reaches the servers of a running demo; it must not serve anything.

It holds the table of the servers, and an empty file for each one that is to be stopped. Only its owner may enter it.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from telemetry.errors import MotcuaError

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE_FILE: Final = "servers.json"
STOPPED_FOLDER: Final = "stopped"
NOT_RUNNING: Final = "no demo with hosted systems runs here: start `motcua demo` in another terminal"


class LocalServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A component's server: the id under which it is probed, and its loopback address, HOST:PORT."""

    node: str
    kind: str
    address: str


class ServerTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The servers of one process, by `system/component`, and the address of its pages."""

    pid: int
    url: str
    servers: dict[str, LocalServer]


def control_folder(data: Path | None) -> Path:
    """Return the folder: `cloud` within the demo's data, else one of the user among the temporary files."""
    return data / "cloud" if data is not None else Path(tempfile.gettempdir()) / f"motcua-cloud-{os.getuid()}"


@dataclass(frozen=True, slots=True)
class CloudControl:
    """The control folder at a path."""

    folder: Path

    def open_as_server(self, url: str, servers: Mapping[str, LocalServer]) -> None:
        """Make the folder and write the table; what an earlier demo stopped runs again.

        Raises MotcuaError when the folder belongs to somebody else.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_owner()
        stopped = self.folder / STOPPED_FOLDER
        stopped.mkdir(mode=0o700, exist_ok=True)
        for path in stopped.iterdir():
            path.unlink()
        table = ServerTable(os.getpid(), url, dict(servers))
        written = self.folder / f"{TABLE_FILE}.new"
        written.write_bytes(msgspec.json.encode(table))
        written.replace(self.folder / TABLE_FILE)

    def close(self) -> None:
        """Remove the table, unless another process has written its own."""
        try:
            if self._read_table().pid == os.getpid():
                (self.folder / TABLE_FILE).unlink()
        except (OSError, MotcuaError):
            return

    def table(self) -> ServerTable:
        """Return the table of the running demo; raises MotcuaError when there is none."""
        self._check_owner()
        table = self._read_table()
        try:
            os.kill(table.pid, 0)
        except OSError:
            raise MotcuaError(NOT_RUNNING) from None
        return table

    def _read_table(self) -> ServerTable:
        try:
            return msgspec.json.decode((self.folder / TABLE_FILE).read_bytes(), type=ServerTable)
        except (OSError, msgspec.MsgspecError):
            raise MotcuaError(NOT_RUNNING) from None

    def stopped_nodes(self) -> frozenset[str]:
        """Return the ids of the servers that are to be stopped."""
        try:
            return frozenset(path.name for path in (self.folder / STOPPED_FOLDER).iterdir())
        except OSError:
            return frozenset()

    def set_stopped(self, server: LocalServer, *, is_stopped: bool) -> None:
        """Order a server of the table to stop, or to run again."""
        path = self.folder / STOPPED_FOLDER / server.node
        if is_stopped:
            path.touch(mode=0o600)
        else:
            path.unlink(missing_ok=True)

    def _check_owner(self) -> None:
        try:
            facts = self.folder.lstat()
        except OSError:
            raise MotcuaError(NOT_RUNNING) from None
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
            msg = f"{self.folder} is not a folder that only you may enter: remove it, or use --data with another folder"
            raise MotcuaError(msg)
