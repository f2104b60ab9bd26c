"""What the province's cloud is asked for, as frozen values: a resource, what it refers to, the settings. Pure.

It must not decide what is created, nor know Pulumi; `deploy` gives each value to its resource class unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CloudResourceKind = Literal[
    "project", "agency-group", "role-assignment", "application-credential",
    "compute-quota", "network-quota", "volume-quota", "balancer-quota",
    "network", "subnet", "router", "router-interface", "route", "security-group", "security-group-rule", "port",
    "floating-address", "server-group", "volume", "machine",
    "balancer", "listener", "pool", "member", "monitor", "container", "name-record",
]  # fmt: skip
ExistingKind = Literal["network", "subnet", "router", "image", "role", "name-zone"]


@dataclass(frozen=True, slots=True, order=True)
class CreatedReference:
    """A property of another resource of the same list: its id, or another output."""

    kind: CloudResourceKind
    name: str
    output: str = "id"


@dataclass(frozen=True, slots=True, order=True)
class ExistingReference:
    """The id of something that the cloud or its ground already has, by its name there."""

    kind: ExistingKind
    name: str


@dataclass(frozen=True, slots=True)
class ProgramUser:
    """The id of the user as whom the program runs."""


ResourceReference = CreatedReference | ExistingReference | ProgramUser


@dataclass(frozen=True, slots=True)
class CloudResource:
    """One resource: its kind, a name that is unique in its kind, and properties as the SDK names them.

    `project` is the name of the project it belongs to, empty for the cloud's own. With `by_administrator` the cloud's
    administrator creates it there, because members of a project may not. What is `lasting` holds data, addresses or
    names that others depend on: it is protected. `unchanged` properties count at creation only; `after` is created
    before it; `aliases` are names that it had before. `declared_at` is `file:line` of the row it is made for.
    """

    kind: CloudResourceKind
    name: str
    properties: Mapping[str, object]
    project: str = ""
    by_administrator: bool = False
    lasting: bool = False
    unchanged: tuple[str, ...] = ()
    after: tuple[CreatedReference, ...] = ()
    aliases: tuple[str, ...] = ()
    declared_at: str = field(default="", compare=False)

    @property
    def reference(self) -> CreatedReference:
        """Return the reference to its id."""
        return CreatedReference(self.kind, self.name)

    @property
    def references(self) -> tuple[ResourceReference, ...]:
        """Return everything its properties refer to, in their order."""
        return tuple(_references_in(self.properties))


def property_name(name: str) -> str:
    """Return the engine's name of a property.

    >>> property_name("port_range_min")
    'portRangeMin'
    """
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def _references_in(value: object) -> Iterator[ResourceReference]:
    if isinstance(value, ResourceReference):
        yield value
    elif isinstance(value, MappingProxyType | dict):
        for inner in value.values():
            yield from _references_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _references_in(inner)


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """What the declaration does not say of a cloud: region, names of what it has, the zone of each site.

    `max_routes` is how many routes Neutron allows a router (its `max_routes`, from 2026.2 on `quota_router_route`).
    `volume_type` is a type whose volumes the cloud encrypts. Without a `name_zone` no name is written into a DNS.
    """

    region: str = "province-1"
    external_network: str = "public"
    image: str = "debian-12"
    key_pair: str = ""
    volume_type: str = "encrypted"
    name_zone: str = ""
    availability_zones: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    agent_package: str = "motcua[edge]"
    """What pip installs on the machines of the agents inside."""
    max_routes: int = 30
