"""Speaks to Pulumi's dynamic provider process as the engine does: real gRPC, real serialization, no engine.

`Dial` is one process with one configuration; values go over the wire as the engine sends them (numbers as floats,
None left out), and the provider as the pickle that a program would register.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Self

import grpc  # type: ignore[import-untyped]
from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2 as pb, provider_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pulumi.dynamic import ResourceProvider

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands on the wire for a value that a preview does not know yet."""
PROVIDER = "__provider"
CALL_S = 60.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """The inputs as the provider completes them, and what is wrong with them by field."""

    inputs: Json
    failures: dict[str, str]


@dataclass(frozen=True, slots=True)
class Differs:
    """Whether anything differs, what needs a new thing, and whether the old one goes first."""

    changes: bool
    replaces: tuple[str, ...]
    delete_first: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What a read found; an empty id means gone."""

    id: str
    outputs: Json
    inputs: Json


class Refused(Exception):
    """The provider's process answered with an error; its text is all that the engine would show."""


def pickled(provider: ResourceProvider) -> str:
    """Return a provider as it lies in the state."""
    text: str = serialize_provider(provider)
    return text


def _struct(values: Mapping[str, object]) -> struct_pb2.Struct:
    found = struct_pb2.Struct()
    found.update(dict(values))
    return found


def _values(struct: struct_pb2.Struct) -> Json:
    found: Json = json_format.MessageToDict(struct)
    found.pop(PROVIDER, None)
    return found


class Dial:
    """One provider process; a context manager that ends it."""

    def __init__(
        self, checkout: Path, config: Mapping[str, object], project: str = "motcua", said: IO[bytes] | None = None
    ) -> None:
        """Prepare; `config` is the stack's, by full name (`motcua:influxToken`), `said` takes the process' stderr."""
        self._checkout, self._config, self._project, self._said = checkout, dict(config), project, said

    def __enter__(self) -> Self:
        env = {**os.environ, "PULUMI_PROJECT": self._project, "PYTHONPATH": str(self._checkout)}
        command = [sys.executable, "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"]
        self._process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said or subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._call("Configure", pb.ConfigureRequest(args=_struct(self._config), acceptSecrets=True))
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.kill()
        self._process.wait(60)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def of(self, provider: ResourceProvider) -> Line:
        """Return this process as one provider."""
        return Line(self, pickled(provider))

    def _call(self, method: str, request: object) -> Any:  # noqa: ANN401 - gRPC's types are not typed
        try:
            return getattr(self._stub, method)(request, timeout=CALL_S)
        except grpc.RpcError as error:
            told = error.details()
        raise Refused(told)


class Line:
    """One provider within a process; its calls may come from several threads."""

    def __init__(self, dial: Dial, pickle: str) -> None:
        self._dial, self.pickle = dial, pickle

    def _wire(self, values: Mapping[str, object]) -> struct_pb2.Struct:
        return _struct({**values, PROVIDER: self.pickle})

    def check(self, news: Mapping[str, object], olds: Mapping[str, object] | None = None) -> Checked:
        """Check inputs; `olds` are the last ones."""
        before = _struct({}) if olds is None else self._wire(olds)
        told = self._dial._call("Check", pb.CheckRequest(olds=before, news=self._wire(news)))
        return Checked(_values(told.inputs), {one.property: one.reason for one in told.failures})

    def diff(self, ident: str, olds: Mapping[str, object], news: Mapping[str, object]) -> Differs:
        """Compare the outputs of before with the inputs of now."""
        told = self._dial._call("Diff", pb.DiffRequest(id=ident, olds=self._wire(olds), news=self._wire(news)))
        assert told.changes != pb.DiffResponse.DIFF_UNKNOWN, "the engine would compare by itself"
        return Differs(told.changes == pb.DiffResponse.DIFF_SOME, tuple(told.replaces), told.deleteBeforeReplace)

    def create(self, news: Mapping[str, object]) -> tuple[str, Json]:
        """Make it from checked inputs; returns id and outputs."""
        told = self._dial._call("Create", pb.CreateRequest(properties=self._wire(news)))
        assert told.properties.fields[PROVIDER].string_value == self.pickle
        return told.id, _values(told.properties)

    def read(self, ident: str, outputs: Mapping[str, object]) -> Seen:
        """Look at what is there."""
        told = self._dial._call("Read", pb.ReadRequest(id=ident, properties=self._wire(outputs)))
        return Seen(told.id, _values(told.properties), _values(told.inputs))

    def update(self, ident: str, olds: Mapping[str, object], news: Mapping[str, object]) -> Json:
        """Bring it to new inputs; returns all outputs."""
        told = self._dial._call("Update", pb.UpdateRequest(id=ident, olds=self._wire(olds), news=self._wire(news)))
        return _values(told.properties)

    def delete(self, ident: str, outputs: Mapping[str, object]) -> None:
        """Remove it."""
        self._dial._call("Delete", pb.DeleteRequest(id=ident, properties=self._wire(outputs)))
