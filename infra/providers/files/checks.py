"""Says what is wrong with a declaration of files before one is written; it must not look at the disk."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from infra.providers.resource_kind import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.providers.resource_kind import Props

PUBLIC, SECRET = "0644", "0600"
SIGNALS = ("HUP", "TERM")
DEFAULTS: dict[str, object] = {
    "name": "files", "files": {}, "secret_files": {}, "modes": {}, "groups": {}, "adopt": False,
}  # fmt: skip
_NAME = re.compile(r"[a-z0-9-]{1,40}")
_MODE = re.compile(r"0?[0-7]{3}")
_ACL = re.compile(r"(topic|pattern)\s+((read|write|readwrite|deny)\s+)?(?P<filter>\S.*)|user\s+\S.*")


def checked(news: Props) -> tuple[dict[str, object], list[Failure]]:
    """Return the inputs with defaults and modes of four digits, and every fault."""
    props = {**DEFAULTS, **news}
    wrong = list(_shape(props))
    if wrong:
        return props, wrong
    props["modes"] = {path: mode.zfill(4) for path, mode in texts(props["modes"]).items()}
    faults = [*_paths(props), *_modes(props), *_notify(props), *_rules(props)]
    # In a preview files may be unknown yet, and are left out.
    return props, faults + (_undeclared(props) if {"files", "secret_files"} <= news.keys() else [])


def texts(value: object) -> dict[str, str]:
    """Return a mapping of text to text; anything else gives an empty one."""
    if not isinstance(value, dict):
        return {}
    return {str(name): one for name, one in value.items() if isinstance(one, str)}


def mode_of(props: Props, path: str) -> str:
    """Return a file's mode, four octal digits."""
    usual = SECRET if path in texts(props.get("secret_files")) else PUBLIC
    return texts(props.get("modes")).get(path, usual)


def _shape(props: Mapping[str, object]) -> Iterator[Failure]:
    folder = props.get("folder")
    if not isinstance(folder, str) or not folder.startswith("/") or ".." in folder.split("/"):
        yield Failure("folder", "is no absolute path; write one as /etc/motcua")
    if not _NAME.fullmatch(str(props["name"])):
        yield Failure("name", "use 1 to 40 of a-z, 0-9 and -")
    for field in ("files", "secret_files", "modes", "groups"):
        value = props[field]
        if not isinstance(value, dict) or len(texts(value)) != len(value):
            yield Failure(field, "is no mapping of paths to text")


def _paths(props: Props) -> Iterator[Failure]:
    public, secret = texts(props["files"]), texts(props["secret_files"])
    for field, paths in (("files", public), ("secret_files", secret)):
        for path in paths:
            if (fault := _unfit(path)) is not None:
                yield Failure(field, f"{path!r} {fault}")
    for path in sorted(public.keys() & secret.keys()):
        yield Failure("secret_files", f"{path!r} stands in files too; declare it once")
    both = public.keys() | secret.keys()
    for path in sorted(both):
        for above in PurePosixPath(path).parents:
            if str(above) in both:
                yield Failure("files", f"{str(above)!r} cannot be a file: {path!r} lies below it")


def _unfit(path: str) -> str | None:
    if path.startswith("/") or not path:
        return "must be relative to the folder"
    if any(part in {"", ".", ".."} for part in path.split("/")):
        return "must not hold empty parts, . or .."
    if PurePosixPath(path).name.startswith(".motcua-"):
        return "has a name that is kept for our own records; choose another"
    return "holds a control character" if any(ord(sign) < 32 for sign in path) else None


def _modes(props: Props) -> Iterator[Failure]:
    secret = texts(props["secret_files"])
    for path, mode in texts(props["modes"]).items():
        if not _MODE.fullmatch(mode):
            yield Failure("modes", f"{path!r}: {mode!r} is no mode; write it as 0640")
        elif path in secret and int(mode, 8) & 0o007:
            yield Failure("modes", f"{path!r} is secret, and {mode} opens it to everybody; end it with 0")


def _undeclared(props: Props) -> list[Failure]:
    declared = {*texts(props["files"]), *texts(props["secret_files"])}
    return [
        Failure(field, f"{path!r} is not declared; declare the file or take it out here")
        for field in ("modes", "groups")
        for path in texts(props[field])
        if path not in declared
    ]


def _notify(props: Props) -> Iterator[Failure]:
    notify = props.get("notify")
    if notify is None:
        return
    given = notify if isinstance(notify, dict) else {}
    if _unfit(str(given.get("pid_file", ""))):
        yield Failure("notify", "pid_file must be a path relative to the folder")
    if given.get("signal") not in SIGNALS:
        yield Failure("notify", f"signal must be one of {', '.join(SIGNALS)}")
    if not isinstance(given.get("program"), str) or not given["program"]:
        yield Failure("notify", "program is missing: the name of the process that may be signalled, as mosquitto")
    paths = given.get("paths", [])
    if not isinstance(paths, list) or not all(isinstance(one, str) for one in paths):
        yield Failure("notify", "paths must be a list of path beginnings; leave it out for all")


def _rules(props: Props) -> Iterator[Failure]:
    for field in ("files", "secret_files"):
        for path, text in texts(props[field]).items():
            if path.endswith("acl"):
                yield from (Failure(field, f"{path}:{line}: {fault}") for line, fault in acl_faults(text))


def acl_faults(text: str) -> Iterator[tuple[int, str]]:
    """Name the lines of an access file over which mosquitto would quit, by number and fault."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _ACL.fullmatch(line.rstrip())
        if found is None:
            yield number, "is no access rule; begin it with user, topic, pattern or #"
        elif (wanted := found["filter"]) is not None and not _is_filter(wanted):
            yield number, "has no valid topic filter; + stands for a whole level, # only at the end"


def _is_filter(wanted: str) -> bool:
    levels = wanted.split("/")
    if any("+" in level and level != "+" for level in levels):
        return False
    return all("#" not in level for level in levels[:-1]) and levels[-1] in {"#", levels[-1].replace("#", "")}
