"""Two stacks on the same broker or in the same folder: the second is refused and takes nothing of the first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from infra.providers.broker import KINDS, Dynsec
from infra.providers.files import Files
from infra.providers.kind import ProviderError
from infra.providers.skin import PROVIDER
from infra.providers.skins import RoleSkin
from tests.mosquitto import Guarded
from tests.pki import Pki
from tests.program.test_dynsec import ACLS, checked, drift, made
from tests.program.test_provider_files import inputs, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.providers.skin import Skin


@pytest.fixture
def broker(require: Callable[[str], str], tmp_path: Path) -> Iterator[Guarded]:
    with Guarded(require("mosquitto"), tmp_path / "broker", Pki(tmp_path / "pki")) as one:
        yield one


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Skin]:
    """Return the skin of a role with `motcua:broker` as given; what it does to tracebacks is undone."""
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)

    def skin(text: str) -> Skin:
        found = RoleSkin()
        found.configure(ConfigureRequest(Config({"motcua:broker": text}, "motcua")))
        return found

    return skin


@pytest.mark.parametrize("name", ["role", "client"])
def test_a_second_stack_is_refused_and_takes_nothing_of_the_first(broker: Guarded, name: str) -> None:
    one, two = (Dynsec(broker.control, 20, owner=owner) for owner in ("one", "two"))
    given = {"name": "ingest", "acls": ACLS} if name == "role" else {"username": "ingest"}
    ident, outputs = made(KINDS[name](one), **given)
    with pytest.raises(ProviderError, match=rf"{name} ingest: there already, by stack 'one'; .*a broker of its own"):
        made(KINDS[name](two), **given)
    KINDS[name](two).delete(ident, outputs)
    assert drift(KINDS[name](one), ident, outputs, checked(KINDS[name](one), **given)) == set()
    KINDS[name](one).delete(ident, outputs)
    assert KINDS[name](one).read(ident, outputs) is None


def test_the_defaults_stay_while_another_stack_is_there(broker: Guarded) -> None:
    one, two = (Dynsec(broker.control, 20, owner=owner) for owner in ("one", "two"))
    ident, outputs = made(KINDS["default_access"](one))
    client, kept = made(KINDS["client"](one), username="ingest")
    KINDS["default_access"](two).delete(ident, outputs)
    found = KINDS["default_access"](one).read(ident, outputs)
    assert found is not None
    assert found.outputs["publish_client_receive"] is False
    KINDS["client"](one).delete(client, kept)
    KINDS["default_access"](one).delete(ident, outputs)
    after = KINDS["default_access"](one).read(ident, outputs)
    assert after is not None
    assert after.outputs["publish_client_receive"] is True


def test_a_stack_that_was_renamed_writes_its_new_name(broker: Guarded, configured: Callable[[str], Skin]) -> None:
    before, after = (Dynsec(broker.control, 20, owner=owner) for owner in ("one", "new"))
    ident, outputs = made(KINDS["role"](before), name="ingest", acls=ACLS)
    KINDS["role"](after).update(ident, outputs, outputs)
    KINDS["role"](after).delete(ident, outputs)
    assert KINDS["role"](before).read(ident, outputs) is None
    skin = configured('{"url": "mqtt://127.0.0.1:1"}')
    olds, news = ({**outputs, PROVIDER: f"provider of {name}"} for name in ("one", "new"))
    assert skin.diff(ident, olds, news).changes is True
    assert skin.diff(ident, olds, dict(olds)).changes is False


def test_a_broker_that_a_stack_no_longer_names_is_told_with_the_way_out(configured: Callable[[str], Skin]) -> None:
    with pytest.raises(ProviderError, match=r"still holds .* dynamic security; keep its url and username"):
        configured('{"form": "files"}').read("ingest", {})


def test_a_folder_has_one_stack(tmp_path: Path) -> None:
    one, two = Files("one"), Files("two")
    ident, outputs = one.create(inputs(tmp_path))
    before = tree(tmp_path)
    with pytest.raises(ProviderError, match=r"stack 'one' writes here; give this one another local\.folder"):
        two.create(inputs(tmp_path, files={"acl": "user b\n"}))
    two.delete(ident, outputs)
    assert tree(tmp_path) == before
    renamed = Files("new").update(ident, outputs, inputs(tmp_path))
    Files("new").delete(ident, renamed)
    assert tree(tmp_path) == {}
    two.delete(*two.create(inputs(tmp_path)))
