"""The command line's promises: exit codes, faults with file and line, help on every command."""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import telemetry
from motcua import startup
from motcua.startup import parse_window
from telemetry import wiring
from telemetry.config import load_settings
from telemetry.errors import ConfigError
from telemetry.inventory import default_path

if TYPE_CHECKING:
    from pathlib import Path


def motcua(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "motcua", *words], capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


@pytest.mark.parametrize(
    "command",
    ["demo", "broker", "agent", "ingest", "rollup", "api", "replay", "inventory check", "inventory render", "version"],
)
def test_help_is_there_for_every_command(command: str) -> None:
    done = motcua(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_version_prints_the_version() -> None:
    assert motcua("version").stdout == motcua("--version").stdout == f"{telemetry.__version__}\n"


def without(library: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command where a library is not installed."""
    program = (
        f"import sys; sys.modules[{library!r}] = None; sys.argv = ['motcua', *{words!r}]; "
        "from motcua.__main__ import main; main()"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("library", "words", "command", "extras"),
    [
        ("uvicorn", ("api", "--listen", "127.0.0.1:0"), "api", ["server"]),
        ("iotcore", ("broker",), "broker", ["server"]),
        ("paho", ("agent", "--config", "none.toml"), "agent", ["edge", "server"]),
        ("cryptography", ("inventory", "check", "--policy"), "inventory check --policy", ["server", "infra"]),
        ("yaml", ("inventory", "openslo", "export"), "inventory openslo export", ["server", "infra"]),
    ],
)
def test_a_missing_extra_is_a_sentence(library: str, words: tuple[str, ...], command: str, extras: list[str]) -> None:
    done = without(library, *words)
    remedy = " or ".join(f'pip install "motcua[{extra}]"' for extra in extras)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"motcua: `motcua {command}` needs the library {library}, which is not installed: {remedy}\n"


def test_a_module_of_ours_that_is_missing_is_a_defect() -> None:
    done = without("motcua.web", "api")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_wrong_option_exits_2() -> None:
    assert motcua("demo", "--no-such-option").returncode == 2


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("--json", "out.json"), "needs --once"),
        (("--centres", "0"), "a number from 1, or `all`"),
        (("--centres", "many"), "a number from 1, or `all`"),
    ],
)
def test_a_demo_that_would_not_do_what_is_asked_exits_2(words: tuple[str, ...], remedy: str, tmp_path: Path) -> None:
    done = motcua("demo", "--port", "0", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert remedy in " ".join(done.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_unknown_setting_in_a_file_exits_2_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "motcua.toml").write_text('MOTCUA_STOER = "sqlite:///x.db"\n')
    done = motcua("ingest", "--config", str(tmp_path / "motcua.toml"))
    assert done.returncode == 2
    assert "MOTCUA_STOER" in done.stderr


def test_all_faulty_settings_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"MOTCUA_STORE": "postgres://x", "MOTCUA_MQTT": "http://x", "MOTCUA_API_LISTEN": "here"})
    assert [fault.field for fault in caught.value.faults] == ["MOTCUA_API_LISTEN", "MOTCUA_MQTT", "MOTCUA_STORE"]


def test_broken_inventory_stops_a_command_before_it_touches_anything(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(default_path(), folder)
    with (folder / "devices.csv").open("a", encoding="utf-8") as file:
        file.write("vn83-00000-kiosk1,vn83-00000,kiosk,60000,yes\n")
    lines = (folder / "devices.csv").read_text(encoding="utf-8").count("\n")
    (tmp_path / "motcua.toml").write_text(f'MOTCUA_INVENTORY = "{folder}"\n')
    store = f"sqlite:///{tmp_path / 'store.db'}"
    done = motcua("ingest", "--config", str(tmp_path / "motcua.toml"), "--store", store)
    assert done.returncode == 2
    assert f"devices.csv:{lines}:" in done.stderr
    assert not (tmp_path / "store.db").exists()


def test_replay_of_a_missing_file_exits_2() -> None:
    done = motcua("replay", "nowhere.tsv", "--mapping", "bank-1999")
    assert done.returncode == 2
    assert "nowhere.tsv" in done.stderr


def test_replay_into_an_undeclared_centre_exits_2(tmp_path: Path) -> None:
    log = tmp_path / "log.tsv"
    log.write_text("a\tb\n")
    done = motcua("replay", str(log), "--mapping", "bank-1999", "--centre", "vn99-1", cwd=tmp_path)
    assert done.returncode == 2
    assert "vn99-1" in done.stderr


def test_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        store = f"sqlite:///{tmp_path / 's.db'}"
        wiring.open_store(store).close()
        api = motcua("api", "--listen", f"127.0.0.1:{port}", "--store", store)
        demo = motcua("demo", "--port", str(port), "--days", "0")
    for done, option in ((api, "MOTCUA_API_LISTEN"), (demo, "--port")):
        assert done.returncode == 2
        assert f"{port}: " in done.stderr
        assert f"choose another port with {option}" in done.stderr


READING = [("api", "--listen", "127.0.0.1:0"), ("rollup", "--rebuild"), ("publish", "2026-10")]
"""The commands that read a store and need one."""


@pytest.mark.parametrize("words", READING)
def test_a_command_that_reads_refuses_a_store_that_is_not_there_and_creates_none(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "motcua.toml").write_text(f'MOTCUA_STORE = "sqlite:///{tmp_path}/data/store.db"\n')
    done = motcua(*words, "--config", str(tmp_path / "motcua.toml"), cwd=tmp_path)
    assert done.returncode == 2
    assert f"MOTCUA_STORE: there is no store {tmp_path}/data/store.db" in done.stderr
    assert "`motcua ingest`, `motcua rollup` and `motcua replay` create a store" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["motcua.toml"]


def test_only_a_file_missing_from_a_folder_that_exists_is_new(tmp_path: Path) -> None:
    (tmp_path / "there.db").write_bytes(b"")
    urls = {"new.db": True, "there.db": False, "no/folder.db": False}
    assert {name: wiring.is_missing_file(f"sqlite:///{tmp_path}/{name}") for name in urls} == urls
    assert not wiring.is_missing_file("influxdb+http://127.0.0.1:8086?org=o&bucket=b")


@pytest.mark.parametrize("content", [b"", b"nothing of ours" * 100, "other"])
def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(content: bytes | str, tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    if content == "other":
        with closing(sqlite3.connect(file)) as db:
            db.execute("CREATE TABLE address (city TEXT)")
    else:
        file.write_bytes(bytes(content))  # type: ignore[arg-type]
    before = file.read_bytes()
    with pytest.raises(ConfigError, match=r"is no store"):
        wiring.open_store(f"sqlite:///{file}", create=False)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_store_that_is_there_opens_for_reading(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    wiring.open_store(url).close()
    wiring.open_store(url, create=False).close()


def test_inventory_check_counts_the_sample() -> None:
    done = motcua("inventory", "check")
    assert done.returncode == 0
    assert "167 centres" in done.stdout


def test_inventory_render_writes_an_agent_file() -> None:
    done = motcua("inventory", "render", "--device", "vn83-83-gateway1")
    assert 'device = "vn83-83-gateway1"' in done.stdout
    assert "mqtt_cert" not in done.stdout


def test_an_agent_of_a_tls_broker_is_told_where_its_certificate_is() -> None:
    done = motcua("inventory", "render", "--device", "vn83-83-gateway1", "--mqtt", "mqtts://mqtt.example:8883")
    assert 'mqtt_ca = "tls/ca.pem"\nmqtt_cert = "tls/device.pem"\nmqtt_key = "tls/device.key"\n' in done.stdout


def test_sighup_has_the_inventory_loaded_again(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(default_path(), folder)
    previous = signal.getsignal(signal.SIGHUP)
    try:
        world = startup.load_inventory(load_settings({"MOTCUA_INVENTORY": str(folder)}))
        before = world()
        assert threading.current_thread() is threading.main_thread()
        signal.raise_signal(signal.SIGHUP)
        assert world() is not before
        assert world().version == before.version
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_rebuild_window_needs_a_zone() -> None:
    with pytest.raises(ConfigError):
        parse_window("2026-10-01T00:00:00", None)


def test_rebuild_window_is_open_ended_where_nothing_is_said() -> None:
    window = parse_window("2026-10-01T00:00:00+07:00", None)
    assert window is not None
    assert window.start == 1790787600000
    assert parse_window(None, None) is None
