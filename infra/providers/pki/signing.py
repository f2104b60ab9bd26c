"""Builds certificates, revocation lists and chains from given keys and times. It must not read a clock or a file."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
Use = Literal["server", "client"]
_PURPOSE = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True, slots=True)
class Span:
    """When something is valid, aware times; the end is the first moment at which it no longer is meant to be."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """Who a certificate is for, when it is valid, and its number."""

    subject: x509.Name
    span: Span
    serial: int


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority's certificate with its key."""

    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate that counts no more: its number, since when, why."""

    serial: int
    date: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.unspecified


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def new_serial() -> int:
    """Return a random number of 159 bits."""
    return x509.random_serial_number()


def named(common_name: str, generation: int = 0) -> x509.Name:
    """Return a subject; a generation keeps apart authorities that follow each other under one name."""
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if generation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"generation {generation}"))
    return x509.Name(parts)


def common_name(subject: x509.Name) -> str:
    """Return a subject's common name, empty when it has none."""
    found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def root(terms: Terms, key: PrivateKey) -> x509.Certificate:
    """Return an authority that signs authorities, and those sign nothing but certificates."""
    builder = _begun(terms, terms.subject, key.public_key())
    builder = _authority(builder, path_length=1)
    return builder.sign(key, hashes.SHA256())


def intermediate(terms: Terms, public: PublicKey, issuer: Issuer) -> x509.Certificate:
    """Return a stage's authority: it signs certificates and revocation lists, no further authority."""
    builder = _begun(terms, issuer.certificate.subject, public)
    builder = _authority(builder, path_length=0)
    return _issued(builder, issuer)


def leaf(terms: Terms, public: PublicKey, issuer: Issuer, use: Use, hosts: Sequence[str] = ()) -> x509.Certificate:
    """Return a server's or a client's certificate; `hosts` are a server's DNS names and IP addresses."""
    builder = _begun(terms, issuer.certificate.subject, public)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([_PURPOSE[use]]), critical=False)
    if hosts:
        where = x509.SubjectAlternativeName([_general(host) for host in hosts])
        builder = builder.add_extension(where, critical=False)
    return _issued(builder, issuer)


def revocation_list(
    issuer: Issuer, revoked: Iterable[Revoked], number: int, span: Span
) -> x509.CertificateRevocationList:
    """Return the signed list; verifiers refuse everyone once `span.ends` has passed."""
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, span.begins, span.ends)
    for one in sorted(revoked, key=lambda one: one.serial):
        builder = builder.add_revoked_certificate(_entry(one))
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    # By the key, not by name alone, a verifier picks the right one of two authorities' lists.
    return builder.add_extension(_issuer_id(issuer), critical=False).sign(issuer.key, hashes.SHA256())


def chained(first: x509.Certificate, above: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Return what is presented to the other side: the certificate and what is above it, without roots."""
    return [first, *(one for one in above if not self_signed(one))]


def purpose(certificate: x509.Certificate) -> str:
    """Return authority, server or client."""
    if signs_certificates(certificate):
        return "authority"
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return "client"
    return "server" if _PURPOSE["server"] in found else "client"


def self_signed(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is a root."""
    return certificate.subject == certificate.issuer


def belongs(key: PrivateKey, certificate: x509.Certificate) -> bool:
    """Tell whether the key is the certificate's."""
    return key.public_key() == certificate.public_key()


def signs_certificates(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is an authority's."""
    try:
        limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return limits.ca and usage.key_cert_sign and usage.crl_sign


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer's key signed the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the answer is no
        return False
    return True


def _begun(terms: Terms, issuer: x509.Name, public: PublicKey) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, terms.subject, public, terms.serial, terms.span.begins, terms.span.ends)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)


def _authority(builder: x509.CertificateBuilder, path_length: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_usage(signs=True), critical=True)


def _issued(builder: x509.CertificateBuilder, issuer: Issuer) -> x509.Certificate:
    return builder.add_extension(_issuer_id(issuer), critical=False).sign(issuer.key, hashes.SHA256())


def _issuer_id(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    """Return what the issuer calls its key; a root made elsewhere may have its own manner."""
    try:
        own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _entry(one: Revoked) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(one.serial, one.date)
    if one.reason is not x509.ReasonFlags.unspecified:
        builder = builder.add_extension(x509.CRLReason(one.reason), critical=False)
    return builder.build()
