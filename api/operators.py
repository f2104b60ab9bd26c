"""Who may acknowledge and silence alerts: names with the hash of a key, from a file; it must not hold a key.

A line is a name and the SHA-256 of its key in hexadecimal, as `motcua operator-key` prints it; `#` begins a comment.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LINE_PATTERN = re.compile(r"(\S+)\s+([0-9a-f]{64})")
LINE_REMEDY = "write `NAME HASH`, as `motcua operator-key NAME` prints it"


@dataclass(frozen=True, slots=True)
class Operators:
    """Key hashes by name."""

    hash_by_name: Mapping[str, str]

    def admits(self, name: str, key: str) -> bool:
        """Return whether this is the name's key; an unknown name takes as long."""
        own = self.hash_by_name.get(name, "")
        return hmac.compare_digest(hash_key(key), own or "0" * 64) and bool(own)


def hash_key(key: str) -> str:
    """Return a key's hash, as the file has it: keys are 256 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(key.encode()).hexdigest()


def load_operators(path: Path) -> Operators:
    """Read the file; raises ConfigError with all its faults."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        remedy = "give a text file that the API may read, or leave the setting out"
        raise ConfigError([Fault(str(path), 0, "MOTCUA_OPERATORS", str(error), remedy)]) from None
    hashes: dict[str, str] = {}
    faults: list[Fault] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = _LINE_PATTERN.fullmatch(text)
        name = match[1] if match else text.split()[0]
        if match is None:
            faults.append(Fault(str(path), number, name, "not a name with the hash of a key", LINE_REMEDY))
        elif not NAME_PATTERN.fullmatch(name):
            faults.append(Fault(str(path), number, name, "not a name", "use a-z, 0-9, dots, dashes, 63 at most"))
        elif name in hashes:
            faults.append(Fault(str(path), number, name, "this name stands twice", "keep one of the lines"))
        else:
            hashes[name] = match[2]
    if faults:
        raise ConfigError(faults)
    return Operators(hashes)
