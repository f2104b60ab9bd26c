"""Writes and removes files below one folder, atomically, and keeps a ledger of what it wrote; it must not decide what.

The ledger `.motcua-NAME.json` holds digests and no contents. It claims a file before the file is written, so that
a run that dies leaves nothing that the next one would take for somebody else's.
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
PROGRAM_NAME = 15
"""The kernel keeps this many bytes of a program's name."""


def digest(text: str | bytes) -> str:
    """Return the SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file as it should be; a group of None is left as it comes."""

    text: str
    mode: int
    gid: int | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """A file as it is."""

    data: bytes
    mode: int
    gid: int

    def fits(self, wanted: Wanted) -> bool:
        """Tell whether nothing needs to be written."""
        group = wanted.gid is None or wanted.gid == self.gid
        return group and self.mode == wanted.mode and self.data == wanted.text.encode()


@dataclass(slots=True)
class Ledger:
    """Per file the digests it may have by our hand; folders we made, changes nobody was told of, whose all this is."""

    files: dict[str, list[str]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    owner: str = ""

    def of_another(self, owner: str) -> bool:
        """Tell whether another stack's files are here."""
        return bool(self.files and self.owner and owner) and self.owner != owner


class Folder:
    """One folder and its ledger."""

    def __init__(self, path: str, name: str) -> None:
        self.path = Path(path)
        self._record = self.path / f".motcua-{name}.json"

    def ledger(self) -> Ledger:
        """Return what we wrote here, nothing when there is no record. Raises ProviderError, OSError."""
        try:
            return Ledger(**json.loads(self._record.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Ledger()
        except (ValueError, TypeError):
            msg = f"{self._record}: not a record of ours; move it and the files beside it away, then run again"
            raise ProviderError(msg) from None

    def keep(self, ledger: Ledger) -> None:
        """Write the record."""
        text = json.dumps(asdict(ledger), indent=1)
        self._stage(self._record, Wanted(text + "\n", 0o600)).replace(self._record)
        _sync(self.path)

    def make(self, paths: Iterable[str]) -> list[str]:
        """Make the folders that these files need; returns those that were not there. Raises ProviderError."""
        made: list[str] = []
        for place in sorted({(self.path / path).parent for path in paths} | {self.path}):
            missing = [one for one in (place, *place.parents) if not one.exists()]
            for one in reversed(missing):
                one.mkdir(DIRECTORY_MODE)
                made.append(str(one))
            if not place.resolve().is_relative_to(self.path.resolve()):
                raise ProviderError(f"{place}: a link leads out of {self.path}; remove the link")
        return made

    def look(self, path: str) -> Present | None:
        """Return a file as it is; a link is read as empty. Raises ProviderError for what is no file, OSError."""
        try:
            found = (self.path / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(found.st_mode):
            return Present(b"", 0, found.st_gid)
        if not stat.S_ISREG(found.st_mode):
            raise ProviderError(f"{self.path / path}: is there and is no file; move it away")
        return Present((self.path / path).read_bytes(), stat.S_IMODE(found.st_mode), found.st_gid)

    def write(self, files: Mapping[str, Wanted]) -> None:
        """Write every file beside its place, then put all in place: a disk that is full changes nothing."""
        staged: dict[Path, Path] = {}
        try:
            for path, wanted in files.items():
                staged[self.path / path] = self._stage(self.path / path, wanted)
            for place, new in staged.items():
                new.replace(place)
        finally:
            for new in staged.values():
                new.unlink(missing_ok=True)
        for folder in {place.parent for place in staged}:
            _sync(folder)

    def _stage(self, path: Path, wanted: Wanted) -> Path:
        new = path.with_name(f".motcua-new-{path.name}")
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            try:
                file.write(wanted.text.encode())
                if wanted.gid is not None:
                    os.fchown(handle, -1, wanted.gid)
                os.fchmod(handle, wanted.mode)
                file.flush()
                os.fsync(handle)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
        return new

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files; those that are gone are no error."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                (self.path / path).unlink()

    def tidy(self, folders: Iterable[str], *, last: bool = False) -> list[str]:
        """Remove those of our folders that are empty, and the record when it was the last; returns what stays."""
        if last:
            self._record.unlink(missing_ok=True)
        stays = []
        for one in sorted(folders, key=len, reverse=True):
            try:
                Path(one).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                stays.append(one)
        return sorted(stays)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def gid_of(group: str) -> int | None:
    """Return a group's number, None when we are not root and cannot give files away. Raises ProviderError."""
    if os.geteuid() != 0:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ProviderError(f"there is no group {group!r} here; make it, or take it out of groups") from None


def group_of(gid: int) -> str:
    """Return a group's name, its number when it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def tell(pid_file: Path, program: str, name: str) -> bool:
    """Send the signal `name` to the process of `pid_file` if it runs `program`; tells whether it was sent."""
    try:
        pid = int(pid_file.read_text(encoding="utf-8"))
        running = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").rstrip("\n")
        if pid <= 1 or running != program[:PROGRAM_NAME]:
            return False
        os.kill(pid, signal.Signals[f"SIG{name}"])
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    return True
