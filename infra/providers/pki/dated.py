"""Turns certificates that were read from files into what the rotation report shows. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cryptography.x509.oid import NameOID

from infra.providers.pki import signing
from infra.providers.pki.rotation import IssuedCertificate

if TYPE_CHECKING:
    from cryptography import x509

_GENERATION_UNIT = re.compile(r"generation ([1-9][0-9]{0,8})")


def issued_certificate(certificate: x509.Certificate) -> IssuedCertificate:
    """Return who a certificate is for and when it ends; an authority's generation stands in its name."""
    return IssuedCertificate(
        signing.common_name(certificate.subject),
        signing.certificate_use(certificate),
        certificate.not_valid_before_utc.date(),
        certificate.not_valid_after_utc.date(),
        _generation_of(certificate.subject),
    )


def _generation_of(subject: x509.Name) -> int:
    units = [str(attribute.value) for attribute in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    match = _GENERATION_UNIT.fullmatch(units[0]) if units else None
    return int(match[1]) if match else 0
