"""The monthly report: ratios made of its counts, what differs between two, revisions, and who needs attention."""

from __future__ import annotations

import msgspec
import pytest

from telemetry.core.figures.accounting import TimeByState
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.report.attention import centres_in_need
from telemetry.core.report.changes import MAX_CHANGES, published_report, report_changes
from telemetry.core.report.values import (
    MonthlyReport,
    ReportedCentre,
    ReportedIndicator,
    ReportedRows,
    ReportedSystem,
    ReportedTickets,
    ReportedTime,
    encode_report,
    parse_report,
)
from tests.program.network import waits

TIME = ReportedTime(up=90, down=10, unknown=20, excluded=5)


def centre(ident: str, time: ReportedTime = TIME, **tickets: int) -> ReportedCentre:
    return ReportedCentre(
        id=ident, name_vi=ident, name_en=ident, level="commune", time=time, tickets=ReportedTickets(**tickets)
    )


def report(*centres: ReportedCentre, **other: object) -> MonthlyReport:
    known: dict[str, object] = {
        "month": "2026-10", "province": "vn83", "name_vi": "Bến Tre", "name_en": "Ben Tre", "computed_at": 1,
        "inventory_version": "v", "threshold_s": 900, "coverage_floor": 0.8, "wait_target_s": 900.0,
        "availability_goal": 0.95, "time": TIME, "tickets": ReportedTickets(issued=3), "centres": centres,
    }  # fmt: skip
    return MonthlyReport(**(known | other))  # type: ignore[arg-type]


def test_ratios_are_made_of_the_counts() -> None:
    tickets = ReportedTickets.from_figures(queue_figures(waits(30, 90, 1200)), 900)
    assert (tickets.issued, tickets.served, tickets.waits, tickets.within) == (3, 3, 3, 2)
    assert (tickets.mean_wait_s, tickets.within_ratio, tickets.mean_service_s) == (440.0, 2 / 3, 60.0)
    assert tickets.lost_ratio == 0.0
    assert tickets.p50_ms == pytest.approx(90_000, rel=0.02)
    assert TIME.account == TimeByState(90, 10, 20, 5)
    assert ReportedTime.from_account(TIME.account) == TIME


def test_nothing_to_divide_by_is_none_and_never_zero() -> None:
    none = ReportedTickets()
    assert (none.mean_wait_s, none.within_ratio, none.mean_service_s, none.lost_ratio) == (None,) * 4
    assert ReportedRows().ratio is None
    assert ReportedRows(stored=8, refused=1, dropped=1, highest=20).ratio == 0.5


def test_an_empty_month_says_so() -> None:
    assert report(time=ReportedTime(unknown=50), tickets=ReportedTickets()).is_empty
    assert not report().is_empty


def test_a_centre_is_looked_up_by_its_id() -> None:
    one = report(centre("a"), centre("b"))
    assert one.centre("b") == centre("b")
    assert one.centre("c") is None


def test_every_count_that_differs_is_a_change_in_the_order_of_scopes() -> None:
    system = ReportedSystem(id="s", name_vi="s", name_en="s", time=ReportedTime(up=5))
    indicator = ReportedIndicator(
        id="DG-01", name_vi="", name_en="", unit="ratio", state="ok", level="commune", numerator=1, denominator=2
    )
    before = report(centre("b"), centre("a", issued=3), systems=(system,), indicators=(indicator,))
    after = report(
        centre("a", ReportedTime(up=95, down=5, unknown=20, excluded=5), issued=4),
        centre("c"),
        systems=(system,),
        indicators=(msgspec.structs.replace(indicator, denominator=3),),
    )
    assert [(c.scope, c.figure, c.before, c.after) for c in report_changes(before, after)] == [
        ("centre:a", "up", 90, 95),
        ("centre:a", "down", 10, 5),
        ("centre:a", "issued", 3, 4),
        ("centre:b", "present", 1, 0),
        ("indicator:DG-01:commune", "denominator", 2, 3),
        ("centre:c", "present", 0, 1),
    ]
    assert report_changes(before, before) == ()


def test_publications_are_numbered_and_each_says_what_it_changed() -> None:
    first = published_report(report(centre("a")), None, 10)
    assert (first.revision, first.revisions[0].change_count) == (1, 0)
    second = published_report(report(centre("a", issued=1)), first, 20)
    assert [(r.number, r.published_at, r.change_count) for r in second.revisions] == [(1, 10, 0), (2, 20, 1)]
    assert second.revisions[1].changes[0].figure == "issued"
    assert report().revision == 0


def test_a_revision_lists_a_bounded_number_of_changes_and_counts_all() -> None:
    first = published_report(report(*(centre(f"c{i}") for i in range(MAX_CHANGES + 1))), None, 10)
    second = published_report(report(*(centre(f"c{i}", issued=1) for i in range(MAX_CHANGES + 1))), first, 20)
    assert (len(second.revisions[1].changes), second.revisions[1].change_count) == (MAX_CHANGES, MAX_CHANGES + 1)


def test_a_published_report_is_read_as_it_was_written() -> None:
    published = published_report(report(centre("a", issued=3)), None, 10)
    assert parse_report("2026-10", encode_report(published)) == published


@pytest.mark.parametrize(
    ("month", "one", "reason"),
    [("2026-09", published_report(report(), None, 1), "month is"), ("2026-10", report(), "no publication")],
)
def test_a_document_that_is_not_the_months_is_refused(month: str, one: MonthlyReport, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_report(month, encode_report(one))


def test_centres_in_need_are_listed_with_their_reasons_the_worst_first() -> None:
    fine = centre("fine", ReportedTime(up=100), waits=10, wait_sum_ms=10_000)
    slow = centre("slow", ReportedTime(up=100), waits=5, wait_sum_ms=5 * 901_000)
    few = centre("few", ReportedTime(up=100), waits=4, wait_sum_ms=4 * 901_000)
    silent = centre("silent", ReportedTime(unknown=100))
    partly = centre("partly", ReportedTime(up=70, unknown=30))
    broken = centre("broken", ReportedTime(up=50, down=20, unknown=30))
    closed = centre("closed", ReportedTime())
    found = centres_in_need(report(fine, slow, few, silent, partly, broken, closed))
    assert [(need.centre.id, need.reasons) for need in found] == [
        ("broken", ("low_coverage", "below_goal")),
        ("slow", ("long_waits",)),
        ("silent", ("no_data",)),
        ("partly", ("low_coverage",)),
    ]


def test_without_goals_only_missing_data_need_attention() -> None:
    slow = centre("slow", ReportedTime(up=50, down=50), waits=5, wait_sum_ms=5 * 901_000)
    assert centres_in_need(report(slow, wait_target_s=None, availability_goal=None)) == []
