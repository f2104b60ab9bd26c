"""Says what is wrong with a declaration of files before one is written; it must not look at the disk."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from infra.providers.resource_kind import InputFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.providers.resource_kind import Props

PUBLIC_MODE, SECRET_MODE = "0644", "0600"
SIGNALS = ("HUP", "TERM")
DEFAULTS: dict[str, object] = {
    "name": "files", "files": {}, "secret_files": {}, "modes": {}, "groups": {}, "adopt": False,
}  # fmt: skip
_NAME_PATTERN = re.compile(r"[a-z0-9-]{1,40}")
_MODE_PATTERN = re.compile(r"0?[0-7]{3}")
_ACL_LINE = re.compile(r"(topic|pattern)\s+((read|write|readwrite|deny)\s+)?(?P<filter>\S.*)|user\s+\S.*")


def check_inputs(news: Props) -> tuple[dict[str, object], list[InputFault]]:
    """Return the inputs with defaults and modes of four digits, and every fault."""
    props = {**DEFAULTS, **news}
    wrong = list(_shape_faults(props))
    if wrong:
        return props, wrong
    props["modes"] = {path: mode.zfill(4) for path, mode in text_mapping(props["modes"]).items()}
    faults = [*_path_faults(props), *_mode_faults(props), *_notify_faults(props), *_acl_file_faults(props)]
    # In a preview files may be unknown yet, and are left out.
    return props, faults + (_undeclared_faults(props) if {"files", "secret_files"} <= news.keys() else [])


def text_mapping(value: object) -> dict[str, str]:
    """Return a mapping of text to text; anything else gives an empty one."""
    if not isinstance(value, dict):
        return {}
    return {str(name): text for name, text in value.items() if isinstance(text, str)}


def mode_of(props: Props, path: str) -> str:
    """Return a file's mode, four octal digits."""
    usual = SECRET_MODE if path in text_mapping(props.get("secret_files")) else PUBLIC_MODE
    return text_mapping(props.get("modes")).get(path, usual)


def _shape_faults(props: Mapping[str, object]) -> Iterator[InputFault]:
    folder = props.get("folder")
    if not isinstance(folder, str) or not folder.startswith("/") or ".." in folder.split("/"):
        yield InputFault("folder", "is no absolute path; write one as /etc/motcua")
    if not _NAME_PATTERN.fullmatch(str(props["name"])):
        yield InputFault("name", "use 1 to 40 of a-z, 0-9 and -")
    for field in ("files", "secret_files", "modes", "groups"):
        value = props[field]
        if not isinstance(value, dict) or len(text_mapping(value)) != len(value):
            yield InputFault(field, "is no mapping of paths to text")


def _path_faults(props: Props) -> Iterator[InputFault]:
    public, secret = text_mapping(props["files"]), text_mapping(props["secret_files"])
    for field, paths in (("files", public), ("secret_files", secret)):
        for path in paths:
            if (fault := _path_fault(path)) is not None:
                yield InputFault(field, f"{path!r} {fault}")
    for path in sorted(public.keys() & secret.keys()):
        yield InputFault("secret_files", f"{path!r} stands in files too; declare it once")
    both = public.keys() | secret.keys()
    for path in sorted(both):
        for above in PurePosixPath(path).parents:
            if str(above) in both:
                yield InputFault("files", f"{str(above)!r} cannot be a file: {path!r} lies below it")


def _path_fault(path: str) -> str | None:
    if path.startswith("/") or not path:
        return "must be relative to the folder"
    if any(part in {"", ".", ".."} for part in path.split("/")):
        return "must not hold empty parts, . or .."
    if PurePosixPath(path).name.startswith(".motcua-"):
        return "has a name that is kept for our own records; choose another"
    return "holds a control character" if any(ord(sign) < 32 for sign in path) else None


def _mode_faults(props: Props) -> Iterator[InputFault]:
    secret = text_mapping(props["secret_files"])
    for path, mode in text_mapping(props["modes"]).items():
        if not _MODE_PATTERN.fullmatch(mode):
            yield InputFault("modes", f"{path!r}: {mode!r} is no mode; write it as 0640")
        elif path in secret and int(mode, 8) & 0o007:
            yield InputFault("modes", f"{path!r} is secret, and {mode} opens it to everybody; end it with 0")


def _undeclared_faults(props: Props) -> list[InputFault]:
    declared = {*text_mapping(props["files"]), *text_mapping(props["secret_files"])}
    return [
        InputFault(field, f"{path!r} is not declared; declare the file or take it out here")
        for field in ("modes", "groups")
        for path in text_mapping(props[field])
        if path not in declared
    ]


def _notify_faults(props: Props) -> Iterator[InputFault]:
    notify = props.get("notify")
    if notify is None:
        return
    settings = notify if isinstance(notify, dict) else {}
    if _path_fault(str(settings.get("pid_file", ""))):
        yield InputFault("notify", "pid_file must be a path relative to the folder")
    if settings.get("signal") not in SIGNALS:
        yield InputFault("notify", f"signal must be one of {', '.join(SIGNALS)}")
    if not isinstance(settings.get("program"), str) or not settings["program"]:
        yield InputFault("notify", "program is missing: the name of the process that may be signalled, as mosquitto")
    paths = settings.get("paths", [])
    if not isinstance(paths, list) or not all(isinstance(prefix, str) for prefix in paths):
        yield InputFault("notify", "paths must be a list of path beginnings; leave it out for all")


def _acl_file_faults(props: Props) -> Iterator[InputFault]:
    for field in ("files", "secret_files"):
        for path, text in text_mapping(props[field]).items():
            if path.endswith("acl"):
                yield from (InputFault(field, f"{path}:{line}: {fault}") for line, fault in acl_line_faults(text))


def acl_line_faults(text: str) -> Iterator[tuple[int, str]]:
    """Name the lines of an access file over which mosquitto would quit, by number and fault."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _ACL_LINE.fullmatch(line.rstrip())
        if match is None:
            yield number, "is no access rule; begin it with user, topic, pattern or #"
        elif (topic_filter := match["filter"]) is not None and not _is_topic_filter(topic_filter):
            yield number, "has no valid topic filter; + stands for a whole level, # only at the end"


def _is_topic_filter(topic_filter: str) -> bool:
    levels = topic_filter.split("/")
    if any("+" in level and level != "+" for level in levels):
        return False
    return all("#" not in level for level in levels[:-1]) and levels[-1] in {"#", levels[-1].replace("#", "")}
