"""The errors of a query, each with its remedy; it must not depend on HTTP."""

from __future__ import annotations

from telemetry.errors import MotcuaError


class NotFound(MotcuaError):
    """A centre, service, device, system, objective or scope that is not declared."""

    def __init__(self, ident: str, kind: str) -> None:
        self.ident = ident
        self.kind = kind
        super().__init__(f"no {kind} {ident!r}: list what there is, or check the spelling")


class BadScope(MotcuaError):
    """A scope that cannot be read."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"scope {scope!r} cannot be read: use centre:ID, device:ID, system:ID, province:ID or country",
        )


class BadWindow(MotcuaError):
    """A window that ends before it begins, cannot be read or is too long for its bucket."""
