"""Which certificates there must be on a day: generations with overlap, reckoned from one date. Pure.

Nothing depends on when a certificate was really made, so the same day gives the same plan and a second run
changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from infra.plan.broker import MONITOR, PROVISION
from infra.plan.values import Certificate, PkiPlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.options import Options, Pki
    from infra.plan.values import BrokerPlan

Use = Literal["authority", "server", "client"]
BACKDATE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Epoch:
    """When generation 1 begins, how long each lasts, and how long two overlap; days."""

    first: date
    life: int
    overlap: int

    @property
    def period(self) -> int:
        """Return the days from one generation to the next."""
        return self.life - self.overlap

    def generation(self, today: date) -> int:
        """Return the generation that is issued on a day: 1 before and during the first period."""
        return max(0, (today - self.first).days) // self.period + 1

    def begins(self, generation: int) -> date:
        """Return a generation's first day."""
        return self.first + timedelta(days=(generation - 1) * self.period)

    def ends(self, generation: int) -> date:
        """Return the day on which a generation is no longer valid."""
        return self.begins(generation) + timedelta(days=self.life)


def issued(name: str, use: Use, epoch: Epoch, generation: int, hosts: tuple[str, ...] = ()) -> Certificate:
    """Return a certificate of a generation; it is valid from a day before, for clocks that are behind."""
    begins = epoch.begins(generation)
    return Certificate(
        name, use, generation, begins - BACKDATE, epoch.ends(generation), epoch.begins(generation + 1), hosts
    )


def authorities(options: Options, name: str, today: date) -> tuple[Certificate, ...]:
    """Return the authority that signs now, and the one before it while certificates of it may be valid.

    An authority signs its last certificate on the day the next one begins, and outlives it: the two
    overlap by a certificate's life and the usual overlap.
    """
    pki = options.pki
    epoch = Epoch(pki.epoch, pki.authority_days, pki.certificate_days + pki.overlap_days)
    current = epoch.generation(today)
    found = [issued(name, "authority", epoch, current)]
    if current > 1 and today < epoch.ends(current - 1):
        found.append(issued(name, "authority", epoch, current - 1))
    return tuple(found)


def service_names(users: Sequence[str]) -> tuple[str, ...]:
    """Return the services that get a certificate from the stack; those that people use are signed on request."""
    return tuple(name for name in users if name not in {PROVISION, MONITOR})


def pki_plan(options: Options, broker: BrokerPlan, province: str, today: date) -> PkiPlan:
    """Return authorities, the broker's and the services' certificates, and the revocation list of this period."""
    pki = options.pki
    signers = authorities(options, f"Motcua {province} {options.stage}", today)
    epoch = Epoch(pki.epoch, pki.certificate_days, pki.overlap_days)
    generation = epoch.generation(today)
    hosts = tuple(dict.fromkeys((options.broker.host, *pki.hosts, "localhost", "127.0.0.1")))
    made = [issued("broker", "server", epoch, generation, hosts)]
    made += [issued(name, "client", epoch, generation) for name in service_names([user.name for user in broker.users])]
    lists = Epoch(pki.epoch, pki.crl_days, pki.crl_days // 2)
    number = lists.generation(today)
    return PkiPlan(
        signers,
        tuple(_within(one, signers[0]) for one in made),
        tuple(sorted(_revoked(one, pki) for one in pki.revoked)),
        lists.begins(number),
        lists.ends(number),
        number * 10_000 + len(pki.revoked),
    )


def _within(certificate: Certificate, signer: Certificate) -> Certificate:
    """Return it cut to its signer's life: a certificate outlives its authority in name only."""
    return Certificate(
        certificate.name,
        certificate.use,
        certificate.generation,
        max(certificate.not_before, signer.not_before),
        min(certificate.not_after, signer.not_after),
        min(certificate.renew_on, signer.renew_on),
        certificate.hosts,
    )


def _revoked(entry: str, pki: Pki) -> tuple[str, date]:
    serial, _, day = entry.partition("@")
    return serial.lower(), date.fromisoformat(day) if day else pki.epoch
