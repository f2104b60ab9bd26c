"""What a question can have wrong with it, each fault with the way out; it must not know about HTTP."""

from __future__ import annotations

from telemetry.errors import MotcuaError


class NotFound(MotcuaError):
    """A centre, service, device, system or scope that nobody declared."""

    def __init__(self, kind: str, ident: str) -> None:
        self.kind = kind
        self.ident = ident
        super().__init__(f"no {kind} {ident!r}: list what there is, or check the spelling")


class BadScope(MotcuaError):
    """A scope that cannot be read."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"scope {scope!r} cannot be read: use centre:ID, device:ID, system:ID, province:ID or country",
        )


class BadWindow(MotcuaError):
    """A window that ends before it begins, cannot be read or is too long for its bucket."""
