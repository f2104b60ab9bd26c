"""Gives a kind to Pulumi as a dynamic provider. It must not decide anything itself.

Pulumi keeps a provider in its state as pickled by reference, so every subclass lives in an importable module and
holds nothing before `configure` but the stack's name: no address, no secret, no client. Numbers arrive as floats and
None not at all; `plain` undoes the first. An input that is not known yet in a preview is passed around the check and
counts as changed.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, TypeVar, cast

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)  # fmt: skip
from pulumi.output import Unknown

from infra.providers.resource_kind import Failure, ProviderError, difference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.providers.resource_kind import Kind, Props

PROVIDER = "__provider"
Result = TypeVar("Result")


class Skin(ResourceProvider):
    """A dynamic provider around one kind; subclasses say how it is opened."""

    serialize_as_secret_always = False
    stack = ""
    """Whose things these are; goes with the provider into the state, for its process is not told."""
    marked = False
    """Whether things bear the stack's name; then a stack that was renamed writes its new one."""

    def open(self, setting: Callable[[str], str]) -> Kind:
        """Return the kind; `setting` gives a value of the stack's configuration, a structure as JSON, or nothing."""
        raise NotImplementedError

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the stack's configuration; the kind is opened when it is first asked."""
        self._config = req.config
        self._lock = threading.Lock()
        self._opened: Kind | None = None
        # The provider's process tells every error with its trace, under which the operator would look for our sentence.
        sys.tracebacklimit = 0

    def check(self, _olds: dict[str, object], news: dict[str, object]) -> CheckResult:
        """Fill in defaults and name every input that cannot be used."""
        unknown = {name: value for name, value in news.items() if name != PROVIDER and holds_unknown(value)}
        given = {name: value for name, value in _props(news).items() if name not in unknown}
        checked, failures = _said(lambda: self._kind().check(_props(_olds), given))
        return CheckResult({**checked, **unknown}, [_failure(one) for one in failures if one.field not in unknown])

    def diff(self, _id: str, _olds: dict[str, object], _news: dict[str, object]) -> DiffResult:
        """Compare by meaning; an unknown input counts as changed."""
        kind = _said(self._kind)
        found = _said(lambda: difference(kind, _props(_olds), _props(_news)))
        unknown = {name for name in kind.inputs if holds_unknown(_news.get(name))}
        replaces = sorted(found.replaces | (unknown & kind.fixed))
        renamed = self.marked and _olds.get(PROVIDER, _news.get(PROVIDER)) != _news.get(PROVIDER)
        return DiffResult(
            changes=bool(found.changed or unknown or renamed),
            replaces=replaces,
            delete_before_replace=found.delete_first,
        )

    def create(self, props: dict[str, object]) -> CreateResult:
        """Make it."""
        ident, outputs = _said(lambda: self._kind().create(_props(props)))
        return CreateResult(ident, dict(outputs))

    def read(self, id_: str, props: dict[str, object]) -> ReadResult:
        """Look at what is there; an empty id tells Pulumi that it is gone."""
        found = _said(lambda: self._kind().read(id_, _props(props)))
        if found is None:
            return ReadResult("", {})
        return ReadResult(found.id, dict(found.outputs), dict(found.inputs))

    def update(self, _id: str, _olds: dict[str, object], _news: dict[str, object]) -> UpdateResult:
        """Bring it to the new inputs; returns every output, for Pulumi forgets those that are left out."""
        return UpdateResult(dict(_said(lambda: self._kind().update(_id, _props(_olds), _props(_news)))))

    def delete(self, _id: str, _props_: dict[str, object]) -> None:
        """Remove it."""
        _said(lambda: self._kind().delete(_id, _props(_props_)))

    def _kind(self) -> Kind:
        with self._lock:
            if self._opened is None:
                self._opened = self.open(self._setting)
            return self._opened

    def _setting(self, key: str) -> str:
        value = self._config.get(key)
        return value if isinstance(value, str) else json.dumps(value) if value is not None else ""


def _said(work: Callable[[], Result]) -> Result:
    """Run it; what fails leaves without the cause, whose text and frames might hold a secret."""
    problem = ""
    try:
        return work()
    except ProviderError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - any other text is not ours to show
        problem = f"{type(error).__name__} at {_place(error)}"
    raise ProviderError(problem)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"


def _failure(failure: Failure) -> CheckFailure:
    return CheckFailure(failure.field, failure.reason)


def _props(values: Mapping[str, object]) -> Props:
    return {name: plain(value) for name, value in values.items() if name != PROVIDER and value is not None}


def plain(value: object) -> object:
    """Return whole floats as ints, throughout; Pulumi's wire knows only floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in cast("dict[str, object]", value).items() if one is not None}
    return value


def holds_unknown(value: object) -> bool:
    """Tell whether a value, or anything in it, is not known yet."""
    if isinstance(value, list):
        return any(holds_unknown(one) for one in value)
    if isinstance(value, dict):
        return any(holds_unknown(one) for one in value.values())
    return isinstance(value, Unknown)
