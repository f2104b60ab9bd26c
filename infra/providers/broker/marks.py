"""Marks what is ours at a broker in its description, and reads such marks; it must not send anything."""

from __future__ import annotations

from dataclasses import dataclass

OWNER = "managed-by=motcua"
WAY_OUT = "delete it there, or give this stack a broker of its own"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a description says of an owner: nothing, us, and of us which stack, which shard, which centre's device.

    A shard's name has its stack's before it, `STACK/SHARD`: another stack on the same broker has shards of its own.
    """

    ours: bool = False
    shard: str = ""
    centre: str = ""
    stack: str = ""

    @property
    def owner(self) -> str:
        """Return the stack that made it, empty when nobody said."""
        return self.stack or self.shard.rpartition("/")[0]

    def of(self, owner: str) -> bool:
        """Tell whether this stack made it; who does not say which stack it is asks for any."""
        return self.ours and owner in {"", self.owner}

    def lies_in(self, shard: str) -> bool:
        """Tell whether it belongs to a shard; without a stack's name before it, to any stack's shard of that name."""
        return bool(shard) and shard in {self.shard, self.shard.rpartition("/")[2]}

    def told(self) -> str:
        """Return whose it is, for an error."""
        if not self.ours:
            return "by another hand"
        return f"by stack {self.owner!r}" if self.owner else "by another stack"

    def __str__(self) -> str:
        """Return the description."""
        words = {"stack": self.stack, "shard": self.shard, "centre": self.centre}
        return " ".join([OWNER, *(f"{name}={value}" for name, value in words.items() if value)])


def service(stack: str) -> Mark:
    """Return the mark of what a stack makes for its services."""
    return Mark(ours=True, stack=stack)


def mark_of(description: object) -> Mark:
    """Read a description, whoever wrote it."""
    words = str(description or "").split(" ")
    if words[0] != OWNER:
        return Mark()
    values = dict(word.split("=", 1) for word in words if "=" in word)
    return Mark(True, values.get("shard", ""), values.get("centre", ""), values.get("stack", ""))  # noqa: FBT003
