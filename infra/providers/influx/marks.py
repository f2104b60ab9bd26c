"""How a description tells whose a thing is: `managed-by=motcua …; free text`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_TAG_HEAD: Final = "managed-by=motcua"


@dataclass(frozen=True, slots=True)
class OwnershipTag:
    """Who made a thing: the stack, and for a thing without a unique name, which one it is."""

    owner: str = ""
    resource_name: str = ""
    digest: str = ""

    def belongs_to(self, owner: str) -> bool:
        """Tell whether this stack made it; who does not say which stack it is asks for any."""
        return owner in {"", self.owner}

    def prepend_to(self, description: str) -> str:
        """Return the description with the mark before it."""
        words = {"stack": self.owner, "id": self.resource_name, "of": self.digest}
        head = " ".join([_TAG_HEAD, *(f"{name}={value}" for name, value in words.items() if value)])
        return f"{head}; {description}" if description else head


def parse_tag(description: object) -> OwnershipTag | None:
    """Return the mark of a description, None when nobody of ours made the thing."""
    head = str(description or "").partition("; ")[0].split(" ")
    if head[0] != _TAG_HEAD:
        return None
    words = dict(word.partition("=")[::2] for word in head[1:])
    return OwnershipTag(words.get("stack", ""), words.get("id", ""), words.get("of", ""))


def strip_tag(description: object) -> str:
    """Return the description without the mark."""
    text = str(description or "")
    return text if parse_tag(text) is None else text.partition("; ")[2]
