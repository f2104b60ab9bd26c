"""Checks a request for a certificate and says who asks. It must not take over anything but the name and the key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from infra.providers.pki import pem, signing
from infra.providers.resource_kind import ProviderError

if TYPE_CHECKING:
    from infra.providers.pki.signing import PrivateKey, PublicKey

MIN_RSA_BITS = 2048
ALLOWED_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
"""Those that every TLS 1.2 and 1.3 library has."""
_WEAK_HASHES = (hashes.MD5, hashes.SHA1)


class RequestRefused(ProviderError):
    """A request, an authority or a name that must not be used: the problem, and the way out."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}; {remedy}")


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """Who asks, and for which key."""

    name: str
    public_key: PublicKey


def create_request(name: str, key: PrivateKey) -> str:
    """Return a request for a name, PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(signing.subject_name(name))
    return pem.request_to_pem(builder.sign(key, hashes.SHA256()))


def parse_request(text: str) -> CertificateRequest:
    """Return what a request asks for. Raises Refused.

    Extensions, alternative names and the rest of the subject are not looked at: the authority decides about them.
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
