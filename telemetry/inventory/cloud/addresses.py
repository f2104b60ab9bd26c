"""Builds the networks of zones and the lock of slots and names, and checks that no address belongs to two.

Faults go to the records; it must not choose a slot or a name: `motcua cloud lock` does.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, cast, get_args

from telemetry.core.cloud.address_slots import FIRST_SLOT, SLOT_PREFIX, slot_count
from telemetry.core.cloud.values import CloudZone, ComponentZone, LockEntry, ZoneNetwork
from telemetry.errors import Fault
from telemetry.inventory.cloud.hosted_systems import CLOUD_FILE
from telemetry.inventory.record import AllowedKeys

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from telemetry.core.cloud.values import CloudDeclaration, HostedSystem, Peer, PlatformService
    from telemetry.inventory.files import TomlDocument
    from telemetry.inventory.record import Record

LOCK_FILE = "cloud.lock"
LOCK_KEYS = AllowedKeys(("system", "zone", "slot", "name"))
MAX_SLOT = 2**SLOT_PREFIX - 1
LOCK_REMEDY = "keep the line that was committed first, remove the other one, and run motcua cloud lock"
_OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SLOT_ZONES: tuple[ComponentZone, ...] = get_args(ComponentZone)


def parse_network(cidr: str) -> IPv4Network | None:
    """Return the IPv4 network that is written with its first address and its length; None for any other text."""
    try:
        return IPv4Network(cidr) if "/" in cidr else None
    except ValueError:
        return None


def check_network(r: Record, key: str, cidr: str) -> None:
    """Add a fault for a text that is no network."""
    if cidr and parse_network(cidr) is None:
        remedy = "write its first address and its length, as 10.83.64.0/18"
        r.add_fault(key, f"{cidr!r} is not an IPv4 network", remedy)


def build_zone_networks(doc: TomlDocument, sites: Container[str]) -> tuple[ZoneNetwork, ...]:
    """Build the networks of each `[zones.SITE]`, one a line."""
    built = []
    for site in doc.table("zones").values:
        r = doc.record(AllowedKeys((), get_args(CloudZone)), "zones", site)
        r.check_reference(site, site, sites, "site", CLOUD_FILE)
        for zone in r.values:
            check_network(r, zone, r.text(zone))
            place = f"{CLOUD_FILE}:{r.lines[zone]}"
            built.append(ZoneNetwork(cast("CloudZone", zone), site, str(r.values[zone]), place))
    return tuple(built)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A network with who has it, and where that is declared."""

    owner: str
    network: IPv4Network
    key: str
    line: int


def check_overlaps(
    doc: TomlDocument, zone_networks: tuple[ZoneNetwork, ...], peers: Mapping[str, Peer],
    platform: Mapping[str, PlatformService],
) -> None:  # fmt: skip
    """Add a fault for each address that two parties have: zones, peers but for those in the Internet, the platform.

    Peers may overlap each other, and the platform's services may be in the zones `edge` and `manage`.
    """
    zones = [
        _Claim(f"zone {own.zone} of site {own.site}", network, own.zone, line_of(own.declared_at))
        for own in zone_networks
        if (network := parse_network(own.cidr)) is not None
    ]
    for at, claim in enumerate(zones):
        _check_apart(doc, claim, zones[:at])
    for claim in _peer_claims(peers):
        _check_apart(doc, claim, zones)
    shared = [claim for claim in zones if claim.key in _SLOT_ZONES]
    for service in platform.values():
        if (network := _parse_address(service.address)) is not None:
            claim = _Claim(f"platform service {service.name}", network, "address", line_of(service.declared_at))
            _check_apart(doc, claim, shared)


def line_of(declared_at: str) -> int:
    """Return the line of `file:line`."""
    return int(declared_at.rpartition(":")[2])


def _parse_address(address: str) -> IPv4Network | None:
    try:
        return IPv4Network(IPv4Address(address))
    except ValueError:
        return None


def _peer_claims(peers: Mapping[str, Peer]) -> Iterator[_Claim]:
    for peer in peers.values():
        for cidr in peer.cidrs if peer.kind != "internet" else ():
            if (network := parse_network(cidr)) is not None:
                yield _Claim(f"peer {peer.id}", network, "cidrs", line_of(peer.declared_at))


def _check_apart(doc: TomlDocument, claim: _Claim, others: list[_Claim]) -> None:
    for other in others:
        if claim.network.overlaps(other.network):
            problem = f"{claim.network} of {claim.owner} overlaps {other.network} of {other.owner}"
            doc.faults.append(Fault(doc.file, claim.line, claim.key, problem, "give each its own addresses"))


def build_lock(records: list[Record], systems: Mapping[str, HostedSystem]) -> tuple[LockEntry, ...]:
    """Build the slots and names that were given; those of systems that are gone stay, as they are never given again.

    A renamed system has the slot and the name of its former id, so that both may be on a line of each of its ids.
    """
    built = []
    first: dict[tuple[str, ...], tuple[int, LockEntry]] = {}
    for r in records:
        zone = cast("ComponentZone", r.choice("zone", _SLOT_ZONES))
        entry = LockEntry(r.identifier("system"), zone, r.integer("slot", FIRST_SLOT, MAX_SLOT), r.text("name"))
        if entry.name and not _OBJECT_NAME.fullmatch(entry.name):
            r.add_fault("name", f"{entry.name!r} is not the name of a namespace", "restore the line from Git")
        line, _ = first.setdefault(("zone", entry.system, zone), (r.line, entry))
        if line != r.line:
            r.add_fault("system", f"zone {zone} of {entry.system} is on line {line} already", LOCK_REMEDY)
        claims = {
            "slot": (f"slot {entry.slot} of zone {zone}", ("slot", str(entry.slot), zone)),
            "name": (f"the name {entry.name}", ("name", entry.name)),
        }
        for key, (claim, identity) in claims.items():
            line, earlier = first.setdefault(identity, (r.line, entry))
            if line != r.line and not _is_renamed(earlier, entry, systems):
                r.add_fault(key, f"{claim} was given to {earlier.system} on line {line}", LOCK_REMEDY)
        built.append(entry)
    return tuple(built)


def _is_renamed(one: LockEntry, other: LockEntry, systems: Mapping[str, HostedSystem]) -> bool:
    """Return whether two entries are of one system, before and after it got another id."""
    former = {old for ident in (one.system, other.system) if ident in systems for old in systems[ident].was}
    same = (one.zone, one.slot, one.name) == (other.zone, other.slot, other.name)
    return same and bool(former & {one.system, other.system})


def check_slots(doc: TomlDocument, declaration: CloudDeclaration) -> None:
    """Add a fault for each zone of a hosted system without a network, and for each network with too few slots."""
    networks = {(one.site, one.zone): one for one in declaration.zone_networks}
    for (site, zone), count in sorted(_needed_slots(declaration).items()):
        network = networks.get((site, zone))
        if network is None:
            _add_missing_network(doc, declaration, site, zone)
        elif parse_network(network.cidr) is not None and slot_count(network.cidr) < count:
            problem = f"{network.cidr} has {slot_count(network.cidr)} slots of a /{SLOT_PREFIX}, {count} are needed"
            remedy = f"write a network of at least /{SLOT_PREFIX - (count - 1).bit_length()} that contains it"
            doc.faults.append(Fault(doc.file, line_of(network.declared_at), zone, problem, remedy))


def _needed_slots(declaration: CloudDeclaration) -> Mapping[tuple[str, ComponentZone], int]:
    """Return how many slots, slot 0 included, each zone of a site needs for its systems and their given slots."""
    locked = {(entry.system, entry.zone): entry.slot for entry in declaration.lock}
    used = {(one.system, one.zone) for one in declaration.components if one.system in declaration.systems}
    count = Counter[tuple[str, ComponentZone]]()
    highest: dict[tuple[str, ComponentZone], int] = {}
    for ident, zone in used:
        system = declaration.systems[ident]
        place = (system.site, zone)
        count[place] += 1
        slots = [locked[own, zone] for own in (ident, *system.was) if (own, zone) in locked]
        highest[place] = max([highest.get(place, FIRST_SLOT), *slots])
    return {place: max(count[place] + FIRST_SLOT, highest[place] + 1) for place in count}


def _add_missing_network(doc: TomlDocument, declaration: CloudDeclaration, site: str, zone: ComponentZone) -> None:
    if site not in declaration.sites or "cloud" in doc.faults.unread_files:
        return
    line = doc.lines.get(("zones", site), doc.lines.get(("zones",), 1))
    problem = f"site {site} has no network for zone {zone}, in which components of hosted systems run"
    doc.faults.append(Fault(doc.file, line, "zones", problem, f'write {zone} = "…" in [zones.{site}]'))
