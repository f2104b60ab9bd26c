"""Says which certificates are next, active, retiring or expired on a day, and when each is renewed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

CertificateState = Literal["next", "active", "retiring", "expired"]
_USE_ORDER = {"authority": 0, "server": 1, "client": 2}


class PlannedCertificate(Protocol):
    """A certificate as the plan or a file has it: `renew_on` is the day on which the next generation takes over."""

    @property
    def name(self) -> str:
        """Return its common name."""

    @property
    def use(self) -> str:
        """Return authority, server or client."""

    @property
    def generation(self) -> int:
        """Return its generation; 0 when nobody counts."""

    @property
    def not_before(self) -> date:
        """Return its first day."""

    @property
    def not_after(self) -> date:
        """Return the day on which it is no longer valid."""

    @property
    def renew_on(self) -> date:
        """Return the day from which on the next generation is made."""


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate read from a file; nobody plans it, so it is due when a third of its life is left."""

    name: str
    use: str
    not_before: date
    not_after: date
    generation: int = 0

    @property
    def renew_on(self) -> date:
        """Return the day on which a third of its life is left."""
        return self.not_after - timedelta(days=(self.not_after - self.not_before).days // 3)


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
    """Return a certificate's state on a day; a retiring one is valid, but what follows it is due or there."""
    if today >= certificate.not_after:
        return "expired"
    if today < certificate.not_before:
        return "next"
    return "retiring" if replaced or today >= certificate.renew_on else "active"


def overdue_rows(rows: Iterable[RotationRow]) -> list[RotationRow]:
    """Return what has ended without anything in its place."""
    return [row for row in rows if row.state == "expired" and row.renew_on is not None]


def _rotation_row(certificate: PlannedCertificate, today: date, *, replaced: bool) -> RotationRow:
    return RotationRow(
        certificate.name, certificate.use, certificate.generation, certificate.not_after,
        (certificate.not_after - today).days,
        certificate_state(certificate, today, replaced=replaced), None if replaced else certificate.renew_on,
    )  # fmt: skip
