"""`motcua operator-key NAME`: makes a key for somebody who may acknowledge alerts. It must not write a file."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer

from telemetry.errors import ConfigError, Fault


def print_operator_key(
    name: Annotated[str, typer.Argument(help="The operator's name: a-z, 0-9, dots, dashes; 63 at most.")],
) -> None:
    """Print a line for the file MOTCUA_OPERATORS, and on standard error the new key: it is shown only now.

    Example: motcua operator-key lan.nguyen >> /etc/motcua/operators
    """
    from api.operators import NAME_PATTERN, hash_key

    if not NAME_PATTERN.fullmatch(name):
        remedy = "use a-z, 0-9, dots and dashes, 63 at most"
        raise ConfigError([Fault("operator-key", 0, "NAME", f"not a name: {name!r}", remedy)])
    key = secrets.token_urlsafe(32)
    print(f"{name} {hash_key(key)}")
    print(f"key of {name}, to be kept in a password manager: {key}", file=sys.stderr)
