"""Alerts begin while they burn, keep their labels, end at rest; what is closed is told once and kept quiet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.slo.alarms import NONE
from telemetry.core.slo.alert import KEPT_MS, Standing, burned, cause, labels, stand
from telemetry.core.slo.alert_grouping import Firing, Root, grouped
from telemetry.core.slo.alert_text import EXPIRES_MS, SHUT_EXPIRES_MS, Alert, told, watchdog, words
from tests.judging import PROVINCE, ZONE, Line, at_centre, at_device, at_system, out
from tests.unit.test_slo_grouping import NOW, dead, firing

if TYPE_CHECKING:
    from telemetry.core.inventory import Sli
    from telemetry.core.slo.alarms import Alarms

KEY = ("connectivity", "centre:vn83-00001", "page")


def root(*, burning: bool = True, is_open: bool = True) -> Root:
    (found,) = dead(at_centre(1))
    judged = found.judged
    readings = tuple(replace(r, exceeded=burning) for r in judged.status.readings)
    judged = replace(judged, open=is_open, status=replace(judged.status, readings=readings))
    return Root("connectivity", "centre:vn83-00001", "page", (Firing(judged, found.alarms),))


def step(before: dict[tuple[str, str, str], Standing], *roots: Root, now: int, sure: bool = True) -> Standing | None:
    return stand(before, roots, PROVINCE, now, sure=sure).get(KEY)


def test_it_begins_while_it_burns_and_keeps_its_labels() -> None:
    assert step({}, root(burning=False), now=NOW) is None
    begun = step({}, root(), now=NOW)
    assert begun == Standing(tuple(sorted(labels(root(), PROVINCE).items())), NOW, NOW)
    other = replace(begun, labels=(("rule", "page-slow"),))
    assert step({KEY: other}, root(), now=NOW + MINUTE) == other
    assert step({KEY: other}, root(), now=NOW + 5 * MINUTE) == replace(other, burned=NOW + 5 * MINUTE)
    assert step({KEY: other}, root(burning=False), now=NOW + 9 * MINUTE) == other


def test_it_ends_with_its_root_and_is_told_as_ended_for_an_hour() -> None:
    begun = {KEY: Standing((), NOW, NOW)}
    assert step(begun, now=NOW + 1, sure=False) == begun[KEY]
    ended = step(begun, now=NOW + 1)
    assert ended == Standing((), NOW, NOW, resolved=NOW + 1)
    assert burned({KEY: ended}) == {}
    assert burned(begun) == {KEY: NOW}
    assert step({KEY: ended}, now=NOW + KEPT_MS) == ended
    assert step({KEY: ended}, now=NOW + 1 + KEPT_MS) is None
    assert step({KEY: ended}, root(burning=False), now=NOW + 2) == ended


def test_one_that_comes_again_begins_after_the_end_of_the_last() -> None:
    ended = Standing((), NOW - HOUR, NOW, resolved=NOW + 5)
    again = step({KEY: ended}, root(), now=NOW + MINUTE)
    assert again is not None
    assert (again.started, again.resolved) == (NOW + 6, None)


def test_closing_and_opening_are_remembered() -> None:
    begun = {KEY: Standing((), NOW, NOW)}
    shut = step(begun, root(burning=False, is_open=False), now=NOW + 10)
    assert shut == Standing((), NOW, NOW, shut=NOW + 10)
    assert step({KEY: shut}, root(burning=False, is_open=False), now=NOW + 20) == shut
    assert step({KEY: shut}, root(burning=False), now=NOW + 30) == Standing((), NOW, NOW, opened=NOW + 30)


def said(one: Standing, now: int) -> list[Alert]:
    named = replace(one, labels=tuple(sorted(labels(root(), PROVINCE).items())))
    *found, last = told([named], [root()], ZONE, now)
    assert last == watchdog(now)
    return found


def test_what_goes_on_ends_by_itself_when_nobody_tells_it_again() -> None:
    (alert,) = said(Standing((), NOW, NOW), NOW + 5)
    assert (alert.starts, alert.ends) == (NOW, NOW + 5 + EXPIRES_MS)
    assert dict(alert.annotations)["runbook"]
    (alert,) = said(Standing((), NOW, NOW, resolved=NOW + 5), NOW + MINUTE)
    assert (alert.starts, alert.ends) == (NOW, NOW + 5)


def test_a_closed_place_says_so_until_it_opens() -> None:
    _, closed = said(Standing((), NOW, NOW, shut=NOW + 5), NOW + MINUTE)
    assert dict(closed.labels) == {
        "alertname": "MotcuaClosed", "severity": "none", "objective": "connectivity-28", "centre": "vn83-00001",
        "scope": "centre:vn83-00001", "province": "vn83",
    }  # fmt: skip
    assert (closed.starts, closed.ends) == (NOW + 5, NOW + MINUTE + SHUT_EXPIRES_MS)
    _, opened = said(Standing((), NOW, NOW, opened=NOW + HOUR), NOW + HOUR)
    assert (opened.starts, opened.ends) == (NOW, NOW + HOUR)
    assert len(said(Standing((), NOW, NOW, opened=NOW + HOUR), NOW + HOUR + SHUT_EXPIRES_MS + 1)) == 1
    _, ended = said(Standing((), NOW, NOW, shut=NOW + 5, resolved=NOW + 9), NOW + 9)
    assert ended.ends == NOW + 9


def test_labels_name_the_place_the_cause_and_the_rule() -> None:
    assert labels(root(), PROVINCE) == {
        "alertname": "MotcuaConnectivity", "severity": "page", "objective": "connectivity-28",
        "scope": "centre:vn83-00001", "centre": "vn83-00001", "province": "vn83", "cause": "link", "rule": "page-fast",
    }  # fmt: skip
    (system,) = grouped(dead(at_system()), {}, {}, NOW)
    assert "centre" not in labels(system, PROVINCE)
    assert labels(system, PROVINCE)["province"] == PROVINCE


def test_every_kind_has_a_cause() -> None:
    def of(sli: str, scope: str) -> str:
        return cause(Root(cast("Sli", sli), scope, "page", ()))

    assert of("connectivity", "province:vn83") == "platform"
    assert of("availability", "system:vn-ngsp") == "system"
    assert of("connectivity", "device:x") == "device"
    assert [of(sli, "centre:x") for sli in ("connectivity", "availability", "readiness", "wait")] == [
        "link", "device", "device", "queue",
    ]  # fmt: skip


def test_words_have_the_figures_and_at_most_twenty_children() -> None:
    (site,) = grouped(dead(at_centre(1), *(at_device(1, n) for n in range(30))), {}, {}, NOW)
    text = words(site, ZONE)
    assert text["children"] == "30"
    assert text["children_ids"].count(",") == 20
    assert text["children_ids"].endswith("… 10 more")
    assert text["rules"] == "page-fast, page-slow, ticket-day"
    assert "vn83-00001 has lost contact since" in text["summary"]
    assert "40 minutes of budget left; 30 below it are affected." in text["summary"]
    assert "33,3 lần" in text["summary_vi"]
    assert "ngân sách còn 40 phút; 30 đối tượng" in text["summary_vi"]


def test_tickets_are_counted_in_tickets() -> None:
    judged = out(at_centre(1, "wait"), NOW - 10 * MINUTE, NOW).judged(NOW)
    one = Firing(replace(judged, status=replace(judged.status, account=None)), firing_alarms())
    text = words(Root("wait", "centre:vn83-00001", "page", (one,)), ZONE)
    assert text["budget_left"].endswith("tickets")
    assert "below it" not in text["summary"]
    bare = Root("wait", "centre:vn83-00001", "page", (Firing(judged, NONE),))
    assert labels(replace(bare, firings=(one,)), PROVINCE)["alertname"] == "MotcuaWait"


def firing_alarms() -> Alarms:
    return firing(out(at_centre(1), NOW - 10 * MINUTE, NOW)).alarms


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=12))
def test_labels_of_a_standing_alert_never_change_and_it_always_ends(steps: list[tuple[bool, bool, bool]]) -> None:
    standing: dict[tuple[str, str, str], Standing] = {}
    for number, (there, burning, is_open) in enumerate(steps):
        before = standing.get(KEY)
        roots = [root(burning=burning, is_open=is_open)] if there else []
        standing = stand(standing, roots, PROVINCE, NOW + number, sure=True)
        after = standing.get(KEY)
        if before and after and before.resolved is None:
            assert (before.labels, before.started) == (after.labels, after.started)
            assert (after.resolved is None) == there
    assert stand(standing, [], PROVINCE, NOW + KEPT_MS + HOUR, sure=True).keys() <= {KEY}


def test_a_line_that_is_closed_has_no_burning_alarm() -> None:
    closed = Line(at_centre(1), [Window(NOW - HOUR, NOW)], [Window(NOW - 2 * HOUR, NOW - MINUTE)])
    assert not any(r.exceeded for r in closed.judged(NOW).status.readings)
