"""Signs a request with a stage's authority, on a given day. It must not read files or a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from infra.providers.pki import pem, signing
from infra.providers.pki.csr import RequestRefused
from infra.providers.pki.signing import CertificateTerms, Issuer, ValidityPeriod, new_serial, subject_name

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

    from infra.providers.pki.csr import CertificateRequest

DEFAULT_LIFETIME = timedelta(days=365)
CLOCK_TOLERANCE = timedelta(hours=1)
"""How far a clock that checks a new certificate may be behind."""


@dataclass(frozen=True, slots=True)
class SignedCertificate:
    """A certificate and what is presented with it."""

    certificate: x509.Certificate
    chain: str

    @property
    def serial(self) -> str:
        """Return its number, in hex."""
        return pem.serial_to_hex(self.certificate.serial_number)


@dataclass(frozen=True, slots=True)
class SigningAuthority:
    """An authority with its key and the certificates above it."""

    issuer: Issuer
    chain: tuple[x509.Certificate, ...]


def load_signing_authority(certificates: str, key: str) -> SigningAuthority:
    """Return the authority whose certificate comes first in a chain. Raises Refused."""
    try:
        chain, private_key = pem.parse_certificates(certificates), pem.parse_private_key(key)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise RequestRefused(f"the authority {problem}", remedy) from None
    first = chain[0]
    if not signing.is_authority(first):
        raise RequestRefused("the first certificate is no authority's", "put the intermediate first, the root after it")
    if signing.is_self_signed(first):
        raise RequestRefused("this is a root", "keep it offline, and sign with the stage's intermediate")
    if not signing.key_matches(private_key, first):
        raise RequestRefused("key and certificate do not belong together", "give the intermediate's own key")
    return SigningAuthority(Issuer(first, private_key), tuple(chain))


def sign_request(
    request: CertificateRequest,
    authority: SigningAuthority,
    now: datetime,
    lifetime: timedelta | None = None,
    hosts: tuple[str, ...] = (),
) -> SignedCertificate:
    """Return the signed certificate, a server's for `hosts` or else a client's.

    Without `life` it lasts a year, or as long as the authority.

    Raises Refused when the authority does not last as long as asked.
    """
    last = authority.issuer.certificate.not_valid_after_utc
    ends = now + (DEFAULT_LIFETIME if lifetime is None else lifetime)
    if last <= now:
        raise RequestRefused(f"the authority ended on {last.date()}", "run `pulumi up`: it makes the next one")
    if lifetime is not None and ends > last:
        max_days = (last - now).days
        raise RequestRefused(
            f"the authority ends on {last.date()}", f"ask for --days {max_days} at most, or use the next authority"
        )
    begins = max(now - CLOCK_TOLERANCE, authority.issuer.certificate.not_valid_before_utc)
    terms = CertificateTerms(subject_name(request.name), ValidityPeriod(begins, min(ends, last)), new_serial())
    certificate = signing.sign_leaf(terms, request.public_key, authority.issuer, "server" if hosts else "client", hosts)
    return SignedCertificate(
        certificate, pem.certificates_to_pem(signing.chain_without_roots(certificate, authority.chain))
    )
