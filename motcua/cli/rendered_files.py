"""Writes the files of `motcua render` into a folder: all or none, no file of somebody else. It renders nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RenderedFiles:
    """Files by path, the headers that identify them, which are executable, and the port of a rendered mosquitto.

    `stale` are patterns of the files that an earlier run may have written and that go when this one has them no more.
    """

    files: Mapping[str, str]
    markers: tuple[str, ...]
    programs: tuple[str, ...] = ()
    broker_port: int | None = None
    stale: tuple[str, ...] = ("[0-9][0-9][0-9]-*.yaml", "devices/*.toml")


def replace_files(out: Path, rendered: RenderedFiles) -> None:
    """Write the files in place of those of an earlier run. Raises ConfigError when nothing was changed."""
    _check_overwrites(out, rendered)
    _write_files(out, rendered)
    _remove_stale_files(out, rendered)


def _check_overwrites(out: Path, rendered: RenderedFiles) -> None:
    """Refuse to overwrite files that this command did not write. Raises ConfigError with all of them."""
    remedy = "move it away, or give another folder with --out"
    faults = [
        Fault(str(out / name), 1, "--out", "exists and was not written by this command", remedy)
        for name in rendered.files
        if (out / name).exists() and not _is_own_file(out / name, rendered.markers)
    ]
    if faults:
        raise ConfigError(faults)


def _write_files(out: Path, rendered: RenderedFiles) -> None:
    """Write the files that differ, each under a temporary name before all get theirs: a full disk changes nothing.

    Raises ConfigError when the folder cannot be written.
    """
    from infra.providers.files.disk import FileSpec, ManagedFolder
    from infra.providers.resource_kind import ProviderError

    folder = ManagedFolder(str(out), "render")
    remedy = "give a folder that you may write"
    try:
        specs = {name: FileSpec(text, 0o755 if name in rendered.programs else 0o644)
                 for name, text in rendered.files.items()}  # fmt: skip
        folder.create_folders(specs)
        present = {name: folder.read_file(name) for name in specs}
        folder.write_files({name: spec for name, spec in specs.items()
                            if (file := present[name]) is None or not file.matches(spec)})  # fmt: skip
    except OSError as error:
        fault = Fault(str(error.filename or out), 0, "--out", str(error.strerror), remedy)
        raise ConfigError([fault]) from error
    except ProviderError as error:
        raise ConfigError([Fault(str(out), 0, "--out", str(error), remedy)]) from error


def _remove_stale_files(out: Path, rendered: RenderedFiles) -> None:
    """Remove what an earlier run wrote and this one did not, and folders that are empty then.

    Ground and hosted systems have headers of their own, so that a run of the one leaves the other.
    """
    for pattern in rendered.stale:
        for path in sorted(out.glob(pattern)):
            if str(path.relative_to(out)) not in rendered.files and _is_own_file(path, rendered.markers):
                path.unlink()
                _remove_empty_folders(path.parent, out)


def _remove_empty_folders(folder: Path, out: Path) -> None:
    while folder != out and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _is_own_file(path: Path, markers: tuple[str, ...]) -> bool:
    try:
        head = path.read_text(encoding="utf-8")[:400]
    except (OSError, UnicodeDecodeError):
        return False
    return any(marker in head for marker in markers)
