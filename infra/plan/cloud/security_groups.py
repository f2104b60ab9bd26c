"""Evaluates OpenStack security groups: may this port open a connection to that one? Pure.

It must not know how groups are made: it judges rules as the cloud's network would. Groups only allow; what no rule of
an end's groups allows is denied, and a port without groups is not filtered.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class SecurityGroupRule:
    """A rule of a group: way, protocol, ports, and the other end; an empty one stands for every value."""

    group: str
    direction: Literal["ingress", "egress"]
    protocol: str = ""
    first_port: int | None = None
    last_port: int | None = None
    remote_group: str = ""
    remote_network: str = ""


@dataclass(frozen=True, slots=True)
class NetworkPort:
    """A machine's or balancer's port with its address; `groups` is None for one outside that nothing filters."""

    address: str
    groups: frozenset[str] | None = None


def groups_allow(
    rules: Iterable[SecurityGroupRule], source: NetworkPort, target: NetworkPort, port: int, protocol: str = "tcp"
) -> bool:
    """Return whether the groups allow a connection: out of its source, and into its target."""
    fitting = [rule for rule in rules if _fits(rule, port, protocol)]
    return _one_way(fitting, "egress", source, target) and _one_way(fitting, "ingress", target, source)


def _one_way(rules: list[SecurityGroupRule], way: str, own: NetworkPort, other: NetworkPort) -> bool:
    if own.groups is None:
        return True
    return any(rule.direction == way and rule.group in own.groups and _is_remote(rule, other) for rule in rules)


def _is_remote(rule: SecurityGroupRule, other: NetworkPort) -> bool:
    if rule.remote_group and rule.remote_network:
        raise ValueError(f"a rule of {rule.group} names a group and a network")
    if rule.remote_group:
        return other.groups is not None and rule.remote_group in other.groups
    return not rule.remote_network or (ipaddress.ip_address(other.address) in ipaddress.ip_network(rule.remote_network))


def _fits(rule: SecurityGroupRule, port: int, protocol: str) -> bool:
    if rule.protocol not in {"", protocol}:
        return False
    first = rule.first_port
    return first is None or first <= port <= (first if rule.last_port is None else rule.last_port)
