"""What an agent concludes about a broker's largest packet, from what it says and from what it does."""

from __future__ import annotations

import pytest

from edge_agent.packet_budget import PacketBudget

NO_LIMIT = PacketBudget().frame_bytes


def test_without_a_word_nothing_is_limited() -> None:
    budget = PacketBudget()
    assert budget.row_fits(NO_LIMIT)
    assert budget.frame_bytes == 5 + (1 << 28) - 1


def test_what_the_broker_announces_counts_for_frames_and_rows() -> None:
    budget = PacketBudget(announced=2_000)
    assert (budget.frame_bytes, budget.row_fits(2_000), budget.row_fits(2_001)) == (2_000, True, False)


def test_a_refused_frame_halves_the_next_and_condemns_no_row() -> None:
    budget = PacketBudget()
    budget.on_refused(0x83, 80_000)
    budget.on_refused(0x83, 80_000)
    assert (budget.frame_bytes, budget.row_fits(80_000)) == (40_000, True)


def test_an_answer_that_names_the_size_condemns_rows_of_that_size() -> None:
    budget = PacketBudget()
    budget.on_refused(0x95, 80_000)
    assert (budget.frame_bytes, budget.row_fits(79_999), budget.row_fits(80_000)) == (40_000, True, False)


@pytest.mark.parametrize("code", [0x82, 0x95])
def test_a_close_for_size_condemns_rows_of_that_size(code: int) -> None:
    budget = PacketBudget()
    budget.on_accepted(1_500)
    budget.on_closed(code, 80_000)
    assert (budget.frame_bytes, budget.row_fits(79_999), budget.row_fits(80_000)) == (40_000, True, False)


def test_a_close_for_another_reason_says_nothing_about_size() -> None:
    budget = PacketBudget()
    for code in (0x87, 0x8B, 0x8D, 0x8E):
        budget.on_closed(code, 80_000)
    assert budget.frame_bytes == NO_LIMIT


def test_a_line_that_breaks_is_blamed_on_size_only_the_third_time_and_never_on_a_usual_row() -> None:
    budget = PacketBudget()
    for _ in range(9):
        budget.on_closed(0, 4_000)
    assert budget.frame_bytes == NO_LIMIT
    for _ in range(2):
        budget.on_closed(0, 50_000)
    assert budget.frame_bytes == NO_LIMIT
    budget.on_closed(0, 50_000)
    assert (budget.frame_bytes, budget.row_fits(50_000)) == (25_000, False)


def test_an_answer_in_between_ends_the_suspicion() -> None:
    budget = PacketBudget()
    for _ in range(2):
        budget.on_closed(0, 50_000)
    budget.on_accepted(50_000)
    for _ in range(9):
        budget.on_closed(0, 50_000)
    assert budget.frame_bytes == NO_LIMIT


def test_a_broker_that_closes_for_anything_never_costs_a_small_row() -> None:
    budget = PacketBudget()
    for _ in range(50):
        budget.on_closed(0x82, 400)
    assert budget.row_fits(400)
    budget.on_refused(0x83, 10)
    assert budget.frame_bytes == 512


def test_a_limit_that_is_lowered_later_is_learned_again() -> None:
    budget = PacketBudget()
    budget.on_accepted(90_000)
    budget.on_closed(0x95, 60_000)
    assert (budget.frame_bytes, budget.row_fits(60_000)) == (30_000, False)
