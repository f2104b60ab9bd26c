"""Times that a live source sends: too far from the clock is a fault, a clock that was never set is not."""

from __future__ import annotations

from edge_agent.sources.parsing import find_implausible_times, find_times_of_unset_clocks
from telemetry.core.protocol import events as ev

NOW = 1_767_225_600_000
YEAR_MS = 365 * 86_400_000


def test_a_due_time_before_its_bound_is_a_fault_although_no_clock_need_be_unset() -> None:
    early = ev.DossierReceived(n=1, t=NOW, dossier="d1", service="land", due=NOW - 12 * YEAR_MS)
    assert [fault.field for fault in find_implausible_times(early, NOW)] == ["due"]
    assert list(find_times_of_unset_clocks(early, NOW)) == []


def test_an_event_of_a_clock_that_was_never_set_is_no_fault() -> None:
    early = ev.CentreModeSet(n=1, t=946_684_800_000, mode="normal")
    assert list(find_implausible_times(early, NOW)) == []
    assert list(find_times_of_unset_clocks(early, NOW)) == ["t"]
