"""Says that every shipped skin works from the provider's own process, against a real InfluxDB."""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from infra.providers import skins
from infra.providers.dynamic import PROVIDER_KEY, DynamicProvider
from infra.providers.resources import RESOURCE_TYPES
from tests.program.grpc_provider import UNKNOWN, Dial, Line, Refused, Seen, pickled
from tests.servers import InfluxServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Life = tuple[dict[str, Any], dict[str, Any], set[str]]
CHECKOUT = Path(__file__).resolve().parents[2]
ORG = "skins"
DAY_S = 86_400


def dial(influx: Mapping[str, object], token: str = "", **more: object) -> Dial:
    return Dial(CHECKOUT, {"motcua:influx": json.dumps(influx), "motcua:influxToken": token, **more})


@pytest.fixture(scope="module")
def server(influxd_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    found = InfluxServer(influxd_program, tmp_path_factory.mktemp("influxd")).start()
    yield found
    found.end()


@pytest.fixture(scope="module")
def process(server: InfluxServer) -> Iterator[Dial]:
    with dial({"url": server.url}, server.token) as found:
        line = found.of(DynamicProvider("influx.organisation"))
        made, _ = line.create(line.check({"name": ORG}).inputs)
        assert made
        yield found


def life(line: Line, given: Mapping[str, Any], after: Mapping[str, Any], added: set[str]) -> None:
    """Take a thing through check, create, read, no diff, update, read, delete, gone."""
    checked = line.check(given)
    assert checked.failures == {}
    ident, outputs = line.create(checked.inputs)
    assert ident
    assert {*checked.inputs, *added} <= {*outputs}
    assert not line.diff(ident, outputs, checked.inputs).changes, "an input differs right after it was made"
    seen = line.read(ident, outputs)
    assert seen.id == ident
    assert not line.diff(ident, seen.outputs, checked.inputs).changes
    assert not line.diff(ident, seen.outputs, seen.inputs).changes
    wanted = line.check({**given, **after}, checked.inputs)
    assert wanted.failures == {}
    changes = line.diff(ident, seen.outputs, wanted.inputs)
    assert (changes.changes, changes.replaces) == (True, ())
    updated = line.update(ident, seen.outputs, wanted.inputs)
    assert {*outputs} <= {*updated}, "an update forgot outputs"
    assert not line.diff(ident, line.read(ident, updated).outputs, wanted.inputs).changes
    line.delete(ident, updated)


LIVES: dict[str, Life] = {
    "influx.bucket": (
        {"org": ORG, "name": "b1", "retention_s": 7200.0, "shard_s": 3600.0, "description": "first"},
        {"retention_s": 30 * DAY_S, "shard_s": DAY_S},
        {"bucket_id", "org_id"},
    ),
    "influx.task": (
        {"org": ORG, "name": "t1", "flux": 'option task = {name: "t1", every: 1h}\n\nbuckets()\n'},
        {"flux": 'option task = {name: "t1", every: 2h}\n\nbuckets()\n'},
        {"org_id"},
    ),
    "influx.organisation": ({"name": "another"}, {"description": "told"}, {"org_id"}),
}


@pytest.mark.parametrize("kind", sorted(LIVES))
def test_life_of_a_thing_on_influxdb(process: Dial, kind: str) -> None:
    given, after, added = LIVES[kind]
    line = process.of(DynamicProvider(kind))
    life(line, given, after, added)


def test_numbers_come_back_whole_and_the_bucket_is_as_asked(process: Dial, server: InfluxServer) -> None:
    line = process.of(DynamicProvider("influx.bucket"))
    ident, outputs = line.create(line.check({"org": ORG, "name": "whole", "retention_s": 7200.0}).inputs)
    kept = server.call("GET", f"/api/v2/buckets/{ident}")["retentionRules"][0]
    assert kept["everySeconds"] == outputs["retention_s"] == 7200
    line.delete(ident, outputs)
    assert line.read(ident, outputs).id == ""


def test_token_is_there_after_create_stays_after_read_and_update_and_works(process: Dial, server: InfluxServer) -> None:
    bucket = process.of(DynamicProvider("influx.bucket"))
    bucket.create(bucket.check({"org": ORG, "name": "tokens", "retention_s": 0}).inputs)
    line = process.of(DynamicProvider("influx.authorization"))
    rights = [{"action": "read", "type": "buckets", "bucket": "tokens"}]
    given = line.check({"org": ORG, "name": "reader", "permissions": rights}).inputs
    ident, outputs = line.create(given)
    assert server.call("GET", "/api/v2/buckets?name=tokens", token=outputs["token"])["buckets"]
    assert line.read(ident, outputs).outputs["token"] == outputs["token"]
    assert line.update(ident, outputs, {**given, "active": False})["token"] == outputs["token"]
    wider = [*rights, {"action": "write", "type": "buckets", "bucket": "tokens"}]
    assert line.diff(ident, outputs, {**given, "permissions": wider}).replaces == ("permissions",)


def test_unknown_values_of_a_preview_pass(process: Dial) -> None:
    line = process.of(DynamicProvider("influx.bucket"))
    checked = line.check({"org": UNKNOWN, "name": "later", "retention_s": 0})
    assert (checked.failures, checked.inputs["org"]) == ({}, UNKNOWN)
    assert line.diff("0" * 16, {**checked.inputs, "org": ORG}, checked.inputs).changes


def test_four_creates_at_once(process: Dial) -> None:
    line = process.of(DynamicProvider("influx.bucket"))
    inputs = [line.check({"org": ORG, "name": f"crowd{n}", "retention_s": 0}).inputs for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(line.create, inputs))
    assert len({ident for ident, _ in made}) == 8
    for ident, outputs in made:
        line.delete(ident, outputs)


def calls(line: Line, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    return {
        "create": lambda: line.create(inputs),
        "read": lambda: line.read("1" * 16, outputs),
        "update": lambda: line.update("1" * 16, outputs, {**inputs, "description": "new"}),
        "delete": lambda: line.delete("1" * 16, outputs),
    }


@pytest.mark.parametrize("call", ["create", "read", "update", "delete"])
def test_no_error_of_influxdb_shows_the_token_and_none_means_gone(server: InfluxServer, call: str) -> None:
    planted = "planted-operator-token-31415"
    inputs = {"org": ORG, "name": "none", "retention_s": 0}
    outputs = {**inputs, "org_id": "0" * 16, "bucket_id": "1" * 16, "instance": "x"}
    for url in (server.url, f"http://127.0.0.1:{free_port()}"):
        with dial({"url": url}, planted) as found:
            line = found.of(DynamicProvider("influx.bucket"))
            with pytest.raises(Refused) as caught:
                calls(line, inputs, outputs)[call]()
        assert planted not in str(caught.value)
        assert "influx" in str(caught.value).lower()


def test_a_frozen_server_is_asked_once_for_all_kinds_of_a_run() -> None:
    """Its port accepts connections, because the kernel does, and nothing ever answers."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as frozen:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    taken.append(frozen.accept()[0])

        Thread(target=accept, daemon=True).start()
        outputs = {"org": ORG, "name": "none", "org_id": "0" * 16, "instance": "x"}
        kinds = [DynamicProvider(f"influx.{name}") for name in ("organisation", "bucket", "authorization", "task")]
        with dial({"url": f"http://127.0.0.1:{frozen.getsockname()[1]}"}, "t") as found:
            lines = [found.of(kind) for kind in kinds for _ in range(3)]
            with ThreadPoolExecutor(4) as pool:
                texts = set(pool.map(lambda line: refusal(lambda: line.read("1" * 16, outputs)), lines))
        assert len(taken) == 1
        assert all("does not answer" in text for text in texts)
        taken[0].close()


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        call()
    return str(caught.value)


def test_files_of_a_folder(tmp_path: Path) -> None:
    with Dial(CHECKOUT, {}) as found:
        line = found.of(DynamicProvider("host.files"))
        given = {"folder": str(tmp_path / "made"), "files": {"a.conf": "one\n"}, "secret_files": {"k.pem": "two\n"}}
        checked = line.check(given)
        assert checked.failures == {}
        ident, outputs = line.create(checked.inputs)
        assert (tmp_path / "made/a.conf").read_text() == "one\n"
        assert not line.diff(ident, line.read(ident, outputs).outputs, checked.inputs).changes
        line.delete(ident, outputs)
        assert not (tmp_path / "made/a.conf").exists()


@pytest.mark.parametrize("kind", sorted(RESOURCE_TYPES))
def test_pickle_of_every_kinds_provider_is_small_and_always_the_same(kind: str) -> None:
    assert pickled(DynamicProvider(kind)) == pickled(DynamicProvider(kind))
    assert len(pickled(DynamicProvider(kind))) < 200
    assert vars(DynamicProvider(kind)) == {"kind": kind}


def test_states_of_this_version_hold_kind_and_stack_of_one_class() -> None:
    """A state holds a provider by reference: a class that moves can neither be refreshed nor destroyed any more."""
    in_states = (
        "gASVYQAAAAAAAACMF2luZnJhLnByb3ZpZGVycy5keW5hbWljlIwPRHluYW1pY1Byb3ZpZGVylJOUKYGUfZQojARraW5klIwNaW5m"
        "bHV4LmJ1Y2tldJSMBXN0YWNrlIwIcHJvdmluY2WUdWIu"
    )
    assert pickled(DynamicProvider("influx.bucket", "province")) == in_states


def test_module_and_name_of_every_earlier_provider_stay_for_they_lie_in_states() -> None:
    kept = {
        "AuthoritySkin": "pki.authority",
        "AuthorizationSkin": "influx.authorization",
        "BucketSkin": "influx.bucket",
        "CertificateSkin": "pki.certificate",
        "DbrpSkin": "influx.dbrp",
        "FilesSkin": "host.files",
        "InstanceSkin": "influx.instance",
        "OrganisationSkin": "influx.organisation",
        "RemoteSkin": "influx.remote",
        "ReplicationSkin": "influx.replication",
        "RevocationListSkin": "pki.revocation_list",
        "TaskSkin": "influx.task",
    }
    assert {name: getattr(skins, name)().kind for name in kept} == kept
    assert all(getattr(skins, name).__module__ == "infra.providers.skins" for name in kept)
    assert set(kept.values()) == set(RESOURCE_TYPES)


@pytest.mark.parametrize("name", sorted(skins.EARLIER_CLASSES))
def test_the_earlier_form_of_a_provider_is_no_change_and_another_stack_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)  # `configure` sets it
    given = {"folder": str(tmp_path), "files": {"a": "b"}}
    skin, now = getattr(skins, name)(), DynamicProvider("host.files", "local")
    skin.stack = "local"
    now.configure(ConfigureRequest(Config({}, "motcua")))
    olds: dict[str, object] = {**given, PROVIDER_KEY: pickled(skin)}
    news: dict[str, object] = {**given, PROVIDER_KEY: pickled(now)}
    assert not now.diff("1", olds, news).changes
    skin.stack = "other"
    assert now.diff("1", {**olds, PROVIDER_KEY: pickled(skin)}, news).changes


# What the version before wrote into the states of a stack `local`.
IN_OLD_STATES = {
    "ClientSkin":
        "gASVPwAAAAAAAACMFWluZnJhLnByb3ZpZGVycy5za2luc5SMCkNsaWVudFNraW6Uk5QpgZR9lIwFc3RhY2uUjAVsb2NhbJRzYi4=",
    "DefaultAccessSkin":
        "gASVRgAAAAAAAACMFWluZnJhLnByb3ZpZGVycy5za2luc5SMEURlZmF1bHRBY2Nlc3NTa2lulJOUKYGUfZSMBXN0YWNrlIwFbG9jYWyU"
        "c2Iu",
    "NotificationEndpointSkin":
        "gASVTQAAAAAAAACMFWluZnJhLnByb3ZpZGVycy5za2luc5SMGE5vdGlmaWNhdGlvbkVuZHBvaW50U2tpbpSTlCmBlH2UjAVzdGFja5SM"
        "BWxvY2FslHNiLg==",
    "RegistryShardSkin":
        "gASVRgAAAAAAAACMFWluZnJhLnByb3ZpZGVycy5za2luc5SMEVJlZ2lzdHJ5U2hhcmRTa2lulJOUKYGUfZSMBXN0YWNrlIwFbG9jYWyU"
        "c2Iu",
    "RoleSkin":
        "gASVPQAAAAAAAACMFWluZnJhLnByb3ZpZGVycy5za2luc5SMCFJvbGVTa2lulJOUKYGUfZSMBXN0YWNrlIwFbG9jYWyUc2Iu",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(IN_OLD_STATES))
def test_a_removed_kind_in_an_old_state_reads_as_gone_and_is_deleted_without_a_server(
    tmp_path: Path, name: str
) -> None:
    outputs = {"name": "motcua-rollup", "acls": []}
    with (tmp_path / "said").open("w+b") as said, Dial(CHECKOUT, {}, said=said) as found:
        line = Line(found, IN_OLD_STATES[name])
        assert line.read("motcua-rollup", outputs) == Seen("", {}, {})
        line.delete("motcua-rollup", outputs)
        with pytest.raises(Refused, match="no longer manages mosquitto's dynamic security"):
            line.update("motcua-rollup", outputs, outputs)
    assert (tmp_path / "said").read_text().count("nothing on the server is changed or deleted") == 1
