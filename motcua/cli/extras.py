"""Which extras of the package each command needs, and the message where none of them is installed; it imports none."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXTRAS: Final = ("edge", "server", "infra")
_SERVER, _BOTH = ("server",), ("server", "infra")
EXTRAS_BY_COMMAND: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "agent": ("edge", "server"),
    "api": _SERVER,
    "backtest arrivals": _SERVER,
    "backtest waits": _SERVER,
    "broker": _SERVER,
    "ca request": _BOTH,
    "ca root": _BOTH,
    "ca show": _BOTH,
    "ca sign": _BOTH,
    "cloud check": _BOTH,
    "cloud diff": _BOTH,
    "cloud dossier": _BOTH,
    "cloud flows": _BOTH,
    "cloud lock": _BOTH,
    "cloud report": _BOTH,
    "cloud size": _BOTH,
    "cloud stacks": _BOTH,
    "cloud start": (),
    "cloud status": (),
    "cloud stop": (),
    "demo": _SERVER,
    "device command send": _SERVER,
    "device config publish": _SERVER,
    "device key": _BOTH,
    "device operations": (),
    "drift": _BOTH,
    "ingest": _SERVER,
    "inventory check": _BOTH,
    "inventory check --policy": _BOTH,
    "inventory graph": _BOTH,
    "inventory graph --plan": _BOTH,
    "inventory openslo export": _BOTH,
    "inventory openslo import": _BOTH,
    "inventory render": _BOTH,
    "inventory show": _BOTH,
    "operator-key": (),
    "publish": _SERVER,
    "render": _BOTH,
    "replay": _SERVER,
    "report": _SERVER,
    "rollup": _SERVER,
    "rotation report": _BOTH,
    "version": (),
})  # fmt: skip
"""Each command, with the option that needs more, and the extras of which one is enough; none for `()`."""
_OWN_PACKAGES = ("api", "dashboards", "edge_agent", "infra", "motcua", "telemetry")


def missing_extra(words: Sequence[str], error: ModuleNotFoundError) -> str:
    """Return what a command line lacks and how to install it; empty when a module of this project is missing."""
    module = (error.name or "").partition(".")[0]
    if module in _OWN_PACKAGES:
        return ""
    command, extras = _command_of(words)
    remedy = " or ".join(f'pip install "motcua[{extra}]"' for extra in extras or EXTRAS)
    return f"`motcua {command}` needs the library {module}, which is not installed: {remedy}"


def _command_of(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the longest command that begins the words, its option anywhere in them, and its extras."""
    plain = [word for word in words if not word.startswith("-")]
    fitting = [
        command
        for command in EXTRAS_BY_COMMAND
        for names in [[part for part in command.split() if not part.startswith("-")]]
        if plain[: len(names)] == names and all(part in words for part in command.split())
    ]
    command = max(fitting, key=len, default="")
    return command or " ".join(plain[:1]), EXTRAS_BY_COMMAND.get(command, ())
