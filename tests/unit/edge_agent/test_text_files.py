"""Files that people save in an editor: byte order marks, UTF-16, NULs and other line ends are no fault of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent.config import load
from edge_agent.mapping.document import load_mapping
from motcua.startup import load_settings
from telemetry.config import load_settings as load_server_settings
from telemetry.errors import ConfigError
from telemetry.text_file import decode_configuration

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS: dict[str, Callable[[str], bytes]] = {
    "UTF-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16 with a mark": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: ("\ufeff" + text).encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "two marks": lambda text: ("\ufeff\ufeff" + text).encode(),
    "NULs before a mark": lambda text: b"\0\0" + text.encode("utf-8-sig"),
    "NULs at the end": lambda text: text.encode() + b"\0" * 40,
    "CR LF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
}
AGENT = 'device = "vn83-83-kiosk1"\ncentre = "vn83-83"\n# Một cửa\n'
MAPPING = Path(__file__).parents[3] / "edge_agent/mappings/bank-1999.toml"


@pytest.fixture(params=FORMS)
def save(request: pytest.FixtureRequest) -> Callable[[str], bytes]:
    return FORMS[request.param]


def test_text_is_the_same_in_every_form(save: Callable[[str], bytes]) -> None:
    assert decode_configuration(save(AGENT)) == AGENT


def test_an_agent_s_files_are_read_in_every_form(tmp_path: Path, save: Callable[[str], bytes]) -> None:
    (tmp_path / "agent.toml").write_bytes(save(AGENT))
    (tmp_path / "agent.d").mkdir()
    (tmp_path / "agent.d" / "a.toml").write_bytes(save('[[source]]\nkind = "http"\nport = 8137\n'))
    settings = load(tmp_path / "agent.toml")
    assert (settings.device, [source.kind for source in settings.sources]) == ("vn83-83-kiosk1", ["http"])


def test_a_mapping_is_read_in_every_form(tmp_path: Path, save: Callable[[str], bytes]) -> None:
    path = tmp_path / "bank-1999.toml"
    path.write_bytes(save(MAPPING.read_text(encoding="utf-8")))
    assert load_mapping(str(path)).services == load_mapping("bank-1999").services


def test_a_server_s_settings_are_read_in_every_form(tmp_path: Path, save: Callable[[str], bytes]) -> None:
    path = tmp_path / "motcua.toml"
    path.write_bytes(save('motcua_api_listen = "127.0.0.1:9191"\n'))
    assert load_settings(path).listen == ("127.0.0.1", 9191)


def test_bytes_that_are_no_unicode_are_a_fault_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "motcua.toml"
    path.write_bytes(b'motcua_log = "\xff\xe9"\n')
    with pytest.raises(ConfigError, match=str(path)):
        load_settings(path)


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\0"])
def test_a_secret_from_a_file_loses_what_the_file_adds(end: str) -> None:
    settings = load_server_settings({"MOTCUA_STORE_TOKEN": f"\ufeffsecret{end}", "MOTCUA_LOG": end})
    assert (settings.store_token, settings.log) == ("secret", "info")
