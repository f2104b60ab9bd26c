"""Addresses of hosted systems on OpenStack: the parts of a zone's network, and a system's own ones in the edge. Pure.

It must not allot slots; `cloud.lock` does, once, so that no address depends on an order.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.cloud.tenancy import ZONE_ORDER
from telemetry.core.cloud.address_slots import slot_count, slot_network

if TYPE_CHECKING:
    from infra.plan.cloud.values import CloudPlan, SystemPlan, ZonePlan
    from telemetry.core.cloud.values import CloudDeclaration, CloudZone

ROUTER_HOST, BALANCER_HOST = 10, 20
"""Hosts of a system's slot in the edge: its router and its balancer; those of the next zones follow."""
VANTAGE_HOST = 250
"""The host of an agent inside the cloud, in slot 0 of its zone, which is the platform's own."""
POOL_HOST = 64
"""The first host of the edge that Neutron gives away itself, in slot 0, above the hosts of a system."""


@dataclass(frozen=True, slots=True)
class ZoneSubnets:
    """The two parts of a zone's network: where its machines are, and from where its balancer reaches them."""

    machines: str
    balancer: str


@dataclass(frozen=True, slots=True)
class EdgeAddresses:
    """A system's addresses in the edge: from which it calls others, and at which it is called."""

    router: str
    balancer: str


def zone_subnets(zone: ZonePlan) -> ZoneSubnets:
    """Return the first half of a zone's network for machines, its last quarter for the balancer.

    A rule that lets the balancer in can then name its addresses, and no machine of the zone has one of them.
    """
    network = ipaddress.ip_network(zone.cidr)
    machines, *_ = network.subnets(prefixlen_diff=1)
    *_, balancer = network.subnets(prefixlen_diff=2)
    return ZoneSubnets(str(machines), str(balancer))


def edge_addresses(plan: CloudPlan, system: SystemPlan) -> EdgeAddresses | None:
    """Return a system's addresses in the edge of its site; None without a slot or a network of the edge there.

    They follow from the slot of its first zone; systems with equal slots in different zones have different hosts.
    """
    zone = next(iter(system.zones), None)
    edge = site_network(plan.declaration, "edge", system.declared.site)
    if zone is None or not zone.cidr or not edge or zone.slot >= slot_count(edge):
        return None
    network, number = ipaddress.ip_network(slot_network(edge, zone.slot)), ZONE_ORDER.index(zone.zone)
    return EdgeAddresses(str(network[ROUTER_HOST + number]), str(network[BALANCER_HOST + number]))


def site_network(declaration: CloudDeclaration, zone: CloudZone, site: str) -> str:
    """Return the network of a zone of the platform at a site; empty when none is declared."""
    declared = (one.cidr for one in declaration.zone_networks if (one.zone, one.site) == (zone, site))
    return next(declared, "")


def vantage_site(declaration: CloudDeclaration) -> str:
    """Return the site at which the agents inside run: the first main one with a zone `manage`; empty without one."""
    main = (site.id for _, site in sorted(declaration.sites.items()) if site.kind == "main")
    return next((site for site in main if site_network(declaration, "manage", site)), "")


def vantage_address(declaration: CloudDeclaration, zone: CloudZone) -> str:
    """Return the address of the agent in a zone; empty without a network of the zone at its site."""
    network = site_network(declaration, zone, vantage_site(declaration))
    if not network or slot_count(network) <= 0:
        return ""
    return str(ipaddress.ip_network(slot_network(network, 0))[VANTAGE_HOST])


def platform_network_name(province: str, zone: CloudZone, site: str) -> str:
    """Return the name of the network of a zone of the platform at a site."""
    return f"{province}-{zone}-{site}"
