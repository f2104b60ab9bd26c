"""What a shard's run decides, against a model of the broker: pure, with runs that die anywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings, strategies as st

from infra.providers.broker.listing import ClientThere, RoleThere, _role, ordered
from infra.providers.broker.marks import Mark, mark_of
from infra.providers.broker.registry import Device, There, changes, devices_of, foreign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.providers.broker.dynsec import Command

CENTRE = "vn83-28756"


def kiosk(number: int) -> str:
    return f"{CENTRE}-kiosk{number}"


class Model:
    """A broker that does what commands say, and refuses what mosquitto refuses or should never be asked."""

    def __init__(self, there: There) -> None:
        self.clients, self.roles = dict(there.clients), dict(there.roles)

    def there(self) -> There:
        return There(self.clients, self.roles)

    def do(self, commands: Sequence[Command]) -> None:
        for one in commands:
            getattr(self, f"_{one['command']}")(dict(one))

    def _createRole(self, one: dict[str, object]) -> None:  # noqa: N802
        assert one["rolename"] not in self.roles
        self._role(one)

    def _modifyRole(self, one: dict[str, object]) -> None:  # noqa: N802
        assert one["rolename"] in self.roles
        self._role(one)

    def _role(self, one: dict[str, object]) -> None:
        self.roles[str(one["rolename"])] = _role(one)

    def _deleteRole(self, one: dict[str, object]) -> None:  # noqa: N802
        assert not any(one["rolename"] in client.roles for client in self.clients.values()), "somebody holds it"
        del self.roles[str(one["rolename"])]

    def _createClient(self, one: dict[str, object]) -> None:  # noqa: N802
        assert one["username"] not in self.clients
        self._put(one, ClientThere(str(one["username"])))

    def _modifyClient(self, one: dict[str, object]) -> None:  # noqa: N802
        self._put(one, self.clients[str(one["username"])])

    def _put(self, one: dict[str, object], old: ClientThere) -> None:
        mark = mark_of(one["textdescription"])
        self.clients[old.username] = ClientThere(old.username, old.roles, old.disabled, str(one["textname"]), mark)

    def _deleteClient(self, one: dict[str, object]) -> None:  # noqa: N802
        del self.clients[str(one["username"])]

    def _set(self, one: dict[str, object], **more: object) -> None:
        name = str(one["username"])
        self.clients[name] = replace(self.clients[name], **more)  # type: ignore[arg-type]

    def _enableClient(self, one: dict[str, object]) -> None:  # noqa: N802
        self._set(one, disabled=False)

    def _disableClient(self, one: dict[str, object]) -> None:  # noqa: N802
        self._set(one, disabled=True)

    def _addClientRole(self, one: dict[str, object]) -> None:  # noqa: N802
        assert one["rolename"] in self.roles
        self._set(one, roles=(*self.clients[str(one["username"])].roles, str(one["rolename"])))

    def _removeClientRole(self, one: dict[str, object]) -> None:  # noqa: N802
        held = self.clients[str(one["username"])].roles
        assert one["rolename"] in held
        self._set(one, roles=tuple(role for role in held if role != one["rolename"]))


IDS = st.sampled_from([kiosk(n) for n in range(4)])
DEVICE = st.fixed_dictionaries(
    {
        "centre": st.sampled_from([CENTRE, "vn83-1", ""]),
        "kind": st.sampled_from(["", "kiosk"]),
        "enabled": st.booleans(),
    }
)
WANTED = st.dictionaries(IDS, DEVICE, max_size=4)
STRANGERS = There(
    {"foreign": ClientThere("foreign", ("device:foreign",)), "svc": ClientThere("svc", ("svc",), mark=Mark(ours=True))},
    {"device:foreign": RoleThere("device:foreign"), "svc": RoleThere("svc", (), Mark(ours=True))},
)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), WANTED, st.integers(0, 40)), min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_sequence_of_runs_cut_anywhere_ends_in_exactly_what_was_wanted(
    steps: list[tuple[str, dict[str, object], int]],
) -> None:
    """Each step's run dies after some commands; whichever shard took a device last has it."""
    model = Model(STRANGERS)
    for shard, wanted, cut in steps:
        model.do(changes(shard, devices_of(wanted), model.there())[:cut])
        model.do(changes(shard, devices_of(wanted), model.there()))
        assert changes(shard, devices_of(wanted), model.there()) == []
        _exactly(model, shard, devices_of(wanted))
    for shard in ("a", "b"):
        model.do(changes(shard, {}, model.there()))
    assert model.there() == STRANGERS


def _exactly(model: Model, shard: str, wanted: dict[str, Device]) -> None:
    own = {name: one for name, one in model.clients.items() if one.mark.shard == shard}
    assert own.keys() == wanted.keys()
    for name, device in wanted.items():
        assert own[name].disabled != device.enabled
        assert own[name].roles == ((device.role,) if device.enabled else ())
        assert (device.role in model.roles) == device.enabled
        if device.enabled:
            assert model.roles[device.role].acls == ordered(device.acls)


def test_strangers_are_named() -> None:
    wanted = devices_of({"foreign": {}, "svc": {}, kiosk(1): {}})
    assert set(foreign(wanted.values(), STRANGERS)) == {"foreign", "svc"}
