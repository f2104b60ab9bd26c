"""`signers.csv`: who may sign configurations and commands; the devices' agent.toml names them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from edge_agent import config
from telemetry import inventory
from telemetry.core.protocol.remote_signature import RemoteSigner
from telemetry.errors import ConfigError, InventoryError

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ["A" * 43 + "=", "B" * 42 + "A="]


def declared(folder: Path, rows: str) -> Path:
    shutil.copytree(inventory.default_path(), folder)
    (folder / "signers.csv").write_text(f"name,public_key\n{rows}")
    return folder


def test_signers_reach_the_agents_file_in_order(tmp_path: Path) -> None:
    loaded = inventory.load(declared(tmp_path / "i", f"minh,{KEYS[0]}\nlan,{KEYS[1]}\n"))
    assert [signer.name for signer in loaded.signers] == ["lan", "minh"]
    (tmp_path / "agent.toml").write_text(inventory.render_agent(loaded, "vn83-83-kiosk1"))
    assert config.load(tmp_path / "agent.toml").signers == loaded.signers
    assert loaded.signers[1] == RemoteSigner("minh", bytes(32))


def test_without_signers_the_agents_file_has_no_such_key() -> None:
    loaded = inventory.load(inventory.default_path())
    assert loaded.signers == ()
    assert "signers" not in inventory.render_agent(loaded, "vn83-83-kiosk1")


def test_every_fault_of_the_file_has_its_line(tmp_path: Path) -> None:
    rows = f"lan,{KEYS[0]}\nlan,{KEYS[1]}\nminh,{KEYS[0]}\nHoa,{KEYS[1]}\ntu,AAAA\n"
    with pytest.raises(InventoryError) as caught:
        inventory.load(declared(tmp_path / "i", rows))
    assert [(fault.line, fault.problem) for fault in caught.value.faults] == [
        (3, "'lan' is declared twice"), (4, "the key is also that of 'lan'"),
        (5, "'Hoa' is not a signer's name: use a-z, 0-9, dots and dashes, 63 at most"),
        (6, "the key of 'tu' is not 32 bytes in base64"),
    ]  # fmt: skip


@pytest.mark.parametrize(("value", "problem"), [('"lan"', "not a list of texts"), ('["lan AAAA"]', "is not 32 bytes")])
def test_an_agents_file_with_a_wrong_signer_is_refused(tmp_path: Path, value: str, problem: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(f'device = "d"\ncentre = "c"\nsigners = {value}\n')
    with pytest.raises(ConfigError, match=problem) as caught:
        config.load(path)
    assert caught.value.faults[0].line == 3
