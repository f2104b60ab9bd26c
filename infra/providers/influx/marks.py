"""How a description tells whose a thing is: `managed-by=motcua …; free text`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_HEAD: Final = "managed-by=motcua"


@dataclass(frozen=True, slots=True)
class Mark:
    """Who made a thing: the stack, and for a thing without a unique name, which one it is."""

    owner: str = ""
    ident: str = ""
    digest: str = ""

    def of(self, owner: str) -> bool:
        """Tell whether this stack made it; who does not say which stack it is asks for any."""
        return owner in {"", self.owner}

    def on(self, description: str) -> str:
        """Return the description with the mark before it."""
        words = {"stack": self.owner, "id": self.ident, "of": self.digest}
        head = " ".join([_HEAD, *(f"{name}={value}" for name, value in words.items() if value)])
        return f"{head}; {description}" if description else head


def read(description: object) -> Mark | None:
    """Return the mark of a description, None when nobody of ours made the thing."""
    head = str(description or "").partition("; ")[0].split(" ")
    if head[0] != _HEAD:
        return None
    words = dict(word.partition("=")[::2] for word in head[1:])
    return Mark(words.get("stack", ""), words.get("id", ""), words.get("of", ""))


def bare(description: object) -> str:
    """Return the description without the mark."""
    text = str(description or "")
    return text if read(text) is None else text.partition("; ")[2]
