"""Dynamic security's kinds and their client at a real mosquitto 2.0: roles, clients, defaults, batches, refusals."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from infra.providers.broker import KINDS, Dynsec
from infra.providers.broker.access import admin_rights, rights
from infra.providers.broker.client import DIGEST
from infra.providers.broker.dynsec import MOST_BYTES, MOST_COMMANDS, _batch, _LostError, _Session
from infra.providers.broker.listing import client, clients, roles, wire
from infra.providers.kind import ProviderError, difference
from telemetry.address import BrokerAddress
from telemetry.core.topics import every
from telemetry.errors import BrokerUnavailable
from telemetry.mqtt import Link, LinkSettings
from tests.flow.guests import Guest, Room
from tests.mosquitto import ADMIN, PASSWORD, Guarded, Mosquitto
from tests.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from infra.providers.broker.dynsec import Answer, Command
    from infra.providers.kind import Kind, Props

SECRET = "planted-password-3141"
ACLS = [dict(one) for one in rights(["a/#"], ["b/+/c"])]


@pytest.fixture
def broker(require: Callable[[str], str], tmp_path: Path) -> Iterator[Guarded]:
    with Guarded(require("mosquitto"), tmp_path / "broker", Pki(tmp_path / "pki")) as one:
        yield one


@pytest.fixture
def dynsec(broker: Guarded) -> Dynsec:
    return Dynsec(broker.control, 20)


def made(kind: Kind, **given: object) -> tuple[str, Props]:
    return kind.create(checked(kind, **given))


def checked(kind: Kind, **given: object) -> Props:
    props, failures = kind.check({}, given)
    assert failures == []
    return props


def drift(kind: Kind, ident: str, outputs: Props, wanted: Props) -> set[str]:
    found = kind.read(ident, outputs)
    assert found is not None
    return set(difference(kind, found.outputs, wanted).changed)


def test_a_role_is_made_changed_read_and_removed(broker: Guarded, dynsec: Dynsec) -> None:
    kind = KINDS["role"](dynsec)
    ident, outputs = made(kind, name="ingest", acls=ACLS)
    assert made(kind, name="ingest", acls=ACLS[::-1]) == (ident, outputs)
    assert not difference(kind, outputs, checked(kind, name="ingest", acls=ACLS[::-1])).changed
    less = checked(kind, name="ingest", acls=ACLS[:1])
    assert difference(kind, outputs, less).changed == {"acls"}
    outputs = kind.update(ident, outputs, less)
    assert drift(kind, ident, outputs, less) == set()
    dynsec.do(
        [{"command": "addRoleACL", "rolename": "ingest", "acltype": "publishClientSend", "topic": "#", "allow": True}]
    )
    assert drift(kind, ident, outputs, less) == {"acls"}
    kind.update(ident, outputs, less)
    assert drift(kind, ident, outputs, less) == set()
    dynsec.do([{"command": "createClient", "username": "holder", "roles": [{"rolename": "ingest"}]}])
    kind.delete(ident, outputs)
    kind.delete(ident, outputs)
    assert kind.read(ident, outputs) is None
    assert clients(dynsec)["holder"].roles == ()
    assert difference(kind, outputs, {**less, "name": "other"}).replaces == {"name"}
    assert broker.process.poll() is None


def test_a_client_is_made_changed_read_and_removed(dynsec: Dynsec) -> None:
    role, kind = KINDS["role"](dynsec), KINDS["client"](dynsec)
    for name in ("one", "two"):
        made(role, name=name, acls=ACLS)
    ident, outputs = made(kind, username="svc", roles=["two", "one"])
    assert client(dynsec, "svc").roles == ("one", "two")  # type: ignore[union-attr]
    assert made(kind, username="svc", roles=["one", "two"])[0] == ident
    wanted = checked(kind, username="svc", roles=["two"])
    assert difference(kind, outputs, wanted).changed == {"roles"}
    outputs = kind.update(ident, outputs, wanted)
    assert drift(kind, ident, outputs, wanted) == set()
    dynsec.do([{"command": "addClientRole", "username": "svc", "rolename": "one"}])
    assert drift(kind, ident, outputs, wanted) == {"roles"}
    kind.update(ident, outputs, wanted)
    off = checked(kind, username="svc", roles=["two"], disabled=True)
    outputs = kind.update(ident, outputs, off)
    assert client(dynsec, "svc").roles == ()  # type: ignore[union-attr]
    assert drift(kind, ident, outputs, off) == set()
    kind.update(ident, outputs, wanted)
    assert drift(kind, ident, outputs, wanted) == set()
    kind.delete(ident, outputs)
    kind.delete(ident, outputs)
    assert kind.read(ident, outputs) is None


def test_a_client_whose_role_is_missing_is_named_with_the_way_out(dynsec: Dynsec) -> None:
    with pytest.raises(ProviderError, match=r"client svc: no such role: nowhere; declare it first"):
        made(KINDS["client"](dynsec), username="svc", roles=["nowhere"])


def test_the_administrator_cannot_lock_itself_out(dynsec: Dynsec) -> None:
    with pytest.raises(ProviderError, match="client admin is the administrator"):
        made(KINDS["client"](dynsec), username=ADMIN, adopt=True)
    assert client(dynsec, ADMIN) is not None


def logs_in(broker: Guarded, username: str, password: str) -> bool:
    where = BrokerAddress("127.0.0.1", broker.control_port, username=username, password=password)
    room = Room(broker, broker.pki)
    guest = Guest(room, lambda listener: Link(where, LinkSettings(username), listener))
    room._guests.append(guest)
    guest.link.connect()
    room.until(lambda: guest.links or guest.ends, "the broker answers")
    guest.link.drop()
    return bool(guest.links)


def test_a_password_is_set_changed_and_taken_away_and_never_kept(broker: Guarded, dynsec: Dynsec) -> None:
    kind = KINDS["client"](dynsec)
    ident, outputs = made(kind, username="svc", password=SECRET)
    assert str(outputs["password"]).startswith(DIGEST)
    assert logs_in(broker, "svc", SECRET)
    same = checked(kind, username="svc", password=SECRET)
    assert not difference(kind, outputs, same).changed
    assert drift(kind, ident, outputs, same) == set()
    new = checked(kind, username="svc", password=SECRET + "2")
    assert difference(kind, outputs, new).changed == {"password"}
    outputs = kind.update(ident, outputs, new)
    assert (logs_in(broker, "svc", SECRET), logs_in(broker, "svc", SECRET + "2")) == (False, True)
    none = checked(kind, username="svc")
    outputs = kind.update(ident, outputs, none)
    assert not logs_in(broker, "svc", SECRET + "2")
    assert drift(kind, ident, outputs, none) == set()
    assert SECRET not in repr(outputs) + broker.state.read_text() + broker.text()


@pytest.mark.parametrize("name", ["role", "client"])
def test_foreign_things_are_refused_adopted_on_request_and_never_removed_otherwise(dynsec: Dynsec, name: str) -> None:
    dynsec.do([
        {"command": "createRole", "rolename": "hand", "acls": []},
        {"command": "createClient", "username": "hand", "password": SECRET},
    ])  # fmt: skip
    kind = KINDS[name](dynsec)
    given = {"name": "hand", "acls": ACLS} if name == "role" else {"username": "hand", "password": SECRET}
    with pytest.raises(ProviderError, match=rf"{name} hand: there already, by another hand; delete it there") as raised:
        made(kind, **given)
    assert SECRET not in repr(raised.value)
    kind.delete("hand", given)
    assert kind.read("hand", given) is not None
    ident, outputs = made(kind, **given, adopt=True)
    assert drift(kind, ident, outputs, checked(kind, **given)) == set()
    kind.delete(ident, outputs)
    assert kind.read(ident, outputs) is None


def test_the_defaults_are_set_read_and_given_back(broker: Guarded, dynsec: Dynsec) -> None:
    kind = KINDS["default_access"](dynsec)
    ident, outputs = made(kind)
    wanted = checked(kind)
    assert [name for name, value in wanted.items() if value] == ["unsubscribe"]
    assert drift(kind, ident, outputs, wanted) == set()
    dynsec.do([
        {"command": "createGroup", "groupname": "open"},
        {"command": "setAnonymousGroup", "groupname": "open"},
        {"command": "setDefaultACLAccess", "acls": [{"acltype": "subscribe", "allow": True}]},
    ])  # fmt: skip
    found = kind.read(ident, outputs)
    assert found is not None
    assert difference(kind, found.outputs, wanted).changed == {"subscribe", "anonymous_group"}
    kind.update(ident, found.outputs, wanted)
    found = kind.read(ident, outputs)
    assert found is not None
    assert found.outputs == outputs
    kind.delete(ident, outputs)
    assert drift(kind, ident, outputs, wanted) == {"publish_client_receive"}
    assert broker.process.poll() is None


def test_a_right_that_is_taken_away_ends_what_was_subscribed_with_it(broker: Guarded, dynsec: Dynsec) -> None:
    room, role = Room(broker, broker.pki), KINDS["role"](dynsec)
    made(KINDS["default_access"](dynsec))
    ident, outputs = made(role, name="r", acls=[dict(one) for one in rights(["x", "y"], ["x", "y"])])
    made(KINDS["client"](dynsec), username="svc", roles=["r"])
    guest = room.enter("svc", "x", "y")
    assert guest.publish("x", b"1") == 0
    room.until(lambda: guest.has(b"1"), "it hears itself")
    role.update(ident, outputs, checked(role, name="r", acls=[dict(one) for one in rights(["x", "y"], ["y"])]))
    assert guest.publish("x", b"2") == 0
    assert guest.publish("y", b"3") == 0
    room.until(lambda: guest.has(b"3"), "what is still allowed arrives")
    assert not guest.has(b"2")
    room.close()


def test_batches_are_bounded_by_number_and_bytes() -> None:
    small: list[Command] = [{"command": "getClient", "username": str(n)} for n in range(2000)]
    assert len(_batch(small, 20)) == MOST_COMMANDS
    writes: list[Command] = [{"command": "createClient", "username": str(n)} for n in range(2000)]
    assert len(_batch(writes, 20)) == 20
    large: list[Command] = [{"command": "createRole", "textdescription": "x" * 30_000} for _ in range(20)]
    assert len(_batch(large, 500)) == 6
    assert len(json.dumps(_batch(large, 500))) < MOST_BYTES
    assert len(_batch([{"command": "createRole", "textdescription": "x" * 500_000}], 500)) == 1


def test_many_commands_from_four_threads_all_arrive(broker: Guarded, dynsec: Dynsec) -> None:
    """Beyond what one packet of the generated configuration may hold."""
    told = "y" * 2_000

    def work(number: int) -> None:
        dynsec.do([
            {"command": "createRole", "rolename": f"{number}-{n}", "textdescription": told} for n in range(60)
        ])  # fmt: skip

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    names = [f"{number}-{n}" for number in range(4) for n in range(60)]
    assert roles(dynsec, names).keys() == set(names)
    assert broker.process.poll() is None


def test_answers_to_others_are_not_taken_for_ours(broker: Guarded, dynsec: Dynsec) -> None:
    """mosquitto sends every answer to everybody who listens for answers."""
    KINDS["role"](dynsec).create({"name": "there", "acls": []})

    def asks(name: str) -> list[bool]:
        mine = Dynsec(broker.control, 20)
        with mine.alone():
            return [mine.run([{"command": "getRole", "rolename": name}])[0].gone for _ in range(200)]

    with ThreadPoolExecutor(2) as pool:
        there, absent = pool.map(asks, ["there", "absent"])
    assert not any(there)
    assert all(absent)


def test_an_answer_lost_with_its_connection_is_asked_for_again(dynsec: Dynsec, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, whole = KINDS["client"](dynsec), _Session.ask
    lost: list[int] = []

    def once(self: _Session, batch: Sequence[Command]) -> list[Answer]:
        found = whole(self, batch)
        if not lost and batch[0]["command"] == "createClient":
            lost.append(1)
            raise _LostError("cut")
        return found

    monkeypatch.setattr(_Session, "ask", once)
    made(KINDS["role"](dynsec), name="r", acls=ACLS)
    ident, outputs = made(kind, username="svc", roles=["r"], password=SECRET)
    assert lost
    assert drift(kind, ident, outputs, checked(kind, username="svc", roles=["r"], password=SECRET)) == set()


def test_two_processes_with_one_certificate_do_not_undo_each_other(broker: Guarded, dynsec: Dynsec) -> None:
    """On the devices' listener the user is the client id, so a connection ends the one before it."""
    dynsec.do([
        {"command": "createRole", "rolename": "admins", "acls": wire(admin_rights())},
        {"command": "createClient", "username": "motcua-admin", "roles": [{"rolename": "admins"}]},
    ])  # fmt: skip
    where = broker.pki.client("motcua-admin").broker(broker.port)
    found: list[int] = []

    def work(number: int) -> None:
        mine = Dynsec(where, 20)
        for n in range(5):
            mine.do([{"command": "createRole", "rolename": f"{number}-{n}"}])
        found.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(found) == [0, 1]


def refusal(where: BrokerAddress) -> str:
    with pytest.raises(ProviderError) as raised:
        KINDS["client"](Dynsec(where, 2)).read("svc", {"username": "svc"})
    assert PASSWORD not in repr(raised.value)
    assert SECRET not in repr(raised.value)
    return str(raised.value)


def test_every_refusal_is_an_error_and_never_gone(
    broker: Guarded, dynsec: Dynsec, require: Callable[[str], str], tmp_path: Path, free_port: int
) -> None:
    dynsec.do([{"command": "createClient", "username": "nobody", "password": SECRET}])
    port = broker.control_port
    assert "no MQTT broker at" in refusal(BrokerAddress("127.0.0.1", free_port, username=ADMIN, password=PASSWORD))
    assert "check user name, password" in refusal(BrokerAddress("127.0.0.1", port, username=ADMIN, password=SECRET))
    assert "has this user a role" in refusal(BrokerAddress("127.0.0.1", port, username="nobody", password=SECRET))
    with Mosquitto(require("mosquitto"), tmp_path / "plain") as plain:
        said = refusal(BrokerAddress("127.0.0.1", plain.port, username=ADMIN, password=PASSWORD))
    assert "is its dynamic security plugin loaded" in said
    absent = BrokerAddress("127.0.0.1", broker.port, tls=True, ca=str(tmp_path / "absent.pem"))
    assert "No such file" in refusal(absent)
    broker.end()
    assert "no MQTT broker at" in refusal(broker.control)


def test_a_password_stays_out_of_a_refusal_by_the_broker(dynsec: Dynsec) -> None:
    with pytest.raises(ProviderError, match="setClientPassword") as raised:
        dynsec.do([{"command": "setClientPassword", "username": "a" * 70_000, "password": SECRET}, {"command": "none"}])
    assert SECRET not in repr(raised.value)


WRONG: tuple[tuple[str, dict[str, object], str], ...] = (
    ("role", {"acls": []}, "name"),
    ("role", {"name": "r", "acls": {}}, "acls"),
    ("role", {"name": "r", "acls": [{"type": "publish", "topic": "a"}]}, "acls"),
    ("role", {"name": "r", "acls": [{"type": "subscribePattern", "topic": "a/#/b"}]}, "acls"),
    ("role", {"name": "r", "acls": [{"type": "subscribePattern", "topic": "a+"}]}, "acls"),
    ("role", {"name": "r", "acls": [{"type": "subscribePattern", "topic": ""}]}, "acls"),
    ("role", {"name": "r", "acls": [{"type": "subscribePattern", "topic": "a", "allow": 1}]}, "acls"),
    ("role", {"name": "r", "acls": [{"type": "subscribePattern", "topic": "a"}] * 2}, "acls"),
    ("client", {"roles": []}, "username"),
    ("client", {"username": "a/b"}, "username"),
    ("client", {"username": "a", "roles": "r"}, "roles"),
    ("client", {"username": "a", "disabled": "no"}, "disabled"),
    ("client", {"username": "a", "password": ""}, "password"),
    ("default_access", {"subscribe": "yes"}, "subscribe"),
    ("default_access", {"anonymous_group": "all"}, "anonymous_group"),
)


@pytest.mark.parametrize(("name", "given", "field"), WRONG)
def test_what_cannot_be_used_is_named_before_the_broker_is_asked(
    name: str, given: dict[str, object], field: str
) -> None:
    kind = KINDS[name](Dynsec(BrokerAddress("127.0.0.1", 1)))
    assert [one.field for one in kind.check({}, given)[1]] == [field]


def test_rights_of_services_hold_with_and_without_a_shared_group(broker: Guarded, dynsec: Dynsec) -> None:
    room = Room(broker, broker.pki)
    made(KINDS["default_access"](dynsec))
    for name, acls in (("in", rights([], [every("up")])), ("out", rights([every("up")], []))):
        made(KINDS["role"](dynsec), name=name, acls=[dict(one) for one in acls])
        made(KINDS["client"](dynsec), username=name, roles=[name])
    plain, sender = room.enter("in", every("up")), room.enter("out")
    assert sender.publish("motcua/v1/c/d/up", b"1") == 0
    room.until(lambda: plain.has(b"1"), "the plain subscription hears it")
    plain.link.drop()
    shared = room.enter("in", every("up", "ingest"))
    assert sender.publish("motcua/v1/c/d/up", b"2") == 0
    room.until(lambda: shared.has(b"2"), "the shared one too")
    room.close()


def test_the_unreachable_is_what_the_link_calls_unavailable() -> None:
    """The error tree of the rest of the house does not leak out of the kinds."""
    with pytest.raises(ProviderError) as raised:
        Dynsec(BrokerAddress("127.0.0.1", 1), 2).run([{"command": "getDefaultACLAccess"}])
    assert not isinstance(raised.value, BrokerUnavailable)
