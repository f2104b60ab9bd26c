"""Writes and removes files below one folder, atomically, with a ledger of what it wrote; it must not decide which.

The ledger `.motcua-NAME.json` holds digests and no contents. A file is entered before it is written, so that the next
run treats the files of an interrupted one as ours.
"""

from __future__ import annotations

import contextlib
import grp
import hashlib
import json
import os
import signal
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from infra.providers.resource_kind import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DIRECTORY_MODE = 0o755
PROGRAM_NAME_BYTES = 15
"""The kernel stores this many bytes of a program's name."""


def sha256_hex(text: str | bytes) -> str:
    """Return the SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file as it should be; a group of None is not changed."""

    text: str
    mode: int
    gid: int | None = None


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it is."""

    data: bytes
    mode: int
    gid: int

    def matches(self, spec: FileSpec) -> bool:
        """Return whether nothing needs to be written."""
        group = spec.gid is None or spec.gid == self.gid
        return group and self.mode == spec.mode and self.data == spec.text.encode()


@dataclass(slots=True)
class OwnershipLedger:
    """Per file the digests that we wrote; folders we created, changes not yet signalled, the stack that owns all."""

    files: dict[str, list[str]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    owner: str = ""

    def belongs_to_another(self, owner: str) -> bool:
        """Return whether another stack's files are here."""
        return bool(self.files and self.owner and owner) and self.owner != owner


class ManagedFolder:
    """One folder and its ledger."""

    def __init__(self, path: str, name: str) -> None:
        self.path = Path(path)
        self._ledger_path = self.path / f".motcua-{name}.json"

    def load_ledger(self) -> OwnershipLedger:
        """Return the ledger, an empty one when there is none. Raises ProviderError, OSError."""
        try:
            return OwnershipLedger(**json.loads(self._ledger_path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return OwnershipLedger()
        except (ValueError, TypeError):
            msg = f"{self._ledger_path}: not a record of ours; move it and the files beside it away, then run again"
            raise ProviderError(msg) from None

    def save_ledger(self, ledger: OwnershipLedger) -> None:
        """Write the ledger."""
        text = json.dumps(asdict(ledger), indent=1)
        self._write_staged(self._ledger_path, FileSpec(text + "\n", 0o600)).replace(self._ledger_path)
        _fsync_folder(self.path)

    def create_folders(self, paths: Iterable[str]) -> list[str]:
        """Create the folders that these files need; returns the created ones. Raises ProviderError."""
        created: list[str] = []
        for parent in sorted({(self.path / path).parent for path in paths} | {self.path}):
            missing = [missing_folder for missing_folder in (parent, *parent.parents) if not missing_folder.exists()]
            for missing_folder in reversed(missing):
                missing_folder.mkdir(DIRECTORY_MODE)
                created.append(str(missing_folder))
            if not parent.resolve().is_relative_to(self.path.resolve()):
                raise ProviderError(f"{parent}: a link leads out of {self.path}; remove the link")
        return created

    def read_file(self, path: str) -> FileState | None:
        """Return a file as it is; a link is read as empty. Raises ProviderError when it is no file, OSError."""
        try:
            status = (self.path / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(status.st_mode):
            return FileState(b"", 0, status.st_gid)
        if not stat.S_ISREG(status.st_mode):
            raise ProviderError(f"{self.path / path}: exists and is no file; move it away")
        return FileState((self.path / path).read_bytes(), stat.S_IMODE(status.st_mode), status.st_gid)

    def write_files(self, files: Mapping[str, FileSpec]) -> None:
        """Write every file under a temporary name, then rename all: a full disk changes nothing."""
        staged: dict[Path, Path] = {}
        try:
            for path, spec in files.items():
                staged[self.path / path] = self._write_staged(self.path / path, spec)
            for target, new in staged.items():
                new.replace(target)
        finally:
            for new in staged.values():
                new.unlink(missing_ok=True)
        for folder in {target.parent for target in staged}:
            _fsync_folder(folder)

    def _write_staged(self, path: Path, spec: FileSpec) -> Path:
        staged = path.with_name(f".motcua-new-{path.name}")
        staged.unlink(missing_ok=True)
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            try:
                file.write(spec.text.encode())
                if spec.gid is not None:
                    os.fchown(handle, -1, spec.gid)
                os.fchmod(handle, spec.mode)
                file.flush()
                os.fsync(handle)
            except BaseException:
                staged.unlink(missing_ok=True)
                raise
        return staged

    def remove_files(self, paths: Iterable[str]) -> None:
        """Remove files; missing ones are no error."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                (self.path / path).unlink()

    def remove_empty_folders(self, folders: Iterable[str], *, last: bool = False) -> list[str]:
        """Remove our empty folders, and the ledger when `last`; returns the folders that remain."""
        if last:
            self._ledger_path.unlink(missing_ok=True)
        remaining = []
        for folder in sorted(folders, key=len, reverse=True):
            try:
                Path(folder).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                remaining.append(folder)
        return sorted(remaining)


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def group_id(group: str) -> int | None:
    """Return a group's number, None when we are not root and cannot change a file's group. Raises ProviderError."""
    if os.geteuid() != 0:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ProviderError(f"there is no group {group!r} here; make it, or take it out of groups") from None


def group_name(gid: int) -> str:
    """Return a group's name, its number when it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def notify_process(pid_file: Path, program: str, signal_name: str) -> bool:
    """Send `signal_name` to the process of `pid_file` if it runs `program`; returns whether it was sent."""
    try:
        pid = int(pid_file.read_text(encoding="utf-8"))
        running = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").rstrip("\n")
        if pid <= 1 or running != program[:PROGRAM_NAME_BYTES]:
            return False
        os.kill(pid, signal.Signals[f"SIG{signal_name}"])
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    return True
