"""The kind `ServerCertificate`: a server's, or a service's as client. It must not make one for a device.

A device makes its own key, which never leaves it; `motcua ca sign` signs its request.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from infra.providers.pki import names, pem, signing
from infra.providers.pki.inputs import common_name, host
from infra.providers.pki.signing import Terms, named, new_key, new_serial
from infra.providers.pki.stateless import Kept

if TYPE_CHECKING:
    from cryptography import x509

    from infra.providers.pki.inputs import Reader
    from infra.providers.pki.signing import Issuer, Span
    from infra.providers.resource_kind import Failure, Props


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be made, and what signs it."""

    name: str
    use: Literal["server", "client"]
    hosts: list[str]
    span: Span
    issuer: Issuer
    above: list[x509.Certificate]


class ServerCertificate(Kept):
    """A certificate with its key; another generation, host or issuer is another certificate."""

    inputs: ClassVar[frozenset[str]] = frozenset(
        {"name", "hosts", "use", "generation", "not_before", "not_after", "issuer_certificate", "issuer_chain"}
    )
    fixed: ClassVar[frozenset[str]] = inputs
    secrets: ClassVar[tuple[str, ...]] = ("key",)
    delete_first: ClassVar[bool] = False
    signer: ClassVar[str] = "issuer_key"

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """See that names, hosts and dates fit the use and the issuer."""
        del olds
        reader = self.reader(news)
        _order(reader)
        return dict(news), reader.failures

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make a key and its certificate."""
        reader = self.reader(inputs)
        order = reader.insist(_order(reader))
        outputs = self.kept(inputs) | _made(order)
        return str(outputs["serial"]), outputs


def _order(reader: Reader) -> _Order | None:
    name, use = reader.text("name", common_name), reader.text("use", _use)
    reader.number("generation", 1)
    span = reader.span("not_before", "not_after")
    hosts = reader.texts("hosts", host)
    _fit(reader, name, use, hosts)
    issuer = reader.issuer("issuer_certificate", "issuer_key")
    above = _above(reader, issuer)
    reader.within(span, issuer.certificate if issuer else None, "not_after")
    if name is None or use is None or span is None or issuer is None or above is None:
        return None
    return _Order(name, use, hosts, span, issuer, above)


def _use(text: str) -> Literal["server", "client"]:
    if text not in {"server", "client"}:
        raise ValueError(f"{text!r} is no use; write server or client")
    return cast("Literal['server', 'client']", text)


def _fit(reader: Reader, name: str | None, use: str | None, hosts: list[str]) -> None:
    """See that a server has hosts, and that a client is a service."""
    if use == "server" and not hosts and not any(one.field == "hosts" for one in reader.failures):
        reader.fail("hosts", "is empty; name every DNS name and IP address by which clients reach the server")
    if use == "client" and hosts:
        reader.fail("hosts", "is for servers; leave it out")
    if use == "client" and name is not None and not names.is_service(name):
        remedy = "a device makes its own key, and `motcua ca sign` signs its request"
        reader.fail("name", f"{name!r} is no service ({names.SERVICES}); {remedy}")


def _above(reader: Reader, issuer: Issuer | None) -> list[x509.Certificate] | None:
    """Read the chain from the issuer up."""
    found = reader.text("issuer_chain", pem.certificates)
    if found is None or issuer is None:
        return found
    if found[0] != issuer.certificate or not all(signing.issued_by(one, above) for one, above in pairwise(found)):
        reader.fail("issuer_chain", "is not the issuer followed by what signed it; give the authority's chain")
        return None
    return found


def _made(order: _Order) -> dict[str, object]:
    key = new_key()
    terms = Terms(named(order.name), order.span, new_serial())
    made = signing.leaf(terms, key.public_key(), order.issuer, order.use, order.hosts)
    return {
        "certificate": pem.written(signing.chained(made, order.above)),
        "key": pem.written_key(key),
        "serial": pem.hexadecimal(made.serial_number),
        "fingerprint": pem.fingerprint(made),
    }
