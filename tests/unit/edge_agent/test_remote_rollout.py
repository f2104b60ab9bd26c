"""Remote configuration's decisions: what is taken, refused, passed over, committed and rolled back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from edge_agent.remote.rollout import ConfigAnswer, DeviceFacts, Rollout, RolloutState, Transition, TrialHealth
from edge_agent.remote.settings import RemoteSettings, SourceSettings, parse_document

FACTS = DeviceFacts(wall=1_000, sources=frozenset({"host", "probe:vn-ngsp"}), outbox_size_mb=20)
WELL = TrialHealth(connected=True, receipted=True, failing_sources=frozenset())


def document(version: int = 1, settings: dict[str, Any] | None = None, **more: object) -> bytes:
    return json.dumps({"v": 1, "version": version, "settings": settings or {}, **more}).encode()


def taken(rollout: Rollout, change: Transition | None) -> Transition:
    assert change is not None
    rollout.commit(change)
    return change


def on_trial(version: int = 1, settings: dict[str, Any] | None = None, **more: object) -> Rollout:
    rollout = Rollout(RolloutState())
    taken(rollout, rollout.on_offer(document(version, settings, **more), FACTS))
    rollout.start_trial(0, frozenset())
    return rollout


def committed(version: int = 1, settings: dict[str, Any] | None = None, **more: object) -> Rollout:
    rollout = on_trial(version, settings, **more)
    taken(rollout, rollout.evaluate_trial(WELL, 10_000))
    return rollout


def test_a_good_document_is_tried_then_committed() -> None:
    rollout = Rollout(RolloutState())
    change = taken(rollout, rollout.on_offer(document(3, {"linger_ms": 5}), FACTS))
    assert change.new_settings == RemoteSettings(linger_ms=5)
    assert (rollout.is_on_trial(), change.state.committed, change.state.answer) == (True, None, None)
    rollout.start_trial(100, frozenset())
    assert rollout.evaluate_trial(WELL, 10_099) is None
    change = taken(rollout, rollout.evaluate_trial(WELL, 10_100))
    assert change.state.answer == ConfigAnswer(3, "applied")
    assert change.state.committed_settings == RemoteSettings(linger_ms=5)
    assert (change.new_settings, rollout.is_on_trial()) == (None, False)


@pytest.mark.parametrize(
    ("health", "reason"),
    [
        (TrialHealth(connected=False, receipted=True, failing_sources=frozenset()), "no-link"),
        (TrialHealth(connected=True, receipted=False, failing_sources=frozenset()), "no-receipt"),
        (TrialHealth(connected=True, receipted=True, failing_sources=frozenset({"host"})), "source-failing"),
    ],
)
def test_an_unwell_agent_goes_back_at_the_gates_end(health: TrialHealth, reason: str) -> None:
    rollout = committed(1, {"linger_ms": 1})
    taken(rollout, rollout.on_offer(document(2, {"linger_ms": 2}), FACTS))
    rollout.start_trial(0, frozenset())
    assert rollout.evaluate_trial(health, 59_999) is None
    change = taken(rollout, rollout.evaluate_trial(health, 60_000))
    assert change.state.answer == ConfigAnswer(2, "rolled_back", reason)
    assert change.new_settings == RemoteSettings(linger_ms=1)
    assert rollout.on_offer(document(2), FACTS) is None


def test_a_source_that_failed_before_is_not_the_settings_fault() -> None:
    rollout = on_trial()
    rollout.start_trial(0, frozenset({"host"}))
    change = rollout.evaluate_trial(
        TrialHealth(connected=True, receipted=True, failing_sources=frozenset({"host"})), 10_000
    )
    assert change is not None
    assert change.state.answer == ConfigAnswer(1, "applied")


def test_an_agent_that_recovers_in_time_commits() -> None:
    rollout = on_trial()
    assert (
        rollout.evaluate_trial(TrialHealth(connected=False, receipted=False, failing_sources=frozenset()), 30_000)
        is None
    )
    assert rollout.evaluate_trial(WELL, 59_000) is not None


BAD = [
    (b"no json", 0, "no-json"),
    (b"[]", 0, "bad-document"),
    (b"x" * 70_000, 0, "too-big"),
    (document(5, extra=1), 5, "unknown-field"),
    (document(5, {"mqtt": "mqtt://elsewhere"}), 5, "unknown-field"),
    (document(5, {"outbox": "/tmp/x"}), 5, "unknown-field"),
    (document(5, {"linger_ms": "5"}), 5, "bad-settings-linger-ms"),
    (document(5, {"linger_ms": -1}), 5, "bad-settings-linger-ms"),
    (document(5, {"every_ms": 10}), 5, "bad-settings-every-ms"),
    (document(5, {"cap_mb": 1}), 5, "bad-settings-cap-mb"),
    (document(5, {"cap_mb": 19}), 5, "cap-below-outbox"),
    (document(5, {"sources": {"host": {"target": "x"}}}), 5, "unknown-field"),
    (document(5, {"sources": {"other": {"every_ms": 5000}}}), 5, "no-such-source"),
    (document(5, valid_until=1_000), 5, "expired"),
    (document(0), 0, "bad-version"),
    (b'{"v":1,"version":5}', 5, "bad-settings"),
    (b'{"v":2,"version":5,"settings":{}}', 5, "bad-v"),
]


@pytest.mark.parametrize(("payload", "version", "reason"), BAD)
def test_a_bad_document_is_refused_once_with_a_reason(payload: bytes, version: int, reason: str) -> None:
    rollout = Rollout(RolloutState())
    change = taken(rollout, rollout.on_offer(payload, FACTS))
    assert change.new_settings is None
    assert change.state.answer == ConfigAnswer(version, "rejected", reason)
    assert rollout.on_offer(payload, FACTS) is None
    assert not rollout.is_on_trial()


def test_a_refused_version_may_be_corrected() -> None:
    rollout = Rollout(RolloutState())
    taken(rollout, rollout.on_offer(document(5, {"linger_ms": -1}), FACTS))
    assert taken(rollout, rollout.on_offer(document(5, {"linger_ms": 1}), FACTS)).new_settings == RemoteSettings(
        linger_ms=1
    )


@pytest.mark.parametrize("payload", [document(1), document(2), b""])
def test_old_equal_and_cleared_documents_are_passed_over(payload: bytes) -> None:
    assert committed(2).on_offer(payload, FACTS) is None


def test_a_trial_the_process_did_not_survive_is_rolled_back() -> None:
    rollout = committed(1, {"linger_ms": 1})
    taken(rollout, rollout.on_offer(document(2, {"linger_ms": 2}), FACTS))
    kept = msgspec.json.decode(msgspec.json.encode(rollout.state), type=RolloutState)
    after = Rollout(kept)
    change = taken(after, after.recover())
    assert change.state.answer == ConfigAnswer(2, "rolled_back", "restarted")
    assert change.new_settings == RemoteSettings(linger_ms=1)
    assert Rollout(change.state).recover() is None
    assert after.on_offer(document(2), FACTS) is None


def test_settings_end_with_their_time() -> None:
    rollout = committed(1, {"linger_ms": 1}, valid_until=5_000)
    assert rollout.check_expiry(4_999) is None
    change = taken(rollout, rollout.check_expiry(5_000))
    assert (change.new_settings, change.state.answer) == (RemoteSettings(), ConfigAnswer(1, "rolled_back", "lapsed"))
    assert rollout.check_expiry(6_000) is None
    assert rollout.on_offer(document(1), FACTS) is None


def test_every_answer_has_a_number_of_its_own() -> None:
    rollout = committed(1)
    taken(rollout, rollout.on_offer(b"?", FACTS))
    assert rollout.state.answers == 2


def test_a_document_reads_as_its_values() -> None:
    settings = {"every_ms": 5_000, "drain_rows_per_s": 9, "metrics": False, "sources": {"host": {"every_ms": 1_000}}}
    assert parse_document(document(1, settings)).settings == RemoteSettings(
        every_ms=5_000, drain_rows_per_s=9, metrics=False, sources={"host": SourceSettings(every_ms=1_000)}
    )


@pytest.mark.parametrize("last", [0, 7])
def test_a_version_far_ahead_is_rejected_and_uses_up_no_later_one(last: int) -> None:
    rollout = committed(last) if last else Rollout(RolloutState())
    for version in (1 << 53, last + 1_000_001):
        change = taken(rollout, rollout.on_offer(document(version), FACTS))
        assert change.state.answer == ConfigAnswer(version, "rejected", "version-too-far-ahead")
        assert (change.new_settings, change.state.seen) == (None, last)
    change = taken(rollout, rollout.on_offer(document(last + 1), FACTS))
    assert change.new_settings == RemoteSettings()
    assert Rollout(RolloutState(seen=last)).on_offer(document(last + 1_000_000), FACTS) is not None
