"""The inputs of the kind `Files` and what is wrong with them; it must not read the disk."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from infra.providers.resource_kind import InputFaults, KindInputs, Props, input_defaults, read_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC_MODE, SECRET_MODE = "0644", "0600"
_NAME_PATTERN = re.compile(r"[a-z0-9-]{1,40}")
_MODE_PATTERN = re.compile(r"0?[0-7]{3}")
_ACL_LINE = re.compile(r"(topic|pattern)\s+((read|write|readwrite|deny)\s+)?(?P<filter>\S.*)|user\s+\S.*")


def _check_folder(folder: str) -> str:
    if not folder.startswith("/") or ".." in folder.split("/"):
        raise ValueError("is no absolute path; write one as /etc/motcua")
    return folder


def _check_name(name: str) -> str:
    if not _NAME_PATTERN.fullmatch(name):
        raise ValueError("use 1 to 40 of a-z, 0-9 and -")
    return name


def _check_path(path: str) -> str:
    if path.startswith("/") or not path:
        raise ValueError(f"{path!r} must be relative to the folder")
    if any(part in {"", ".", ".."} for part in path.split("/")):
        raise ValueError(f"{path!r} must not have empty parts, . or ..")
    if PurePosixPath(path).name.startswith(".motcua-"):
        raise ValueError(f"{path!r} has a name that is reserved for our own records; choose another")
    if any(ord(sign) < 32 for sign in path):
        raise ValueError(f"{path!r} has a control character; remove it")
    return path


def _check_acl_files(texts: dict[str, str]) -> dict[str, str]:
    acl_files = {path: text for path, text in texts.items() if path.endswith("acl")}
    faults = [f"{path}:{line}: {fault}" for path, text in acl_files.items() for line, fault in acl_line_faults(text)]
    if faults:
        raise ValueError("; ".join(faults))
    return texts


def _check_modes(modes: dict[str, str]) -> dict[str, str]:
    for path, mode in modes.items():
        if not _MODE_PATTERN.fullmatch(mode):
            raise ValueError(f"{path!r}: {mode!r} is no mode; write it as 0640")
    return modes


FilePath = Annotated[str, AfterValidator(_check_path)]
FileTexts = Annotated[dict[FilePath, str], AfterValidator(_check_acl_files)]


class NotifyInputs(BaseModel):
    """Which process is signalled after a change: its pid file and name, and the beginnings of the paths that matter."""

    pid_file: FilePath
    signal: Literal["HUP", "TERM"]
    program: str = Field(min_length=1)
    paths: list[str] = Field(default_factory=list)


class FilesInputs(KindInputs):
    """The inputs of FilesKind: texts, modes and groups by path below `folder`; two `name`s may share a folder."""

    folder: Annotated[str, AfterValidator(_check_folder)]
    name: Annotated[str, AfterValidator(_check_name)] = "files"
    files: FileTexts = Field(default_factory=dict)
    secret_files: FileTexts = Field(default_factory=dict)
    modes: Annotated[dict[str, str], AfterValidator(_check_modes)] = Field(default_factory=dict)
    groups: dict[str, str] = Field(default_factory=dict)
    notify: NotifyInputs | None = None
    adopt: bool = False


def check_inputs(news: Props) -> tuple[dict[str, object], InputFaults]:
    """Return the inputs with defaults and modes of four digits, and every fault."""
    inputs, faults = read_inputs(FilesInputs, news)
    props = input_defaults(FilesInputs) | dict(news)
    if inputs.modes:
        props["modes"] = {path: mode.zfill(4) for path, mode in inputs.modes.items()}
    if not faults.has_any("files", "secret_files", "modes", "groups"):
        # In a preview files may be unknown yet, and are left out.
        _add_combined_faults(inputs, faults, complete={"files", "secret_files"} <= news.keys())
    return props, faults


def _add_combined_faults(inputs: FilesInputs, faults: InputFaults, *, complete: bool) -> None:
    """Add the faults of paths that do not go together; `complete`: no file is unknown."""
    for path in sorted(inputs.files.keys() & inputs.secret_files.keys()):
        faults.add("secret_files", f"{path!r} is in files too; declare it once")
    declared = inputs.files.keys() | inputs.secret_files.keys()
    for path in sorted(declared):
        for parent in {str(parent) for parent in PurePosixPath(path).parents} & declared:
            faults.add("files", f"{parent!r} cannot be a file: {path!r} is below it; rename one of them")
    for path, mode in inputs.modes.items():
        if path in inputs.secret_files and int(mode, 8) & 0o007:
            faults.add("modes", f"{path!r} is secret, and {mode} opens it to everybody; end it with 0")
    by_input = [("modes", path) for path in inputs.modes] + [("groups", path) for path in inputs.groups]
    for name, path in by_input if complete else ():
        if path not in declared:
            faults.add(name, f"{path!r} is not declared; declare the file or remove it here")


def text_mapping(value: object) -> dict[str, str]:
    """Return a mapping of text to text; for anything else an empty one."""
    if not isinstance(value, dict):
        return {}
    return {str(name): text for name, text in value.items() if isinstance(text, str)}


def mode_of(props: Props, path: str) -> str:
    """Return a file's mode, four octal digits."""
    usual = SECRET_MODE if path in text_mapping(props.get("secret_files")) else PUBLIC_MODE
    return text_mapping(props.get("modes")).get(path, usual)


def acl_line_faults(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and fault of each line of an access file that mosquitto would not load."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _ACL_LINE.fullmatch(line.rstrip())
        if match is None:
            yield number, "is no access rule; begin it with user, topic, pattern or #"
        elif (topic_filter := match["filter"]) is not None and not _is_topic_filter(topic_filter):
            yield number, "has no valid topic filter; + is a whole level, # may only be at the end"


def _is_topic_filter(topic_filter: str) -> bool:
    levels = topic_filter.split("/")
    if any("+" in level and level != "+" for level in levels):
        return False
    return all("#" not in level for level in levels[:-1]) and levels[-1] in {"#", levels[-1].replace("#", "")}
