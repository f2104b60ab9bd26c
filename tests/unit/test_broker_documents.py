"""The broker's files, written offline: dynamic security's first file and password files, loaded by the real thing."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from infra.providers.broker import KINDS, Dynsec
from infra.providers.broker.access import rights
from infra.providers.broker.document import ADMIN_ROLE, Admin, Service, document
from infra.providers.broker.listing import clients
from infra.providers.broker.marks import OWNER, Mark, mark_of
from infra.providers.broker.passwords import file, hashed, line
from infra.providers.broker.registry import Device, digest
from infra.providers.kind import difference
from tests.mosquitto import ADMIN, PASSWORD, Guarded
from tests.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SALT = b"twelve bytes"
ME = Admin(ADMIN, PASSWORD, SALT)
DEVICES = [Device("vn83-1-kiosk1", "vn83-1", "kiosk"), Device("vn83-1-kiosk2", "vn83-1", "kiosk", enabled=False)]
ROLLUP = Service("motcua-rollup", tuple(rights([], ["motcua/v1/+/+/state"])))


def test_a_real_broker_starts_on_the_document_and_the_kinds_know_their_own(
    require: Callable[[str], str], tmp_path: Path
) -> None:
    """What was written into the file needs no command any more, and is removed like what commands made."""
    text = document(ME, [ROLLUP], {"s": DEVICES})
    with Guarded(require("mosquitto"), tmp_path / "broker", Pki(tmp_path / "pki"), text) as broker:
        dynsec = Dynsec(broker.control)
        written = broker.state.stat().st_mtime_ns
        shard = {"name": "s", "devices": {one.id: one.value() for one in DEVICES}}
        role = {"name": ROLLUP.name, "acls": [dict(one) for one in ROLLUP.acls]}
        client = {"username": ROLLUP.name, "roles": [ROLLUP.name]}
        made = []
        for name, inputs in (("registry_shard", shard), ("role", role), ("client", client)):
            kind = KINDS[name](dynsec)
            ident, outputs = kind.create(kind.check({}, inputs)[0])
            found = kind.read(ident, outputs)
            assert found is not None
            assert not difference(kind, found.outputs, outputs).changed
            made.append((kind, ident, outputs))
        defaults = KINDS["default_access"](dynsec)
        found = defaults.read("default-access", {})
        assert found is not None
        assert not difference(defaults, found.outputs, defaults.check({}, {})[0]).changed
        assert broker.state.stat().st_mtime_ns == written
        for kind, ident, outputs in reversed(made):
            kind.delete(ident, outputs)
        assert sorted(clients(dynsec)) == [ADMIN]


def test_the_document_is_the_same_for_the_same_world_and_holds_no_password() -> None:
    text = document(ME, [ROLLUP], {"b": DEVICES[:1], "a": DEVICES[1:]})
    assert text == document(ME, [ROLLUP], {"a": DEVICES[1:], "b": DEVICES[:1]})
    assert PASSWORD not in text
    assert PASSWORD not in repr(ME)
    found = json.loads(text)
    assert [one["username"] for one in found["clients"]] == [ADMIN, ROLLUP.name, DEVICES[1].id, DEVICES[0].id]
    assert {one["rolename"] for one in found["roles"]} == {ADMIN_ROLE, ROLLUP.name, DEVICES[0].role}
    assert "password" not in json.loads(document(Admin("motcua-admin")))["clients"][0]


def test_mosquittos_own_tool_writes_the_same_form(require: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    command = [require("mosquitto_ctrl"), "dynsec", "init", str(path), ADMIN, PASSWORD]
    subprocess.run(command, check=True, capture_output=True)
    own, ours = json.loads(path.read_text()), json.loads(document(ME))
    assert own.keys() <= ours.keys()
    first = own["clients"][0]
    assert first.keys() - {"textName"} <= ours["clients"][0].keys()
    assert own["roles"][0].keys() <= ours["roles"][0].keys()
    assert first["password"] == hashed(PASSWORD, base64.b64decode(first["salt"]), first["iterations"])


def test_a_password_line_is_what_mosquitto_passwd_writes(require: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    command = [require("mosquitto_passwd"), "-b", "-c", str(path), "svc", PASSWORD]
    subprocess.run(command, check=True, capture_output=True)
    written = path.read_text().splitlines()[0]
    _, kind, iterations, salt, _ = written.split("$")
    assert kind == "7"
    assert line("svc", PASSWORD, base64.b64decode(salt), int(iterations)) == written


def test_a_password_file_is_in_order_and_refuses_what_it_cannot_hold() -> None:
    text = file({"b": ("x", SALT), "a": ("y", SALT)})
    assert [one.split(":")[0] for one in text.splitlines()] == ["a", "b"]
    assert text.endswith("\n")
    with pytest.raises(ValueError, match="holds no colon"):
        line("a:b", "x", SALT)
    with pytest.raises(ValueError, match="a salt of 3 bytes"):
        line("a", "x", b"abc")


IDS = st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True)


@given(IDS, st.one_of(st.just(""), IDS))
def test_a_mark_is_read_as_it_was_written(shard: str, centre: str) -> None:
    mark = Mark(ours=True, shard=shard, centre=centre)
    assert mark_of(str(mark)) == mark


@given(st.one_of(st.none(), st.text()))
def test_nobody_elses_description_is_taken_for_a_mark(text: str | None) -> None:
    assert not mark_of(text).ours or str(text).split(" ")[0] == OWNER


@given(st.permutations(DEVICES))
def test_a_digest_does_not_depend_on_order(devices: list[Device]) -> None:
    assert digest({one.id: one for one in devices}) == digest({one.id: one for one in DEVICES})
