"""The rotation report: which certificates are next, active, retiring or expired on a day, and their renewal. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from cryptography.x509.oid import NameOID

from infra.plan.values import CertificatePlan
from infra.providers.pki import signing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from cryptography import x509

CertificateState = Literal["next", "active", "retiring", "expired"]
_USE_ORDER = {"authority": 0, "server": 1, "client": 2}
_GENERATION_UNIT = re.compile(r"generation ([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate read from a file; it is in no plan, so its renewal is due when a third of its life is left."""

    name: str
    use: str
    not_before: date
    not_after: date
    generation: int = 0

    @property
    def renew_on(self) -> date:
        """Return the day on which a third of its life is left."""
        return self.not_after - timedelta(days=(self.not_after - self.not_before).days // 3)


PlannedCertificate = CertificatePlan | IssuedCertificate
"""A certificate as the plan or a file has it."""


@dataclass(frozen=True, slots=True)
class RotationRow:
    """One certificate on one day; `renew_on` is None when a later generation has taken over already."""

    name: str
    use: str
    generation: int
    not_after: date
    days_left: int
    state: CertificateState
    renew_on: date | None


def rotation_report(certificates: Iterable[PlannedCertificate], today: date) -> list[RotationRow]:
    """Return all certificates, authorities first, then by name and generation."""
    listed = list(certificates)
    latest: dict[tuple[str, str], int] = {}
    for certificate in listed:
        if certificate.not_before <= today:
            latest[certificate.use, certificate.name] = max(
                certificate.generation, latest.get((certificate.use, certificate.name), 0)
            )
    rows = [
        _rotation_row(
            certificate, today, replaced=certificate.generation < latest.get((certificate.use, certificate.name), 0)
        )
        for certificate in listed
    ]
    return sorted(rows, key=lambda row: (_USE_ORDER.get(row.use, 3), row.name, row.generation, row.not_after))


def certificate_state(certificate: PlannedCertificate, today: date, *, replaced: bool = False) -> CertificateState:
    """Return a certificate's state on a day; a retiring one is valid, but its successor is due or exists."""
    if today >= certificate.not_after:
        return "expired"
    if today < certificate.not_before:
        return "next"
    return "retiring" if replaced or today >= certificate.renew_on else "active"


def overdue_rows(rows: Iterable[RotationRow]) -> list[RotationRow]:
    """Return the certificates that ended without a successor."""
    return [row for row in rows if row.state == "expired" and row.renew_on is not None]


def _rotation_row(certificate: PlannedCertificate, today: date, *, replaced: bool) -> RotationRow:
    return RotationRow(
        certificate.name, certificate.use, certificate.generation, certificate.not_after,
        (certificate.not_after - today).days,
        certificate_state(certificate, today, replaced=replaced), None if replaced else certificate.renew_on,
    )  # fmt: skip


def issued_certificate(certificate: x509.Certificate) -> IssuedCertificate:
    """Return the name, use and validity of a certificate; an authority's generation is in its subject."""
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
