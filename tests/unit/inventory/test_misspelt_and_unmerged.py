"""A misspelt key or name is answered with the right one, and a place that Git could not merge is named as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry import inventory
from telemetry.errors import InventoryError
from tests.cloud_examples import ONESTOP, base_declaration
from tests.cloud_files import write_inventory


def answers(folder: Path, name: str, old: str, new: str) -> list[str]:
    """Return `line: field: problem; remedy` of the faults in one file of the example with one text replaced."""
    write_inventory(folder, base_declaration())
    text = (folder / name).read_text("utf-8")
    assert old in text, name
    (folder / name).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InventoryError) as raised:
        inventory.load(folder)
    own = [one for one in raised.value.faults if Path(one.file).name == name]
    return [f"{one.line}: {one.field}: {one.problem}; {one.remedy}" for one in own]


@pytest.mark.parametrize(
    ("name", "old", "new", "remedy"),
    [
        ("components.csv", "health_port", "healthport", "healthport: is unknown here; remove it, or write health_port"),
        ("systems.toml", "log_events_per_s", "log_event_per_s",
         "log_event_per_s: is unknown here; remove it, or write log_events_per_s"),
        ("systems.toml", 'owner = "vn83-ubnd"', 'owner = "vn83-ubdn"',
         "owner: there is no agency 'vn83-ubdn'; declare it in agencies.csv, or name vn83-ubnd"),
        ("systems.toml", 'owner = "vn83-ubnd"', 'owner = "nobody"',
         "owner: there is no agency 'nobody'; declare it in agencies.csv, or name one that is declared"),
    ],
)  # fmt: skip
def test_a_word_that_is_like_a_known_one_is_answered_with_it(
    tmp_path: Path, name: str, old: str, new: str, remedy: str
) -> None:
    assert remedy in [answer.partition(": ")[2] for answer in answers(tmp_path, name, old, new)]


@pytest.mark.parametrize(
    ("name", "first"),
    [("cloud.lock", f"{ONESTOP},database"), ("flows.csv", "outside:internet"), ("cloud.toml", "[[site]]")],
)
def test_a_place_that_git_could_not_merge_is_one_fault(tmp_path: Path, name: str, first: str) -> None:
    unmerged = f"<<<<<<< HEAD\n=======\n>>>>>>> other\n{first}"
    (answer,) = answers(tmp_path, name, first, unmerged)
    assert ": merge: two versions stand here, which Git could not merge; write the rows that are right" in answer


def test_an_id_in_capitals_is_not_said_to_have_dashes(tmp_path: Path) -> None:
    faults = answers(tmp_path, "components.csv", f"{ONESTOP},db", f"{ONESTOP},DB")
    assert [fault.split("; ")[0] for fault in faults if ": id: " in fault] == ["4: id: 'DB' is not an id"]
