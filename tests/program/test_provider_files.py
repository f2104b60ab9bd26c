"""The kind `Files` on a real disk and with a real mosquitto: nothing foreign is touched, nothing half is left."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from infra.host import mosquitto
from infra.providers import files as files_module
from infra.providers.files import CHANGED_BY_HAND, FilesKind
from infra.providers.files.checks import acl_line_faults
from infra.providers.files.disk import ManagedFolder
from infra.providers.resource_kind import ProviderError, difference
from tests.flow.guests import Room
from tests.mosquitto import Mosquitto
from tests.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.providers.resource_kind import Props

KIND = FilesKind()
SECRET = "planted-secret-3141"


def inputs(folder: Path, **more: object) -> dict[str, object]:
    given = {"folder": str(folder), "files": {"acl": "user a\n", "conf.d/one": "1\n"},
             "secret_files": {"server.key": SECRET}} | more  # fmt: skip
    checked, failures = KIND.check({}, given)
    assert failures == []
    return dict(checked)


def tree(folder: Path) -> dict[str, str]:
    """Every file below the folder but our record."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".motcua-")
    }


def settled(outputs: Props) -> bool:
    """What is there is what was wanted."""
    found = KIND.read("x", outputs)
    return found is not None and not difference(KIND, found.outputs, outputs).changed


def test_create_update_delete_leave_exactly_what_is_declared(tmp_path: Path) -> None:
    folder = tmp_path / "etc" / "motcua"
    ident, outputs = KIND.create(inputs(folder))
    assert ident == str(folder)
    assert tree(folder) == {"acl": "user a\n", "conf.d/one": "1\n", "server.key": SECRET}
    assert stat.S_IMODE((folder / "server.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "acl").stat().st_mode) == 0o644
    assert settled(outputs)
    kept = (folder / "acl").stat().st_ino
    outputs = KIND.update(ident, outputs, inputs(folder, files={"acl": "user a\n", "two": "2\n"}))
    assert tree(folder) == {"acl": "user a\n", "two": "2\n", "server.key": SECRET}
    assert (folder / "acl").stat().st_ino == kept, "what is right is not written again"
    assert not (folder / "conf.d").exists()
    KIND.delete(ident, outputs)
    KIND.delete(ident, outputs)
    assert not (tmp_path / "etc").exists()
    assert KIND.read(ident, outputs) is None


def test_what_somebody_else_wrote_is_refused_then_adopted_on_request(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("user other\n")
    (tmp_path / "mine").write_text("keep\n")
    with pytest.raises(ProviderError, match=r"acl: already there and not ours; move it away"):
        KIND.create(inputs(tmp_path))
    assert tree(tmp_path) == {"acl": "user other\n", "mine": "keep\n"}
    ident, outputs = KIND.create(inputs(tmp_path, adopt=True))
    assert settled(outputs)
    assert not difference(KIND, outputs, inputs(tmp_path)).changed
    KIND.delete(ident, outputs)
    assert tree(tmp_path) == {"mine": "keep\n"}


def test_two_records_in_one_folder_do_not_touch_each_other(tmp_path: Path) -> None:
    KIND.create(inputs(tmp_path, name="broker"))
    with pytest.raises(ProviderError, match="acl: already there"):
        KIND.create(inputs(tmp_path, name="other", files={"acl": "user b\n"}, secret_files={}))
    ident, outputs = KIND.create(inputs(tmp_path, name="other", files={"more": "x"}, secret_files={}))
    assert ident == f"{tmp_path}#other"
    KIND.delete(ident, outputs)
    assert sorted(tree(tmp_path)) == ["acl", "conf.d/one", "server.key"]


def test_drift_shows_and_is_repaired(tmp_path: Path) -> None:
    ident, outputs = KIND.create(inputs(tmp_path))
    (tmp_path / "acl").write_text("user evil\n")
    (tmp_path / "server.key").write_text("another planted secret")
    (tmp_path / "conf.d/one").unlink()
    found = KIND.read(ident, outputs)
    assert found is not None
    assert found.inputs["files"] == {"acl": "user evil\n"}
    assert found.inputs["secret_files"] == {"server.key": CHANGED_BY_HAND}
    assert "another planted" not in repr(found)
    assert difference(KIND, found.outputs, inputs(tmp_path)).changed == {"files", "secret_files"}
    again = KIND.update(ident, found.outputs, inputs(tmp_path))
    assert settled(again)
    (tmp_path / "server.key").chmod(0o644)
    found = KIND.read(ident, again)
    assert found is not None
    assert found.inputs["modes"] == {"server.key": "0644"}
    KIND.update(ident, found.outputs, inputs(tmp_path))
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600


def test_a_file_changed_by_hand_and_no_longer_declared_stays(tmp_path: Path) -> None:
    ident, outputs = KIND.create(inputs(tmp_path))
    (tmp_path / "conf.d/one").write_text("by hand\n")
    outputs = KIND.update(ident, outputs, inputs(tmp_path, files={"acl": "user a\n"}))
    assert outputs["left"] == ["conf.d/one"]
    (tmp_path / "acl").write_text("by hand too\n")
    KIND.delete(ident, outputs)
    assert tree(tmp_path) == {"conf.d/one": "by hand\n", "acl": "by hand too\n"}


def test_a_lost_record_neither_loses_nor_steals(tmp_path: Path) -> None:
    ident, outputs = KIND.create(inputs(tmp_path))
    (tmp_path / ".motcua-files.json").unlink()
    assert KIND.create(inputs(tmp_path))[1]["left"] == []
    (tmp_path / ".motcua-files.json").write_text("{broken")
    with pytest.raises(ProviderError, match=r"\.motcua-files\.json: not a record of ours"):
        KIND.update(ident, outputs, inputs(tmp_path))
    (tmp_path / ".motcua-files.json").unlink()
    KIND.delete(ident, outputs)
    assert tree(tmp_path) == {}


def test_the_record_holds_no_contents_and_is_nobodys_business(tmp_path: Path) -> None:
    KIND.create(inputs(tmp_path))
    record = tmp_path / ".motcua-files.json"
    assert SECRET not in record.read_text()
    assert sorted(json.loads(record.read_text())["files"]) == ["acl", "conf.d/one", "server.key"]
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


class Died(Exception):
    pass


STEPS = ("save_ledger", "write_files", "remove_files", "remove_empty_folders")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("before", [True, False])
def test_a_run_that_dies_at_any_step_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, before: bool
) -> None:
    ident, outputs = KIND.create(inputs(tmp_path))
    wanted = inputs(tmp_path, files={"acl": "user b\n", "new": "n"}, secret_files={"server.key": SECRET + "2"})
    whole = getattr(ManagedFolder, step)

    def dies(self: ManagedFolder, *args: object) -> object:
        if not before:
            whole(self, *args)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(ManagedFolder, step, dies)
        with pytest.raises(Died):
            KIND.update(ident, outputs, wanted)
    if step == "save_ledger" and before:
        assert tree(tmp_path) == {"acl": "user a\n", "conf.d/one": "1\n", "server.key": SECRET}
    again = KIND.update(ident, outputs, wanted)
    assert again["left"] == []
    assert tree(tmp_path) == {"acl": "user b\n", "new": "n", "server.key": SECRET + "2"}
    KIND.delete(ident, again)
    assert tree(tmp_path) == {}


def test_a_create_that_died_is_taken_up_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, moved = tmp_path / "new", 0
    put = Path.replace

    def dies(self: Path, target: Path) -> Path:
        nonlocal moved
        moved += 1
        if moved == 3:
            raise OSError(28, "No space left on device", str(target))
        return put(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dies)
        with pytest.raises(ProviderError, match=r"No space left on device; is the disk full") as raised:
            KIND.create(inputs(folder))
    assert SECRET not in repr(raised.value)
    assert not list(folder.rglob(".motcua-new-*"))
    changed = inputs(folder, files={"acl": "user c\n", "conf.d/one": "1\n"})
    assert settled(KIND.create(changed)[1])


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "conf.d").symlink_to(tmp_path / "outside")
    with pytest.raises(ProviderError, match="a link leads out of"):
        KIND.create(inputs(tmp_path / "in"))
    assert tree(tmp_path / "outside") == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to a group")
def test_groups_are_given_drift_and_missing_ones_are_named(tmp_path: Path) -> None:
    ident, outputs = KIND.create(inputs(tmp_path, groups={"server.key": "daemon"}, modes={"server.key": "640"}))
    key = tmp_path / "server.key"
    assert (key.group(), stat.S_IMODE(key.stat().st_mode)) == ("daemon", 0o640)
    os.chown(key, -1, 0)
    found = KIND.read(ident, outputs)
    assert found is not None
    assert found.inputs["groups"] == {"server.key": "root"}
    with pytest.raises(ProviderError, match="there is no group 'nobody-has-it'"):
        KIND.update(ident, outputs, inputs(tmp_path, groups={"acl": "nobody-has-it"}))


WRONG: tuple[tuple[dict[str, object], str], ...] = (
    ({"folder": "etc"}, "folder"),
    ({"folder": "/etc/../root"}, "folder"),
    ({"name": "A b"}, "name"),
    ({"files": {"../x": ""}}, "files"),
    ({"files": {"/x": ""}}, "files"),
    ({"files": {"a//b": ""}}, "files"),
    ({"files": {".motcua-files.json": ""}}, "files"),
    ({"files": {"a": "", "a/b": ""}}, "files"),
    ({"files": {"a": 1}}, "files"),
    ({"files": {"server.key": "x"}}, "secret_files"),
    ({"modes": {"none": "0644"}}, "modes"),
    ({"modes": {"acl": "rw"}}, "modes"),
    ({"modes": {"server.key": "0644"}}, "modes"),
    ({"groups": {"none": "daemon"}}, "groups"),
    ({"notify": {"pid_file": "../x", "signal": "HUP", "program": "mosquitto"}}, "notify"),
    ({"notify": {"pid_file": "x", "signal": "KILL", "program": "mosquitto"}}, "notify"),
    ({"notify": {"pid_file": "x", "signal": "HUP"}}, "notify"),
    ({"files": {"acl": "users all\n"}}, "files"),
    ({"secret_files": {"x/acl": f"{SECRET}\n"}}, "secret_files"),
)


@pytest.mark.parametrize(("more", "field"), WRONG)
def test_what_cannot_be_used_is_named_before_anything_is_written(more: dict[str, object], field: str) -> None:
    given = {"folder": "/x", "files": {"acl": "user a"}, "secret_files": {"server.key": SECRET}} | more
    failures = KIND.check({}, given)[1]
    assert [one.field for one in failures] == [field]
    assert SECRET not in repr(failures)


def test_the_check_knows_the_access_rules_that_mosquitto_takes() -> None:
    assert list(acl_line_faults(mosquitto.render_acl_file())) == []
    broken = "user a\ntopic read a/#/b\ntopic a+\npattern\nuser\n  # not at the start\ntopic read\n"
    assert [number for number, _ in acl_line_faults(broken)] == [2, 3, 4, 5, 6]


def test_a_preview_with_unknown_files_finds_no_fault() -> None:
    assert KIND.check({}, {"folder": "/x", "files": {}, "modes": {"server.key": "0640"}})[1] == []


RULES = mosquitto.render_acl_file(("1", "2"))


@pytest.fixture
def room(require: Callable[[str], str], tmp_path: Path) -> Iterator[Room]:
    pki = Pki(tmp_path / "pki")
    one = Room(Mosquitto(require("mosquitto"), tmp_path / "broker", pki), pki)
    yield one
    one.close()


def broker_inputs(room: Room, text: str, program: str = "mosquitto") -> dict[str, object]:
    notify = {"pid_file": "pid", "signal": "HUP", "program": program, "paths": ["acl"]}
    return inputs(room.broker.folder, files={"acl": text, "other": text}, secret_files={}, notify=notify, adopt=True)


def test_a_running_mosquitto_reads_new_access_rules(room: Room) -> None:
    (room.broker.folder / "pid").write_text(f"{room.broker.process.pid}\n")
    ident, outputs = KIND.create(broker_inputs(room, RULES))
    assert outputs["notified"] is False, "nothing that it reads has changed"
    guest = room.enter("motcua-trial")
    assert guest.publish("trial", b"x") == 0x87
    more = RULES + "\nuser motcua-trial\ntopic write trial\n"
    outputs = KIND.update(ident, outputs, broker_inputs(room, more))
    assert outputs["notified"] is True
    room.until(lambda: guest.publish("trial", b"x") < 0x80, "the new rule counts")
    outputs = KIND.update(ident, outputs, broker_inputs(room, RULES, program="another"))
    assert outputs["notified"] is False, "the process is not the program that was meant"


def test_a_signal_that_a_dying_run_owed_is_sent_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    notify = {"pid_file": "pid", "signal": "HUP", "program": "mosquitto"}

    def dies(*_: object) -> bool:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(files_module, "notify_process", dies)
        with pytest.raises(Died):
            KIND.create(inputs(tmp_path, notify=notify))

    def tells(_pid: Path, _program: str, name: str) -> bool:
        told.append(name)
        return True

    monkeypatch.setattr(files_module, "notify_process", tells)
    assert KIND.create(inputs(tmp_path, notify=notify))[1]["notified"] is True
    assert KIND.create(inputs(tmp_path, notify=notify))[1]["notified"] is False
    assert told == ["HUP"]


PATHS = st.sampled_from(["a", "b", "c/d", "c/e"])
DECLARED = st.dictionaries(PATHS, st.text(st.characters(codec="utf-8"), max_size=5), max_size=4)


@given(st.lists(st.tuples(DECLARED, DECLARED), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_any_sequence_of_declarations_ends_in_the_last_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[dict[str, str], dict[str, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "foreign").write_text("f")
    outputs: Props = {}
    for public, secret in steps:
        only = {path: text for path, text in secret.items() if path not in public}
        outputs = KIND.update("", outputs, inputs(folder, files=public, secret_files=only))
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        expected = {path: text.encode() for path, text in {**public, **only, "foreign": "f"}.items()}
        assert {path: data for path, data in found.items() if not path.startswith(".motcua")} == expected
    KIND.delete("", outputs)
    assert [path.name for path in folder.rglob("*")] == ["foreign"]
