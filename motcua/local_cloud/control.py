"""The folder through which `motcua cloud stop` reaches the servers of a running demo; it must not serve anything.

It holds the table of each running demo's servers, and an empty file for each one that is to be stopped. Only its owner
may enter it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from telemetry.errors import MotcuaError

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE_PREFIX: Final = "servers-"
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
    """The control folder at a path: a table and the orders of each running demo, by the id of its process."""

    folder: Path

    def open_as_server(self, url: str, servers: Mapping[str, LocalServer]) -> None:
        """Make the folder and write this process's table; what an earlier demo left behind is removed.

        Raises MotcuaError when the folder belongs to somebody else.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_owner()
        for file in self._table_files():
            pid = int(file.stem.rpartition("-")[2])
            if pid == os.getpid() or not _is_running(pid):
                self._remove(pid)
        self._orders(os.getpid()).mkdir(mode=0o700, exist_ok=True)
        table = ServerTable(os.getpid(), url, dict(servers))
        written = self.folder / f"{TABLE_PREFIX}{os.getpid()}.new"
        written.write_bytes(msgspec.json.encode(table))
        written.replace(self._table_file(os.getpid()))

    def close(self) -> None:
        """Remove this process's table and orders; those of other demos stay."""
        self._remove(os.getpid())

    def table(self) -> ServerTable:
        """Return the table of the running demo that started last; raises MotcuaError when none runs."""
        self._check_owner()
        for file in self._table_files():
            try:
                table = msgspec.json.decode(file.read_bytes(), type=ServerTable)
            except (OSError, msgspec.MsgspecError):
                continue
            if _is_running(table.pid):
                return table
        raise MotcuaError(NOT_RUNNING)

    def stopped_nodes(self, pid: int) -> frozenset[str]:
        """Return the ids of the servers of a process that are to be stopped."""
        try:
            return frozenset(path.name for path in self._orders(pid).iterdir())
        except OSError:
            return frozenset()

    def set_stopped(self, pid: int, server: LocalServer, *, is_stopped: bool) -> None:
        """Order a server of a process's table to stop, or to run again."""
        path = self._orders(pid) / server.node
        if is_stopped:
            path.touch(mode=0o600)
        else:
            path.unlink(missing_ok=True)

    def _table_file(self, pid: int) -> Path:
        return self.folder / f"{TABLE_PREFIX}{pid}.json"

    def _orders(self, pid: int) -> Path:
        return self.folder / f"stopped-{pid}"

    def _table_files(self) -> list[Path]:
        """Return the tables of all demos, the one that was written last first."""
        files = [(file.stat().st_mtime_ns, file) for file in self.folder.glob(f"{TABLE_PREFIX}[0-9]*.json")]
        return [file for _, file in sorted(files, reverse=True)]

    def _remove(self, pid: int) -> None:
        self._table_file(pid).unlink(missing_ok=True)
        shutil.rmtree(self._orders(pid), ignore_errors=True)

    def _check_owner(self) -> None:
        try:
            facts = self.folder.lstat()
        except OSError:
            raise MotcuaError(NOT_RUNNING) from None
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
            msg = f"{self.folder} is not a folder that only you may enter: remove it, or use --data with another folder"
            raise MotcuaError(msg)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
