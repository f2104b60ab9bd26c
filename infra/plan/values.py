"""The desired state as frozen values; it must not decide anything, and knows neither Pulumi nor a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

Tier = Literal["raw", "5m", "1h", "1d", "ops"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """An InfluxDB bucket; 0 seconds keep for ever, a shard of 0 leaves the choice to InfluxDB."""

    name: str
    tier: Tier
    retention_s: int
    shard_s: int
    description: str


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """What a token may do: read or write one bucket."""

    action: Literal["read", "write"]
    bucket: str


@dataclass(frozen=True, slots=True)
class Token:
    """A role's token of one generation; an inactive one can be switched on again until it is gone."""

    name: str
    role: str
    generation: int
    permissions: tuple[Permission, ...]
    active: bool = True


@dataclass(frozen=True, slots=True)
class Task:
    """A Flux task; its name and period stand in the text, its only source."""

    name: str
    flux: str


@dataclass(frozen=True, slots=True)
class Dbrp:
    """A name under which InfluxQL readers find a bucket."""

    database: str
    policy: str
    bucket: str
    default: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """A bucket here and its copy at the national InfluxDB."""

    name: str
    local: str
    remote: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """The national InfluxDB and what goes there; the queue of each stream is bounded by bytes and seconds."""

    name: str
    url: str
    org_id: str
    streams: tuple[Stream, ...]
    queue_bytes: int
    age_s: int
    allow_insecure_tls: bool


@dataclass(frozen=True, slots=True)
class InfluxPlan:
    """Everything that InfluxDB holds besides data."""

    url: str
    org: str
    buckets: tuple[Bucket, ...]
    tokens: tuple[Token, ...]
    tasks: tuple[Task, ...]
    dbrps: tuple[Dbrp, ...]
    upstream: Upstream | None


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
class Listener:
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
    listeners: tuple[Listener, ...]
    connections: int


@dataclass(frozen=True, slots=True)
class Certificate:
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

    authorities: tuple[Certificate, ...]
    certificates: tuple[Certificate, ...]
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
    replicas: int
    most: int
    cpu_m: int
    memory_mb: int
    ports: Mapping[str, int]
    token: str = ""
    certificate: str = ""
    volume_gb: int = 0
    public: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """A connection that is allowed; `devices`, `people` and `national` are the outside. Everything else is denied."""

    source: str
    target: str
    port: int
    why: str


@dataclass(frozen=True, slots=True)
class ScrapeJob:
    """What Prometheus asks, and how often."""

    name: str
    workload: str
    port: int
    path: str
    every_s: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The desired state of one stack; the same inventory and options give the same plan."""

    province: str
    stage: str
    target: str
    inventory_version: str
    influx: InfluxPlan
    broker: BrokerPlan
    pki: PkiPlan
    workloads: tuple[Workload, ...]
    flows: tuple[Flow, ...]
    scrapes: tuple[ScrapeJob, ...]
    labels: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    """Dashboards and rules, path below `dashboards/` → text."""

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Return every certificate, authorities first."""
        return (*self.pki.authorities, *self.pki.certificates)

    def workload(self, name: str) -> Workload:
        """Return the workload of that name; raises KeyError."""
        return {one.name: one for one in self.workloads}[name]
