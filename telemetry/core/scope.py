"""The scope of a figure: `centre:ID`, `device:ID`, `desk:CENTRE:SERVICE`, `system:ID`, `province:ID`, `country`.

Three more have totals but no availability: `administration:CENTRE:LEVEL`, what a centre's devices report of the matters
that one administrative level handles, `procedure:CENTRE:PROCEDURE`, and `counters:CENTRE`, all its counters together.

No other module joins or splits the text of a scope.
"""

from __future__ import annotations

from typing import Literal, cast

ScopeKind = Literal[
    "country", "province", "centre", "device", "desk", "system", "administration", "procedure", "counters"
]
KINDS: tuple[ScopeKind, ...] = ("country", "province", "centre", "device", "desk", "system")
"""The kinds that a text may name (`Scope.parse`)."""
_SEPARATOR = ":"


class Scope(str):
    """The text of a scope, as it is stored, sent and shown; it compares, sorts and hashes like any text."""

    __slots__ = ()

    @classmethod
    def of(cls, kind: ScopeKind, ident: str) -> Scope:
        """Return the scope of a kind and an id; a desk's id is `CENTRE:SERVICE`."""
        return cls(f"{kind}{_SEPARATOR}{ident}")

    @classmethod
    def centre(cls, ident: str) -> Scope:
        """Return a centre's scope."""
        return cls.of("centre", ident)

    @classmethod
    def device(cls, ident: str) -> Scope:
        """Return a device's scope."""
        return cls.of("device", ident)

    @classmethod
    def desk(cls, centre: str, service: str) -> Scope:
        """Return the scope of one service of a centre."""
        return cls(f"desk{_SEPARATOR}{centre}{_SEPARATOR}{service}")

    @classmethod
    def administration(cls, centre: str, level: str) -> Scope:
        """Return the scope of the matters of one administrative level, as a centre's devices report them."""
        return cls(f"administration{_SEPARATOR}{centre}{_SEPARATOR}{level}")

    @classmethod
    def procedure(cls, centre: str, procedure: str) -> Scope:
        """Return the scope of one administrative procedure, as a centre's devices report it."""
        return cls(f"procedure{_SEPARATOR}{centre}{_SEPARATOR}{procedure}")

    @classmethod
    def counters(cls, centre: str) -> Scope:
        """Return the scope of a centre's counters together."""
        return cls.of("counters", centre)

    @classmethod
    def system(cls, ident: str) -> Scope:
        """Return a digital system's scope."""
        return cls.of("system", ident)

    @classmethod
    def province(cls, ident: str) -> Scope:
        """Return a province's scope."""
        return cls.of("province", ident)

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Return the scope that a text names.

        Raises ValueError when its kind is none of KINDS, or when its id is missing (or present, for the country).
        """
        kind, separator, ident = text.partition(_SEPARATOR)
        if kind not in KINDS or (kind == "country") == bool(separator) or (separator and not ident):
            msg = f"{text!r} is no scope: one of country, {', '.join(f'{k}:ID' for k in KINDS[1:])}"
            raise ValueError(msg)
        return cls(text)

    @property
    def kind(self) -> ScopeKind:
        """Return the kind."""
        return cast("ScopeKind", self.partition(_SEPARATOR)[0])

    @property
    def id(self) -> str:
        """Return what follows the kind: an id, `CENTRE:NAME` of a desk, administration or procedure, or nothing."""
        return self.partition(_SEPARATOR)[2]

    @property
    def centre_id(self) -> str:
        """Return the centre of a centre, desk, administration or procedure."""
        return self.id.partition(_SEPARATOR)[0]

    @property
    def service(self) -> str:
        """Return the service of a desk."""
        return self.name

    @property
    def name(self) -> str:
        """Return what follows the centre: the service, level or procedure; empty when there is none."""
        return self.id.partition(_SEPARATOR)[2]


COUNTRY = Scope("country")
