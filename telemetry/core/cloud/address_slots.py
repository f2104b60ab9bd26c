"""Cuts the network of a zone into slots of equal size, one for each system; it must not choose who gets which. Pure."""

from __future__ import annotations

from ipaddress import IPv4Network

SLOT_PREFIX = 24
"""The prefix length of a slot: 256 addresses for one zone of one system."""
FIRST_SLOT = 1
"""The slot of the first system; slot 0 stays free for what all of them share."""


def slot_count(cidr: str) -> int:
    """Return how many slots a zone's network has, slot 0 included; none when it is smaller than one.

    Raises ValueError for what is no network.
    """
    prefix = IPv4Network(cidr).prefixlen
    return 2 ** (SLOT_PREFIX - prefix) if prefix <= SLOT_PREFIX else 0


def slot_network(cidr: str, slot: int) -> str:
    """Return the network of a slot, counted from 0. Raises ValueError when the zone's network has no such slot."""
    if not 0 <= slot < slot_count(cidr):
        raise ValueError(f"{cidr} has no slot {slot}")
    first = int(IPv4Network(cidr).network_address) + slot * 2 ** (32 - SLOT_PREFIX)
    return str(IPv4Network((first, SLOT_PREFIX)))
