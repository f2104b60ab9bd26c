"""Every kind of thing on a real InfluxDB: made, read, changed, replaced, deleted, taken over, repaired, half made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from infra.providers.influx import KINDS
from infra.providers.resource_kind import ProviderError, difference
from tests.program.influx_world import EVERY, FLUX, PLANTED, WITHIN, client, server, world

if TYPE_CHECKING:
    from tests.program.influx_world import World

__all__ = ["client", "server", "world"]
MARKED = ("organisation", "bucket", "remote", "replication")


@pytest.mark.parametrize("name", EVERY)
def test_what_was_made_reads_back_without_a_difference(world: World, name: str) -> None:
    made = world.make(name)
    found = made.there()
    assert found.id == made.id
    assert dict(found.outputs) == dict(made.outputs)
    assert dict(found.inputs) == dict(made.inputs)
    assert made.drift() == frozenset()


@pytest.mark.parametrize("name", EVERY)
def test_making_it_once_more_leaves_one(world: World, name: str) -> None:
    world.make(name)
    again = world.make(name)
    assert world.count(name) == 1
    assert again.drift() == frozenset()


@pytest.mark.parametrize("asked", [False, True], ids=["unasked", "unanswered"])
@pytest.mark.parametrize("name", EVERY)
def test_a_create_that_died_at_any_call_can_be_run_again(world: World, name: str, asked: bool) -> None:
    deaths = 0
    for calls in range(12):
        cut, transport = world.cut(calls, asked=asked)
        try:
            world.make(name, cut)
            break
        except ProviderError:
            deaths += 1
            made = world.make(name)
            assert (world.count(name), made.drift()) == (1, frozenset()), transport.seen
            made.delete()
            assert world.count(name) == 0
        finally:
            cut.close()
    assert deaths >= 3


@pytest.mark.parametrize(
    ("name", "field", "value", "replaced"),
    [
        ("organisation", "name", "renamed-org", False),
        ("organisation", "description", "said otherwise", False),
        ("bucket", "name", "renamed", False),
        ("bucket", "description", None, False),
        ("bucket", "retention_s", 90 * 86_400, False),
        ("bucket", "retention_s", 0, False),
        ("bucket", "shard_s", 2 * 86_400, False),
        ("authorization", "active", False, False),
        ("authorization", "description", "said otherwise", False),
        ("authorization", "permissions", [{"action": "write", "bucket": "raw"}], True),
        ("authorization", "permissions", [{"action": "read"}], True),
        ("authorization", "name", "renamed", True),
        ("task", "flux", FLUX.replace("1h", "2h"), False),
        ("task", "active", False, False),
        ("task", "description", "said otherwise", False),
        ("task", "name", "renamed", True),
        ("dbrp", "policy", "1d", False),
        ("dbrp", "bucket", "other", True),
        ("dbrp", "database", "elsewhere", True),
        ("remote", "url", "http://127.0.0.1:2", False),
        ("remote", "token", "another-token", False),
        ("remote", "remote_org_id", "cd" * 8, False),
        ("remote", "allow_insecure_tls", True, False),
        ("remote", "name", "renamed", False),
        ("replication", "remote_bucket", "m", False),
        ("replication", "max_queue_bytes", 50_000_000, False),
        ("replication", "max_age_s", 60, False),
        ("replication", "drop_non_retryable", True, False),
        ("replication", "bucket", "other", True),
    ],
)
def test_each_input_is_changed_in_place_or_by_a_new_thing(
    world: World, name: str, field: str, value: object, replaced: bool
) -> None:
    made = world.make(name)
    value = f"{world.org}-{value}" if (name, field) == ("organisation", "name") else value
    _, found = made.change(**{field: value})
    assert (found.changed, bool(found.replaces)) == (frozenset({field}), replaced)
    if replaced:
        return
    later = made.update(**{field: value})
    assert later.drift() == frozenset()
    assert later.outputs.get(field) == later.inputs.get(field)
    assert later.outputs["instance"] == made.outputs["instance"]
    assert later.there().id == made.id


@pytest.mark.parametrize("name", [name for name in WITHIN if KINDS[name].delete_first])
def test_a_thing_whose_name_is_taken_by_its_predecessor_is_replaced_after_it(world: World, name: str) -> None:
    made = world.make(name)
    field, value = {"dbrp": ("bucket", "other"), "replication": ("bucket", "other"), "task": ("name", "thing2")}[name]
    inputs, found = made.change(**{field: value})
    assert found.delete_first
    made.delete()
    ident, outputs = made.kind.create(inputs)
    read = made.kind.read(ident, outputs)
    assert read is not None
    assert difference(made.kind, read.outputs, inputs).changed == frozenset()
    assert made.read() is None


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("organisation", {"description": "by hand"}, "description"),
        ("bucket", {"name": "by-hand"}, "name"),
        ("bucket", {"description": "by hand"}, "description"),
        ("bucket", {"retentionRules": [{"type": "expire", "everySeconds": 7 * 86_400}]}, "retention_s"),
        ("authorization", {"status": "inactive"}, "active"),
        ("authorization", {"description": "by hand"}, "description"),
        ("task", {"flux": FLUX.replace("1h", "3h")}, "flux"),
        ("task", {"status": "inactive"}, "active"),
        ("task", {"every": "4h"}, "flux"),
        ("dbrp", {"retention_policy": "by-hand"}, "policy"),
        ("remote", {"remoteURL": "http://127.0.0.1:9"}, "url"),
        ("remote", {"allowInsecureTLS": True}, "allow_insecure_tls"),
        ("replication", {"maxAgeSeconds": 1}, "max_age_s"),
        ("replication", {"remoteBucketName": "by-hand"}, "remote_bucket"),
    ],
)
def test_what_was_changed_by_hand_is_seen_and_repaired(
    world: World, name: str, body: dict[str, object], field: str
) -> None:
    made = world.make(name)
    query = f"?orgID={world.org_id}" if name == "dbrp" else ""
    world.server.call("PATCH", f"/api/v2{made.kind.api_path}/{made.id}{query}", body)
    assert field in made.drift()
    read = made.there()
    made.kind.update(made.id, read.outputs, made.inputs)
    assert made.drift() == frozenset()


@pytest.mark.parametrize("name", EVERY)
def test_what_was_deleted_by_hand_is_told_as_gone_and_deleting_it_is_no_error(world: World, name: str) -> None:
    made = world.make(name)
    query = f"?orgID={world.org_id}" if name == "dbrp" else ""
    world.server.call("DELETE", f"/api/v2{made.kind.api_path}/{made.id}{query}")
    assert made.read() is None
    made.delete()


@pytest.mark.parametrize("name", EVERY)
def test_deleting_takes_the_thing_and_nothing_else(world: World, name: str) -> None:
    made = world.make(name)
    others = {key: one.there().outputs for key, one in world.made.items()}
    made.delete()
    made.delete()
    assert (made.read(), world.count(name)) == (None, 0)
    assert {key: one.there().outputs for key, one in world.made.items()} == others


@pytest.mark.parametrize("name", WITHIN)
def test_an_organisation_deleted_by_hand_takes_its_things_along(world: World, name: str) -> None:
    made = world.make(name)
    world.server.call("DELETE", f"/api/v2/orgs/{world.org_id}")
    assert made.read() is None
    made.delete()


@pytest.mark.parametrize("name", MARKED)
def test_somebody_elses_thing_of_the_name_is_left_alone_unless_adopted(world: World, name: str) -> None:
    made = world.make(name)
    world.server.call("PATCH", f"/api/v2{made.kind.api_path}/{made.id}", {"description": "theirs"})
    with pytest.raises(ProviderError, match="already and it is not ours; set adopt to true"):
        world.make(name)
    assert world.server.call("GET", f"/api/v2{made.kind.api_path}/{made.id}")["description"] == "theirs"
    taken = world.make(name, adopt=True)
    assert (taken.id, world.count(name), taken.drift()) == (made.id, 1, frozenset())


@pytest.mark.parametrize("name", ["organisation", "bucket"])
def test_what_was_adopted_keeps_its_description_and_outlives_us(world: World, name: str) -> None:
    made = world.make(name)
    path = f"/api/v2{made.kind.api_path}/{made.id}"
    world.server.call("PATCH", path, {"description": "theirs"})
    taken = world.make(name, adopt=True, description=None)
    assert taken.outputs["adopted"] is True
    assert taken.update(name=taken.inputs["name"]).drift() == frozenset()
    taken.delete()
    assert world.server.call("GET", path)["description"] == "theirs"


@pytest.mark.parametrize("name", EVERY)
def test_what_is_there_is_found_by_its_name_without_any_state(world: World, name: str) -> None:
    kind, inputs = world.kind(name), world.checked(name)
    assert kind.locate(inputs) is None
    made = world.make(name)
    found = kind.locate(inputs)
    assert found is not None
    assert (found.id, difference(kind, found.outputs, inputs).changed) == (made.id, frozenset())
    if name != "organisation":
        assert kind.locate({**inputs, "org": "nowhere"}) is None


@pytest.mark.parametrize("name", EVERY)
def test_inputs_that_cannot_be_are_all_named(world: World, name: str) -> None:
    kind = world.kind(name)
    _, missing = kind.check({}, {})
    needed = {name for name, field in kind.model.model_fields.items() if field.is_required()}
    assert {one.field for one in missing} == needed
    assert all("give it" in one.reason for one in missing)
    wrong: dict[str, object] = dict.fromkeys(kind.inputs, 3.5) | {"colour": "red"}
    _, failures = kind.check({}, wrong)
    assert {one.field for one in failures} == {*kind.inputs, "colour"}
    assert PLANTED not in str(failures)


@pytest.mark.parametrize("name", [name for name in WITHIN if name != "dbrp"])
def test_a_name_that_cannot_stand_in_a_mark_is_refused(world: World, name: str) -> None:
    _, failures = world.kind(name).check({}, {**world.inputs(name), "name": '_a"b '})
    assert [one.field for one in failures] == ["name"]


@pytest.mark.parametrize("name", WITHIN)
def test_a_thing_follows_its_organisations_new_name_and_never_moves_to_another(world: World, name: str) -> None:
    made = world.make(name)
    renamed = world.made["organisation"].update(name=f"{world.org}-renamed")
    later = made.update(org=renamed.inputs["name"])
    assert (later.id, later.drift(), world.count(name)) == (made.id, frozenset(), 1)
    world.make("organisation")
    with pytest.raises(ProviderError, match="cannot move to"):
        later.update(org=f"{world.org}-more")
    assert later.drift() == frozenset()


def test_four_threads_share_a_client(world: World) -> None:
    def make(n: int) -> frozenset[str]:
        return world.make("bucket", name=f"many-{n}").drift()

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(make, range(24))) == {frozenset()}


def test_a_replication_takes_its_remote_by_id_too(world: World) -> None:
    made = world.make("replication", remote=world.made["remote"].id)
    assert made.drift() == frozenset()
    assert made.outputs["remote_id"] == world.made["remote"].id
    with pytest.raises(ProviderError, match="no remote 'nowhere'; create it first"):
        made.update(remote="nowhere")


def test_what_vanished_before_an_update_is_told_with_the_way_out(world: World) -> None:
    made = world.make("bucket")
    world.server.call("DELETE", f"/api/v2/buckets/{made.id}")
    with pytest.raises(ProviderError, match="404 bucket not found; it was deleted: refresh, then run again"):
        made.update(description="said otherwise")


def test_a_name_that_is_taken_is_told_with_the_way_out(world: World) -> None:
    made, taken = world.make("bucket"), world.make("bucket", name="thing taken")
    with pytest.raises(ProviderError, match=r"422 .*not unique; choose another name, or rename or delete what has it"):
        made.update(name="thing taken")
    for one in (made, taken):
        one.delete()


def test_two_stacks_on_one_server_keep_their_hands_off_each_other(world: World) -> None:
    from infra.providers.influx import InfluxClient

    with_owner = InfluxClient(world.server.url, world.server.token, owner="vn83-prod")
    world.make("bucket", with_owner)
    another = InfluxClient(world.server.url, world.server.token, owner="vn83-dev")
    with pytest.raises(ProviderError, match=r"already and stack 'vn83-prod' manages it; set adopt"):
        world.make("bucket", another)
    adopted = world.make("bucket", another, description="said otherwise", adopt=True)
    text = world.server.call("GET", f"/api/v2/buckets/{adopted.id}")["description"]
    assert text == "managed-by=motcua stack=vn83-prod; said otherwise"
    assert adopted.drift() == set()
    for one in (with_owner, another):
        one.close()
