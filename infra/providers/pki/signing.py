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
LeafUse = Literal["server", "client"]
_EXTENDED_USE = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True, slots=True)
class ValidityPeriod:
    """When something is valid, aware times; the end is exclusive."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class CertificateTerms:
    """Who a certificate is for, when it is valid, and its number."""

    subject: x509.Name
    validity: ValidityPeriod
    serial: int


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority's certificate with its key."""

    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """A revoked certificate: its serial, since when, why."""

    serial: int
    date: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.unspecified


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def new_serial() -> int:
    """Return a random number of 159 bits."""
    return x509.random_serial_number()


def subject_name(common_name: str, generation: int = 0) -> x509.Name:
    """Return a subject; a generation distinguishes successive authorities of one name."""
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if generation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"generation {generation}"))
    return x509.Name(parts)


def common_name(subject: x509.Name) -> str:
    """Return a subject's common name, empty when it has none."""
    attributes = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attributes[0].value) if attributes else ""


def sign_root(terms: CertificateTerms, key: PrivateKey) -> x509.Certificate:
    """Return an authority that signs authorities, which sign only certificates."""
    builder = _start_certificate(terms, terms.subject, key.public_key())
    builder = _add_authority_extensions(builder, path_length=1)
    return builder.sign(key, hashes.SHA256())


def sign_intermediate(terms: CertificateTerms, public_key: PublicKey, issuer: Issuer) -> x509.Certificate:
    """Return a stage's authority: it signs certificates and revocation lists, no further authority."""
    builder = _start_certificate(terms, issuer.certificate.subject, public_key)
    builder = _add_authority_extensions(builder, path_length=0)
    return _sign_with_issuer(builder, issuer)


def sign_leaf(
    terms: CertificateTerms, public_key: PublicKey, issuer: Issuer, use: LeafUse, hosts: Sequence[str] = ()
) -> x509.Certificate:
    """Return a server's or a client's certificate; `hosts` are a server's DNS names and IP addresses."""
    builder = _start_certificate(terms, issuer.certificate.subject, public_key)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([_EXTENDED_USE[use]]), critical=False)
    if hosts:
        alternative_names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        builder = builder.add_extension(alternative_names, critical=False)
    return _sign_with_issuer(builder, issuer)


def sign_revocation_list(
    issuer: Issuer, revoked: Iterable[RevokedEntry], number: int, validity: ValidityPeriod
) -> x509.CertificateRevocationList:
    """Return the signed list; verifiers refuse everyone once `validity.ends` has passed."""
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, validity.begins, validity.ends)
    for entry in sorted(revoked, key=lambda entry: entry.serial):
        builder = builder.add_revoked_certificate(_crl_entry(entry))
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    # With the key identifier a verifier picks the right list of two authorities with one name.
    return builder.add_extension(_authority_key_identifier(issuer), critical=False).sign(issuer.key, hashes.SHA256())


def chain_without_roots(first: x509.Certificate, above: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Return the chain to present: the certificate and what is above it, without roots."""
    return [first, *(certificate for certificate in above if not is_self_signed(certificate))]


def certificate_use(certificate: x509.Certificate) -> str:
    """Return authority, server or client."""
    if is_authority(certificate):
        return "authority"
    try:
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return "client"
    return "server" if _EXTENDED_USE["server"] in extended else "client"


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Return whether a certificate is a root."""
    return certificate.subject == certificate.issuer


def key_matches(key: PrivateKey, certificate: x509.Certificate) -> bool:
    """Return whether the key is the certificate's."""
    return key.public_key() == certificate.public_key()


def is_authority(certificate: x509.Certificate) -> bool:
    """Return whether a certificate is an authority's."""
    try:
        limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return limits.ca and usage.key_cert_sign and usage.crl_sign


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether the issuer's key signed the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the answer is no
        return False
    return True


def _start_certificate(terms: CertificateTerms, issuer: x509.Name, public_key: PublicKey) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(
        issuer, terms.subject, public_key, terms.serial, terms.validity.begins, terms.validity.ends
    )
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)


def _add_authority_extensions(builder: x509.CertificateBuilder, path_length: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_key_usage(signs=True), critical=True)


def _sign_with_issuer(builder: x509.CertificateBuilder, issuer: Issuer) -> x509.Certificate:
    return builder.add_extension(_authority_key_identifier(issuer), critical=False).sign(issuer.key, hashes.SHA256())


def _authority_key_identifier(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    """Return the issuer's own key identifier; a root made elsewhere may have computed it differently."""
    try:
        own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _crl_entry(entry: RevokedEntry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(entry.serial, entry.date)
    if entry.reason is not x509.ReasonFlags.unspecified:
        builder = builder.add_extension(x509.CRLReason(entry.reason), critical=False)
    return builder.build()
