"""Finds secrets that stand in rendered texts: private keys, tokens, passwords, planted values. Pure; shows none."""

from __future__ import annotations

import base64
import gzip
import re
from typing import TYPE_CHECKING

from infra.policy.values import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.policy.values import Finding

_WORD = r"(?:token|password|passwd|passphrase|secret|api[_-]?key)"
PATTERNS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "an InfluxDB token": re.compile(r"(?<![A-Za-z0-9_+/-])[A-Za-z0-9_-]{86}==(?![A-Za-z0-9=])"),
    "a password in an address": re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@\"'<>$]+:(?!\$\{)[^\s/@\"'<>]+@"),
    "an Authorization header": re.compile(
        r"(?i)authorization[\"']?\s*[:=]\s*[\"']?(?:token|bearer|basic)\s+[\w.+/-]{8,}"
    ),
    "a value for a secret": re.compile(
        rf"(?im)(?:^[ \t]*(?:-[ \t]+|export[ \t]+|Environment=)?|[{{,][ \t]*|[ \t]--)[\"']?[\w.-]*{_WORD}[\"']?"
        r"[ \t]*[:=][ \t]*[\"']?(?P<value>[^\s\"'#,}]{6,})"
    ),
    "a private key in base64": re.compile(r"LS0tLS1CRUdJTi(?:BQUklWQVRF|BFQyBQUklW|BSU0EgUFJJ|BPUEVOU1NI|BFTkNSWVBU)"),
}
"""What looks like a secret, by what it is; a reference (`$NAME`, `${…}`, `/path`, `<…>`) is none."""
_REFERENCE = re.compile(r"^(?:\$|%|/|<|\{|file:|true$|false$|null$|none$)", re.IGNORECASE)
_PACKED = re.compile(r"H4sI[A-Za-z0-9+/]{16,}={0,2}")
REMEDY = "read it at run time from a file or a secret, and treat it as known to others"


def leaks(files: Mapping[str, str], planted: Iterable[str] = ()) -> list[Finding]:
    """Return what is found in files, path → text; `planted` are values that must not be in any of them."""
    values = [value for value in planted if value]
    return sorted(one for path, text in files.items() for one in _of(path, text, values))


def secret_in(text: str) -> str:
    """Return what kind of secret a text holds, or nothing."""
    return next((what for what, pattern in PATTERNS.items() if _hits(pattern, text)), "")


def unpacked(text: str) -> str:
    """Return a text and, behind it, what stands in it as gzip in base64: user data carry their files so."""
    return "\n".join([text, *(_unpacked(one[0]) for one in _PACKED.finditer(text))])


def _unpacked(packed: str) -> str:
    try:
        return gzip.decompress(base64.b64decode(packed)).decode(errors="replace")
    except (ValueError, EOFError, OSError):
        return ""


def _of(path: str, text: str, planted: list[str]) -> Iterator[Finding]:
    for what, pattern in PATTERNS.items():
        for line in sorted(_lines(pattern, text)):
            yield finding("plain-secret", f"{path}:{line}", f"holds {what}", REMEDY)
    if any(value in text for value in planted):
        yield finding("plain-secret", path, "holds a value that is a secret of this stack", REMEDY)


def _hits(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    return [one for one in pattern.finditer(text) if not _REFERENCE.match(one.groupdict().get("value") or "x")]


def _lines(pattern: re.Pattern[str], text: str) -> set[int]:
    return {text.count("\n", 0, one.start()) + 1 for one in _hits(pattern, text)}
