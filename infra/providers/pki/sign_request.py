"""Signs a request with a stage's authority, on a given day. It must not read files or a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from infra.providers.pki import pem, signing
from infra.providers.pki.csr import Refused
from infra.providers.pki.signing import Issuer, Span, Terms, named, new_serial

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

    from infra.providers.pki.csr import Request

USUAL = timedelta(days=365)
BEHIND = timedelta(hours=1)
"""How far a clock that checks a new certificate may be behind."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and what is presented with it."""

    certificate: x509.Certificate
    chain: str

    @property
    def serial(self) -> str:
        """Return its number, in hex."""
        return pem.hexadecimal(self.certificate.serial_number)


@dataclass(frozen=True, slots=True)
class Signer:
    """An authority with its key and the certificates above it."""

    issuer: Issuer
    above: tuple[x509.Certificate, ...]


def signer(certificates: str, key: str) -> Signer:
    """Return the authority whose certificate comes first in a chain. Raises Refused."""
    try:
        found, secret = pem.certificates(certificates), pem.private_key(key)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise Refused(f"the authority {problem}", remedy) from None
    first = found[0]
    if not signing.signs_certificates(first):
        raise Refused("the first certificate is no authority's", "put the intermediate first, the root after it")
    if signing.self_signed(first):
        raise Refused("this is a root", "keep it offline, and sign with the stage's intermediate")
    if not signing.belongs(secret, first):
        raise Refused("key and certificate do not belong together", "give the intermediate's own key")
    return Signer(Issuer(first, secret), tuple(found))


def sign(
    request: Request, by: Signer, now: datetime, life: timedelta | None = None, hosts: tuple[str, ...] = ()
) -> Issued:
    """Return the signed certificate, a server's for `hosts` or else a client's.

    Without `life` it lasts a year, or as long as the authority.

    Raises Refused when the authority does not last as long as asked.
    """
    last = by.issuer.certificate.not_valid_after_utc
    ends = now + (USUAL if life is None else life)
    if last <= now:
        raise Refused(f"the authority ended on {last.date()}", "run `pulumi up`: it makes the next one")
    if life is not None and ends > last:
        most = (last - now).days
        raise Refused(
            f"the authority ends on {last.date()}", f"ask for --days {most} at most, or use the next authority"
        )
    begins = max(now - BEHIND, by.issuer.certificate.not_valid_before_utc)
    terms = Terms(named(request.name), Span(begins, min(ends, last)), new_serial())
    made = signing.leaf(terms, request.public, by.issuer, "server" if hosts else "client", hosts)
    return Issued(made, pem.written(signing.chained(made, by.above)))
