"""kill -9 of any role in the middle of a replay must leave the same numbers as a replay nobody disturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.flow.conftest import House, Role
    from tests.flow.device import Until

pytestmark = [pytest.mark.flow, pytest.mark.chaos, pytest.mark.slow]
EARLY, LATE = 4_000, 45_000
"""Events stored at the kill: more than the first, fewer than the second (the log has 49,031)."""


def opened(house: House, *ingests: tuple[str, ...]) -> dict[str, Role]:
    """Start broker, ingest workers and rollup, each in its own process and linked."""
    roles = {"broker": house.start("broker")}
    for i, words in enumerate(ingests or ((),)):
        roles[f"ingest{i or ''}"] = house.start("ingest", *words)
    roles["rollup"] = house.start("rollup")
    for name, role in roles.items():
        if name != "broker":
            house.linked(role)
    return roles


def replay(house: House, bank: str) -> Role:
    return house.start("replay", bank, "--mapping", "bank-1999", "--resend-after", "2")


def in_the_middle(house: House, until: Until) -> None:
    until(lambda: house.store.count_events() > EARLY, "the replay is under way")


def same_numbers(house: House, reference: House) -> None:
    assert house.store.count_events() == reference.store.count_events()
    assert house.totals() == reference.totals()
    (rows,) = house.store.row_ranges("replay-bank-1999-replay1")
    (wanted,) = reference.store.row_ranges("replay-bank-1999-replay1")
    assert rows == wanted


@pytest.mark.parametrize("victim", ["replay", "broker", "ingest", "rollup"])
def test_a_role_killed_in_the_middle_of_a_replay_and_started_again_changes_no_number(
    victim: str, house: House, bank: str, replayed: House, until: Until
) -> None:
    roles = opened(house)
    roles["replay"] = replay(house, bank)
    in_the_middle(house, until)
    roles[victim].kill()
    stored = house.store.count_events()
    roles[victim].start_again()
    assert stored < LATE, "the kill came too late to prove anything"
    assert roles["replay"].exit_code() == 0, roles["replay"].text()
    same_numbers(house, replayed)


def test_one_of_two_ingest_workers_killed_for_good_loses_nothing(
    house: House, bank: str, replayed: House, until: Until
) -> None:
    roles = opened(house, ("--shared", "--name", "a"), ("--shared", "--name", "b"))
    running = replay(house, bank)
    in_the_middle(house, until)
    roles["ingest"].kill()
    assert house.store.count_events() < LATE, "the kill came too late to prove anything"
    assert running.exit_code(120) == 0, running.text()
    assert roles["ingest1"].running
    same_numbers(house, replayed)
