"""A zone's network is cut into slots that never overlap."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given, strategies as st

from telemetry.core.cloud.address_slots import slot_count, slot_network


@pytest.mark.parametrize(
    ("cidr", "count"), [("10.83.0.0/18", 64), ("10.83.0.0/24", 1), ("10.83.0.0/25", 0), ("10.0.0.0/8", 65_536)]
)
def test_a_network_has_a_slot_for_each_256_addresses(cidr: str, count: int) -> None:
    assert slot_count(cidr) == count


def test_slots_are_counted_from_the_first_address() -> None:
    assert slot_network("10.83.64.0/18", 0) == "10.83.64.0/24"
    assert slot_network("10.83.64.0/18", 63) == "10.83.127.0/24"


@pytest.mark.parametrize("slot", [-1, 64])
def test_a_slot_outside_the_network_is_refused(slot: int) -> None:
    with pytest.raises(ValueError, match="has no slot"):
        slot_network("10.83.64.0/18", slot)


@given(st.integers(8, 24), st.data())
def test_two_slots_never_overlap_and_lie_in_their_network(prefix: int, data: st.DataObject) -> None:
    network = IPv4Network((int(IPv4Network("10.0.0.0/8").network_address), prefix))
    slots = st.integers(0, slot_count(str(network)) - 1)
    one, other = data.draw(slots), data.draw(slots)
    first, second = (IPv4Network(slot_network(str(network), slot)) for slot in (one, other))
    assert first.subnet_of(network)
    assert first.overlaps(second) is (one == other)
