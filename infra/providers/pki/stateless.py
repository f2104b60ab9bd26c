"""What kinds have in common whose only place is the stack's state: nothing to ask, nothing to remove elsewhere.

A key that signs is asked for in every run but never compared and never kept in the outputs: it may be taken out of the
configuration after use, and one copy of it is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from infra.providers.pki import pem
from infra.providers.pki.inputs import Reader, host, moment
from infra.providers.resource_kind import Found, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.resource_kind import Props

_DATES = {"not_before", "not_after", "this_update", "next_update"}
_PEM = {"root_certificate", "issuer_certificate", "issuer_chain"}


class Kept:
    """The common part of a kind; `inputs` leaves out `signer`, the key that signs."""

    inputs: ClassVar[frozenset[str]]
    fixed: ClassVar[frozenset[str]]
    signer: ClassVar[str]

    def reader(self, values: Props) -> Reader:
        """Return a reader that knows this kind's inputs."""
        return Reader(values, self.inputs | {self.signer})

    def kept(self, values: Props) -> dict[str, object]:
        """Return the inputs that go into the outputs: all but the key that signs."""
        return {name: value for name, value in values.items() if name in self.inputs}

    def same(self, name: str, old: object, new: object) -> bool:
        """Compare dates as moments, certificates by content, hosts without order."""
        if name in _DATES:
            return _alike(old, new, moment)
        if name in _PEM:
            return _alike(old, new, pem.certificates)
        return name == "hosts" and _hosts(old) == _hosts(new)

    def read(self, ident: str, outputs: Props) -> Found | None:
        """Return what the state holds; it is the only place."""
        return Found(ident, outputs, self.kept(outputs))

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Refuse: another certificate is a new one."""
        del olds, news
        raise ProviderError(f"{ident}: a certificate is never changed; replace it")

    def delete(self, ident: str, outputs: Props) -> None:
        """Do nothing: it is gone with the state."""


def _alike(old: object, new: object, read: Callable[[str], object]) -> bool:
    try:
        return read(str(old)) == read(str(new))
    except ValueError:
        return False


def _hosts(values: object) -> object:
    if not isinstance(values, list):
        return values
    try:
        return sorted({host(str(one)) for one in values})
    except ValueError:
        return values
