"""The condition of places: decided once, from devices, link, queues and objectives, with its reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telemetry.core.figures.condition import (
    Assessment,
    CentreFacts,
    Condition,
    NetworkAssessment,
    NetworkFacts,
    QueueFacts,
    QueueTarget,
    Reason,
    assess_centre,
    assess_network,
    assess_queues,
    assess_system,
    attention_key,
    component_status,
)
from telemetry.core.fold.counters import event_counts
from telemetry.core.fold.totals import add_sums
from telemetry.core.in_service import ServicePeriod
from telemetry.core.protocol.events import TicketCalled

NOW = 1_800_000_000_000
WELL = CentreFacts(now=NOW, period=ServicePeriod(), state="up", is_open=True, is_stale=False, last_data=NOW - 1)
TARGET = QueueTarget(900, 0.8)


def called(*waits_s: int, issued: int = 0) -> dict[str, int]:
    """Return the sums of an hour: calls after these waits, and how many took a ticket."""
    events = [
        TicketCalled(n=1, t=NOW, ticket="k", queue="land", service="land", counter="c", entered=NOW - s * 1000, call=1)
        for s in waits_s
    ]
    return add_sums([*(event_counts(event) for event in events), {"issued": issued}])


def queue(longest_s: int | None, recent: dict[str, int] | None = None, waiting: int = 3) -> QueueFacts:
    return QueueFacts("land", waiting, longest_s, recent or {})


FULL = (queue(1000),)
CROWDED = (queue(1900),)


@pytest.mark.parametrize(
    ("facts", "condition", "codes"),
    [
        (WELL, "operational", []),
        (replace(WELL, state="down", devices_down=2), "down", ["devices_down"]),
        (replace(WELL, state="down"), "down", ["out_of_service"]),
        (replace(WELL, state="unknown", devices_silent=1), "unknown", ["devices_silent"]),
        (replace(WELL, state="unknown"), "unknown", ["state_unknown"]),
        (replace(WELL, state=None, last_data=None), "unknown", ["no_contact"]),
        (replace(WELL, is_stale=True, exhausted_objectives=1), "unknown", ["no_contact", "objectives_exhausted"]),
        (replace(WELL, devices_down=1, queues=FULL), "degraded", ["devices_down", "longest_wait"]),
        (replace(WELL, devices_down=1, queues=CROWDED), "overloaded", ["longest_wait", "devices_down"]),
        (replace(WELL, queues=FULL, exhausted_objectives=2), "busy", ["longest_wait", "objectives_exhausted"]),
        (replace(WELL, exhausted_objectives=2), "below_target", ["objectives_exhausted"]),
        (replace(WELL, devices_silent=1), "operational", ["devices_silent"]),
        (replace(WELL, is_open=False, queues=CROWDED), "closed", []),
        (replace(WELL, is_open=False, exhausted_objectives=1), "closed", ["objectives_exhausted"]),
        (replace(WELL, set_aside_at=NOW), "unknown", ["data_unreadable"]),
        (replace(WELL, is_imported=True, is_stale=True), "imported", []),
        (replace(WELL, period=ServicePeriod(None), is_stale=True), "planned", ["awaiting_first_contact"]),
        (replace(WELL, period=ServicePeriod(NOW + 1)), "planned", ["in_service_later"]),
        (replace(WELL, period=ServicePeriod(0, NOW)), "retired", ["service_ended"]),
    ],
)
def test_a_centres_condition_and_why(facts: CentreFacts, condition: Condition, codes: list[str]) -> None:
    found = assess_centre(facts)
    assert (found.condition, [reason.code for reason in found.reasons]) == (condition, codes)


@pytest.mark.parametrize(
    ("facts", "level", "codes"),
    [
        (queue(900), "calm", []),
        (queue(None, waiting=0), "calm", []),
        (queue(901), "busy", ["longest_wait"]),
        (queue(1801), "overloaded", ["longest_wait"]),
        (queue(0, called(60, 60, 60, 60)), "calm", []),
        (queue(0, called(60, 60, 60, 60, 1000)), "calm", []),
        (queue(0, called(60, 60, 60, 1000, 1000)), "busy", ["within_target_low"]),
        (queue(0, called(60, 1000, 1000, 1000, 1000)), "overloaded", ["within_target_low"]),
        (queue(500, called(60, 60, issued=9)), "busy", ["queue_growing"]),
        (queue(400, called(60, 60, issued=9)), "calm", []),
        (queue(500, called(60, 60, issued=6)), "calm", []),
        (queue(500, called(*[60] * 40, issued=46)), "calm", []),
        (queue(1000, called(60, 60, issued=9)), "overloaded", ["longest_wait", "queue_growing"]),
    ],
)
def test_a_queue_beyond_its_target_is_busy_and_far_beyond_it_overloaded(
    facts: QueueFacts, level: str, codes: list[str]
) -> None:
    found, reasons = assess_queues([queue(1), facts], TARGET)
    assert (found, [reason.code for reason in reasons]) == (level, codes)


def test_thresholds_are_those_declared() -> None:
    assert assess_queues([queue(400)], QueueTarget(300, 0.9))[1] == (
        Reason("longest_wait", seconds=400, target_s=300, service="land"),
    )
    assert assess_queues([], TARGET) == ("calm", ())


@pytest.mark.parametrize(
    ("state", "period", "exhausted", "condition"),
    [
        ("up", ServicePeriod(), 0, "operational"),
        ("up", ServicePeriod(), 1, "below_target"),
        ("down", ServicePeriod(), 1, "down"),
        ("unknown", ServicePeriod(), 0, "unknown"),
        ("unknown", ServicePeriod(None), 0, "planned"),
    ],
)
def test_a_systems_condition(state: str, period: ServicePeriod, exhausted: int, condition: Condition) -> None:
    assert assess_system(state, period, NOW, NOW - 1, exhausted).condition == condition  # type: ignore[arg-type]


def centres(*conditions: Condition, exhausted: int = 0) -> list[Assessment]:
    reasons = (Reason("objectives_exhausted", count=exhausted),) if exhausted else ()
    return [Assessment(condition, reasons) for condition in conditions]


OK_SYSTEM = (Assessment("operational"), True)
DOWN_SYSTEM = Assessment("down")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (NetworkFacts(centres("operational", "busy"), [OK_SYSTEM], False), NetworkAssessment("operational", "none")),
        (NetworkFacts(centres("operational", "degraded"), [], False), NetworkAssessment("degraded", "minor")),
        (NetworkFacts(centres("operational"), [(DOWN_SYSTEM, False)], False), NetworkAssessment("degraded", "minor")),
        (NetworkFacts(centres("operational"), [(DOWN_SYSTEM, True)], False), NetworkAssessment("down", "major")),
        (NetworkFacts(centres("operational", "operational", "down"), [], False), NetworkAssessment("down", "major")),
        (NetworkFacts(centres("operational", "down", "unknown"), [], False), NetworkAssessment("down", "critical")),
        (NetworkFacts(centres("closed", "planned"), [OK_SYSTEM], False), NetworkAssessment("closed", "none")),
        (NetworkFacts(centres("closed", exhausted=525), [], False), NetworkAssessment("closed", "minor", 525)),
        (NetworkFacts(centres("planned", "retired"), [], True), NetworkAssessment("planned", "none")),
        (NetworkFacts(centres("operational"), [], True), NetworkAssessment("unknown", "none")),
        (NetworkFacts([], [], True), NetworkAssessment("unknown", "none")),
    ],
)
def test_the_networks_condition(facts: NetworkFacts, expected: NetworkAssessment) -> None:
    assert assess_network(facts) == expected


def test_all_operational_and_exhausted_objectives_never_stand_side_by_side() -> None:
    for condition in ("operational", "closed", "busy", "below_target", "unknown"):
        found = assess_network(NetworkFacts(centres(condition, exhausted=1), [], False))
        assert found.indicator != "none"


def test_components_of_a_status_page() -> None:
    assert component_status(Assessment("busy")) == component_status(Assessment("closed")) == "operational"
    assert component_status(centres("closed", exhausted=1)[0]) == "degraded_performance"
    assert component_status(Assessment("unknown")) == "partial_outage"


def test_what_needs_attention_comes_first() -> None:
    rows = [("a", "operational", 9), ("b", "busy", 1), ("c", "down", 0), ("d", "busy", 7), ("e", "overloaded", 3)]
    ordered = sorted(rows, key=lambda row: attention_key(Assessment(row[1]), row[2], row[0]))  # type: ignore[arg-type]
    assert [name for name, *_ in ordered] == ["c", "e", "d", "b", "a"]


def test_a_system_whose_data_cannot_be_read_is_unknown_with_the_reason() -> None:
    assessment = assess_system("up", ServicePeriod(), NOW, NOW - 1, 0, NOW - 5)
    assert (assessment.condition, [(r.code, r.at) for r in assessment.reasons]) == (
        "unknown",
        [("data_unreadable", NOW - 5)],
    )
