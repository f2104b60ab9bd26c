"""Says what Pulumi sees of a kind through the real provider process: numbers, gaps, unknowns, gone, errors, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.program.grpc_provider import UNKNOWN, Dial, Refused, pickled
from tests.program.shelf import PLANTED, ShelfSkin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.program.grpc_provider import Line

CHECKOUT = Path(__file__).resolve().parents[2]
BOX = {"name": "box", "weight": 7200, "tags": ["a", "b"]}


def dial(folder: Path, **more: object) -> Dial:
    config = {"motcua:file": str(folder / "shelf.json"), "motcua:influxToken": PLANTED, **more}
    return Dial(CHECKOUT, config)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with dial(tmp_path_factory.mktemp("shelf")) as process:
        yield process.of(ShelfSkin())


def test_numbers_that_the_wire_made_floats_are_whole_again(shelf: Line) -> None:
    _, outputs = shelf.create({**BOX, "note": {"deep": [7200]}})
    assert outputs["weight_type"] == "int"
    assert not shelf.diff("box", outputs, {**BOX, "note": {"deep": [7200]}}).changes
    assert shelf.check({"name": "typed", "note": 1.5}).failures == {"note": "is float"}
    assert shelf.check({"name": "typed", "note": 2.0}).failures == {"note": "is int"}


def test_what_is_absent_stays_absent_and_defaults_are_filled_in(shelf: Line) -> None:
    assert shelf.check({"name": "box", "note": None}).inputs == {"name": "box", "weight": 7200}
    assert shelf.check({"name": "box"}, {"name": "box", "weight": 5}).inputs == {"name": "box", "weight": 5}


def test_failures_name_the_field_and_the_remedy(shelf: Line) -> None:
    assert shelf.check({"name": ""}).failures == {"name": "is empty; give it one"}


def test_unknown_inputs_go_around_the_check_and_come_back_unknown(shelf: Line) -> None:
    found = shelf.check({"name": UNKNOWN, "tags": ["a", UNKNOWN], "note": {"deep": UNKNOWN}})
    assert found.failures == {}
    assert found.inputs == {"name": UNKNOWN, "tags": ["a", UNKNOWN], "note": {"deep": UNKNOWN}, "weight": 7200}


def test_unknown_inputs_count_as_changed_and_fixed_ones_need_a_new_thing(shelf: Line) -> None:
    outputs = {**BOX, "label": "box!"}
    assert shelf.diff("box", outputs, {**BOX, "tags": ["a", UNKNOWN]}).changes
    assert shelf.diff("box", outputs, {**BOX, "tags": ["a", UNKNOWN]}).replaces == ()
    assert shelf.diff("box", outputs, {**BOX, "name": UNKNOWN}).replaces == ("name",)


def test_diff_compares_by_meaning(shelf: Line) -> None:
    outputs = {**BOX, "label": "box!"}
    same = shelf.diff("box", outputs, {**BOX, "tags": ["b", "a"]})
    assert (same.changes, same.replaces) == (False, ())
    other = shelf.diff("box", outputs, {**BOX, "name": "crate"})
    assert (other.changes, other.replaces, other.delete_first) == (True, ("name",), True)
    assert shelf.diff("box", outputs, {"name": "box", "weight": 7200}).changes
    assert shelf.diff("box", {**outputs, "note": ""}, BOX).changes


def test_life_of_a_thing_keeps_all_outputs(shelf: Line) -> None:
    ident, outputs = shelf.create({"name": "life", "weight": 1, "tags": ["x"]})
    assert (ident, outputs["label"], outputs["tags"]) == ("life", "life!", ["x"])
    after = shelf.update(ident, outputs, {"name": "life", "weight": 2})
    assert (after["weight"], after["label"], after["was"]) == (2, "life!", 1)
    seen = shelf.read(ident, after)
    assert seen.id == "life"
    assert seen.inputs == {"name": "life", "weight": 2}
    assert {*after} <= {*seen.outputs}
    shelf.delete(ident, after)
    assert shelf.read(ident, after).id == ""


def test_gone_is_an_empty_id_with_nothing_else(shelf: Line) -> None:
    seen = shelf.read("never-there", BOX)
    assert (seen.id, seen.outputs, seen.inputs) == ("", {}, {})


def test_configuration_of_the_stack_arrives_secrets_and_structures_too(tmp_path: Path) -> None:
    with dial(tmp_path, **{"motcua:influx": '{"url":"http://h:1"}'}) as process:
        _, outputs = process.of(ShelfSkin()).create(BOX)
    assert outputs["token_length"] == len(PLANTED)
    assert outputs["structure"] == '{"url":"http://h:1"}'


def test_setting_that_is_not_there_is_empty(shelf: Line) -> None:
    assert shelf.create(BOX)[1]["structure"] == ""


@pytest.mark.parametrize("manner", ["told", "raw", "caused", "open"])
@pytest.mark.parametrize("call", ["check", "diff", "create", "read", "update"])
def test_no_error_shows_a_secret(tmp_path: Path, manner: str, call: str) -> None:
    with dial(tmp_path, **{"motcua:broken": manner}) as process:
        line = process.of(ShelfSkin())
        calls: dict[str, Callable[[], object]] = {
            "check": lambda: line.check(BOX),
            "diff": lambda: line.diff("box", {**BOX, "tags": ["c"]}, BOX),
            "create": lambda: line.create(BOX),
            "read": lambda: line.read("box", BOX),
            "update": lambda: line.update("box", BOX, BOX),
        }
        with pytest.raises(Refused) as caught:
            calls[call]()
    assert PLANTED not in str(caught.value)
    expected = {"told": "the shelf is away; is it up?", "caused": "the shelf refused the token"}
    assert expected.get(manner, "ValueError at ") in str(caught.value)
    assert "File " not in str(caught.value), "an operator looks for the sentence, not for our lines"
    if manner == "told":
        assert str(caught.value) == expected["told"], "neither class nor module before the sentence"


def test_four_calls_run_at_once(shelf: Line) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: shelf.create({"name": "crowd", "weight": 4})[1]["most"], range(4)))
    assert max(done) == 4


def test_pickle_is_small_and_always_the_same_and_holds_nothing() -> None:
    from tests.program.shelf import ShelfSkin as Again

    first = pickled(ShelfSkin())
    assert first == pickled(Again()) == pickled(ShelfSkin())
    assert len(first) < 200
    assert ShelfSkin.serialize_as_secret_always is False


def test_pickle_of_another_process_is_the_same(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "from tests.program.grpc_provider import pickled; from tests.program.shelf import ShelfSkin; "
    told = subprocess.run(
        [sys.executable, "-c", code + "print(pickled(ShelfSkin()))"],
        capture_output=True, text=True, check=True, cwd=tmp_path, env={"PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip
    assert told.stdout.strip() == pickled(ShelfSkin())
