"""Runs a Pulumi program without an engine and records what it registers: also protection, aliases, secrets, order.

The engine refuses a URN that comes twice, mocks do not; so the recording monitor fails on it. In a preview nothing
has an id or a computed output yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pulumi
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import resource_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
SECRET = "4dabf18193072939515e22adb298388d"
STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True, slots=True)
class Registered:
    """One registration: `inputs` without the marks of secrets, `hidden` the dotted paths that carried one."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: Json
    hidden: frozenset[str]
    protect: bool
    depends_on: frozenset[str]
    aliases: tuple[str, ...]
    secret_outputs: frozenset[str]
    delete_first: bool
    retain: bool
    ignored: tuple[str, ...]
    provider: str
    custom: bool

    def covers(self, path: str) -> bool:
        """Tell whether an input path, or something around it, is secret."""
        parts = path.split(".")
        return any(".".join(parts[:count]) in self.hidden for count in range(1, len(parts) + 1))


Outputs = Callable[[Registered], Json]


@dataclass(slots=True)
class Recorded:
    """What a program did: its registrations in order, the outputs of its components, its exports."""

    resources: list[Registered] = field(default_factory=list)
    component_outputs: dict[str, Json] = field(default_factory=dict)
    exports: Json = field(default_factory=dict)
    secret_exports: set[str] = field(default_factory=set)

    def of(self, kind: str) -> list[Registered]:
        """Return the registrations of a type token."""
        return [one for one in self.resources if one.type == kind]

    def one(self, name: str, kind: str = "") -> Registered:
        """Return the only registration of that name (and type)."""
        found = [one for one in self.resources if one.name == name and kind in {"", one.type}]
        assert len(found) == 1, f"{len(found)} resources are named {name!r}: {[one.urn for one in found]}"
        return found[0]

    def children(self, urn: str) -> list[Registered]:
        """Return what has this parent."""
        return [one for one in self.resources if one.parent == urn]

    def leaks(self, planted: Mapping[str, str]) -> list[str]:
        """Name every place where a planted value stands in plain text, by resource and path."""
        found = [
            f"{one.name}.{path}"
            for one in self.resources
            for path, text in texts(one.inputs)
            if not one.covers(path) and any(value in text for value in planted.values())
        ]
        shown = {name: value for name, value in self.exports.items() if name not in self.secret_exports}
        return found + [path for path, text in texts(shown) if any(value in text for value in planted.values())]


def texts(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted path, text) of every text within a value."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from texts(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from texts(inner, f"{path}.{number}")


class RecordingMonitor(mocks.MockMonitor):
    """A monitor that keeps each request, answers with the inputs and `outputs`, and refuses a URN that comes twice."""

    def __init__(self, outputs: Outputs, *, preview: bool, earlier: Json | None = None) -> None:
        super().__init__(cast("mocks.Mocks", None))
        self._earlier = earlier
        self.recorded = Recorded()
        self._outputs, self._preview = outputs, preview

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN as the engine makes it: all types above are in it, except the stack's."""
        above = parent.split("::")[2] if parent else STACK
        qualified = type_ if above == STACK else f"{above}${type_}"
        return f"urn:pulumi:{settings.get_stack()}::{settings.get_project()}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - Pulumi's name and types
        """Record one registration."""
        if request.type == STACK:
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]
        found = self._registered(request)
        if found.urn in {one.urn for one in self.recorded.resources}:
            raise AssertionError(f"registered twice: {found.urn}")
        self.recorded.resources.append(found)
        answered = resource_pb2.RegisterResourceResponse(urn=found.urn, object=request.object)
        if found.custom and not self._preview:
            answered.id = f"{found.name}-id"
            answered.object.update(self._outputs(found))
        return answered

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802 - Pulumi's name and types
        """Record a component's outputs."""
        self.recorded.component_outputs[request.urn] = _plain(request.outputs)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def Invoke(self, request: Any) -> Any:  # noqa: ANN401, N802 - Pulumi's name and types
        """Answer the one function that the program calls: the outputs of the stack's last run."""
        assert request.tok == "pulumi:pulumi:readStackOutputs", request.tok
        answered = resource_pb2.ResourceInvokeResponse()
        getattr(answered, "return").update({"name": dict(request.args)["name"], "outputs": self._earlier or {}})
        return answered

    def _registered(self, request: Any) -> Registered:  # noqa: ANN401 - Pulumi's types are not typed
        given = _plain(request.object)
        return Registered(
            self.make_urn(request.parent, request.type, request.name),
            request.type,
            request.name,
            request.parent,
            _shown(given),
            frozenset(_hidden(given)),
            request.protect,
            frozenset(request.dependencies),
            tuple(_alias(one) for one in request.aliases),
            frozenset(request.additionalSecretOutputs),
            request.deleteBeforeReplace,
            request.retainOnDelete,
            tuple(request.ignoreChanges),
            request.provider,
            request.custom,
        )


def _plain(struct: Any) -> Json:  # noqa: ANN401 - Pulumi's types are not typed
    found: Json = rpc.deserialize_properties(struct, keep_unknowns=True)
    return found


def _shown(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        if SECRET in value:
            return _shown(value["value"])
        return {name: _shown(inner) for name, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


def _hidden(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict) and SECRET in value:
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _hidden(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _hidden(inner, f"{path}.{number}")


def _alias(alias: Any) -> str:  # noqa: ANN401 - Pulumi's types are not typed
    if alias.urn:
        return str(alias.urn)
    spec = alias.spec
    parent = "-" if spec.noParent else spec.parentUrn
    return f"{parent}|{spec.type}|{spec.name}"


def _nothing(_: Registered) -> Json:
    return {}


def run(
    program: Callable[[], object],
    outputs: Outputs = _nothing,
    *,
    preview: bool = False,
    stack: str = "try",
    earlier: Json | None = None,
) -> Recorded:
    """Run a program to its end as the stack `motcua/try` would; any failing `apply` raises here.

    `outputs` gives what the provider would add to a resource's inputs, `earlier` the stack's outputs of its last run.
    """
    monitor, before = RecordingMonitor(outputs, preview=preview, earlier=earlier), settings.SETTINGS
    root, loop = settings.ROOT.set(None), asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda *_: None)  # what failed is raised here, and not told again when memory is freed
    try:
        mocks.set_mocks(cast("mocks.Mocks", None), "motcua", stack, preview, monitor=monitor)
        mocks.test(lambda: _exported(program, monitor.recorded))()  # type: ignore[no-untyped-call]
    finally:
        settings.configure(before)
        settings.ROOT.reset(root)
        asyncio.set_event_loop(None)
        loop.close()
    return monitor.recorded


def _exported(program: Callable[[], object], recorded: Recorded) -> pulumi.Output[list[Any]]:
    program()
    made = cast("Any", settings.get_root_resource())
    return pulumi.Output.all(*(_kept(name, value, recorded) for name, value in made.outputs.items()))


def _kept(name: str, value: object, recorded: Recorded) -> pulumi.Output[None]:
    output = pulumi.Output.from_input(value)

    async def keep() -> None:
        if await output.is_secret():
            recorded.secret_exports.add(name)
        recorded.exports[name] = await output.future()

    return pulumi.Output.from_input(keep())
