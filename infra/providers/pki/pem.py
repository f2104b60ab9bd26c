"""Reads and writes certificates and keys as PEM text. It must not put a key's text into an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.providers.pki.signing import PrivateKey

_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def block_kinds(text: str) -> list[str]:
    """Return the kinds of the blocks in a text, in order, such as `CERTIFICATE` or `EC PRIVATE KEY`."""
    return _PEM_BLOCK.findall(text)


def contains_private_key(text: str) -> bool:
    """Return whether a text contains a private key, also a broken one."""
    return "PRIVATE KEY-----" in text


def parse_certificates(text: str) -> list[x509.Certificate]:
    """Return all certificates, in order. Raises ValueError without the text in it."""
    try:
        parsed = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise ValueError("holds no readable PEM certificate; give the file from -----BEGIN to -----END") from None
    return parsed


def parse_private_key(text: str) -> PrivateKey:
    """Return an unencrypted EC or RSA key. Raises ValueError without the text in it."""
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise ValueError("is encrypted; decrypt it with `openssl pkey` and give that") from None
    except Exception:  # noqa: BLE001 - a library's message about a key must not be shown
        raise ValueError("is no readable PEM private key; give the file from -----BEGIN to -----END") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("is neither EC nor RSA; make a P-256 key")  # noqa: TRY004 - the value is wrong, not its Python type
    return key


def certificates_to_pem(items: Iterable[x509.Certificate]) -> str:
    """Return certificates as text, in order."""
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in items)


def crl_to_pem(crl: x509.CertificateRevocationList) -> str:
    """Return a revocation list as text."""
    return crl.public_bytes(Encoding.PEM).decode()


def request_to_pem(request: x509.CertificateSigningRequest) -> str:
    """Return a request as text."""
    return request.public_bytes(Encoding.PEM).decode()


def key_to_pem(key: PrivateKey) -> str:
    """Return a key as unencrypted PKCS 8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def serial_to_hex(serial: int) -> str:
    """Return a serial as whole bytes in lower-case hex, else as `openssl x509 -serial` prints it."""
    digits = f"{serial:x}"
    return digits.zfill(len(digits) + len(digits) % 2)


def parse_serial(serial: str) -> int:
    """Return a serial's number; colons and capitals of other tools are accepted. Raises ValueError."""
    digits = serial.strip().replace(":", "")
    if not re.fullmatch(r"[0-9A-Fa-f]{1,40}", digits) or not int(digits, 16):
        raise ValueError(f"{serial!r} is no serial; write it in hex, as `openssl x509 -noout -serial` shows it")
    return int(digits, 16)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return its SHA-256 in lower-case hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()
