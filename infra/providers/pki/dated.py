"""Turns certificates that were read from files into what the rotation report shows. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cryptography.x509.oid import NameOID

from infra.providers.pki import signing
from infra.providers.pki.rotation import Dated

if TYPE_CHECKING:
    from cryptography import x509

_GENERATION = re.compile(r"generation ([1-9][0-9]{0,8})")


def dated(certificate: x509.Certificate) -> Dated:
    """Return who a certificate is for and when it ends; an authority's generation stands in its name."""
    return Dated(
        signing.common_name(certificate.subject),
        signing.purpose(certificate),
        certificate.not_valid_before_utc.date(),
        certificate.not_valid_after_utc.date(),
        _generation(certificate.subject),
    )


def _generation(subject: x509.Name) -> int:
    units = [str(one.value) for one in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    found = _GENERATION.fullmatch(units[0]) if units else None
    return int(found[1]) if found else 0
