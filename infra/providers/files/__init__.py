"""The kind `Files`: text files below one folder of this machine; it must not touch a file that it did not write.

Outputs are the inputs, `left` (files that were ours, are no longer declared and were changed by hand: they remain), and
`notified` (whether the process of `notify` was signalled after the last change).
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from infra.providers.files.checks import FilesInputs, check_inputs, mode_of, text_mapping
from infra.providers.files.disk import (
    FileSpec,
    FileState,
    ManagedFolder,
    OwnershipLedger,
    group_id,
    group_name,
    notify_process,
    sha256_hex,
)
from infra.providers.resource_kind import InputFault, Props, ProviderError, ResourceState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CHANGED_BY_HAND", "FilesKind"]
CHANGED_BY_HAND = "(changed by hand)"
"""The value in `secret_files` after a read, for a file that differs from what we wrote; its text is never shown."""


class FilesKind:
    """Files as declared: written together, atomically, and removed when they are no longer declared."""

    inputs: ClassVar[frozenset[str]] = frozenset(FilesInputs.model_fields)
    immutable: ClassVar[frozenset[str]] = frozenset({"folder", "name"})
    secret_outputs: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = False

    def __init__(self, owner: str = "") -> None:
        """`owner` is the stack that owns the files: two stacks must not share a folder."""
        self._owner = owner

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Fill in defaults and name every fault."""
        del olds
        return check_inputs(news)

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Return whether two values mean the same: `adopt` only matters while files are taken over."""
        return name == "adopt" or old == new

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Write everything; files of an interrupted run count as ours."""
        return _resource_id(inputs), self.update("", {}, inputs)

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Write what differs, remove what is no longer declared, and signal the process that reads it."""
        del ident
        folder = _managed_folder(news)
        with _translate_os_errors(folder):
            left, notified = _apply(folder, olds, news, self._owner)
        return {**news, "left": left, "notified": notified}

    def read(self, ident: str, outputs: Props) -> ResourceState | None:
        """Return the files as they are; None when the folder does not exist."""
        folder = _managed_folder(outputs)
        with _translate_os_errors(folder):
            if not folder.path.is_dir():
                return None
            existing = {path: file for path in _all_texts(outputs) if (file := folder.read_file(path)) is not None}
        current = {**outputs, **_current_inputs(outputs, existing)}
        return ResourceState(ident, current, {name: value for name, value in current.items() if name in self.inputs})

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove our files and folders; files changed by hand remain."""
        del ident
        folder = _managed_folder(outputs)
        with _translate_os_errors(folder):
            if folder.path.is_dir():
                ledger = folder.load_ledger()
                if ledger.belongs_to_another(self._owner):
                    return
                owned = _owned_digests(ledger, outputs)
                folder.remove_files(path for path in owned if not _is_changed_by_hand(folder, path, owned[path]))
                folder.remove_empty_folders(ledger.folders, last=True)


def _resource_id(props: Props) -> str:
    name = str(props.get("name", "files"))
    return str(props["folder"]) + ("" if name == "files" else f"#{name}")


def _managed_folder(props: Props) -> ManagedFolder:
    return ManagedFolder(str(props["folder"]), str(props.get("name", "files")))


@contextmanager
def _translate_os_errors(folder: ManagedFolder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder.path
        raise ProviderError(f"{where}: {error.strerror}; is the disk full, or who may write there?") from None


def _all_texts(props: Props) -> dict[str, str]:
    return {**text_mapping(props.get("files")), **text_mapping(props.get("secret_files"))}


def _owned_digests(ledger: OwnershipLedger, olds: Props) -> dict[str, list[str]]:
    """Return the digests that our files may have; the last run's outputs count where the ledger was lost."""
    last_run = {path: [sha256_hex(text)] for path, text in _all_texts(olds).items() if text != CHANGED_BY_HAND}
    return {**last_run, **ledger.files}


def _is_changed_by_hand(folder: ManagedFolder, path: str, digests: list[str]) -> bool:
    file = folder.read_file(path)
    return file is not None and sha256_hex(file.data) not in digests


def _file_specs(props: Props) -> dict[str, FileSpec]:
    groups = text_mapping(props.get("groups"))
    return {
        path: FileSpec(text, int(mode_of(props, path), 8), group_id(groups[path]) if path in groups else None)
        for path, text in sorted(_all_texts(props).items())
    }


def _apply(folder: ManagedFolder, olds: Props, news: Props, owner: str) -> tuple[list[str], bool]:
    """Apply `news`; returns the undeclared files that remain, and whether a process was signalled."""
    specs = _file_specs(news)
    ledger = folder.load_ledger()
    if not olds and ledger.belongs_to_another(owner):
        raise ProviderError(f"{folder.path}: stack {ledger.owner!r} writes here; give this one another folder")
    ledger.owner = owner
    owned = _owned_digests(ledger, olds)
    existing = {path: folder.read_file(path) for path in specs}
    if not news.get("adopt"):
        _refuse_not_owned(folder, {path: file for path, file in existing.items() if path not in owned}, specs)
    write = {path: spec for path, spec in specs.items() if (file := existing[path]) is None or not file.matches(spec)}
    undeclared = sorted(owned.keys() - specs.keys())
    left = [path for path in undeclared if _is_changed_by_hand(folder, path, owned[path])]
    remove = [path for path in undeclared if path not in left]
    # A file of the last run that is no longer on the disk is no change to report.
    changed = {*write, *(path for path in remove if folder.read_file(path) is not None)}
    ledger.folders = sorted({*ledger.folders, *folder.create_folders(specs)})
    ledger.files = {path: [*owned.get(path, []), sha256_hex(spec.text)] for path, spec in specs.items()} | {
        path: owned[path] for path in remove
    }
    ledger.unsaid = sorted({*ledger.unsaid, *changed})
    folder.save_ledger(ledger)
    folder.write_files(write)
    folder.remove_files(remove)
    notified = _notify_if_changed(folder, news.get("notify"), ledger.unsaid)
    final = OwnershipLedger(
        {path: [sha256_hex(spec.text)] for path, spec in specs.items()},
        folder.remove_empty_folders(ledger.folders),
        [],
        owner,
    )
    folder.save_ledger(final)
    return left, notified


def _refuse_not_owned(
    folder: ManagedFolder, existing: Mapping[str, FileState | None], specs: Mapping[str, FileSpec]
) -> None:
    """Raise ProviderError for files that are not ours; one with exactly the declared text is accepted."""
    not_owned = [path for path, file in existing.items() if file and file.data != specs[path].text.encode()]
    if not_owned:
        names = ", ".join(not_owned)
        msg = f"{folder.path}: {names}: already there and not ours; move it away, then run again"
        raise ProviderError(msg)


def _notify_if_changed(folder: ManagedFolder, notify: object, changed: list[str]) -> bool:
    if not isinstance(notify, dict) or not changed:
        return False
    prefixes = tuple(str(prefix) for prefix in notify.get("paths") or [""])
    if not any(path.startswith(prefixes) for path in changed):
        return False
    return notify_process(folder.path / Path(str(notify["pid_file"])), str(notify["program"]), str(notify["signal"]))


def _current_inputs(outputs: Props, existing: Mapping[str, FileState]) -> dict[str, object]:
    """Return the inputs that describe the existing files."""
    public, secret = text_mapping(outputs.get("files")), text_mapping(outputs.get("secret_files"))
    modes, groups = text_mapping(outputs.get("modes")), text_mapping(outputs.get("groups"))
    for path, file in existing.items():
        if file.mode != int(mode_of(outputs, path), 8):
            modes[path] = f"{file.mode:04o}"
        if path in groups and group_id(groups[path]) not in {None, file.gid}:
            groups[path] = group_name(file.gid)
    return {
        "files": {path: existing[path].data.decode(errors="replace") for path in public if path in existing},
        "secret_files": {
            path: _secret_or_changed(text, existing[path]) for path, text in secret.items() if path in existing
        },
        "modes": modes,
        "groups": groups,
    }


def _secret_or_changed(text: str, file: FileState) -> str:
    return text if file.data == text.encode() else CHANGED_BY_HAND
