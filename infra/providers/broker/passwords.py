"""Hashes passwords as mosquitto 2.0 and later keep them; salts are arguments, so that nothing here is random."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ITERATIONS = 101
"""What mosquitto_passwd writes; the broker takes any number, and spends it at every connection."""
SALT_BYTES = 12
"""mosquitto 2.0 takes no other length."""


def hashed(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return PBKDF2-SHA512 of a password, in base64. Raises ValueError for a salt of another length."""
    if len(salt) != SALT_BYTES:
        msg = f"a salt of {len(salt)} bytes; mosquitto 2.0 takes {SALT_BYTES}"
        raise ValueError(msg)
    return encoded(hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations))


def encoded(data: bytes) -> str:
    """Return base64 text."""
    return base64.b64encode(data).decode("ascii")


def line(username: str, password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return a line of a password file. Raises ValueError for a name that the file cannot hold."""
    if not username or any(sign in username for sign in ":\r\n"):
        msg = f"{username!r}: a user's name in a password file holds no colon and no line end"
        raise ValueError(msg)
    return f"{username}:$7${iterations}${encoded(salt)}${hashed(password, salt, iterations)}"


def file(users: Mapping[str, tuple[str, bytes]], iterations: int = ITERATIONS) -> str:
    """Return a password file for name → (password, salt), in order of name."""
    return "".join(line(name, *users[name], iterations) + "\n" for name in sorted(users))
