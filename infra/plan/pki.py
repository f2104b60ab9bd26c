"""Which certificates must exist on a day: generations with overlap, counted from one date. Pure.

Nothing depends on when a certificate was really issued, so the same day gives the same plan and a second run
changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from infra.plan.broker import MONITOR_NAME, PROVISION_NAME
from infra.plan.values import CertificatePlan, PkiPlan
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config.options import PkiOptions, StackOptions
    from infra.plan.values import BrokerPlan

CertificateUse = Literal["authority", "server", "client"]
BACKDATE = timedelta(days=1)
MAX_REVOCATIONS = 1_000_000
"""More than the entries of any list, so that the list of a later period always has a larger number."""
INTERNAL_SERVICE = "broker-internal"
"""The Service in a cluster through which ingest and rollup reach the broker."""
MAX_NAME_LENGTH = 64
"""The longest common name that X.509 allows, characters."""


@dataclass(frozen=True, slots=True)
class RotationSchedule:
    """First day of generation 1; lifetime of each generation and overlap of two, days."""

    first_day: date
    lifetime_days: int
    overlap_days: int

    @property
    def period_days(self) -> int:
        """Return the days from one generation to the next."""
        return self.lifetime_days - self.overlap_days

    def generation_on(self, today: date) -> int:
        """Return the generation that is issued on a day: 1 before and during the first period."""
        return max(0, (today - self.first_day).days) // self.period_days + 1

    def start_of(self, generation: int) -> date:
        """Return a generation's first day."""
        return self.first_day + timedelta(days=(generation - 1) * self.period_days)

    def end_of(self, generation: int) -> date:
        """Return the day on which a generation is no longer valid."""
        return self.start_of(generation) + timedelta(days=self.lifetime_days)


def certificate_plan(
    name: str, use: CertificateUse, schedule: RotationSchedule, generation: int, hosts: tuple[str, ...] = ()
) -> CertificatePlan:
    """Return a certificate of a generation; it is valid from a day before, for clocks that are behind."""
    first_day = schedule.start_of(generation)
    return CertificatePlan(
        name,
        use,
        generation,
        first_day - BACKDATE,
        schedule.end_of(generation),
        schedule.start_of(generation + 1),
        hosts,
    )


def authority_plans(options: StackOptions, name: str, today: date) -> tuple[CertificatePlan, ...]:
    """Return the authority that signs now, and the one before it while certificates of it may be valid.

    An authority signs its last certificate on the day the next one begins, and outlives it: the two
    overlap by a certificate's life and the usual overlap.
    """
    pki = options.pki
    schedule = RotationSchedule(pki.epoch, pki.authority_days, pki.certificate_days + pki.overlap_days)
    current = schedule.generation_on(today)
    plans = [certificate_plan(name, "authority", schedule, current)]
    if current > 1 and today < schedule.end_of(current - 1):
        plans.append(certificate_plan(name, "authority", schedule, current - 1))
    return tuple(plans)


def authority_name(province: str, stage: str) -> str:
    """Return the authority's common name; a province id that is too long is shortened and gets its digest."""
    name = f"Motcua {province} {stage}"
    if len(name) <= MAX_NAME_LENGTH:
        return name
    return f"Motcua {province[:32]}~{sha256(province.encode()).hexdigest()[:16]} {stage}"


def stack_service_names(users: Sequence[str]) -> tuple[str, ...]:
    """Return the services that get a certificate from the stack; those that people use are signed on request."""
    return tuple(name for name in users if name not in {PROVISION_NAME, MONITOR_NAME})


def internal_hosts(options: StackOptions) -> tuple[str, ...]:
    """Return the host name by which ingest and rollup reach the broker within a cluster."""
    namespace = options.kubernetes.namespace
    return (f"{INTERNAL_SERVICE}.{namespace}.svc",) if options.target == "kubernetes" else ()


def pki_plan(options: StackOptions, broker: BrokerPlan, province: str, today: date) -> PkiPlan:
    """Return authorities, the broker's and the services' certificates, and the revocation list of this period."""
    pki = options.pki
    if today < pki.epoch:
        problem = f"{pki.epoch} is after today, {today}: no certificate would be valid yet"
        raise ConfigError([Fault("stack configuration", 0, "motcua:pki.epoch", problem, "write an earlier day")])
    signers = authority_plans(options, authority_name(province, options.stage), today)
    schedule = RotationSchedule(pki.epoch, pki.certificate_days, pki.overlap_days)
    generation = schedule.generation_on(today)
    hosts = tuple(dict.fromkeys((options.broker.host, *pki.hosts, *internal_hosts(options), "localhost", "127.0.0.1")))
    certificates = [certificate_plan("broker", "server", schedule, generation, hosts)]
    certificates += [
        certificate_plan(name, "client", schedule, generation)
        for name in stack_service_names([user.name for user in broker.users])
    ]
    crl_schedule = RotationSchedule(pki.epoch, pki.crl_days, pki.crl_days // 2)
    number = crl_schedule.generation_on(today)
    return PkiPlan(
        signers,
        tuple(_limit_to_signer(certificate, signers[0]) for certificate in certificates),
        revoked_serials(pki),
        crl_schedule.start_of(number) - BACKDATE,
        crl_schedule.end_of(number),
        number * MAX_REVOCATIONS + len(revoked_serials(pki)),
    )


def _limit_to_signer(certificate: CertificatePlan, signer: CertificatePlan) -> CertificatePlan:
    """Return a certificate with its validity limited to its signer's."""
    return replace(
        certificate,
        not_before=max(certificate.not_before, signer.not_before),
        not_after=min(certificate.not_after, signer.not_after),
        renew_on=min(certificate.renew_on, signer.renew_on),
    )


def revoked_serials(pki: PkiOptions) -> tuple[tuple[str, date], ...]:
    """Return revoked serials, each once and without leading zeros, with the first day of their revocation."""
    ended_by_serial: dict[str, date] = {}
    for entry in pki.revoked:
        serial, _, day = entry.partition("@")
        serial, ended_on = serial.lower().lstrip("0") or "0", date.fromisoformat(day) if day else pki.epoch
        ended_by_serial[serial] = min(ended_on, ended_by_serial.get(serial, ended_on))
    return tuple(sorted(ended_by_serial.items()))
