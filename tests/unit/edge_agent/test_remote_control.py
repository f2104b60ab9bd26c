"""Remote control over a real outbox and file: exactly one answer and one run each, whatever dies or fails between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest

from edge_agent.outbox import Outbox
from edge_agent.remote.commands import MAX_REMEMBERED_IDS, MAX_TTL_MS, CommandLog
from edge_agent.remote.remote_control import RemoteConfigFile, RemoteControl
from edge_agent.remote.settings import RemoteSettings
from telemetry.core.protocol import codec, events as ev

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.remote.controls import AgentControls

WALL = 1_767_225_600_000


class Killed(BaseException):
    """The process ends here."""


class Device:
    """A tiny agent in memory, and the disk it stands on; `boot` is a new process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "outbox.db.remote.json"
        self.wall, self.now = WALL, 0
        self.applied: list[RemoteSettings] = []
        self.done: list[str] = []
        self.up, self.bad = True, frozenset[str]()
        self.refuses: RemoteSettings | None = None
        self.outbox = Outbox(folder / "o.db", lambda: "s")
        self.boot()

    def boot(self) -> None:
        self.remote = RemoteControl(
            cast("AgentControls", self), self.outbox, RemoteConfigFile(self.file), lambda: self.wall
        )
        self.remote.start()

    def apply_settings(self, settings: RemoteSettings) -> None:
        if settings == self.refuses:
            raise RuntimeError("cannot")
        self.applied.append(settings)

    def is_connected(self) -> bool:
        return self.up

    def source_names(self) -> list[str]:
        return ["host"]

    def failing_sources(self) -> frozenset[str]:
        return self.bad

    def outbox_size_mb(self) -> int:
        return 1

    def restart_source(self, source: str) -> bool:
        self.done.append(f"restart {source}")
        return source == "host"

    def flush(self) -> None:
        self.done.append("flush")

    def diagnostics_event(self) -> ev.AgentDiagnostics:
        self.done.append("diagnostics")
        return ev.AgentDiagnostics(n=1, t=1, outbox_rows=1, outbox_bytes=1)

    def configure(self, version: int, **settings: object) -> None:
        self.remote.on_message("config", json.dumps({"v": 1, "version": version, "settings": settings}).encode(), 0)
        self.step()

    def command(self, command: str, ident: str = "a", *, retained: bool = False, **more: object) -> None:
        value = {"v": 1, "id": ident, "command": command, "expires": WALL + 60_000, **more}
        self.remote.on_message("command", json.dumps(value).encode(), 0, retained=retained)
        self.step()

    def step(self, ms: int = 0) -> None:
        self.now += ms
        self.remote.step(self.now)

    def receipts(self) -> None:
        self.outbox.delete_receipted([(1, self.outbox.highest_n)])

    def said(self, kind: type[ev.Event]) -> list[Any]:
        events = [codec.decode_event(row.body) for row in self.outbox.rows_after(0, 1_000)]
        return [event for event in events if isinstance(event, kind)]

    def results(self) -> list[tuple[Any, ...]]:
        return [(e.version, e.outcome, e.reason) for e in self.said(ev.ConfigResult)]

    def answers(self) -> list[tuple[Any, ...]]:
        return [(e.id, e.command, e.outcome, e.reason) for e in self.said(ev.CommandResult)]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    one = Device(tmp_path)
    yield one
    one.outbox.close()


def test_a_configuration_is_applied_and_survives_a_restart(device: Device) -> None:
    device.configure(4, linger_ms=9)
    assert device.applied == [RemoteSettings(linger_ms=9)]
    device.step(10_000)
    assert (device.results(), len(device.said(ev.AgentDiagnostics))) == ([], 1)
    device.receipts()
    device.step(500)
    assert device.results() == [(4, "applied", None)]
    device.boot()
    assert device.applied[1:] == [RemoteSettings(linger_ms=9)]
    device.configure(4, linger_ms=9)
    assert (device.results(), device.remote.version) == ([(4, "applied", None)], 4)


def test_without_a_receipt_it_goes_back(device: Device) -> None:
    device.configure(4, linger_ms=9)
    device.step(30_000)
    device.step(30_000)
    assert device.results() == [(4, "rolled_back", "no-receipt")]
    assert device.applied == [RemoteSettings(linger_ms=9), RemoteSettings()]
    assert device.remote.version == 0


def test_a_process_that_dies_on_trial_goes_back_at_its_start(device: Device) -> None:
    device.configure(4, linger_ms=9)
    device.boot()
    assert device.applied[-1] == RemoteSettings()
    device.step()
    device.boot()
    device.step()
    assert device.results() == [(4, "rolled_back", "restarted")]


def test_settings_that_cannot_be_applied_are_taken_back(device: Device) -> None:
    device.refuses = RemoteSettings(linger_ms=9)
    device.configure(4, linger_ms=9)
    assert device.results() == [(4, "rolled_back", "apply-failed")]
    assert device.applied == [RemoteSettings()]


def test_a_document_that_comes_during_a_trial_waits_for_its_end(device: Device) -> None:
    device.configure(4, linger_ms=9)
    device.configure(5, linger_ms=10)
    assert device.applied == [RemoteSettings(linger_ms=9)]
    device.step(10_000)
    device.receipts()
    device.step(500)
    assert device.applied == [RemoteSettings(linger_ms=9), RemoteSettings(linger_ms=10)]
    assert device.remote.version == 5


def test_an_answer_that_could_not_be_written_is_given_later_and_once(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(device.outbox, "append", full)
        device.configure(4, linger_ms=-1)
        assert device.remote.step(0) == 5_000
    assert device.results() == []
    device.boot()
    device.step()
    device.step()
    assert device.results() == [(4, "rejected", "bad-settings-linger-ms")]


def test_a_disk_that_keeps_nothing_changes_nothing(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(RemoteConfigFile, "save", full)
        device.configure(4, linger_ms=9)
        assert device.applied == []
    device.step()
    assert device.applied == [RemoteSettings(linger_ms=9)]


@pytest.mark.parametrize("text", [b"", b"{", b'{"v":1,"colour":2}', b"\xff\x00", b'{"v":9}'])
def test_an_unreadable_file_is_moved_aside_and_reported(device: Device, text: bytes) -> None:
    for number in (1, 2):
        device.file.write_bytes(text)
        device.boot()
        device.step()
        assert device.file.with_name(f"{device.file.name}.unreadable-{number}").read_bytes() == text
    alarms = [(e.alarm, e.subject) for e in device.said(ev.AgentAlarm)]
    assert alarms == [("config_unreadable", "remote")] * 2
    assert device.applied == []


def test_a_write_cut_short_leaves_what_was_kept(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    device.configure(4, linger_ms=9)
    before = device.file.read_bytes()
    device.step(10_000)
    device.receipts()
    monkeypatch.setattr(os, "fsync", full)
    device.step(500)
    assert device.file.read_bytes() == before
    assert [p.name for p in device.folder.iterdir() if p.name.endswith(".new")] == []


# --- commands ---------------------------------------------------------------------------------


def full(*_: object, **__: object) -> NoReturn:
    raise OSError("no space left on device")


def test_each_command_does_its_work(device: Device) -> None:
    device.command("restart-source", "a", args={"source": "host"})
    device.command("flush", "b")
    device.command("send-diagnostics", "c")
    assert device.done == ["restart host", "flush", "diagnostics"]
    assert [answer[2] for answer in device.answers()] == ["done"] * 3
    assert len(device.said(ev.AgentDiagnostics)) == 1


REFUSED = [
    ({"command": "reboot"}, ("unknown", None)),
    ({"command": "flush", "expires": WALL}, ("expired", None)),
    ({"command": "flush", "expires": WALL + MAX_TTL_MS + 1}, ("failed", "expires-too-late")),
    ({"command": "flush", "retained": True}, ("failed", "retained")),
    ({"command": "flush", "args": {"x": "y"}}, ("failed", "bad-args")),
    ({"command": "restart-source"}, ("failed", "bad-args")),
    ({"command": "restart-source", "args": {"source": "other"}}, ("failed", "no-such-source")),
]


@pytest.mark.parametrize(("given", "expected"), REFUSED)
def test_what_is_not_allowed_is_answered_once(
    device: Device, given: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    device.command(**given)
    device.command(**given)
    assert [answer[2:] for answer in device.answers()] == [expected]
    assert "flush" not in device.done


@pytest.mark.parametrize(
    "payload", [b"", b"?", b"[]", b"x" * 9_000, b'{"v":1,"id":"a b","command":"flush","expires":1}', b'{"v":1,"do":1}']
)
def test_what_is_no_command_is_passed_over(device: Device, payload: bytes) -> None:
    device.remote.on_message("command", payload, 0)
    device.step()
    assert (device.answers(), device.done) == ([], [])


def test_an_id_runs_once_also_after_a_restart(device: Device) -> None:
    device.command("flush")
    device.command("flush")
    device.boot()
    device.command("flush")
    assert (device.done, len(device.answers())) == (["flush"], 1)


def test_a_command_cut_off_is_not_run_again(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:

        def die(*_: object) -> None:
            raise Killed

        broken.setattr(device, "flush", die)
        with pytest.raises(Killed):
            device.command("flush")
    device.boot()
    device.command("flush")
    device.boot()
    device.step()
    assert (device.done, device.answers()) == ([], [("a", "flush", "failed", "interrupted")])


def test_a_command_that_cannot_be_noted_waits(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(device.outbox, "append", full)
        device.command("flush")
        assert device.done == []
    device.step()
    assert (device.done, device.answers()) == (["flush"], [("a", "flush", "done", None)])


def test_an_answer_lost_to_a_full_disk_is_given_later(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = device.outbox.append
    calls = 0

    def second_fails(events: list[ev.Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        nonlocal calls
        calls += 1
        return full() if calls == 2 else kept(events, source, cursor)

    with monkeypatch.context() as broken:
        broken.setattr(device.outbox, "append", second_fails)
        device.command("flush")
    device.step()
    assert (device.done, device.answers()) == (["flush"], [("a", "flush", "done", None)])


def test_a_command_that_fails_says_so(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault() -> None:
        raise ValueError("secret text")

    monkeypatch.setattr(device, "flush", fault)
    device.command("flush")
    assert device.answers() == [("a", "flush", "failed", "fault")]


def test_ids_are_forgotten_after_their_time_and_are_few(device: Device) -> None:
    for i in range(MAX_REMEMBERED_IDS):
        device.command("flush", f"id-{i}")
    device.command("flush", "one-more")
    assert device.answers()[-1] == ("one-more", "flush", "failed", "too-many")
    device.wall += 3 * MAX_TTL_MS
    device.command("flush", "later", expires=device.wall + 1)
    assert device.answers()[-1] == ("later", "flush", "done", None)
    assert CommandLog.parse(device.outbox.cursor("remote:commands")).records.keys() == {"later"}


@pytest.mark.parametrize(
    ("command", "ident"), [("flush", "a\n"), ("flush\n", "a"), ("flush", "\na"), ("flush", "a\x00")]
)
def test_a_command_that_ends_in_a_line_break_is_none_so_its_answer_is_never_refused(
    device: Device, command: str, ident: str
) -> None:
    device.command(command, ident)
    assert (device.answers(), device.done) == ([], [])
    device.command("flush")
    assert [answer[0] for answer in device.answers()] == ["a"]
