"""A breach of a rule over hosted systems, before its severity is known. It must not decide what is a breach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CLOUD: Final = "cloud"
"""The place of a breach that is of no single system."""


@dataclass(frozen=True, slots=True)
class CloudBreach:
    """What is wrong at a place: a system, `system/component`, or `cloud`; never the value of a secret.

    `level` is that of the system concerned; `clause` is set where it is more exact than the rule's own.
    `is_hint`: a hint whatever the rule's severity.
    """

    rule: str
    place: str
    problem: str
    remedy: str
    level: int = 1
    declared_at: str = ""
    clause: str = ""
    is_hint: bool = False

    @property
    def where(self) -> str:
        """Return the place with the file and line that declares it."""
        return f"{self.place} ({self.declared_at})" if self.declared_at else self.place
