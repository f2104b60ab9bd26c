"""Says that the recording monitor sees what a program asks of the engine, and fails on what the engine would refuse."""

from __future__ import annotations

import pulumi
import pytest

from tests.program.pulumi_monitor import Registered, run


class Box(pulumi.CustomResource):
    """A resource of no provider."""

    made: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **props: object) -> None:
        super().__init__("try:index:Box", name, {"made": None, **props}, opts)


class Room(pulumi.ComponentResource):
    """A component."""

    def __init__(self, name: str) -> None:
        super().__init__("try:index:Room", name)
        Box(f"{name}-box", pulumi.ResourceOptions(parent=self))
        self.register_outputs({"size": 3})


def added(one: Registered) -> dict[str, object]:
    return {"made": f"made-{one.name}"}


def test_options_of_a_resource_are_recorded() -> None:
    def program() -> None:
        first = Box("first")
        opts = pulumi.ResourceOptions(
            protect=True, depends_on=[first], aliases=[pulumi.Alias(name="old")], additional_secret_outputs=["made"],
            delete_before_replace=True, retain_on_delete=True, ignore_changes=["colour"],
        )  # fmt: skip
        Box("second", opts)

    found = run(program)
    second = found.one("second")
    assert second.protect
    assert second.delete_first
    assert second.retain
    assert second.depends_on == {found.one("first").urn}
    assert [alias.endswith("|old") for alias in second.aliases] == [True]
    assert second.secret_outputs == {"made"}
    assert second.ignored == ("colour",)


def test_parents_and_outputs_of_components_are_recorded() -> None:
    found = run(lambda: Room("hall"))
    hall = found.one("hall")
    assert [one.name for one in found.children(hall.urn)] == ["hall-box"]
    assert found.component_outputs[hall.urn] == {"size": 3}
    assert not hall.custom


def test_secrets_are_seen_and_what_leaks_is_named() -> None:
    def program() -> None:
        hidden = pulumi.Output.secret("planted-1")
        Box("good", value={"inner": hidden}, items=[hidden])
        Box("bad", value=hidden.apply(lambda text: text), note="planted-1 in plain")
        pulumi.export("shown", "planted-1")
        pulumi.export("kept", hidden)

    found = run(program)
    good = found.one("good")
    assert good.inputs["value"] == {"inner": "planted-1"}
    assert good.covers("value.inner")
    assert good.covers("items.0")
    assert found.secret_exports == {"kept"}
    assert sorted(found.leaks({"it": "planted-1"})) == ["bad.note", "shown"]


def test_outputs_flow_on_in_a_run_and_are_unknown_in_a_preview() -> None:
    def program() -> None:
        first = Box("first")
        Box("second", after=first.made, ident=first.id)

    assert run(program, added).one("second").inputs == {"after": "made-first", "ident": "first-id"}
    before = run(program, added, preview=True).one("second").inputs
    assert not any(isinstance(value, str) for value in before.values())


def test_urn_that_comes_twice_fails() -> None:
    def program() -> None:
        Box("same")
        Box("same")

    with pytest.raises(Exception, match="registered twice: urn:pulumi:try::motcua::try:index:Box::same"):
        run(program)


def test_failure_within_an_apply_is_not_swallowed() -> None:
    def program() -> None:
        Box("first").id.apply(lambda _: 1 / 0)

    with pytest.raises(Exception, match="division by zero"):
        run(program)


def test_runs_do_not_know_of_each_other() -> None:
    assert [len(run(lambda: Box("same")).resources) for _ in range(2)] == [1, 1]
