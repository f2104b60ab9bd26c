"""Whatever stands in a file of the inventory or in a mapping, it is read or is a fault with a line and a remedy."""

from __future__ import annotations

import re
import shutil
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from edge_agent.mapping.document import load_mapping, shipped_mappings
from telemetry.errors import InventoryError, MappingError
from telemetry.inventory import default_path, load
from telemetry.inventory.files import InventoryFolder
from telemetry.toml_lines import TomlSyntaxError, parse_toml

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.errors import Fault

SHIPPED = files("edge_agent") / "mappings"
EXTREMES = (
    "9" * 5000, "-1", "1e400", "inf", "nan", "1e308", "18446744073709551616", "9999-12-31", "0001-01-01", "0000-01-01",
    "23:59:60", "2026-11-02", "true", "[]", "{}", "[[1]]", "[" * 200 + "]" * 200, '""', '"\\u0000"', '"%Y%Y"', '"%Z"',
    '"9999-12-31/9999-12-31"', '"10000-01-01"', '"http://[::1"', '"http://a:99999"', '"\uff11"', '"rot13"', '"/etc"',
    '{ column = "x", format = "%Y%Y" }', "{ const = 99999999999999999999999 }", "{ ticket = [] }", '["", 1]',
)  # fmt: skip
FILES = sorted(path.name for path in default_path().iterdir() if path.suffix in {".toml", ".csv", ".lock"})


def replace_value(text: str, place: int, value: str, *, is_csv: bool) -> str:
    """Return the text with one of its values replaced."""
    lines = text.split("\n")
    at = place % len(lines)
    if is_csv:
        cells = lines[at].split(",")
        cells[place % len(cells)] = value.strip('"')
        lines[at] = ",".join(cells)
    else:
        lines[at] = re.sub(r"=.*$", lambda _: f"= {value}", lines[at], count=1)
    return "\n".join(lines)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("declared") / "world"
    shutil.copytree(default_path(), folder)
    return folder


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(FILES), place=st.integers(0, 10_000), value=st.sampled_from(EXTREMES) | st.text(max_size=20)
)
def test_an_inventory_is_loaded_or_has_faults_with_a_remedy(world: Path, name: str, place: int, value: str) -> None:
    faults: tuple[Fault, ...] = ()
    text = (world / name).read_text("utf-8")
    changed = replace_value(text, place, value, is_csv=not name.endswith(".toml"))
    try:
        (world / name).write_bytes(changed.encode("utf-8", "surrogatepass"))
        assert load(world).centres
    except InventoryError as error:
        faults = error.faults
    finally:
        (world / name).write_text(text, "utf-8")
    assert all(fault.line >= 1 and fault.remedy for fault in faults)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(shipped_mappings()), place=st.integers(0, 200),
    value=st.sampled_from(EXTREMES) | st.text(max_size=20),
)  # fmt: skip
def test_a_mapping_is_loaded_or_has_faults_with_a_remedy(tmp_path: Path, name: str, place: int, value: str) -> None:
    faults: tuple[Fault, ...] = ()
    text = (SHIPPED / f"{name}.toml").read_text("utf-8")
    path = tmp_path / "m.toml"
    path.write_bytes(replace_value(text, place, value, is_csv=False).encode("utf-8", "surrogatepass"))
    try:
        assert load_mapping(str(path)).name
    except MappingError as error:
        faults = error.faults
    assert all(fault.line >= 1 and fault.remedy for fault in faults)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = " + "9" * 5000, 2),
        ("a = 1\n\nb = " + "[" * 5000, 3),
        ("a = 1\nb = [\n", 3),
        ("a = 1\n[[b]]\nc = 0x" + "F" * 5000, 3),
        ("a = 1\nb = [1, 0b" + "1" * 20_000 + "]", 2),
    ],
    ids=range(5),
)
def test_what_tomllib_cannot_hold_is_a_fault_with_its_line(text: str, line: int) -> None:
    with pytest.raises(TomlSyntaxError) as caught:
        parse_toml(text)
    assert caught.value.line == line


def test_a_toml_file_with_old_mac_line_ends_is_read_and_its_faults_have_their_lines(tmp_path: Path) -> None:
    (tmp_path / "targets.toml").write_bytes(b"a = 1\r\rb = 2\r")
    document = InventoryFolder(tmp_path).read_toml("targets.toml")
    assert (document.data, document.lines[("b",)], document.broken) == ({"a": 1, "b": 2}, 3, False)
