"""Certificate requests: reads one, decides whether its name may have a certificate, and signs it on a given day.

It uses only the name and the key of a request, and reads neither files nor a clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from infra.plan.broker import INGEST_NAME_FORMAT, MONITOR_NAME, PROVISION_NAME, ROLLUP_NAME
from infra.providers.pki import pem, signing
from infra.providers.pki.signing import CertificateTerms, Issuer, ValidityPeriod, new_serial, subject_name
from infra.providers.resource_kind import ProviderError

if TYPE_CHECKING:
    from collections.abc import Collection, Container
    from datetime import datetime

    from infra.providers.pki.signing import PrivateKey, PublicKey

MIN_RSA_BITS = 2048
ALLOWED_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
"""The curves that every TLS 1.2 and 1.3 library supports."""
_WEAK_HASHES = (hashes.MD5, hashes.SHA1)
DEFAULT_LIFETIME = timedelta(days=365)
CLOCK_TOLERANCE = timedelta(hours=1)
"""How far the clock of a verifier may be behind."""
SERVER_NAMES = ("server", "broker", "api")
"""Common names of servers; clients look at the hosts that the certificate is for."""
SERVICE_NAMES = ", ".join((INGEST_NAME_FORMAT.format("N"), ROLLUP_NAME, PROVISION_NAME, MONITOR_NAME))
_WORKER_NAME = re.compile(INGEST_NAME_FORMAT.format("[1-9][0-9]{0,2}"))


class RequestRefused(ProviderError):
    """A request, an authority or a name that must not be used: the problem and its remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}; {remedy}")


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """The name and the key that a certificate is requested for."""

    name: str
    public_key: PublicKey


def create_request(name: str, key: PrivateKey) -> str:
    """Return a request for a name, PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject_name(name))
    return pem.request_to_pem(builder.sign(key, hashes.SHA256()))


def parse_request(text: str) -> CertificateRequest:
    """Return the name and the key of a request. Raises RequestRefused.

    Extensions, alternative names and the rest of the subject are ignored: the authority decides them.
    """
    csr = _load_request(text)
    if not csr.is_signature_valid or isinstance(csr.signature_hash_algorithm, _WEAK_HASHES):
        raise RequestRefused("its signature is broken or weak", "make the request again, with SHA-256")
    return CertificateRequest(_common_name(csr), _checked_public_key(csr))


def _load_request(text: str) -> x509.CertificateSigningRequest:
    if pem.contains_private_key(text):
        remedy = "send the .csr alone; if this key has left its device, make a new key and request there"
        raise RequestRefused("it holds a private key, and a key never leaves its device", remedy)
    if "CERTIFICATE" in pem.block_kinds(text):
        raise RequestRefused("it is a certificate, no request", "give the .csr file; `motcua ca request` makes one")
    try:
        return x509.load_pem_x509_csr(text.encode())
    except ValueError:
        raise RequestRefused(
            "it is no readable PEM request", "make one on the device with `motcua ca request`"
        ) from None


def _common_name(csr: x509.CertificateSigningRequest) -> str:
    names = [str(attribute.value) for attribute in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or not names[0]:
        raise RequestRefused(f"it has {len(names)} common names", "make it again with one, the device's id")
    return names[0]


def _checked_public_key(csr: x509.CertificateSigningRequest) -> PublicKey:
    try:
        key = csr.public_key()
    except (ValueError, TypeError):
        raise RequestRefused("its key cannot be read", "make a P-256 key") from None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ALLOWED_CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return key
    raise RequestRefused(
        f"its key is {_describe_key(key)}",
        f"make a P-256 key (P-384, P-521 and RSA from {MIN_RSA_BITS} bits are fine too)",
    )


def _describe_key(key: object) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name
    return f"RSA with {key.key_size} bits" if isinstance(key, rsa.RSAPublicKey) else "neither EC nor RSA"


def is_service(name: str) -> bool:
    """Return whether a common name is one of the services'."""
    return name in {ROLLUP_NAME, PROVISION_NAME, MONITOR_NAME} or _WORKER_NAME.fullmatch(name) is not None


def server_refusal(name: str, hosts: Collection[str]) -> tuple[str, str] | None:
    """Return why no server's certificate is signed for this name, and the remedy; None when it may be."""
    if not hosts:
        return "a server needs hosts", "add --host for every DNS name and IP address by which clients reach it"
    if name in SERVER_NAMES or name in hosts:
        return None
    return f"{name!r} is no server's name", f"make the request for one of its hosts, or for {', '.join(SERVER_NAMES)}"


def client_refusal(name: str, devices: Container[str], *, service: bool) -> tuple[str, str] | None:
    """Return why this name gets no certificate, and the remedy; None when it may be signed."""
    if service:
        if is_service(name):
            return None
        return f"{name!r} is no service", f"use one of {SERVICE_NAMES}, or leave --service out for a device"
    if is_service(name):
        return f"{name!r} is a service's name", "a device's name is its id; for a service itself add --service"
    if name not in devices:
        return f"{name!r} is no declared device", "add it to devices.csv of the inventory, or correct the request's CN"
    return None


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
    """Return the authority whose certificate comes first in a chain. Raises RequestRefused."""
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

    Without `lifetime` it lasts a year, or as long as the authority.

    Raises RequestRefused when the authority ends sooner.
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
