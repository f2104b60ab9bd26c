"""What is local is in `agent.d/` beside agent.toml: sources only, added or replaced by name."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from edge_agent.config import load
from edge_agent.outbox import Outbox
from edge_agent.remote.controls import AgentControls
from edge_agent.remote.settings import RemoteSettings, SourceSettings
from edge_agent.sources import SourceContext
from edge_agent.sources.state import DeviceState
from edge_agent.sources.supervisor import Supervisor
from motcua.__main__ import parse_agent_options
from motcua.agent_process import describe_configuration
from telemetry.errors import ConfigError
from telemetry.source_settings import probe_target_fault

if TYPE_CHECKING:
    from edge_agent.agent import Agent
    from edge_agent.config import AgentConfig

AGENT = """device = "vn83-83-kiosk1"
centre = "vn83-83"
outbox = "/var/lib/motcua/outbox.db"
[[source]]
kind = "host"
every_ms = 60000
[[source]]
kind = "http"
port = 8137
"""
PRINTER = '[[source]]\nkind = "escpos"\nname = "printer"\naddress = "tcp://192.168.1.50:9100"\n'


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(AGENT)
    (tmp_path / "agent.d").mkdir()
    return path


def drop_in(agent: Path, name: str, text: str) -> None:
    (agent.parent / "agent.d" / name).write_text(text)


def faults(agent: Path) -> set[tuple[str, int, str]]:
    with pytest.raises(ConfigError) as caught:
        load(agent)
    assert all(fault.remedy for fault in caught.value.faults)
    return {(fault.file.rpartition("/")[2], fault.line, fault.field) for fault in caught.value.faults}


def messages(agent: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(agent)
    return [str(fault).partition("/agent.d/")[2] or str(fault).rpartition("/")[2] for fault in caught.value.faults]


def test_an_unknown_table_is_reported_at_its_own_line_with_a_suggestion(agent: Path) -> None:
    drop_in(agent, "a.toml", f'# local\n\n{PRINTER}\n[[sorce]]\nkind = "host"\n\n[[sorce]]\nkind = "http"\n')
    remedy = "only [[source]] tables may be here; all else is in agent.toml"
    assert messages(agent) == [f"a.toml:8: sorce: is not for a drop-in file, did you mean source?; {remedy}"]
    agent.write_text(AGENT.replace("[[source]]", "[[sources]]"))
    assert ("agent.toml", 4, "sources") in faults(agent)


def test_a_number_out_of_range_is_told_from_what_is_no_number(agent: Path) -> None:
    drop_in(agent, "a.toml", '[[source]]\nkind = "host"\nevery_ms = 500\n[[source]]\nkind = "http"\nport = "80"\n')
    assert messages(agent) == [
        "a.toml:3: every_ms: 500 is out of range: from 1000 to 600000; write one like 60000",
        "a.toml:6: port: not a whole number from 1 to 65535: '80'; write one without quotes",
    ]
    (agent.parent / "agent.d/a.toml").unlink()
    agent.write_text("drain_rows_per_s = 0\n" + AGENT)
    assert ("agent.toml", 1, "drain_rows_per_s") in faults(agent)


AFTER_STATEMENT = "a.toml:3: syntax: is not TOML: Expected newline or end of document after a statement"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("every_ms = 60s\n", f"{AFTER_STATEMENT}: every_ms = 60s"),
        ("port 8137\n", "a.toml:3: syntax: is not TOML: Expected '=' after a key in a key/value pair: port 8137"),
        ("password = hunter2\n", "a.toml:3: syntax: is not TOML: Invalid value"),
        ('url = "https://me:hunter2@queue"x\n', AFTER_STATEMENT),
        ("name = " + "x" * 99, f"a.toml:3: syntax: is not TOML: Invalid value: name = {'x' * 53}…"),
    ],
)  # fmt: skip
def test_a_syntax_error_quotes_its_line_unless_it_may_hold_a_secret(agent: Path, text: str, problem: str) -> None:
    drop_in(agent, "a.toml", '[[source]]\nkind = "http"\n' + text)
    assert [message.rpartition(";")[0] for message in messages(agent)] == [problem]


@pytest.mark.parametrize(
    ("probe", "target", "message"),
    [
        ("http", "portal.example", "no target of the probe http: 'portal.example': "),
        ("http", "ftp://portal.example/", "no target of the probe http: 'ftp://portal.example/': "),
        ("tcp", "portal.example", "no target of the probe tcp: 'portal.example': it has no port; write HOST:PORT, "),
        ("dns", "10.0.0.1", "no target of the probe dns: '10.0.0.1': an address is not looked up; write a host's "),
    ],
)  # fmt: skip
def test_a_wrong_target_is_quoted_with_the_form_that_its_probe_wants(probe: str, target: str, message: str) -> None:
    fault = probe_target_fault(probe, target)
    assert fault is not None
    assert f"{fault.problem}; {fault.remedy}".startswith(message)
    assert "like " in fault.remedy


def names(config: AgentConfig) -> list[str]:
    return [source.name for source in config.sources]


def test_a_drop_in_adds_a_source(agent: Path) -> None:
    drop_in(agent, "printer.toml", '[[source]]\nkind = "escpos"\naddress = "tcp://192.168.1.50:9100"\n')
    assert names(load(agent)) == ["host", "http", "escpos:tcp://192.168.1.50:9100"]


def test_a_drop_in_replaces_a_source_of_its_name_whole_and_in_its_place(agent: Path) -> None:
    drop_in(agent, "host.toml", '[[source]]\nkind = "host"\n')
    drop_in(agent, "port.toml", '[[source]]\nkind = "http"\nport = 9000\n')
    sources = load(agent).sources
    assert [(source.name, source.values) for source in sources] == [("host", {}), ("http", {"port": 9000})]


def test_a_name_lets_a_drop_in_replace_a_source_of_another_address_or_kind(agent: Path) -> None:
    agent.write_text(f'{AGENT}[[source]]\nkind = "queue_http"\nname = "queue"\nurl = "http://10.0.0.1/events"\n')
    drop_in(agent, "queue.toml", '[[source]]\nkind = "file"\nname = "queue"\npath = "/var/lib/queue/events.jsonl"\n')
    assert [(s.name, s.kind) for s in load(agent).sources][2:] == [("queue", "file")]


def test_the_last_file_in_order_of_its_name_wins_and_other_files_are_not_read(agent: Path) -> None:
    drop_in(agent, "20-b.toml", '[[source]]\nkind = "http"\nport = 8002\n')
    drop_in(agent, "10-a.toml", '[[source]]\nkind = "http"\nport = 8001\n')
    drop_in(agent, "30-c.toml.example", "no TOML at all")
    drop_in(agent, ".30-c.toml", "no TOML at all")
    assert load(agent).sources[1].values == {"port": 8002}


def test_a_rendering_again_keeps_what_is_local(agent: Path) -> None:
    drop_in(agent, "printer.toml", '[[source]]\nkind = "escpos"\naddress = "file:///dev/usb/lp0"\n')
    agent.write_text(AGENT.replace("8137", "8200"))
    assert [source.values.get("port") for source in load(agent).sources] == [None, 8200, None]


def test_every_fault_of_every_file_is_reported_at_once_with_its_line(agent: Path) -> None:
    agent.write_text(f'{AGENT}[[source]]\nkind = "probe"\nsystem = "s"\nprobe = "icmp"\ntarget = "x"\n')
    drop_in(agent, "a.toml", 'mqtt = "mqtt://elsewhere"\n[[source]]\nkind = "http"\n\n[[source]]\nkind = "oracle"\n')
    drop_in(agent, "b.toml", "[[source]\n")
    drop_in(agent, "c.toml", 'source = "http"\n')
    assert faults(agent) == {
        ("agent.toml", 13, "probe"), ("a.toml", 1, "mqtt"), ("a.toml", 2, "port"), ("a.toml", 6, "kind"),
        ("b.toml", 1, "syntax"), ("c.toml", 1, "source"),
    }  # fmt: skip


def test_two_sources_of_one_name_or_one_origin_are_refused(agent: Path) -> None:
    file = '[[source]]\nkind = "file"\npath = "x.jsonl"\n'
    drop_in(agent, "a.toml", f'{file}{file}{file}name = "again"\n[[source]]\nkind = "http"\nname = "b"\nport = 8137\n')
    with pytest.raises(ConfigError) as caught:
        load(agent)
    assert [(fault.line, fault.field) for fault in caught.value.faults] == [(5, "kind"), (9, "path"), (14, "port")]
    assert "(a.toml:1)" in caught.value.faults[0].problem
    assert "(agent.toml:7)" in caught.value.faults[2].problem


def test_the_port_of_the_metrics_is_no_source_s(agent: Path) -> None:
    agent.write_text(f"metrics_port = 8137\n{AGENT}")
    assert faults(agent) == {("agent.toml", 10, "port")}


def test_a_file_that_cannot_be_read_is_named(agent: Path) -> None:
    (agent.parent / "agent.d" / "x.toml").symlink_to("nowhere")
    assert faults(agent) == {("x.toml", 0, "file")}


def test_a_folder_that_cannot_be_listed_is_a_fault_and_not_an_empty_one(agent: Path) -> None:
    folder = agent.parent / "agent.d"
    folder.rmdir()
    assert names(load(agent)) == ["host", "http"], "without the folder there are no local sources"
    folder.write_text("")
    assert faults(agent) == {("agent.d", 0, "file")}
    with pytest.raises(ConfigError, match=r"agent\.d"):
        describe_configuration(agent)


@pytest.mark.parametrize(("closed", "remedy"), [("agent.d", "chmod 0755"), ("agent.d/a.toml", "chmod 0644")])
def test_what_the_agents_user_may_not_read_is_a_fault_with_the_command_that_opens_it(closed: str, remedy: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        agent = Path(name) / "agent.toml"
        agent.write_text(AGENT)
        (agent.parent / "agent.d").mkdir()
        drop_in(agent, "a.toml", PRINTER)
        agent.parent.chmod(0o755)
        assert names(load(agent)) == ["host", "http", "printer"]
        (agent.parent / closed).chmod(0)
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(65534)  # root may read everything
            with pytest.raises(ConfigError) as caught:
                load(agent)
        finally:
            os.seteuid(user)
            (agent.parent / "agent.d").chmod(0o755)
    (fault,) = caught.value.faults
    assert (fault.file, fault.remedy) == (f"{name}/{closed}", f"{remedy} {name}/{closed}")


def test_absolute_paths_start_at_the_root_that_is_given(agent: Path, tmp_path: Path) -> None:
    text = '[[source]]\nkind = "file"\npath = "/srv/q.jsonl"\n[[source]]\nkind = "file"\npath = "q.jsonl"\n'
    drop_in(agent, "a.toml", text)
    redirected, plain = load(agent, tmp_path / "root"), load(agent)
    assert redirected.outbox == tmp_path / "root/var/lib/motcua/outbox.db"
    assert str(plain.outbox) == "/var/lib/motcua/outbox.db"
    assert [source.values["path"] for source in redirected.sources[2:]] == [f"{tmp_path}/root/srv/q.jsonl", "q.jsonl"]


class Paced:
    """The part of an agent that remote settings use, with a real outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox

    def set_pace(self, linger_ms: int | None, drain_rows_per_s: int | None) -> None:
        assert (linger_ms, drain_rows_per_s) == (None, None)


def test_remote_settings_apply_to_local_sources_and_keep_them(agent: Path, tmp_path: Path) -> None:
    drop_in(agent, "p.toml", '[[source]]\nkind = "escpos"\nname = "printer"\naddress = "file:///dev/usb/lp0"\n')
    with closing(Outbox(tmp_path / "o.db", lambda: "s")) as outbox:
        supervisor = Supervisor(outbox, lambda *_: None, lambda: 0, lambda: 0.5)
        context = SourceContext("vn83-83-kiosk1", tmp_path, 60_000, lambda: 0, DeviceState())
        controls = AgentControls(load(agent), supervisor, context, lambda: cast("Agent", Paced(outbox)))
        controls.apply_settings(RemoteSettings(sources={"printer": SourceSettings(every_ms=5_000)}))
        assert controls.source_names() == ["host", "http", "printer"]
        controls.apply_settings(RemoteSettings())
        assert controls.source_names() == ["host", "http", "printer"]


def test_a_technician_can_check_the_files_without_starting_the_agent(agent: Path) -> None:
    drop_in(agent, "p.toml", '[[source]]\nkind = "escpos"\nname = "printer"\naddress = "file:///dev/usb/lp0"\n')
    lines = describe_configuration(agent).splitlines()
    assert lines[0].startswith("vn83-83-kiosk1 at 127.0.0.1:1883: 3 sources, 1 drop-in files, no fault")
    assert lines[1:] == ["  host every_ms=60000", "  http port=8137", "  printer address=file:///dev/usb/lp0"]
    drop_in(agent, "p.toml", '[[source]]\nkind = "escpos"\n')
    with pytest.raises(ConfigError, match=r"p\.toml:1: address"):
        describe_configuration(agent)
    assert [path.name for path in sorted(agent.parent.iterdir())] == ["agent.d", "agent.toml"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["agent"], ("agent.toml", "")),
        (["agent", "--config", "a.toml", "--root", "/mnt"], ("a.toml", "/mnt")),
        (["agent", "--root=/mnt", "--config=a.toml"], ("a.toml", "/mnt")),
        (["agent", "--help"], None),
        (["agent", "--config"], None),
        (["agent", "--colour", "red"], None),
        (["api"], None),
        ([], None),
    ],
)
def test_only_a_plain_agent_command_is_parsed_without_typer(words: list[str], expected: tuple[str, str] | None) -> None:
    options = parse_agent_options(words)
    assert (options and (options["--config"], options["--root"])) == expected
