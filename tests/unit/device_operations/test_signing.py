"""Operators' keys: made once for one user, and known by the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.remote.signature import SignatureCheck
from motcua.device_operations.signing import create_key, load_signer
from telemetry.core.protocol.topics import Topic
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_key_signs_what_a_device_accepts_and_is_its_users_alone(tmp_path: Path) -> None:
    signer = create_key("lan", tmp_path / "lan.key")
    assert (tmp_path / "lan.key").stat().st_mode & 0o777 == 0o600
    key = load_signer(tmp_path / "lan.key", [signer], tmp_path)
    properties = key.sign(Topic("c", "d", "config").path, b"{}")
    assert SignatureCheck("c", "d", (signer,)).refusal("config", b"{}", properties) == ""


def test_no_key_is_replaced_and_none_is_used_that_devices_do_not_know(tmp_path: Path) -> None:
    create_key("lan", tmp_path / "lan.key")
    with pytest.raises(ConfigError, match="exists"):
        create_key("lan", tmp_path / "lan.key")
    with pytest.raises(ConfigError, match=r"province/signers\.csv does not declare this key; .* MOTCUA_INVENTORY"):
        load_signer(tmp_path / "lan.key", [], tmp_path / "province")
    (tmp_path / "other").write_text("no key")
    for name in ("other", "none"):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_signer(tmp_path / name, [], tmp_path)
