"""What kinds have in common whose only place is the stack's state: nothing to ask, nothing to remove elsewhere.

A key that signs is asked for in every run but never compared and never kept in the outputs: it may be taken out of the
configuration after use, and one copy of it is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from infra.providers.pki import pem
from infra.providers.pki.inputs import InputReader, parse_host, parse_time
from infra.providers.resource_kind import ProviderError, ResourceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.resource_kind import Props

_DATE_INPUTS = {"not_before", "not_after", "this_update", "next_update"}
_PEM_INPUTS = {"root_certificate", "issuer_certificate", "issuer_chain"}


class StateOnlyKind:
    """The common part of a kind; `inputs` leaves out `signer`, the key that signs."""

    inputs: ClassVar[frozenset[str]]
    immutable: ClassVar[frozenset[str]]
    signing_key_input: ClassVar[str]

    def input_reader(self, values: Props) -> InputReader:
        """Return a reader that knows this kind's inputs."""
        return InputReader(values, self.inputs | {self.signing_key_input})

    def without_signing_key(self, values: Props) -> dict[str, object]:
        """Return the inputs that go into the outputs: all but the key that signs."""
        return {name: value for name, value in values.items() if name in self.inputs}

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Compare dates as moments, certificates by content, hosts without order."""
        if name in _DATE_INPUTS:
            return _parse_alike(old, new, parse_time)
        if name in _PEM_INPUTS:
            return _parse_alike(old, new, pem.parse_certificates)
        return name == "hosts" and _normal_hosts(old) == _normal_hosts(new)

    def read(self, ident: str, outputs: Props) -> ResourceState | None:
        """Return what the state holds; it is the only place."""
        return ResourceState(ident, outputs, self.without_signing_key(outputs))

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Refuse: another certificate is a new one."""
        del olds, news
        raise ProviderError(f"{ident}: a certificate is never changed; replace it")

    def delete(self, ident: str, outputs: Props) -> None:
        """Do nothing: it is gone with the state."""


def _parse_alike(old: object, new: object, read: Callable[[str], object]) -> bool:
    try:
        return read(str(old)) == read(str(new))
    except ValueError:
        return False


def _normal_hosts(values: object) -> object:
    if not isinstance(values, list):
        return values
    try:
        return sorted({parse_host(str(value)) for value in values})
    except ValueError:
        return values
