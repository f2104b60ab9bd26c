"""What the inventory declares of the province's own cloud, as frozen values. It must not check or derive anything.

`declared_at` is `file:line` of a value for messages, and never part of a comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

ServedParty = Literal["internal", "public", "infrastructure", "control", "other"]
"""Whom a system serves: Decree 331/2026 Art. 9.2, kinds a to e."""
DataKind = Literal["public", "private", "personal", "sensitive", "secret"]
"""The most protected data of a system, in rising order."""
Exposure = Literal["internet", "wan", "office", "none"]
"""From where people reach a system."""
ComponentKind = Literal["web", "app", "job", "database", "objects", "queue", "cache", "gateway"]
ComponentZone = Literal["dmz", "server", "database"]
"""The zones in which components of hosted systems run."""
CloudZone = Literal["edge", "dmz", "server", "database", "manage"]
PeerKind = Literal["internet", "office", "wireless", "wan", "partner"]
"""What kind of network an outside party is in."""
FlowEndKind = Literal["component", "outside", "platform"]
SiteKind = Literal["main", "spare", "backup"]
ProviderKind = Literal["agency", "enterprise"]
PlatformName = Literal[
    "dns", "time", "logs", "identity", "registry", "secrets", "metrics", "backup", "objects", "gateway", "proxy",
    "broker",
]  # fmt: skip
ProtectionName = Literal["waf", "ddos", "ips", "dbf", "edr", "siem", "vpn", "pam"]
BackupMedium = Literal["block", "objects", "tape"]
DATA_ZONE_KINDS: frozenset[ComponentKind] = frozenset({"database", "objects", "queue"})
"""Kinds of components that hold data which a deletion would lose."""


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency that owns, operates or protects systems, with the days it is valid for and what follows it."""

    id: str
    unit: str
    name_vi: str
    name_en: str
    parent: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    successor: str = ""
    declared_at: str = field(default="", compare=False)

    def is_valid_on(self, day: date) -> bool:
        """Return whether the agency exists on a day; `valid_to` is the first day on which it does not."""
        begun = self.valid_from is None or self.valid_from <= day
        return begun and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class LevelDecision:
    """The decision by which the level of a system was approved."""

    number: str
    day: date


@dataclass(frozen=True, slots=True)
class HostedSystem:
    """The table `[system.hosted]` of a system: who answers for it, what it holds, how it is reached.

    `subjects` is the number of people whose data it holds, `procedures` whether it handles administrative procedures;
    `rpo_s` and `rto_s` are the owner's promises in seconds; `was` are ids that the system had before.
    """

    id: str
    owner: str
    operator: str
    security: str
    serves: ServedParty
    data: DataKind
    level: int
    site: str
    subjects: int = 0
    procedures: bool = False
    level_decision: LevelDecision | None = None
    rpo_s: int = 86_400
    rto_s: int = 86_400
    spare_site: str = ""
    exposure: Exposure = "none"
    host: str = ""
    log_events_per_s: int = 1
    was: tuple[str, ...] = ()
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a hosted system: `least` to `most` instances of a size, in a zone; disk in GB, 0 for none.

    `health_port` is the port for health and administration alone, 0 where these are on the service's own `port`.
    """

    system: str
    id: str
    kind: ComponentKind
    zone: ComponentZone
    size: str
    least: int
    most: int
    disk_gb: int = 0
    port: int = 0
    health: str = ""
    image: str = ""
    was: tuple[str, ...] = ()
    health_port: int = 0
    declared_at: str = field(default="", compare=False)

    @property
    def probe_port(self) -> int:
        """Return the port at which it is probed and figures are read: that of administration where it has one."""
        return self.health_port or self.port

    @property
    def first_id(self) -> str:
        """Return the id that its objects are named by: the first one that it had, which a rename does not change."""
        return self.was[0] if self.was else self.id

    @property
    def path(self) -> str:
        """Return `system/component`, its name in flows and messages."""
        return f"{self.system}/{self.id}"


@dataclass(frozen=True, slots=True, order=True)
class FlowEnd:
    """One end of a flow: `system/component`, `outside:PEER` or `platform:NAME`; only a component's has a system."""

    kind: FlowEndKind
    name: str
    system: str = ""

    def __str__(self) -> str:
        """Return the end as it is written in flows.csv."""
        return f"{self.system}/{self.name}" if self.kind == "component" else f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Flow:
    """A declared connection to a TCP port. `tls` is the rule; without it `no_tls_reason` says why."""

    source: FlowEnd
    target: FlowEnd
    port: int
    why: str
    tls: bool = True
    no_tls_reason: str = ""
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Site:
    """A place with machines or stored copies; `country` is an ISO code, position in degrees."""

    id: str
    country: str
    latitude: float
    longitude: float
    kind: SiteKind = "main"
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ZoneNetwork:
    """The network of a zone at a site; each system gets one slot of it."""

    zone: CloudZone
    site: str
    cidr: str
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ComponentSize:
    """What one instance of a size may use, and the flavor of its machine where it is one."""

    id: str
    cpu_millicores: int
    memory_mb: int
    flavor: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """An outside party: its networks, and the host names that are called there; `country` where it stores data."""

    id: str
    kind: PeerKind
    cidrs: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    country: str = ""
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PlatformService:
    """A service of the platform that every system uses: in a namespace of the cluster, at an address, or both.

    Pods use the namespace when there is one, machines the address.

    `provider` says whether an agency or an enterprise runs it.
    """

    name: PlatformName
    namespace: str = ""
    address: str = ""
    port: int = 0
    provider: ProviderKind = "agency"
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class LogStore:
    """How long logs are kept, where, and how much fits."""

    keep_days: int
    zone: CloudZone = "manage"
    disk_gb: int = 0
    event_bytes: int = 500
    locked: bool = False
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class BackupStore:
    """A store of copies: its site and medium, how often copies are made; `wal` when changes are streamed to it.

    `own_project` is false when the store is in the namespace or project that it is a copy of; `restore_mb_per_s` is
    the measured speed of a restore, 0 when none was measured.
    """

    id: str
    site: str
    medium: BackupMedium
    every_s: int = 86_400
    wal: bool = False
    encrypted: bool = True
    locked: bool = False
    own_project: bool = True
    restore_mb_per_s: int = 0
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RestoreDrill:
    """A restore of a system that was proven, with where the proof is kept."""

    system: str
    day: date
    evidence: str
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Protection:
    """A protection that is bought or run elsewhere: since when, and the newest evidence that it works."""

    name: ProtectionName
    since: date
    evidence: str
    evidence_day: date
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PolicyException:
    """A rule that does not apply to one place until a day, with the reason and the agency that answers for it.

    `where` is a system, `system/component`, or `cloud`; without `until` the exception is a fault of its own.
    """

    rule: str
    where: str
    why: str
    by: str
    until: date | None = None
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the cluster or cloud below the systems promises; `hosted` checks it before anything else.

    What nobody declared is not promised. `engines` are versions by name (`kubernetes`, `cloudnative-pg`),
    `engine_ends` the last day of their support. `api_server_ports` are the TCP ports at which a database's pod reaches
    the API server: of its Service, and of the server behind it, because a network may judge the one or the other.
    """

    network_policies_enforced: bool = False
    storage_encrypted: bool = False
    etcd_encrypted: bool = False
    control_planes: int = 0
    time_synchronised: bool = False
    stages_apart: bool = False
    gateway_class: str = "envoy"
    gateway_namespace: str = "envoy-gateway-system"
    api_server_ports: tuple[int, ...] = (443, 6443)
    engines: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    engine_ends: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))
    declared_at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Prices:
    """What a month costs, in `currency`: per processor core, GB of memory, GB of disk, GB of copies."""

    currency: str = "VND"
    cpu_core: int = 0
    memory_gb: int = 0
    disk_gb: int = 0
    copy_gb: int = 0


@dataclass(frozen=True, slots=True, order=True)
class LockEntry:
    """The address slot and the physical name of one zone of one system; both are set once and never change."""

    system: str
    zone: ComponentZone
    slot: int
    name: str


@dataclass(frozen=True)
class CloudDeclaration:
    """Everything that is declared of the province's own cloud; empty when it hosts nothing.

    `systems` are by id, each also one of the inventory's systems. It has no slots, so that an index of it can stay
    with it: a declaration that is made by replacing a field has an index of its own.
    """

    agencies: Mapping[str, Agency] = field(default_factory=lambda: MappingProxyType({}))
    systems: Mapping[str, HostedSystem] = field(default_factory=lambda: MappingProxyType({}))
    components: tuple[Component, ...] = ()
    flows: tuple[Flow, ...] = ()
    sites: Mapping[str, Site] = field(default_factory=lambda: MappingProxyType({}))
    zone_networks: tuple[ZoneNetwork, ...] = ()
    sizes: Mapping[str, ComponentSize] = field(default_factory=lambda: MappingProxyType({}))
    peers: Mapping[str, Peer] = field(default_factory=lambda: MappingProxyType({}))
    platform: Mapping[str, PlatformService] = field(default_factory=lambda: MappingProxyType({}))
    logs: LogStore | None = None
    backups: tuple[BackupStore, ...] = ()
    drills: tuple[RestoreDrill, ...] = ()
    protections: Mapping[str, Protection] = field(default_factory=lambda: MappingProxyType({}))
    exceptions: tuple[PolicyException, ...] = ()
    ground: Ground = Ground()
    prices: Prices | None = None
    lock: tuple[LockEntry, ...] = ()

    def components_of(self, system: str) -> tuple[Component, ...]:
        """Return a system's components in order of id."""
        return self._components_by_system.get(system, ())

    def component(self, end: FlowEnd) -> Component | None:
        """Return the component that an end names, None for another end or an undeclared one."""
        return self._components_by_end.get((end.system, end.name)) if end.kind == "component" else None

    @cached_property
    def _components_by_end(self) -> Mapping[tuple[str, str], Component]:
        """Return the components by system and id; of two with one path the first."""
        return {(one.system, one.id): one for one in reversed(self.components)}

    @cached_property
    def _components_by_system(self) -> Mapping[str, tuple[Component, ...]]:
        """Return each system's components in order of id."""
        by_system: dict[str, list[Component]] = {}
        for one in sorted(self.components, key=lambda component: component.id):
            by_system.setdefault(one.system, []).append(one)
        return {system: tuple(own) for system, own in by_system.items()}
