"""Marks what is ours at a broker in its description, and reads such marks; it must not send anything."""

from __future__ import annotations

from dataclasses import dataclass

OWNER = "managed-by=motcua"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a description says of an owner: nothing, us, and of us which shard and which centre's device."""

    ours: bool = False
    shard: str = ""
    centre: str = ""

    def __str__(self) -> str:
        """Return the description."""
        words = [OWNER, self.shard and f"shard={self.shard}", self.centre and f"centre={self.centre}"]
        return " ".join(word for word in words if word)


def mark_of(description: object) -> Mark:
    """Read a description, whoever wrote it."""
    words = str(description or "").split(" ")
    if words[0] != OWNER:
        return Mark()
    values = dict(word.split("=", 1) for word in words if "=" in word)
    return Mark(ours=True, shard=values.get("shard", ""), centre=values.get("centre", ""))
