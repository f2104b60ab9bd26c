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

from infra.providers.resource_kind import InputFault, ProviderError, difference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.providers.resource_kind import Props, ResourceKind

PROVIDER_KEY = "__provider"
Result = TypeVar("Result")


class DynamicProvider(ResourceProvider):
    """A dynamic provider around one kind; subclasses say how it is opened."""

    serialize_as_secret_always = False
    stack = ""
    """Whose things these are; goes with the provider into the state, for its process is not told."""
    records_owner = False
    """Whether things bear the stack's name; then a stack that was renamed writes its new one."""

    def open_kind(self, setting: Callable[[str], str]) -> ResourceKind:
        """Return the kind; `setting` gives a value of the stack's configuration, a structure as JSON, or nothing."""
        raise NotImplementedError

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the stack's configuration; the kind is opened when it is first asked."""
        self._config = req.config
        self._lock = threading.Lock()
        self._opened: ResourceKind | None = None
        # The provider's process tells every error with its trace, under which the operator would look for our sentence.
        sys.tracebacklimit = 0

    def check(self, _olds: dict[str, object], news: dict[str, object]) -> CheckResult:
        """Fill in defaults and name every input that cannot be used."""
        unknown = {name: value for name, value in news.items() if name != PROVIDER_KEY and contains_unknown(value)}
        known_inputs = {name: value for name, value in _plain_props(news).items() if name not in unknown}
        checked, failures = _sanitise_errors(lambda: self._opened_kind().check(_plain_props(_olds), known_inputs))
        return CheckResult(
            {**checked, **unknown}, [_check_failure(fault) for fault in failures if fault.field not in unknown]
        )

    def diff(self, _id: str, _olds: dict[str, object], _news: dict[str, object]) -> DiffResult:
        """Compare by meaning; an unknown input counts as changed."""
        kind = _sanitise_errors(self._opened_kind)
        delta = _sanitise_errors(lambda: difference(kind, _plain_props(_olds), _plain_props(_news)))
        unknown = {name for name in kind.inputs if contains_unknown(_news.get(name))}
        replaces = sorted(delta.replaces | (unknown & kind.immutable))
        renamed = self.records_owner and _olds.get(PROVIDER_KEY, _news.get(PROVIDER_KEY)) != _news.get(PROVIDER_KEY)
        return DiffResult(
            changes=bool(delta.changed or unknown or renamed),
            replaces=replaces,
            delete_before_replace=delta.delete_first,
        )

    def create(self, props: dict[str, object]) -> CreateResult:
        """Make it."""
        ident, outputs = _sanitise_errors(lambda: self._opened_kind().create(_plain_props(props)))
        return CreateResult(ident, dict(outputs))

    def read(self, id_: str, props: dict[str, object]) -> ReadResult:
        """Look at what is there; an empty id tells Pulumi that it is gone."""
        state = _sanitise_errors(lambda: self._opened_kind().read(id_, _plain_props(props)))
        if state is None:
            return ReadResult("", {})
        return ReadResult(state.id, dict(state.outputs), dict(state.inputs))

    def update(self, _id: str, _olds: dict[str, object], _news: dict[str, object]) -> UpdateResult:
        """Bring it to the new inputs; returns every output, for Pulumi forgets those that are left out."""
        return UpdateResult(
            dict(_sanitise_errors(lambda: self._opened_kind().update(_id, _plain_props(_olds), _plain_props(_news))))
        )

    def delete(self, _id: str, _props_: dict[str, object]) -> None:
        """Remove it."""
        _sanitise_errors(lambda: self._opened_kind().delete(_id, _plain_props(_props_)))

    def _opened_kind(self) -> ResourceKind:
        with self._lock:
            if self._opened is None:
                self._opened = self.open_kind(self._read_setting)
            return self._opened

    def _read_setting(self, key: str) -> str:
        value = self._config.get(key)
        return value if isinstance(value, str) else json.dumps(value) if value is not None else ""


def _sanitise_errors(work: Callable[[], Result]) -> Result:
    """Run it; what fails leaves without the cause, whose text and frames might hold a secret."""
    problem = ""
    try:
        return work()
    except ProviderError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - any other text is not ours to show
        problem = f"{type(error).__name__} at {_error_location(error)}"
    raise ProviderError(problem)


def _error_location(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"


def _check_failure(failure: InputFault) -> CheckFailure:
    return CheckFailure(failure.field, failure.reason)


def _plain_props(values: Mapping[str, object]) -> Props:
    return {
        name: restore_integers(value) for name, value in values.items() if name != PROVIDER_KEY and value is not None
    }


def restore_integers(value: object) -> object:
    """Return whole floats as ints, throughout; Pulumi's wire knows only floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [restore_integers(item) for item in value]
    if isinstance(value, dict):
        return {
            name: restore_integers(item) for name, item in cast("dict[str, object]", value).items() if item is not None
        }
    return value


def contains_unknown(value: object) -> bool:
    """Tell whether a value, or anything in it, is not known yet."""
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    return isinstance(value, Unknown)
