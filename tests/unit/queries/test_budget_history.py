"""When a remembered budget is read again: past written again, a slot ended, too old, or another query."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from telemetry.core.calendar.windows import HOUR, SLOT, Window
from telemetry.queries import budget_history
from telemetry.queries.budget_history import MAX_ANSWERS, RECENT_TTL_MS, UNVERSIONED_TTL_MS, BudgetHistories

if TYPE_CHECKING:
    from telemetry.queries.slo_history import ScopedSloQuery
    from telemetry.store import Store

WINDOW = Window(0, HOUR)


class CountedReads:
    """Budget histories over a store that is not read; `now` and `reopened` are what they see."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.reopened, self.reads = HOUR, 1, 0
        for name in ("slo_history", "budget_spending"):
            monkeypatch.setattr(budget_history, name, self._count)
        self.histories = BudgetHistories(cast("Store", None), lambda _: self.reopened, lambda: self.now)

    def _count(self, *_: object) -> list[object]:
        self.reads += 1
        return [self.reads]

    def ask(self, settled_until: int = 0, scope: str = "centre:a") -> tuple[object, ...]:
        return self.histories.history(slo_query_of(settled_until, scope), WINDOW, "1d")


def slo_query_of(settled_until: int = 0, scope: str = "centre:a") -> ScopedSloQuery:
    values = {"objective": SimpleNamespace(id="open"), "scope": scope, "entity": "a", "settled_until": settled_until}
    return cast("ScopedSloQuery", SimpleNamespace(**values))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> CountedReads:
    return CountedReads(monkeypatch)


def test_an_answer_is_read_once_and_again_when_its_past_changes(counted: CountedReads) -> None:
    assert counted.ask() == counted.ask() == (1,)
    counted.reopened = 2
    assert counted.ask() == (2,)
    counted.now += SLOT
    assert counted.ask() == (3,)
    assert counted.ask(settled_until=1) == (4,)


@pytest.mark.parametrize(("reopened", "longest"), [(1, RECENT_TTL_MS), (0, UNVERSIONED_TTL_MS)])
def test_an_answer_grows_only_so_old(counted: CountedReads, reopened: int, longest: int) -> None:
    counted.reopened = reopened
    counted.ask()
    counted.now += longest - 1
    assert counted.ask() == (1,)
    counted.now += 1
    assert counted.ask() == (2,)


def test_the_oldest_answers_are_dropped(counted: CountedReads) -> None:
    for place in range(MAX_ANSWERS + 1):
        counted.ask(scope=f"centre:{place}")
    assert counted.ask(scope="centre:0") == (MAX_ANSWERS + 2,)


def test_spending_is_remembered_beside_the_history(counted: CountedReads) -> None:
    slo_query = slo_query_of()
    spends: list[tuple[object, ...]] = [counted.histories.spending(slo_query, WINDOW) for _ in range(2)]
    assert spends == [(1,), (1,)]
    assert counted.ask() == (2,)
