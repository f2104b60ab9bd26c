"""Alerts begin while they burn, keep their labels, end at rest; what is closed is told once and kept quiet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.scope import Scope
from telemetry.core.slo.alert import (
    ALERT_EXPIRES_MS,
    MUTE_EXPIRES_MS,
    RESOLVED_RETENTION_MS,
    ActiveAlert,
    PostableAlert,
    advance_alerts,
    alert_cause,
    alert_labels,
    build_postable_alerts,
    last_burned,
    render_annotations,
    watchdog_alert,
)
from telemetry.core.slo.alert_grouping import AlertGroup, FiringObjective, group_alerts
from telemetry.core.slo.budget import ErrorBudget
from telemetry.core.slo.burn_rate import NO_ALARMS
from tests.judging import PROVINCE, ZONE, Line, at_centre, at_device, at_system, out
from tests.unit.core.test_alert_grouping import NOW, dead, firing

if TYPE_CHECKING:
    from telemetry.core.inventory import SliKind
    from telemetry.core.slo.burn_rate import AlarmStates

KEY = ("connectivity", "centre:vn83-00001", "page")


def root(*, burning: bool = True, is_open: bool = True) -> AlertGroup:
    (found,) = dead(at_centre(1))
    judged = found.evaluation
    readings = tuple(replace(r, is_exceeded=burning) for r in judged.status.burn_rates)
    judged = replace(judged, is_open=is_open, status=replace(judged.status, burn_rates=readings))
    return AlertGroup("connectivity", Scope("centre:vn83-00001"), "page", (FiringObjective(judged, found.alarms),))


def step(
    before: dict[tuple[str, str, str], ActiveAlert], *roots: AlertGroup, now: int, sure: bool = True
) -> ActiveAlert | None:
    return advance_alerts(before, roots, PROVINCE, now, all_evaluated=sure).get(KEY)


def test_it_begins_while_it_burns_and_keeps_its_labels() -> None:
    assert step({}, root(burning=False), now=NOW) is None
    begun = step({}, root(), now=NOW)
    assert begun == ActiveAlert(tuple(sorted(alert_labels(root(), PROVINCE).items())), NOW, NOW)
    other = replace(begun, labels=(("rule", "page-slow"),))
    assert step({KEY: other}, root(), now=NOW + MINUTE) == other
    assert step({KEY: other}, root(), now=NOW + 5 * MINUTE) == replace(other, last_burned_at=NOW + 5 * MINUTE)
    assert step({KEY: other}, root(burning=False), now=NOW + 9 * MINUTE) == other


def test_it_ends_with_its_root_and_is_told_as_ended_for_an_hour() -> None:
    begun = {KEY: ActiveAlert((), NOW, NOW)}
    assert step(begun, now=NOW + 1, sure=False) == begun[KEY]
    ended = step(begun, now=NOW + 1)
    assert ended == ActiveAlert((), NOW, NOW, resolved_at=NOW + 1)
    assert last_burned({KEY: ended}) == {}
    assert last_burned(begun) == {KEY: NOW}
    assert step({KEY: ended}, now=NOW + RESOLVED_RETENTION_MS) == ended
    assert step({KEY: ended}, now=NOW + 1 + RESOLVED_RETENTION_MS) is None
    assert step({KEY: ended}, root(burning=False), now=NOW + 2) == ended


def test_one_that_comes_again_begins_after_the_end_of_the_last() -> None:
    ended = ActiveAlert((), NOW - HOUR, NOW, resolved_at=NOW + 5)
    again = step({KEY: ended}, root(), now=NOW + MINUTE)
    assert again is not None
    assert (again.started_at, again.resolved_at) == (NOW + 6, None)


def test_closing_and_opening_are_remembered() -> None:
    begun = {KEY: ActiveAlert((), NOW, NOW)}
    shut = step(begun, root(burning=False, is_open=False), now=NOW + 10)
    assert shut == ActiveAlert((), NOW, NOW, muted_since=NOW + 10)
    assert step({KEY: shut}, root(burning=False, is_open=False), now=NOW + 20) == shut
    assert step({KEY: shut}, root(burning=False), now=NOW + 30) == ActiveAlert((), NOW, NOW, unmuted_at=NOW + 30)


def said(one: ActiveAlert, now: int) -> list[PostableAlert]:
    named = replace(one, labels=tuple(sorted(alert_labels(root(), PROVINCE).items())))
    *found, last = build_postable_alerts([named], [root()], ZONE, now)
    assert last == watchdog_alert(now)
    return found


def test_what_goes_on_ends_by_itself_when_nobody_tells_it_again() -> None:
    (alert,) = said(ActiveAlert((), NOW, NOW), NOW + 5)
    assert (alert.starts_at, alert.ends_at) == (NOW, NOW + 5 + ALERT_EXPIRES_MS)
    assert dict(alert.annotations)["runbook"]
    (alert,) = said(ActiveAlert((), NOW, NOW, resolved_at=NOW + 5), NOW + MINUTE)
    assert (alert.starts_at, alert.ends_at) == (NOW, NOW + 5)


def test_a_closed_place_says_so_until_it_opens() -> None:
    _, closed = said(ActiveAlert((), NOW, NOW, muted_since=NOW + 5), NOW + MINUTE)
    assert dict(closed.labels) == {
        "alertname": "MotcuaClosed", "severity": "none", "objective": "connectivity-28", "centre": "vn83-00001",
        "scope": "centre:vn83-00001", "province": "vn83",
    }  # fmt: skip
    assert (closed.starts_at, closed.ends_at) == (NOW + 5, NOW + MINUTE + MUTE_EXPIRES_MS)
    _, opened = said(ActiveAlert((), NOW, NOW, unmuted_at=NOW + HOUR), NOW + HOUR)
    assert (opened.starts_at, opened.ends_at) == (NOW, NOW + HOUR)
    assert len(said(ActiveAlert((), NOW, NOW, unmuted_at=NOW + HOUR), NOW + HOUR + MUTE_EXPIRES_MS + 1)) == 1
    _, ended = said(ActiveAlert((), NOW, NOW, muted_since=NOW + 5, resolved_at=NOW + 9), NOW + 9)
    assert ended.ends_at == NOW + 9


def test_labels_name_the_place_the_cause_and_the_rule() -> None:
    assert alert_labels(root(), PROVINCE) == {
        "alertname": "MotcuaConnectivity", "severity": "page", "objective": "connectivity-28",
        "scope": "centre:vn83-00001", "centre": "vn83-00001", "province": "vn83", "cause": "link", "rule": "page-fast",
    }  # fmt: skip
    (system,) = group_alerts(dead(at_system()), {}, {}, NOW)
    assert "centre" not in alert_labels(system, PROVINCE)
    assert alert_labels(system, PROVINCE)["province"] == PROVINCE


def test_every_kind_has_a_cause() -> None:
    def of(sli: str, scope: str) -> str:
        return alert_cause(AlertGroup(cast("SliKind", sli), Scope(scope), "page", ()))

    assert of("connectivity", "province:vn83") == "platform"
    assert of("availability", "system:vn-ngsp") == "system"
    assert of("connectivity", "device:x") == "device"
    assert [of(sli, "centre:x") for sli in ("connectivity", "availability", "readiness", "wait")] == [
        "link", "device", "device", "queue",
    ]  # fmt: skip


def test_words_have_the_figures_and_at_most_twenty_children() -> None:
    (site,) = group_alerts(dead(at_centre(1), *(at_device(1, n) for n in range(30))), {}, {}, NOW)
    text = render_annotations(site, ZONE)
    assert text["children"] == "30"
    assert text["children_ids"].count(",") == 20
    assert text["children_ids"].endswith("… 10 more")
    assert text["rules"] == "page-fast, page-slow, ticket-day"
    assert "vn83-00001 has lost contact since" in text["summary"]
    assert "40 minutes of budget left; 30 below it are affected." in text["summary"]
    assert "33,3 lần" in text["summary_vi"]
    assert "hạn mức lỗi còn 40 phút; 30 đối tượng" in text["summary_vi"]


def test_an_exceeded_budget_is_told_as_exceeded() -> None:
    judged = out(at_centre(1, "availability"), NOW - 10 * MINUTE, NOW).judged(NOW)
    spent = replace(judged, status=replace(judged.status, budget=ErrorBudget(2748, 546_240)))
    one = FiringObjective(spent, firing_alarms())
    text = render_annotations(AlertGroup("availability", Scope("centre:vn83-00001"), "page", (one,)), ZONE)
    assert "đã vượt hạn mức lỗi 9.058 phút." in text["summary_vi"]
    assert "9,058 minutes over its error budget." in text["summary"]
    assert text["budget_left"] == "-9058 minutes"


def test_tickets_are_counted_in_tickets() -> None:
    judged = out(at_centre(1, "wait"), NOW - 10 * MINUTE, NOW).judged(NOW)
    one = FiringObjective(replace(judged, status=replace(judged.status, account=None)), firing_alarms())
    text = render_annotations(AlertGroup("wait", Scope("centre:vn83-00001"), "page", (one,)), ZONE)
    assert text["budget_left"].endswith("tickets")
    assert "below it" not in text["summary"]
    bare = AlertGroup("wait", Scope("centre:vn83-00001"), "page", (FiringObjective(judged, NO_ALARMS),))
    assert alert_labels(replace(bare, firings=(one,)), PROVINCE)["alertname"] == "MotcuaWait"


def firing_alarms() -> AlarmStates:
    return firing(out(at_centre(1), NOW - 10 * MINUTE, NOW)).alarms


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=12))
def test_labels_of_a_standing_alert_never_change_and_it_always_ends(steps: list[tuple[bool, bool, bool]]) -> None:
    standing: dict[tuple[str, str, str], ActiveAlert] = {}
    for number, (there, burning, is_open) in enumerate(steps):
        before = standing.get(KEY)
        roots = [root(burning=burning, is_open=is_open)] if there else []
        standing = advance_alerts(standing, roots, PROVINCE, NOW + number, all_evaluated=True)
        after = standing.get(KEY)
        if before and after and before.resolved_at is None:
            assert (before.labels, before.started_at) == (after.labels, after.started_at)
            assert (after.resolved_at is None) == there
    assert advance_alerts(standing, [], PROVINCE, NOW + RESOLVED_RETENTION_MS + HOUR, all_evaluated=True).keys() <= {
        KEY
    }


def test_a_line_that_is_closed_has_no_burning_alarm() -> None:
    closed = Line(at_centre(1), [Window(NOW - HOUR, NOW)], [Window(NOW - 2 * HOUR, NOW - MINUTE)])
    assert not any(r.is_exceeded for r in closed.judged(NOW).status.burn_rates)
