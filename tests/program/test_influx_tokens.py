"""Tokens on a real InfluxDB: least rights by name, the secret only from the POST, replacement with overlap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import httpx
import pytest
from hypothesis import given, strategies as st

from infra.providers.influx.authorization import (
    RESOURCE_TYPES,
    AuthorizationKind,
    canonical_permissions,
    permissions_digest,
)
from infra.providers.influx.client import InfluxClient
from infra.providers.resource_kind import ProviderError, difference
from tests.program.influx_world import Made, client, server, world

if TYPE_CHECKING:
    from tests.program.influx_world import World

__all__ = ["client", "server", "world"]
OFFLINE = AuthorizationKind(InfluxClient("http://127.0.0.1:1", ""), False)
PERMISSIONS = st.lists(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["read", "write"])}, optional={"bucket": st.sampled_from(["raw", "raw-5m", "x"])}
    ),
    min_size=1,
)


def token(made: Made) -> str:
    return cast("str", made.outputs["token"])


def allowed(world: World, secret: str, method: str, path: str, body: object = None) -> bool:
    headers = {"Authorization": f"Token {secret}"}
    return httpx.request(method, f"{world.server.url}/api/v2{path}", json=body, headers=headers).is_success


def writes(world: World, secret: str, bucket: str) -> bool:
    url = f"{world.server.url}/api/v2/write?org={world.org}&bucket={bucket}"
    return httpx.post(url, content="m v=1", headers={"Authorization": f"Token {secret}"}).is_success


class Hashing(httpx.BaseTransport):
    """A server that hashes its tokens, as InfluxDB does from 2.9 on: only the POST's answer shows one."""

    def __init__(self, shown: str | None) -> None:
        self._inner, self._shown = httpx.HTTPTransport(), shown

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        if request.method == "POST" or "authorizations" not in request.url.path:
            return answer
        said = json.loads(answer.read() or b"{}")
        for one in said.get("authorizations", [said]):
            one.pop("token", None)
            if self._shown is not None:
                one["token"] = self._shown
        return httpx.Response(answer.status_code, json=said)

    def close(self) -> None:
        self._inner.close()


def test_a_token_may_do_what_its_permissions_say_and_no_more(world: World) -> None:
    rights = [{"action": "read", "bucket": "raw"}, {"action": "write", "bucket": "other"}]
    secret = token(world.make("authorization", permissions=rights))
    assert (writes(world, secret, "other"), writes(world, secret, "raw")) == (True, False)
    assert allowed(world, secret, "GET", f"/buckets/{world.made['raw'].id}")
    assert not allowed(world, secret, "GET", f"/buckets/{world.made['other'].id}")
    assert not allowed(world, secret, "GET", f"/orgs/{world.org_id}")


def test_rights_on_a_whole_organisation_and_on_itself(world: World) -> None:
    rights = [{"action": "write"}, {"action": "read", "type": "orgs"}, {"action": "read", "type": "tasks"}]
    made = world.make("authorization", permissions=rights)
    assert (writes(world, token(made), "raw"), writes(world, token(made), "other")) == (True, True)
    assert allowed(world, token(made), "GET", f"/orgs/{world.org_id}")
    assert not allowed(world, token(made), "POST", "/orgs", {"name": "more"})
    assert made.drift() == frozenset()


@pytest.mark.parametrize("kind", sorted(RESOURCE_TYPES))
def test_every_type_of_right_reads_back_as_it_was_asked_for(world: World, kind: str) -> None:
    assert world.make("authorization", permissions=[{"action": "read", "type": kind}]).drift() == frozenset()


def test_an_inactive_token_is_refused_until_it_is_active_again(world: World) -> None:
    made = world.make("authorization", permissions=[{"action": "write", "bucket": "raw"}])
    off = made.update(active=False)
    assert (off.outputs["token"], writes(world, token(made), "raw")) == (token(made), False)
    on = off.update(active=True)
    assert (on.outputs["token"], writes(world, token(made), "raw")) == (token(made), True)


@pytest.mark.parametrize("shown", [None, "", "REDACTED"])
def test_the_token_of_the_post_is_kept_whatever_reads_show(world: World, shown: str | None) -> None:
    hashing = InfluxClient(world.server.url, world.server.token, transport=Hashing(shown))
    made = world.make("authorization", hashing)
    assert made.there().outputs["token"] == token(made)
    later = made.update(description="told")
    assert (later.outputs["token"], later.drift()) == (token(made), frozenset())
    hashing.close()


def test_the_token_is_never_taken_from_a_read(world: World) -> None:
    made = world.make("authorization")
    without = {name: value for name, value in made.outputs.items() if name != "token"}
    found = made.kind.read(made.id, without)
    located = made.kind.locate(made.inputs)
    assert found is not None
    assert located is not None
    assert "token" not in found.outputs
    assert "token" not in located.outputs
    assert token(made) not in repr((found, located))


def test_new_rights_are_a_new_token_beside_the_old_one(world: World) -> None:
    old = world.make("authorization", permissions=[{"action": "write", "bucket": "raw"}])
    inputs, found = old.change(permissions=[{"action": "write", "bucket": "other"}])
    assert found.replaces == {"permissions"}
    assert not found.delete_first
    ident, outputs = old.kind.create(inputs)
    new = Made(old.kind, ident, outputs, inputs)
    assert writes(world, token(old), "raw")
    assert writes(world, token(new), "other")
    old.delete()
    assert (writes(world, token(old), "raw"), writes(world, token(new), "other")) == (False, True)
    assert (world.count("authorization"), new.drift()) == (1, frozenset())


def test_a_token_whose_answer_got_lost_is_deleted_and_made_anew(world: World) -> None:
    for calls in range(8):
        cut, transport = world.cut(calls, asked=True)
        with pytest.raises(ProviderError):
            world.make("authorization", cut)
        cut.close()
        if transport.seen[-1].startswith("POST"):
            break
    assert world.count("authorization") == 1
    orphan = world.kind("authorization").locate(world.checked("authorization"))
    made = world.make("authorization")
    assert orphan is not None
    assert orphan.id != made.id
    assert (world.count("authorization"), bool(token(made))) == (1, True)


def test_a_foreign_token_with_a_like_description_is_left_alone(world: World) -> None:
    right = {"action": "read", "resource": {"type": "buckets", "orgID": world.org_id}}
    for said in ("thing", "managed-by=motcua", "managed-by=motcua id=thing2", "managed-by=other id=thing", ""):
        told = {"orgID": world.org_id, "description": said, "permissions": [right]}
        world.server.call("POST", "/api/v2/authorizations", told)
    made = world.make("authorization")
    made.delete()
    listed = world.server.call("GET", f"/api/v2/authorizations?orgID={world.org_id}")["authorizations"]
    assert len(listed) == 5


def test_a_right_on_a_bucket_that_was_made_anew_is_seen_as_lost(world: World) -> None:
    made = world.make("authorization", permissions=[{"action": "read", "bucket": name} for name in ("raw", "other")])
    world.server.call("DELETE", f"/api/v2/buckets/{world.made['other'].id}")
    world.make("bucket", name="other")
    assert made.there().inputs["permissions"] == [{"action": "read", "type": "buckets", "bucket": "raw"}]
    assert difference(made.kind, made.there().outputs, made.inputs).replaces == {"permissions"}


def test_a_right_on_a_bucket_that_is_missing_is_told(world: World) -> None:
    with pytest.raises(ProviderError, match="no bucket 'nope' in this organisation; create it first"):
        world.make("authorization", permissions=[{"action": "read", "bucket": "nope"}])
    assert world.count("authorization") == 0


@pytest.mark.parametrize(
    ("permissions", "said"),
    [
        ([], "one permission at least"),
        ([{"action": "own", "bucket": "b"}], "action 'own' is neither read nor write"),
        ([{"action": "read", "type": "moons"}], "type 'moons' is unknown"),
        ([{"action": "read", "type": "tasks", "bucket": "b"}], "only type buckets takes a bucket"),
        ([{"action": "read"}, {"action": "read", "colour": "red"}], "permission 2 is no mapping"),
        (["read"], "permission 1 is no mapping"),
    ],
)
def test_permissions_that_cannot_be_are_named(permissions: list[object], said: str) -> None:
    _, (failure,) = OFFLINE.check({}, {"org": "o", "name": "n", "permissions": permissions})
    assert failure.field == "permissions"
    assert said in failure.reason


@given(PERMISSIONS, st.randoms())
def test_order_and_repetition_of_permissions_mean_nothing(permissions: list[dict[str, str]], random: object) -> None:
    shuffled = [*permissions, permissions[0]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert OFFLINE.is_equivalent("permissions", permissions, shuffled)
    assert permissions_digest(permissions) == permissions_digest(shuffled)
    spelled = [{"type": "buckets", **one} for one in permissions]
    assert OFFLINE.is_equivalent("permissions", permissions, spelled)


@given(PERMISSIONS, PERMISSIONS)
def test_other_rights_have_another_digest(one: list[dict[str, str]], two: list[dict[str, str]]) -> None:
    assert (permissions_digest(one) == permissions_digest(two)) == (
        canonical_permissions(one) == canonical_permissions(two)
    )
