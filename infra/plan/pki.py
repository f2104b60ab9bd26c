"""Which certificates there must be on a day: generations with overlap, reckoned from one date. Pure.

Nothing depends on when a certificate was really made, so the same day gives the same plan and a second run
changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from infra.plan.broker import MONITOR, PROVISION
from infra.plan.values import Certificate, PkiPlan
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config.options import Options, Pki
    from infra.plan.values import BrokerPlan

Use = Literal["authority", "server", "client"]
BACKDATE = timedelta(days=1)
REVOCATIONS = 1_000_000
"""More than one list ever holds, so that a later period's list always has the larger number."""
INTERNAL = "broker-internal"
"""The service of a cluster by which ingest and rollup meet the broker."""
LONGEST_NAME = 64
"""What X.509 allows a common name, characters."""


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


def authority_name(province: str, stage: str) -> str:
    """Return the authority's common name; a province's id that is too long gives way to its digest."""
    name = f"Motcua {province} {stage}"
    if len(name) <= LONGEST_NAME:
        return name
    return f"Motcua {province[:32]}~{sha256(province.encode()).hexdigest()[:16]} {stage}"


def _begun(pki: Pki, today: date) -> None:
    if today < pki.epoch:
        problem = f"{pki.epoch} is after today, {today}: no certificate would be valid yet"
        raise ConfigError([Fault("stack configuration", 0, "motcua:pki.epoch", problem, "write an earlier day")])


def service_names(users: Sequence[str]) -> tuple[str, ...]:
    """Return the services that get a certificate from the stack; those that people use are signed on request."""
    return tuple(name for name in users if name not in {PROVISION, MONITOR})


def inside(options: Options) -> tuple[str, ...]:
    """Return the name by which ingest and rollup meet the broker within a cluster."""
    namespace = options.kubernetes.namespace
    return (f"{INTERNAL}.{namespace}.svc",) if options.target == "kubernetes" else ()


def pki_plan(options: Options, broker: BrokerPlan, province: str, today: date) -> PkiPlan:
    """Return authorities, the broker's and the services' certificates, and the revocation list of this period."""
    pki = options.pki
    _begun(pki, today)
    signers = authorities(options, authority_name(province, options.stage), today)
    epoch = Epoch(pki.epoch, pki.certificate_days, pki.overlap_days)
    generation = epoch.generation(today)
    hosts = tuple(dict.fromkeys((options.broker.host, *pki.hosts, *inside(options), "localhost", "127.0.0.1")))
    made = [issued("broker", "server", epoch, generation, hosts)]
    made += [issued(name, "client", epoch, generation) for name in service_names([user.name for user in broker.users])]
    lists = Epoch(pki.epoch, pki.crl_days, pki.crl_days // 2)
    number = lists.generation(today)
    return PkiPlan(
        signers,
        tuple(_within(one, signers[0]) for one in made),
        revoked(pki),
        lists.begins(number) - BACKDATE,
        lists.ends(number),
        number * REVOCATIONS + len(revoked(pki)),
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


def revoked(pki: Pki) -> tuple[tuple[str, date], ...]:
    """Return serials, each once and without leading zeros, with the first day on which they do not count."""
    found: dict[str, date] = {}
    for entry in pki.revoked:
        serial, _, day = entry.partition("@")
        serial, ended = serial.lower().lstrip("0") or "0", date.fromisoformat(day) if day else pki.epoch
        found[serial] = min(ended, found.get(serial, ended))
    return tuple(sorted(found.items()))
