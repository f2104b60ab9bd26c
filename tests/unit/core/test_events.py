"""Events: the closed vocabulary, what each is folded under, and what the wire names are."""

from __future__ import annotations

import pytest

from telemetry.core.protocol import administrative_events, events as ev
from telemetry.core.protocol.events import AGENT_EVENTS, SERVER_EVENTS, SYSTEM_TYPES, Event, entity_of, event_type_of

ALL = AGENT_EVENTS + SERVER_EVENTS


def every_subclass(kind: type[Event]) -> set[type[Event]]:
    return {kind, *(x for sub in kind.__subclasses__() for x in every_subclass(sub))}


def test_every_event_class_is_listed_once_as_the_agents_or_the_servers() -> None:
    assert len(set(ALL)) == len(ALL)
    ours = {kind for kind in every_subclass(Event) if kind.__module__.startswith("telemetry.core.")}
    assert ours - {Event, ev._TicketEvent, administrative_events._AdministrativeEvent} == set(ALL)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_event_is_frozen_and_refuses_unknown_fields(kind: type[Event]) -> None:
    config = kind.__struct_config__
    assert (config.frozen, config.forbid_unknown_fields, config.tag_field) == (True, True, "type")


def test_wire_names_are_unique() -> None:
    names = [kind.__struct_config__.tag for kind in ALL]
    assert len(set(names)) == len(names)


def test_a_type_is_named_as_on_the_wire() -> None:
    assert event_type_of(ev.DeviceContact(n=1, t=0)) == "device.contact"


def test_a_probe_is_folded_under_its_system_and_a_heartbeat_under_its_centre() -> None:
    probe = ev.ProbeResult(n=1, t=0, system="vn-ngsp", kind="http", ok=True)
    stats = ev.ConnectorStats(n=1, t=0, system="vn-ngsp", ok=1, failed=0, period_ms=1)
    figures = ev.DatabaseFigures(n=1, t=0, system="vn-ngsp", instances=3)
    assert {entity_of("vn83-1", e) for e in (probe, stats, figures)} == {"vn-ngsp"}
    assert {event_type_of(e) for e in (probe, stats, figures)} == SYSTEM_TYPES
    assert entity_of("vn83-1", ev.DeviceHeartbeat(n=1, t=0)) == "vn83-1"
