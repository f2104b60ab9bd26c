"""Registry shards at a real mosquitto 2.0: who is declared gets in, whoever is not is out, nobody else is touched."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from infra.providers.broker import Dynsec
from infra.providers.broker.document import Admin, document
from infra.providers.broker.dynsec import _Session
from infra.providers.broker.listing import clients, roles
from infra.providers.broker.registry import Device, devices_of
from infra.providers.broker.shard import RegistryShard
from infra.providers.kind import ProviderError, difference
from telemetry.core.topics import Topic, every
from telemetry.mqtt import FAILED, LinkSettings
from tests.flow.guests import Room
from tests.mosquitto import ADMIN, PASSWORD, Guarded
from tests.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from infra.providers.broker.dynsec import Answer, Command
    from infra.providers.kind import Props

CENTRE = "vn83-28756"
REFUSED = 0x87
INGEST: list[Command] = [
    {"command": "createRole", "rolename": "ingest", "acls": [
        {"acltype": "publishClientSend", "topic": "#", "allow": True},
        {"acltype": "publishClientReceive", "topic": "#", "allow": True},
        {"acltype": "subscribePattern", "topic": "#", "allow": True},
    ]},
    {"command": "createClient", "username": "foreign-ingest", "roles": [{"rolename": "ingest"}]},
]  # fmt: skip


@pytest.fixture
def broker(require: Callable[[str], str], tmp_path: Path) -> Iterator[Guarded]:
    with Guarded(require("mosquitto"), tmp_path / "broker", Pki(tmp_path / "pki")) as one:
        yield one


@pytest.fixture
def dynsec(broker: Guarded) -> Dynsec:
    found = Dynsec(broker.control, 20)
    found.do(INGEST)
    return found


def kiosk(number: int) -> str:
    return f"{CENTRE}-kiosk{number}"


def inputs(name: str, devices: Sequence[str] | Mapping[str, object], **more: object) -> Props:
    wanted = devices if isinstance(devices, dict) else {one: {"centre": CENTRE, "kind": "kiosk"} for one in devices}
    checked, failures = RegistryShard.check(RegistryShard(None), {}, {"name": name, "devices": wanted, **more})  # type: ignore[arg-type]
    assert failures == []
    return checked


def held(dynsec: Dynsec) -> dict[str, str]:
    """All of our devices by the shard that has them."""
    return {name: one.mark.shard for name, one in clients(dynsec).items() if one.mark.ours}


def untouched(dynsec: Dynsec) -> bool:
    found = clients(dynsec)
    return found["foreign-ingest"].roles == ("ingest",) and "ingest" in roles(dynsec, ["ingest"])


def test_a_shard_is_made_changed_read_and_removed(broker: Guarded, dynsec: Dynsec) -> None:
    kind = RegistryShard(dynsec)
    ident, outputs = kind.create(inputs("a", [kiosk(1), kiosk(2)]))
    assert (ident, outputs["count"], outputs["enabled_count"]) == ("a", 2, 2)
    assert held(dynsec) == {kiosk(1): "a", kiosk(2): "a"}
    news = inputs("a", {kiosk(2): {"centre": CENTRE}, kiosk(3): {"centre": CENTRE, "enabled": False}})
    before = len(broker.text())
    outputs = kind.update(ident, outputs, news)
    assert outputs["enabled_count"] == 1
    assert held(dynsec) == {kiosk(2): "a", kiosk(3): "a"}
    assert f"createRole | rolename=device:{kiosk(2)}" not in broker.text()[before:], "only what differs is touched"
    found = kind.read(ident, outputs)
    assert found is not None
    assert not difference(kind, found.outputs, news).changed
    assert found.outputs["digest"] == outputs["digest"]
    kind.delete(ident, outputs)
    kind.delete(ident, outputs)
    assert held(dynsec) == {}
    assert not roles(dynsec, [f"device:{kiosk(n)}" for n in (1, 2, 3)])
    assert untouched(dynsec)


def test_a_second_run_changes_nothing(broker: Guarded, dynsec: Dynsec) -> None:
    kind = RegistryShard(dynsec)
    ident, outputs = kind.create(inputs("a", [kiosk(1)]))
    written = broker.state.stat().st_mtime_ns
    assert kind.update(ident, outputs, inputs("a", [kiosk(1)])) == outputs
    assert kind.create(inputs("a", [kiosk(1)])) == (ident, outputs)
    assert broker.state.stat().st_mtime_ns == written


def test_what_was_changed_by_hand_shows_and_is_repaired(dynsec: Dynsec) -> None:
    kind = RegistryShard(dynsec)
    wanted = inputs("a", [kiosk(n) for n in range(5)])
    ident, outputs = kind.create(wanted)
    wide = [{"acltype": "publishClientSend", "topic": "#", "allow": True}]
    dynsec.do([
        {"command": "deleteClient", "username": kiosk(0)},
        {"command": "disableClient", "username": kiosk(1)},
        {"command": "modifyRole", "rolename": f"device:{kiosk(2)}", "acls": wide},
        {"command": "addClientRole", "username": kiosk(3), "rolename": "ingest"},
    ])  # fmt: skip
    found = kind.read(ident, outputs)
    assert found is not None
    seen = devices_of(found.inputs["devices"])
    assert kiosk(0) not in seen
    assert not seen[kiosk(1)].enabled
    assert [name for name, one in found.inputs["devices"].items() if "drift" in one] == [kiosk(n) for n in (1, 2, 3)]  # type: ignore[attr-defined]
    assert difference(kind, found.outputs, wanted).changed == {"devices"}
    again = kind.update(ident, found.outputs, wanted)
    assert again == outputs
    found = kind.read(ident, again)
    assert found is not None
    assert not difference(kind, found.outputs, wanted).changed
    assert untouched(dynsec)


def test_a_device_that_moved_stays_whichever_shard_is_first(dynsec: Dynsec) -> None:
    kind = RegistryShard(dynsec)
    first = kind.create(inputs("a", [kiosk(1), kiosk(2)]))[1]
    kind.create(inputs("b", [kiosk(2), kiosk(3)]))
    assert kind.update("a", first, inputs("a", [kiosk(1)]))["count"] == 1
    assert held(dynsec) == {kiosk(1): "a", kiosk(2): "b", kiosk(3): "b"}
    second = kind.update("b", {}, inputs("b", [kiosk(3)]))
    kind.update("a", {}, inputs("a", [kiosk(1), kiosk(2)]))
    kind.delete("b", {**second, "devices": inputs("b", [kiosk(2), kiosk(3)])["devices"]})
    assert held(dynsec) == {kiosk(1): "a", kiosk(2): "a"}
    assert f"device:{kiosk(2)}" in roles(dynsec, [f"device:{kiosk(2)}"])


def test_a_foreign_client_is_refused_then_adopted_on_request(dynsec: Dynsec) -> None:
    kind = RegistryShard(dynsec)
    dynsec.do([{"command": "createClient", "username": kiosk(1), "textdescription": "made by hand"}])
    with pytest.raises(ProviderError, match=rf"{kiosk(1)}: there already, by another hand; delete it there"):
        kind.create(inputs("a", [kiosk(1), kiosk(2)]))
    assert held(dynsec) == {}
    kind.create(inputs("a", [kiosk(1), kiosk(2)], adopt=True))
    assert held(dynsec) == {kiosk(1): "a", kiosk(2): "a"}
    kind.delete("a", {"name": "a"})
    assert untouched(dynsec)


def test_two_stacks_on_one_broker_do_not_touch_each_others_devices(broker: Guarded, dynsec: Dynsec) -> None:
    first, second = (RegistryShard(Dynsec(broker.control, 20, owner=name)) for name in ("one", "two"))
    kept = first.create(inputs("a", [kiosk(1), kiosk(2)]))[1]
    with pytest.raises(ProviderError, match=rf"{kiosk(2)}: there already, by stack 'one'; .*a broker of its own"):
        second.create(inputs("a", [kiosk(2), kiosk(3)]))
    made = second.create(inputs("a", [kiosk(3)]))[1]
    assert held(dynsec) == {kiosk(1): "one/a", kiosk(2): "one/a", kiosk(3): "two/a"}
    second.delete("a", {**made, "devices": inputs("a", [kiosk(1), kiosk(3)])["devices"]})
    assert held(dynsec) == {kiosk(1): "one/a", kiosk(2): "one/a"}
    found = first.read("a", kept)
    assert found is not None
    assert found.outputs == kept
    assert first.update("a", kept, inputs("a", [kiosk(2)]))["count"] == 1
    assert held(dynsec) == {kiosk(2): "one/a"}


def test_nobody_who_holds_a_devices_role_is_left_with_its_memory(broker: Guarded, dynsec: Dynsec) -> None:
    """2.0.11 goes on using a deleted role that a client got at its creation."""
    kind = RegistryShard(dynsec)
    outputs = kind.create(inputs("a", [kiosk(1)]))[1]
    role = {"rolename": f"device:{kiosk(1)}"}
    dynsec.do([
        {"command": "createClient", "username": "by-hand", "roles": [role]},
        {"command": "createGroup", "groupname": "group"},
        {"command": "addGroupRole", "groupname": "group", **role},
    ])  # fmt: skip
    kind.delete("a", outputs)
    assert clients(dynsec)["by-hand"].roles == ()
    broker.end()
    broker.start_again()
    assert clients(dynsec)["by-hand"].roles == ()


def test_a_device_uses_its_own_topics_until_it_is_disabled_or_removed(broker: Guarded, dynsec: Dynsec) -> None:
    """A disabled one may connect, for its certificate is valid, and neither publish nor hear anything."""
    kind, room = RegistryShard(dynsec), Room(broker, broker.pki)
    mine = Topic(CENTRE, kiosk(1), "up")
    outputs = kind.create(inputs("a", [kiosk(1), kiosk(2)]))[1]
    ingest = room.enter("foreign-ingest", every("up"))
    guests = {number: room.enter_device(mine if number == 1 else Topic(CENTRE, kiosk(2), "up")) for number in (1, 2)}
    assert guests[1].publish(mine.path, b"own") == 0
    room.until(lambda: ingest.has(b"own"), "a declared device is heard")
    room.receipt_heard(ingest, guests[1], mine)
    news = inputs("a", {kiosk(1): {"centre": CENTRE, "kind": "kiosk", "enabled": False}})
    kind.update("a", outputs, news)
    room.until(lambda: guests[1].ends and guests[2].ends, "disabled and removed devices are put out")
    for name in (kiosk(1), kiosk(2), "never-declared"):
        topic = Topic(CENTRE, name, "up")
        back = room.knock(room.pki.client(name), LinkSettings(name, ((topic.on("receipt").path, 1), ("#", 1))))
        assert ingest.publish(topic.on("receipt").path, b"secret") < FAILED
        assert ingest.publish("elsewhere", b"secret") < FAILED
        # Its answer comes after all that was sent to it before.
        assert back.publish(topic.path, b"forged") == REFUSED
        assert back.got == []
    assert not ingest.has(b"forged")
    kind.update("a", {}, inputs("a", [kiosk(1)]))
    back = room.enter_device(mine)
    assert back.publish(mine.path, b"enabled again") == 0
    room.receipt_heard(ingest, back, mine)
    room.close()


def test_a_broker_that_stops_in_the_middle_is_finished_by_the_next_run(
    broker: Guarded, dynsec: Dynsec, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, wanted = RegistryShard(dynsec), inputs("a", [kiosk(n) for n in range(300)])
    asks, whole = [0], _Session.ask

    def dies(self: _Session, batch: Sequence[Command]) -> list[Answer]:
        asks[0] += batch[0]["command"] in {"createRole", "createClient", "addClientRole"}
        if asks[0] == 2:
            broker.end()
        return whole(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(_Session, "ask", dies)
        with pytest.raises(ProviderError, match=r"no MQTT broker at .*; is it running"):
            kind.create(wanted)
    broker.start_again()
    assert 0 < len(held(dynsec)) < 300
    kind.create(wanted)
    assert len(held(dynsec)) == 300
    assert untouched(dynsec)


def test_what_was_declared_survives_kill_9(broker: Guarded, dynsec: Dynsec) -> None:
    kind, wanted = RegistryShard(dynsec), inputs("a", [kiosk(n) for n in range(20)])
    outputs = kind.create(wanted)[1]
    broker.kill()
    with pytest.raises(ProviderError, match="no MQTT broker at"):
        kind.read("a", outputs)
    broker.start_again()
    found = kind.read("a", outputs)
    assert found is not None
    assert not difference(kind, found.outputs, wanted).changed


def test_a_broker_that_lost_its_file_says_so_and_gets_everything_back(broker: Guarded, dynsec: Dynsec) -> None:
    """2.0.11 writes the file in place: killed at that moment, it starts and knows nobody, not its administrator."""
    kind, wanted = RegistryShard(dynsec), inputs("a", [kiosk(n) for n in range(20)])
    outputs = kind.create(wanted)[1]
    broker.kill()
    broker.state.write_bytes(b"")
    broker.start_again()
    with pytest.raises(ProviderError, match="put its first file back") as raised:
        kind.read("a", outputs)
    assert PASSWORD not in repr(raised.value)
    broker.kill()
    broker.state.write_text(broker.first)
    broker.start_again()
    found = kind.read("a", outputs)
    assert found is not None
    assert found.inputs["devices"] == {}
    kind.update("a", found.outputs, wanted)
    assert len(held(dynsec)) == 20


def test_a_create_that_died_and_is_no_longer_wanted_leaves_nobody_with_rights(dynsec: Dynsec) -> None:
    kind = RegistryShard(dynsec)
    kind.create(inputs("a", [kiosk(1), kiosk(2)]))
    kind.create(inputs("a", [kiosk(2)]))
    assert held(dynsec) == {kiosk(2): "a"}


def test_a_thousand_devices_in_shards_at_once(require: Callable[[str], str], tmp_path: Path) -> None:
    """By four threads, as Pulumi does it; begun on a file with most of them, as a first roll-out is."""
    names = [kiosk(n) for n in range(1000)]
    shards = {f"s{n}": names[n::4] for n in range(4)}
    first = {name: [Device(one, CENTRE, "kiosk") for one in members[:-5]] for name, members in shards.items()}
    text = document(Admin(ADMIN, PASSWORD, b"a" * 12), shards=first)
    with Guarded(require("mosquitto"), tmp_path / "broker", Pki(tmp_path / "pki"), text) as broker:
        kind = RegistryShard(Dynsec(broker.control))
        before = broker.text().count("createClient |")
        threads = [threading.Thread(target=kind.create, args=(inputs(*one),)) for one in shards.items()]
        for one in threads:
            one.start()
        for one in threads:
            one.join(120)
        assert held(Dynsec(broker.control)) == {one: name for name, members in shards.items() for one in members}
        assert broker.text().count("createClient |") - before == 20, "those of the file are known as ours"


REAL: tuple[tuple[tuple[str, list[int], list[int]], ...], ...] = (
    (("a", [1, 2, 3], []), ("b", [3, 4], [4]), ("a", [1], []), ("b", [], [4]), ("a", [1, 4], [1])),
    (("a", [], [1]), ("a", [1], []), ("b", [1], []), ("a", [], []), ("b", [], [1]), ("b", [2], [])),
)


@pytest.mark.parametrize("steps", REAL)
def test_a_sequence_of_runs_at_a_real_broker_ends_in_exactly_what_was_wanted(
    dynsec: Dynsec, steps: tuple[tuple[str, list[int], list[int]], ...]
) -> None:
    """As in the model: whichever shard took a device last has it, and rights only if it is enabled."""
    kind, owner = RegistryShard(dynsec), dict[str, str]()
    outputs: dict[str, Props] = {}
    for shard, enabled, disabled in steps:
        devices = {kiosk(n): {"centre": CENTRE, "enabled": n in enabled} for n in {*enabled, *disabled}}
        outputs[shard] = kind.update(shard, outputs.get(shard, {}), inputs(shard, devices))
        owner = {name: one for name, one in owner.items() if one != shard or name in devices}
        owner |= dict.fromkeys(devices, shard)
        assert held(dynsec) == owner
        found = clients(dynsec)
        assert {name: found[name].disabled for name in devices} == {n: not one["enabled"] for n, one in devices.items()}
        assert all(bool(found[name].roles) == one["enabled"] for name, one in devices.items())
    assert untouched(dynsec)


WRONG: tuple[tuple[dict[str, object], str], ...] = (
    ({"name": "A"}, "name"),
    ({"name": "a", "devices": []}, "devices"),
    ({"name": "a", "devices": {"+": {}}}, "devices"),
    ({"name": "a", "devices": {"d": {"centre": "#"}}}, "devices"),
    ({"name": "a", "devices": {"d": {"colour": "red"}}}, "devices"),
    ({"name": "a", "devices": {"d": {"enabled": "no"}}}, "devices"),
)


@pytest.mark.parametrize(("given_inputs", "field"), WRONG)
def test_what_cannot_be_used_is_named(given_inputs: dict[str, object], field: str) -> None:
    kind = RegistryShard(None)  # type: ignore[arg-type]
    assert [one.field for one in kind.check({}, given_inputs)[1]] == [field]
