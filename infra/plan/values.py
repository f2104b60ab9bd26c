"""The desired state as frozen values; it must not decide anything, and knows neither Pulumi nor a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

BucketTier = Literal["raw", "5m", "1h", "1d", "ops"]


@dataclass(frozen=True, slots=True)
class BucketPlan:
    """An InfluxDB bucket; 0 seconds keep for ever, a shard of 0 leaves the choice to InfluxDB."""

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
    """A role's token of one generation; an inactive one can be switched on again until it is gone."""

    name: str
    role: str
    generation: int
    permissions: tuple[BucketPermission, ...]
    active: bool = True


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A Flux task; its name and period stand in the text, its only source."""

    name: str
    flux: str


@dataclass(frozen=True, slots=True)
class DbrpPlan:
    """A name under which InfluxQL readers find a bucket."""

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
    """The national InfluxDB and what goes there; the queue of each stream is bounded by bytes and seconds."""

    name: str
    url: str
    org_id: str
    streams: tuple[ReplicationPlan, ...]
    queue_bytes: int
    max_age_s: int
    allow_insecure_tls: bool


@dataclass(frozen=True, slots=True)
class InfluxPlan:
    """Everything that InfluxDB holds besides data."""

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
    """A declared device: it reaches the topics of its own id and no others."""

    id: str
    centre: str


@dataclass(frozen=True, slots=True)
class BrokerListener:
    """Where the broker listens, and whom it lets in."""

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
    """A certificate to be: common name, use, hosts (a server's), validity, and the day on which the next one is due."""

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
    """A process to run: how many, what it needs, what it listens on, which identity and token it has."""

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


@dataclass(frozen=True, slots=True, order=True)
class NetworkFlow:
    """A connection that is allowed; `devices`, `people` and `national` are the outside. Everything else is denied."""

    source: str
    target: str
    port: int
    reason: str


@dataclass(frozen=True, slots=True)
class ScrapeJob:
    """What Prometheus asks, and how often."""

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
