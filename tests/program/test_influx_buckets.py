"""Buckets on a real InfluxDB: retention and shards that lose nothing, taking over, many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from infra.providers.influx import task
from infra.providers.influx.bucket import BucketKind, default_shard_s, shrinks
from infra.providers.influx.client import InfluxClient
from infra.providers.resource_kind import ProviderError, difference
from tests.program.influx_world import client, server, world

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.providers.influx.client import Json
    from tests.program.influx_world import World

__all__ = ["client", "server", "world"]
HOUR_S, DAY_S = 3_600, 86_400
SECONDS = st.sampled_from([0, 1, 3_599, 3_600, 7_200, DAY_S, 2 * DAY_S, 30 * DAY_S, 180 * DAY_S, 365 * DAY_S])
OFFLINE = BucketKind(InfluxClient("http://127.0.0.1:1", ""), False)


def rule(world: World, ident: str) -> tuple[int, int]:
    (found,) = world.server.call("GET", f"/api/v2/buckets/{ident}")["retentionRules"]
    return found["everySeconds"], found["shardGroupDurationSeconds"]


def reasons(news: dict[str, object], olds: dict[str, object] | None = None) -> dict[str, str]:
    _, failures = OFFLINE.check(olds or {}, {"org": "o", "name": "b", **news})
    return {one.field: one.reason for one in failures}


# --- retention and shards ---------------------------------------------------------------------


@pytest.mark.parametrize("retention_s", [3_600, DAY_S, 2 * DAY_S - 1, 2 * DAY_S, 179 * DAY_S, 180 * DAY_S, 0])
def test_a_computed_shard_is_the_one_that_influxdb_would_choose(world: World, retention_s: int) -> None:
    rules = [{"type": "expire", "everySeconds": retention_s}]
    body = {"orgID": world.org_id, "name": "chosen", "retentionRules": rules}
    chosen = world.server.call("POST", "/api/v2/buckets", body)
    made = world.make("bucket", retention_s=retention_s)
    assert rule(world, made.id) == rule(world, str(chosen["id"])) == (retention_s, default_shard_s(retention_s))
    assert made.outputs["shard_in_force_s"] == default_shard_s(retention_s)
    assert made.drift() == frozenset()


def test_changing_only_the_shard_leaves_the_retention_alone(world: World) -> None:
    made = world.make("bucket", retention_s=90 * DAY_S)
    made = made.update(shard_s=7 * DAY_S)
    assert rule(world, made.id) == (90 * DAY_S, 7 * DAY_S)
    made = made.update(shard_s=None)
    assert rule(world, made.id) == (90 * DAY_S, DAY_S)
    assert (made.drift(), "shard_s" in made.outputs) == (frozenset(), False)


def test_changing_only_the_retention_brings_a_computed_shard_along(world: World) -> None:
    made = world.make("bucket", retention_s=30 * DAY_S).update(retention_s=365 * DAY_S)
    assert rule(world, made.id) == (365 * DAY_S, 7 * DAY_S)
    made = made.update(retention_s=0)
    assert (rule(world, made.id), made.drift()) == ((0, 7 * DAY_S), frozenset())


def test_describing_a_bucket_sends_both_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world.make("bucket", retention_s=90 * DAY_S, shard_s=3 * DAY_S)
    sent: list[object] = []
    patch = world.client.patch

    def seen(path: str, body: Mapping[str, object], **query: str | int) -> Json:
        sent.append(body)
        return patch(path, body, **query)

    monkeypatch.setattr(world.client, "patch", seen)
    made.update(description="other words")
    (body,) = sent
    assert isinstance(body, dict)
    (told,) = body["retentionRules"]
    assert (told["everySeconds"], told["shardGroupDurationSeconds"]) == (90 * DAY_S, 3 * DAY_S)


def test_a_shard_changed_by_hand_is_seen_although_it_is_computed(world: World) -> None:
    made = world.make("bucket", retention_s=30 * DAY_S)
    rules = [{"type": "expire", "everySeconds": 30 * DAY_S, "shardGroupDurationSeconds": 2 * DAY_S}]
    world.server.call("PATCH", f"/api/v2/buckets/{made.id}", {"retentionRules": rules})
    assert made.drift() == {"shard_s"}
    made.kind.update(made.id, made.there().outputs, made.inputs)
    assert (rule(world, made.id), made.drift()) == ((30 * DAY_S, DAY_S), frozenset())


# --- cuts -------------------------------------------------------------------------------------


def test_a_cut_is_refused_by_check_and_by_the_server_side_unless_allowed(world: World) -> None:
    made = world.make("bucket", retention_s=90 * DAY_S)
    news = {**made.inputs, "retention_s": 30 * DAY_S}
    _, (failure,) = made.kind.check(made.inputs, news)
    assert failure.field == "retention_s"
    assert "keeps 7776000 s now and 2592000 s would cut it; set allow_shrink to true" in failure.reason
    with pytest.raises(ProviderError, match="keeps 7776000 s, and 2592000 s would cut it"):
        made.kind.update(made.id, made.outputs, news)
    assert rule(world, made.id)[0] == 90 * DAY_S
    assert rule(world, made.update(retention_s=30 * DAY_S, allow_shrink=True).id)[0] == 30 * DAY_S


def test_taking_a_bucket_over_cuts_nothing_unless_allowed(world: World) -> None:
    world.server.call("POST", "/api/v2/buckets", {"orgID": world.org_id, "name": "thing", "retentionRules": []})
    with pytest.raises(ProviderError, match="keeps for ever, and 2592000 s would cut it"):
        world.make("bucket", adopt=True)
    made = world.make("bucket", adopt=True, allow_shrink=True)
    assert rule(world, made.id) == (30 * DAY_S, DAY_S)


def test_a_retention_that_grew_by_hand_is_not_cut_back_silently(world: World) -> None:
    made = world.make("bucket", retention_s=30 * DAY_S)
    world.server.call("PATCH", f"/api/v2/buckets/{made.id}", {"retentionRules": []})
    rules = [{"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": DAY_S}]
    world.server.call("PATCH", f"/api/v2/buckets/{made.id}", {"retentionRules": rules})
    read = made.there()
    _, failures = made.kind.check(read.inputs, made.inputs)
    assert [one.field for one in failures] == ["retention_s"]
    with pytest.raises(ProviderError, match="keeps for ever"):
        made.kind.update(made.id, made.outputs, made.inputs)


def test_permission_to_cut_is_no_change_by_itself(world: World) -> None:
    made = world.make("bucket")
    for name in ("allow_shrink", "adopt"):
        assert made.change(**{name: True})[1].changed == frozenset()


# --- checks without a server ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("news", "field", "said"),
    [
        ({"retention_s": 1}, "retention_s", "InfluxDB keeps 3600 s at least, 0 for ever"),
        ({"retention_s": 3_599}, "retention_s", "too short"),
        ({"retention_s": -1}, "retention_s", "below 0"),
        ({"retention_s": 7_200, "shard_s": 7_201}, "shard_s", "longer than the retention"),
        ({"shard_s": 60}, "shard_s", "too short"),
        ({"name": "_tasks"}, "name", "no leading underscore"),
        ({"name": 'a"b'}, "name", "no quote"),
        ({"name": " a"}, "name", "blank"),
        ({"name": ""}, "name", "is missing"),
        ({"retention_s": "30d"}, "retention_s", "is not a whole number"),
        ({"allow_shrink": 1}, "allow_shrink", "is not true or false"),
    ],
)
def test_what_influxdb_would_refuse_is_refused_before(news: dict[str, object], field: str, said: str) -> None:
    assert said in reasons(news)[field]


@given(SECONDS, SECONDS, st.booleans())
def test_no_retention_shrinks_without_consent(old: int, new: int, consent: bool) -> None:
    found = reasons({"retention_s": new, "allow_shrink": consent}, {"org": "o", "name": "b", "retention_s": old})
    lost = new != 0 and (old == 0 or new < old)
    assert shrinks(old, new) == lost
    assert ("retention_s" in found) == (0 < new < HOUR_S or (lost and not consent))


@given(SECONDS, SECONDS, SECONDS, SECONDS)
def test_inputs_differ_exactly_when_they_mean_something_else(a: int, b: int, c: int, d: int) -> None:
    left, _ = OFFLINE.check({}, {"org": "o", "name": "b", "retention_s": a, "shard_s": b})
    right, _ = OFFLINE.check({}, {"org": "o", "name": "b", "retention_s": c, "shard_s": d})
    wanted = {name for name, one, two in [("retention_s", a, c), ("shard_s", b, d)] if one != two}
    assert difference(OFFLINE, left, right).changed == wanted
    assert OFFLINE.check({}, left) == OFFLINE.check({}, OFFLINE.check({}, left)[0])


# --- many -------------------------------------------------------------------------------------


def test_one_bucket_among_more_than_a_page_is_found(world: World) -> None:
    for n in range(105):
        body = {"orgID": world.org_id, "name": f"aaa-{n:03}", "retentionRules": []}
        world.server.call("POST", "/api/v2/buckets", body)
    made = world.make("bucket", name="zzz")
    again = world.make("bucket", name="zzz")
    assert (again.id, again.drift()) == (made.id, frozenset())
    named = world.make("authorization", permissions=[{"action": "read", "bucket": "zzz"}])
    assert named.drift() == frozenset()


def test_one_task_among_more_than_a_page_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world.make("task")
    for n in range(6):
        world.make("task", name=f"other-{n}")
    monkeypatch.setattr(task, "PAGE_SIZE", 2)
    assert world.make("task").id == made.id
    assert world.make("task", name="other-5").drift() == frozenset()


def test_a_name_that_is_taken_is_told_as_such(world: World) -> None:
    made = world.make("bucket")
    with pytest.raises(ProviderError, match="422 bucket name is not unique"):
        made.update(name="raw")
    remote = world.make("remote")
    with pytest.raises(ProviderError, match="the name is taken"):
        remote.update(name="upper")
    assert (made.drift(), remote.drift()) == (frozenset(), frozenset())
