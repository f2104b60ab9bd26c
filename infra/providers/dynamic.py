"""The one dynamic provider of Pulumi: it serves every resource kind. It must not decide anything about a resource.

Pulumi stores a provider in the state as a pickle by reference, in every resource. Class and module names are fixed, and
an instance holds only its kind and the stack's name: no address, no secret, no client; those come from the stack's
configuration when the kind is first used. Pulumi sends numbers as floats and omits None; `restore_integers` undoes the
first. An input that is unknown in a preview is passed around the check and counts as changed.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import threading
from types import SimpleNamespace
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

from infra.config.options import CloudOptions, InfluxOptions
from infra.providers import influx, pki
from infra.providers.files import FilesKind
from infra.providers.resource_kind import ProviderError, difference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.providers.resource_kind import Props, ResourceKind

PROVIDER_KEY = "__provider"
Result = TypeVar("Result")


def _internal_authority(cloud: str) -> str:
    """Return what signs InfluxDB's certificate where Motcua is one of the hosted systems; `cloud` is JSON or empty."""
    options = CloudOptions.model_validate(json.loads(cloud or "{}"))
    return options.internal_authority if options.own_system else ""


class DynamicProvider(ResourceProvider):
    """Serves one resource kind, named as in `RESOURCE_TYPES`; the stack's name is the owner of what it creates."""

    serialize_as_secret_always = False
    kind = ""
    stack = ""

    def __init__(self, kind: str = "", stack: str = "") -> None:
        """Set kind and stack; a value not given is the class's, so that a pickle is small."""
        if kind:
            self.kind = kind
        if stack:
            self.stack = stack

    def open_kind(self, setting: Callable[[str], str]) -> ResourceKind:
        """Return the kind; `setting` returns a value of the stack's configuration or "", structures as JSON."""
        family, _, name = self.kind.partition(".")
        if family == "influx":
            options = InfluxOptions.model_validate(json.loads(setting("influx") or "{}"))
            client = influx.InfluxClient(
                options.url,
                setting("influxToken"),
                owner=self.stack,
                authority=_internal_authority(setting("cloud")),
                reachability=influx.shared_reachability(options.url),
            )
            return influx.KINDS[name](client, options.accept_new)
        return pki.KINDS[name]() if family == "pki" else FilesKind(self.stack)

    def configure(self, req: ConfigureRequest) -> None:
        """Store the stack's configuration; the kind is opened when it is first used."""
        self._config = req.config
        self._lock = threading.Lock()
        self._opened: ResourceKind | None = None
        _show_messages_only()

    def check(self, _olds: dict[str, object], news: dict[str, object]) -> CheckResult:
        """Fill in defaults and name every input that cannot be used."""
        unknown = {name: value for name, value in news.items() if name != PROVIDER_KEY and contains_unknown(value)}
        known_inputs = {name: value for name, value in _plain_props(news).items() if name not in unknown}
        checked, failures = _sanitise_errors(lambda: self._opened_kind().check(_plain_props(_olds), known_inputs))
        faults = [CheckFailure(fault.field, fault.reason) for fault in failures if fault.field not in unknown]
        return CheckResult({**checked, **unknown}, faults)

    def diff(self, _id: str, _olds: dict[str, object], _news: dict[str, object]) -> DiffResult:
        """Compare by meaning; an unknown input counts as changed."""
        kind = _sanitise_errors(self._opened_kind)
        delta = _sanitise_errors(lambda: difference(kind, _plain_props(_olds), _plain_props(_news)))
        unknown = {name for name in kind.inputs if contains_unknown(_news.get(name))}
        replaces = sorted(delta.replaces | (unknown & kind.immutable))
        # Only certificates do not carry the stack's name; the others are updated when the stack was renamed.
        renamed = not self.kind.startswith("pki.") and _stack_changed(_olds.get(PROVIDER_KEY), _news.get(PROVIDER_KEY))
        return DiffResult(
            changes=bool(delta.changed or unknown or renamed),
            replaces=replaces,
            delete_before_replace=delta.delete_first,
        )

    def create(self, props: dict[str, object]) -> CreateResult:
        """Create the resource."""
        ident, outputs = _sanitise_errors(lambda: self._opened_kind().create(_plain_props(props)))
        return CreateResult(ident, dict(outputs))

    def read(self, id_: str, props: dict[str, object]) -> ReadResult:
        """Read the resource; an empty id means to Pulumi that it no longer exists."""
        state = _sanitise_errors(lambda: self._opened_kind().read(id_, _plain_props(props)))
        if state is None:
            return ReadResult("", {})
        return ReadResult(state.id, dict(state.outputs), dict(state.inputs))

    def update(self, _id: str, _olds: dict[str, object], _news: dict[str, object]) -> UpdateResult:
        """Apply the new inputs; returns every output, because Pulumi drops those that are omitted."""
        olds, news = _plain_props(_olds), _plain_props(_news)
        return UpdateResult(dict(_sanitise_errors(lambda: self._opened_kind().update(_id, olds, news))))

    def delete(self, _id: str, _props_: dict[str, object]) -> None:
        """Delete the resource."""
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
    """Return the result of `work`; an error is raised again without its cause, which might contain a secret."""
    problem = ""
    try:
        return work()
    except ProviderError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - any other text is not ours to show
        problem = f"{type(error).__name__} at {_error_location(error)}"
    raise ProviderError(problem)


def _show_messages_only() -> None:
    """Let the provider's process answer with an error's text alone; in another process this does nothing.

    Pulumi's process answers with what `traceback.format_exc` returns: class, module and trace bury the message.
    """
    process = sys.modules["__main__"]
    if hasattr(process, "DynamicResourceProviderServicer"):
        process.traceback = SimpleNamespace(format_exc=_format_error)  # type: ignore[attr-defined]


def _format_error() -> str:
    error = sys.exc_info()[1]
    return str(error) if isinstance(error, ProviderError) else f"{type(error).__name__} at {_error_location(error)}"


def _error_location(error: BaseException | None) -> str:
    trace = error.__traceback__ if error else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"


def _stack_changed(old: object, new: object) -> bool:
    """Return whether two pickled providers belong to different stacks; an earlier form of the same one does not."""
    return old is not None and old != new and _stack_of(old) != _stack_of(new)


def _stack_of(pickled: object) -> object:
    try:
        return pickle.loads(base64.b64decode(str(pickled), validate=True)).stack  # noqa: S301 - Pulumi does the same
    except Exception:  # noqa: BLE001 - a form that cannot be read counts as another stack's
        return pickled


def _plain_props(values: Mapping[str, object]) -> Props:
    return {
        name: restore_integers(value) for name, value in values.items() if name != PROVIDER_KEY and value is not None
    }


def restore_integers(value: object) -> object:
    """Return whole floats as ints, at every depth; Pulumi's protocol has only floats."""
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
    """Return whether a value, or anything in it, is unknown in a preview."""
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    return isinstance(value, Unknown)
