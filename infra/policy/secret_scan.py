"""Finds secrets in rendered texts: private keys, tokens, passwords, known values. Pure; it must not output any."""

from __future__ import annotations

import base64
import gzip
import re
from typing import TYPE_CHECKING

from infra.policy.catalogue import new_finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.policy.catalogue import Finding

_CREDENTIAL = r"(?:token|password|passwd|passphrase|secret|api[_-]?key)"
SECRET_PATTERNS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "an InfluxDB token": re.compile(r"(?<![A-Za-z0-9_+/-])[A-Za-z0-9_-]{86}==(?![A-Za-z0-9=])"),
    "a password in an address": re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@\"'<>$]+:(?!\$\{)[^\s/@\"'<>]+@"),
    "an Authorization header": re.compile(
        r"(?i)authorization[\"']?\s*[:=]\s*[\"']?(?:token|bearer|basic)\s+[\w.+/-]{8,}"
    ),
    "a value for a secret": re.compile(
        rf"(?im)(?:^[ \t]*(?:-[ \t]+|export[ \t]+|Environment=)?|[{{,][ \t]*|[ \t]--)[\"']?[\w.-]*{_CREDENTIAL}[\"']?"
        r"[ \t]*[:=][ \t]*[\"']?(?P<value>[^\s\"'#,}]{6,})"
    ),
    "a private key in base64": re.compile(r"LS0tLS1CRUdJTi(?:BQUklWQVRF|BFQyBQUklW|BSU0EgUFJJ|BPUEVOU1NI|BFTkNSWVBU)"),
}
"""Patterns of secrets by their kind; a reference (`$NAME`, `${…}`, `/path`, `<…>`) is not a secret."""
_REFERENCE = re.compile(r"^(?:\$|%|/|<|\{|file:|true$|false$|null$|none$)", re.IGNORECASE)
_GZIP_BASE64 = re.compile(r"H4sI[A-Za-z0-9+/]{16,}={0,2}")
SECRET_KINDS_VI = {
    "a private key": "khóa bí mật",
    "an InfluxDB token": "token của InfluxDB",
    "a password in an address": "mật khẩu trong địa chỉ",
    "an Authorization header": "tiêu đề Authorization",
    "a value for a secret": "giá trị của một bí mật",
    "a private key in base64": "khóa bí mật ở dạng base64",
}
PLAIN_TEXT_REMEDY = "read it at run time from a file or a secret, and treat it as known to others"


def find_leaks(files: Mapping[str, str], known_secrets: Iterable[str] = ()) -> list[Finding]:
    """Return the findings in files, path → text; `known_secrets` are values that must not be in any of them."""
    values = [value for value in known_secrets if value]
    return sorted(leak for path, text in files.items() for leak in _leaks_in_file(path, text, values))


def secret_kind_in(text: str) -> str:
    """Return the kind of secret in a text, or an empty text."""
    return next((what for what, pattern in SECRET_PATTERNS.items() if _secret_matches(pattern, text)), "")


def with_unpacked(text: str) -> str:
    """Return a text followed by its parts in gzip and base64, unpacked: user data carry files in that form."""
    return "\n".join([text, *(_unpack(match[0]) for match in _GZIP_BASE64.finditer(text))])


def _unpack(packed: str) -> str:
    try:
        return gzip.decompress(base64.b64decode(packed)).decode(errors="replace")
    except (ValueError, EOFError, OSError):
        return ""


def _leaks_in_file(path: str, text: str, known_secrets: list[str]) -> Iterator[Finding]:
    for what, pattern in SECRET_PATTERNS.items():
        for line in sorted(_secret_lines(pattern, text)):
            yield new_finding("plain-secret", f"{path}:{line}", f"holds {what}", PLAIN_TEXT_REMEDY)
    if any(value in text for value in known_secrets):
        yield new_finding("plain-secret", path, "holds a value that is a secret of this stack", PLAIN_TEXT_REMEDY)


def _secret_matches(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    return [match for match in pattern.finditer(text) if not _REFERENCE.match(match.groupdict().get("value") or "x")]


def _secret_lines(pattern: re.Pattern[str], text: str) -> set[int]:
    return {text.count("\n", 0, match.start()) + 1 for match in _secret_matches(pattern, text)}
