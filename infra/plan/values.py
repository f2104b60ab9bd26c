"""The desired state as frozen values; it must not decide anything, nor use Pulumi or a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

BucketTier = Literal["raw", "5m", "1h", "1d", "ops"]


@dataclass(frozen=True, slots=True)
class BucketPlan:
    """An InfluxDB bucket; a retention of 0 s means for ever, InfluxDB computes a shard of 0 s."""

    name: str
    tier: BucketTier
    retention_s: int
    shard_s: int
    description: str


@dataclass(frozen=True, slots=True, order=True)
class BucketPermission:
    """What a token may do: read or write one bucket."""

    action: Literal["read", "write"]
    bucket: str


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """A role's token of one generation; an inactive one can be activated again until it is deleted."""

    name: str
    role: str
    generation: int
    permissions: tuple[BucketPermission, ...]
    active: bool = True


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A Flux task; its name and period are in the text only."""

    name: str
    flux: str


@dataclass(frozen=True, slots=True)
class DbrpPlan:
    """A database and retention policy under which InfluxQL reads a bucket."""

    database: str
    policy: str
    bucket: str
    default: bool


@dataclass(frozen=True, slots=True)
class ReplicationPlan:
    """A bucket here and its copy at the national InfluxDB."""

    name: str
    local_bucket: str
    remote_bucket: str


@dataclass(frozen=True, slots=True)
class UpstreamPlan:
    """The national InfluxDB and what is replicated to it; each stream's queue is limited by bytes and seconds."""

    name: str
    url: str
    org_id: str
    streams: tuple[ReplicationPlan, ...]
    queue_bytes: int
    max_age_s: int
    allow_insecure_tls: bool


@dataclass(frozen=True, slots=True)
class InfluxPlan:
    """Everything that InfluxDB contains besides data."""

    url: str
    org: str
    buckets: tuple[BucketPlan, ...]
    tokens: tuple[TokenPlan, ...]
    tasks: tuple[TaskPlan, ...]
    dbrps: tuple[DbrpPlan, ...]
    upstream: UpstreamPlan | None


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """A service by its certificate's common name: the topic filters it may publish to and subscribe to."""

    name: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceAccess:
    """A declared device, which may use the topics of its own id only."""

    id: str
    centre: str


@dataclass(frozen=True, slots=True)
class BrokerListener:
    """A listener of the broker: address, encryption, authentication."""

    port: int
    bind: str
    tls: bool
    client_certificates: bool
    anonymous: bool


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """Who may do what at the broker."""

    users: tuple[BrokerUser, ...]
    devices: tuple[DeviceAccess, ...]
    listeners: tuple[BrokerListener, ...]
    connections: int


@dataclass(frozen=True, slots=True)
class CertificatePlan:
    """A planned certificate: common name, use, a server's hosts, validity, and the day on which the next one is due."""

    name: str
    use: Literal["authority", "server", "client"]
    generation: int
    not_before: date
    not_after: date
    renew_on: date
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PkiPlan:
    """Authorities (the newest signs, all of them are trusted), what they sign, what is revoked (serial, day)."""

    authorities: tuple[CertificatePlan, ...]
    certificates: tuple[CertificatePlan, ...]
    revoked: tuple[tuple[str, date], ...]
    crl_from: date
    crl_until: date
    crl_number: int


@dataclass(frozen=True, slots=True)
class Workload:
    """A process to run: replicas, resources, ports, token and certificate.

    `certificate` is that of a client of the broker; `tls`: it serves TLS, with a certificate of the authority inside
    the cluster.
    """

    name: str
    image: str
    command: tuple[str, ...]
    min_replicas: int
    max_replicas: int
    cpu_millicores: int
    memory_mb: int
    ports: Mapping[str, int]
    token: str = ""
    certificate: str = ""
    volume_gb: int = 0
    public: bool = False
    tls: bool = False


@dataclass(frozen=True, slots=True, order=True)
class NetworkFlow:
    """An allowed connection; `devices`, `people` and `national` are outside parties. Everything else is denied."""

    source: str
    target: str
    port: int
    reason: str


@dataclass(frozen=True, slots=True)
class ScrapeJob:
    """A scrape job of Prometheus with its interval."""

    name: str
    workload: str
    port: int
    path: str
    interval_s: int


@dataclass(frozen=True, slots=True)
class StackPlan:
    """The desired state of one stack; the same inventory and options give the same plan."""

    province: str
    stage: str
    target: str
    inventory_version: str
    influx: InfluxPlan
    broker: BrokerPlan
    pki: PkiPlan
    workloads: tuple[Workload, ...]
    flows: tuple[NetworkFlow, ...]
    scrape_jobs: tuple[ScrapeJob, ...]
    labels: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    """Dashboards and rules, path below `dashboards/` → text."""

    @property
    def all_certificates(self) -> tuple[CertificatePlan, ...]:
        """Return every certificate, authorities first."""
        return (*self.pki.authorities, *self.pki.certificates)

    def workload(self, name: str) -> Workload:
        """Return the workload of that name; raises KeyError."""
        return {candidate.name: candidate for candidate in self.workloads}[name]
