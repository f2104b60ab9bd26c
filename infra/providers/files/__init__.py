"""The kind `Files`: text files below one folder of this machine; it must not touch a file that it did not write.

Outputs are the inputs, `left` (files that were ours, are not declared any more and had been changed by hand: they
stay), and `notified` (whether the last change was told to the process of `notify`).
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from infra.providers.files.checks import checked, mode_of, texts
from infra.providers.files.disk import Folder, Ledger, Present, Wanted, digest, gid_of, group_of, tell
from infra.providers.resource_kind import Failure, Found, Props, ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CHANGED", "Files"]
CHANGED = "(changed by hand)"
"""What stands in `secret_files` after a read for a file that is not as we wrote it; its text never does."""


class Files:
    """Files as declared: written together, atomically, and removed when they are no longer declared."""

    inputs: ClassVar[frozenset[str]] = frozenset(
        {"folder", "name", "files", "secret_files", "modes", "groups", "notify", "adopt"}
    )
    fixed: ClassVar[frozenset[str]] = frozenset({"folder", "name"})
    secrets: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = False

    def __init__(self, owner: str = "") -> None:
        """`owner` is the stack whose files they are: two stacks must not share a folder."""
        self._owner = owner

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """Fill in defaults and name every fault."""
        del olds
        return checked(news)

    def same(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values mean the same: `adopt` only matters while files are taken over."""
        return name == "adopt" or old == new

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Write everything; what a run that died has left counts as ours."""
        return _ident(inputs), self.update("", {}, inputs)

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Write what differs, remove what is no longer declared, and tell the process that reads it."""
        del ident
        folder = _folder(news)
        with _plain_errors(folder):
            left, notified = _apply(folder, olds, news, self._owner)
        return {**news, "left": left, "notified": notified}

    def read(self, ident: str, outputs: Props) -> Found | None:
        """Return the files as they are; None when the folder is gone."""
        folder = _folder(outputs)
        with _plain_errors(folder):
            if not folder.path.is_dir():
                return None
            there = {path: found for path in _texts(outputs) if (found := folder.look(path)) is not None}
        now = {**outputs, **_as_found(outputs, there)}
        return Found(ident, now, {name: value for name, value in now.items() if name in self.inputs})

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove our files and folders; what was changed by hand stays."""
        del ident
        folder = _folder(outputs)
        with _plain_errors(folder):
            if folder.path.is_dir():
                ledger = folder.ledger()
                if ledger.of_another(self._owner):
                    return
                ours = _ours(ledger, outputs)
                folder.remove(path for path in ours if not _by_hand(folder, path, ours[path]))
                folder.tidy(ledger.folders, last=True)


def _ident(props: Props) -> str:
    name = str(props.get("name", "files"))
    return str(props["folder"]) + ("" if name == "files" else f"#{name}")


def _folder(props: Props) -> Folder:
    return Folder(str(props["folder"]), str(props.get("name", "files")))


@contextmanager
def _plain_errors(folder: Folder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder.path
        raise ProviderError(f"{where}: {error.strerror}; is the disk full, or who may write there?") from None


def _texts(props: Props) -> dict[str, str]:
    return {**texts(props.get("files")), **texts(props.get("secret_files"))}


def _ours(ledger: Ledger, olds: Props) -> dict[str, list[str]]:
    """Return the digests that our files may have; the last run's outputs count where the ledger was lost."""
    known = {path: [digest(text)] for path, text in _texts(olds).items() if text != CHANGED}
    return {**known, **ledger.files}


def _by_hand(folder: Folder, path: str, digests: list[str]) -> bool:
    found = folder.look(path)
    return found is not None and digest(found.data) not in digests


def _wanted(props: Props) -> dict[str, Wanted]:
    groups = texts(props.get("groups"))
    return {
        path: Wanted(text, int(mode_of(props, path), 8), gid_of(groups[path]) if path in groups else None)
        for path, text in sorted(_texts(props).items())
    }


def _apply(folder: Folder, olds: Props, news: Props, owner: str) -> tuple[list[str], bool]:
    """Bring the folder to `news`; returns what stays though it is no longer declared, and whether anyone was told."""
    wanted = _wanted(news)
    ledger = folder.ledger()
    if not olds and ledger.of_another(owner):
        raise ProviderError(f"{folder.path}: stack {ledger.owner!r} writes here; give this one another local.folder")
    ledger.owner = owner
    ours = _ours(ledger, olds)
    there = {path: folder.look(path) for path in wanted}
    if not news.get("adopt"):
        _refuse_foreign(folder, {path: found for path, found in there.items() if path not in ours}, wanted)
    write = {path: one for path, one in wanted.items() if (found := there[path]) is None or not found.fits(one)}
    gone = sorted(ours.keys() - wanted.keys())
    left = [path for path in gone if _by_hand(folder, path, ours[path])]
    remove = [path for path in gone if path not in left]
    # A last run's output that the disk lost is nothing to tell anybody.
    changed = {*write, *(path for path in remove if folder.look(path) is not None)}
    ledger.folders = sorted({*ledger.folders, *folder.make(wanted)})
    ledger.files = {path: [*ours.get(path, []), digest(one.text)] for path, one in wanted.items()} | {
        path: ours[path] for path in remove
    }
    ledger.unsaid = sorted({*ledger.unsaid, *changed})
    folder.keep(ledger)
    folder.write(write)
    folder.remove(remove)
    notified = _tell(folder, news.get("notify"), ledger.unsaid)
    final = Ledger({path: [digest(one.text)] for path, one in wanted.items()}, folder.tidy(ledger.folders), [], owner)
    folder.keep(final)
    return left, notified


def _refuse_foreign(folder: Folder, there: Mapping[str, Present | None], wanted: Mapping[str, Wanted]) -> None:
    """Raise ProviderError for files that somebody else wrote; one with the very text that we want is no loss."""
    foreign = [path for path, found in there.items() if found and found.data != wanted[path].text.encode()]
    if foreign:
        names = ", ".join(foreign)
        msg = f"{folder.path}: {names}: there already, by another hand; move it away, then run again"
        raise ProviderError(msg)


def _tell(folder: Folder, notify: object, changed: list[str]) -> bool:
    if not isinstance(notify, dict) or not changed:
        return False
    beginnings = tuple(str(one) for one in notify.get("paths") or [""])
    if not any(path.startswith(beginnings) for path in changed):
        return False
    return tell(folder.path / Path(str(notify["pid_file"])), str(notify["program"]), str(notify["signal"]))


def _as_found(outputs: Props, there: Mapping[str, Present]) -> dict[str, object]:
    """Return the inputs that would give the files that are there."""
    public, secret = texts(outputs.get("files")), texts(outputs.get("secret_files"))
    modes, groups = texts(outputs.get("modes")), texts(outputs.get("groups"))
    for path, found in there.items():
        if found.mode != int(mode_of(outputs, path), 8):
            modes[path] = f"{found.mode:04o}"
        if path in groups and gid_of(groups[path]) not in {None, found.gid}:
            groups[path] = group_of(found.gid)
    return {
        "files": {path: there[path].data.decode(errors="replace") for path in public if path in there},
        "secret_files": {path: _shown(text, there[path]) for path, text in secret.items() if path in there},
        "modes": modes,
        "groups": groups,
    }


def _shown(text: str, found: Present) -> str:
    return text if found.data == text.encode() else CHANGED
