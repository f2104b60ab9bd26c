"""One alert for each root: parents speak for children, a province for its centres, and nothing burning is swallowed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window
from telemetry.core.slo.alert import alert_cause
from telemetry.core.slo.alert_grouping import AlertGroup, FiringObjective, group_alerts, mark_answering_inside
from telemetry.core.slo.burn_rate import NO_ALARMS, AlarmStates, advance
from tests.judging import Line, at_centre, at_device, at_system, out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.slo.burn_rate import BurnRateRule
    from telemetry.core.slo.evaluation import ScopedObjective

NOW = 1_790_000_000_000 - 1_790_000_000_000 % (5 * MINUTE)
PAST = NOW - 2 * HOUR
PAGE = "page"


def firing(line: Line, now: int = NOW, since: int | None = None) -> FiringObjective:
    """What fires now of what fired at `since` (as the alarms keep it) or now."""
    alarms: AlarmStates = NO_ALARMS
    for moment in (now,) if since is None else (since, now):
        judged = line.judged(moment)
        alarms = advance(alarms, judged.status.burn_rates, moment)[0]
    return FiringObjective(judged, MappingProxyType({name: a for name, a in alarms.items() if a.is_firing}))


def dead(*aimed: ScopedObjective) -> list[FiringObjective]:
    return [firing(out(one, NOW - 10 * MINUTE, NOW)) for one in aimed]


def told(roots: Iterable[AlertGroup]) -> dict[tuple[str, str], int]:
    return {(r.sli, r.scope): len(r.child_scopes) for r in roots}


def test_a_page_of_two_rules_is_one_alert_since_the_first() -> None:
    (root,) = group_alerts(dead(at_centre(1)), {}, {}, NOW)
    assert root.key == ("connectivity", "centre:vn83-00001", "page")
    assert root.firings[0].rules == ("page-fast", "page-slow")
    assert (root.firing_since, root.is_burning, root.is_open, root.child_scopes) == (NOW, True, True, ())


def test_a_dead_link_speaks_for_its_site_and_for_nobody_else() -> None:
    site = [at_device(1, n) for n in range(700)]
    found = group_alerts(dead(at_centre(1), at_centre(1, "availability"), *site, at_device(2, 1)), {}, {}, NOW)
    assert told(found) == {("connectivity", "centre:vn83-00001"): 700, ("connectivity", "device:vn83-00002-kiosk1"): 0}


def test_a_device_speaks_for_its_own_service_and_a_system_for_its_latency() -> None:
    found = group_alerts(dead(at_device(1, 1), at_device(1, 1, "availability")), {}, {}, NOW)
    assert told(found) == {("connectivity", "device:vn83-00001-kiosk1"): 0}
    found = group_alerts(dead(at_system(), at_system(sli="latency"), at_centre(1, "wait")), {}, {}, NOW)
    assert told(found) == {("availability", "system:vn83-portal"): 0, ("wait", "centre:vn83-00001"): 0}


CALLS = {"portal": ("web",), "web": ("app",), "app": ("db",), "other": ("db",)}


def test_a_dead_database_is_one_alert_with_its_victims() -> None:
    names = ("portal", "web", "app", "db")
    found = group_alerts(dead(*map(at_system, names), at_system("portal", "latency")), {}, {}, NOW, CALLS)
    (alert,) = found
    assert (alert.sli, alert.scope) == ("availability", "system:db")
    assert alert.child_scopes == ("system:app", "system:portal", "system:web")
    assert len(group_alerts(dead(*map(at_system, names)), {}, {}, NOW)) == 4, "nothing is declared of who calls whom"


def test_what_answers_between_two_failures_keeps_them_two_alerts() -> None:
    found = group_alerts(dead(at_system("portal"), at_system("db"), at_system("other")), {}, {}, NOW, CALLS)
    assert told(found) == {("availability", "system:db"): 1, ("availability", "system:portal"): 0}


def test_systems_that_call_each_other_are_one_alert() -> None:
    ring = {"a": ("b",), "b": ("a",)}
    assert told(group_alerts(dead(at_system("a"), at_system("b")), {}, {}, NOW, ring)) == {
        ("availability", "system:a"): 1
    }


def test_a_slow_system_is_no_victim_of_a_database_that_it_reaches() -> None:
    found = group_alerts(dead(at_system("portal", "latency"), at_system("db")), {}, {}, NOW, CALLS)
    assert told(found) == {("availability", "system:db"): 0, ("latency", "system:portal"): 0}


def test_two_objectives_of_one_kind_at_one_scope_are_one_alert() -> None:
    (root,) = group_alerts(dead(at_centre(1, name="rolling"), at_centre(1, name="monthly")), {}, {}, NOW)
    assert [f.evaluation.scoped.objective.id for f in root.firings] == ["monthly", "rolling"]


def test_a_ticket_speaks_for_no_page() -> None:
    slow = firing(Line(at_centre(1), [Window(NOW - 20 * MINUTE, NOW)], rules=Line(at_centre(1)).rules[2:]))
    assert slow.severity == "ticket"
    found = group_alerts([slow, *dead(at_device(1, 1))], {}, {}, NOW)
    assert told(found) == {("connectivity", "centre:vn83-00001"): 0, ("connectivity", "device:vn83-00001-kiosk1"): 0}
    other = firing(Line(at_device(1, 2), [Window(NOW - 20 * MINUTE, NOW)], rules=slow_rules()))
    assert told(group_alerts([slow, other], {}, {}, NOW)) == {("connectivity", "centre:vn83-00001"): 1}


def slow_rules() -> tuple[BurnRateRule, ...]:
    return Line(at_centre(1)).rules[2:]


def lingering() -> FiringObjective:
    """A centre whose link came back an hour ago; its slow page is not at rest yet."""
    line = Line(at_centre(1), [Window(PAST, NOW - HOUR)])
    found = firing(line, NOW, since=NOW - HOUR)
    assert found.rules
    assert not found.is_burning
    return found


def test_a_lingering_parent_does_not_swallow_a_new_outage() -> None:
    key = ("connectivity", "centre:vn83-00001", PAGE)
    (new,) = dead(at_device(1, 1))
    found = group_alerts([lingering(), new], {}, {key: NOW - HOUR}, NOW)
    assert told(found) == {("connectivity", "centre:vn83-00001"): 0, ("connectivity", "device:vn83-00001-kiosk1"): 0}
    # For a while after the link came back, the devices come back one by one.
    assert told(group_alerts([lingering(), new], {}, {key: NOW - 10 * MINUTE}, NOW)) == {
        ("connectivity", "centre:vn83-00001"): 1
    }


def test_a_lingering_child_stays_with_its_lingering_parent() -> None:
    child = firing(Line(at_device(1, 1), [Window(PAST, NOW - HOUR)]), NOW, since=NOW - HOUR)
    assert told(group_alerts([lingering(), child], {}, {}, NOW)) == {("connectivity", "centre:vn83-00001"): 1}


def test_more_than_half_of_at_least_three_centres_are_the_province() -> None:
    three = dead(*(at_centre(n) for n in (1, 2, 3)), at_device(1, 1), at_device(9, 1))
    device, province = group_alerts(three, {"vn83": 5}, {}, NOW)
    assert province.key == ("connectivity", "province:vn83", "page")
    centres = ("centre:vn83-00001", "centre:vn83-00002", "centre:vn83-00003")
    assert province.child_scopes == (*centres, "device:vn83-00001-kiosk1")
    assert (device.scope, device.child_scopes) == ("device:vn83-00009-kiosk1", ())  # its centre is in contact


def test_half_of_the_centres_or_two_of_two_are_not_the_province() -> None:
    three = dead(*(at_centre(n) for n in (1, 2, 3)))
    assert len(group_alerts(three, {"vn83": 6}, {}, NOW)) == 3
    assert len(group_alerts(three[:2], {"vn83": 2}, {}, NOW)) == 2


def test_a_provinces_alert_stays_over_lunch_and_does_not_begin_there() -> None:
    opening = [Window(NOW - 59 * DAY, NOW - 5 * MINUTE)]
    closed = [
        firing(out(at_centre(n), NOW - HOUR, NOW - 5 * MINUTE, opening), NOW, since=NOW - 10 * MINUTE)
        for n in (1, 2, 3)
    ]
    assert not any(f.evaluation.is_open for f in closed)
    assert len(group_alerts(closed, {}, {}, NOW)) == 3
    key = ("connectivity", "province:vn83", PAGE)
    (root,) = group_alerts(closed, {}, {key: NOW - 10 * MINUTE}, NOW)
    assert (root.scope, len(root.child_scopes), root.is_open, root.is_burning) == ("province:vn83", 3, False, False)


def test_the_network_is_the_cause_only_where_all_entries_of_a_system_answer() -> None:
    groups = group_alerts(dead(at_system("a"), at_system("b"), at_system("c"), at_centre(1)), {}, {}, NOW)
    marked = mark_answering_inside(groups, {"a": ("a--web",), "b": ("b--web", "b--api")}, {"a--web", "b--web"})
    causes = {group.scope: alert_cause(group) for group in marked if group.scope.kind == "system"}
    assert causes == {"system:a": "network", "system:b": "system", "system:c": "system"}
