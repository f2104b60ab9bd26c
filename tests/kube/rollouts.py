"""A roll-out of rendered objects on the real API server: applied in order, pods tried, applied again, taken away.

It must not accept a warning, a forced field or a second apply that changes anything.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tests.kube.objects import default_account, pods_of
from tests.kube_server import Refused, Warned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.kube_server import KubeServer

Json = dict[str, Any]
Key = tuple[str, str, str]
Outcome = TypeVar("Outcome")
_FIRST = ("CustomResourceDefinition", "Namespace")


def key_of(manifest: Json) -> Key:
    """Return kind, namespace and name."""
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace", ""), meta["name"]


def with_secret_values(manifest: Json) -> Json:
    """Return a manifest with texts in place of a Secret's placeholders, as the cluster would see it."""
    if manifest["kind"] != "Secret" or "stringData" not in manifest:
        return manifest
    return {**manifest, "stringData": dict.fromkeys(manifest["stringData"], "value")}


@dataclass
class RollOut:
    """Objects on a server."""

    server: KubeServer
    objects: tuple[Json, ...]

    def apply(self) -> dict[Key, Json]:
        """Apply every object, namespaces first; returns the content of each.

        All refusals and warnings are reported at once, so that one run shows everything to mend.
        """
        self.server.define_kinds(self.objects)
        wanted = [with_secret_values(one) for one in self.objects]
        contents, faults = {}, []
        for part in (
            [one for one in wanted if one["kind"] in _FIRST],
            [one for one in wanted if one["kind"] not in _FIRST],
        ):
            for one, (content, fault) in zip(part, self._each(self._applied, part), strict=True):
                contents[key_of(one)] = content
                faults += [f"{' '.join(key_of(one))}: {fault}"] if fault else []
        assert not faults, "\n".join(faults)
        return contents

    def _applied(self, one: Json) -> tuple[Json, str]:
        """Return an applied object's content, and the fault instead."""
        try:
            return content_of(self.server.apply(one)), ""
        except (Refused, Warned, KeyError) as fault:
            return {}, f"{type(fault).__name__} {fault}"

    @staticmethod
    def _each(call: Callable[[Json], Outcome], objects: Iterable[Json]) -> list[Outcome]:
        """Do something with every object, several at a time: the server has two processors, too."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(call, objects))

    def try_pods(self) -> int:
        """Send each pod template as a Pod that is not stored; returns how many there were."""
        for space in {one["metadata"]["namespace"] for one in pods_of(self.objects)}:
            self.server.apply(default_account(space))
        pods = list(pods_of(self.objects))
        faults = [fault for fault in self._each(self._pod_fault, pods) if fault]
        assert not faults, "\n".join(faults)
        return len(pods)

    def _pod_fault(self, one: Json) -> str:
        try:
            self.server.apply(one, dry_run=True)
        except (Refused, Warned) as fault:
            return f"{' '.join(key_of(one))}: {fault}"
        return ""

    def read(self) -> dict[Key, Json]:
        """Return the content of each object as the server has it now."""
        return dict(self._each(lambda one: (key_of(one), content_of(self.server.read(one))), self.objects))

    def delete(self, chosen: Iterable[Json]) -> None:
        """Delete objects, namespaces last."""
        wanted = list(chosen)
        self._each(self.server.delete, [one for one in wanted if one["kind"] not in _FIRST])
        self._each(self.server.delete, [one for one in wanted if one["kind"] in _FIRST])


def content_of(stored: Json) -> Json:
    """Return an object without its version, but with who manages which field since when.

    The server writes a PersistentVolumeClaim once more at its first update, with the same content.
    """
    meta = {key: value for key, value in stored["metadata"].items() if key != "resourceVersion"}
    return {**stored, "metadata": meta}


def changed(before: Mapping[Key, Json], after: Mapping[Key, Json]) -> set[Key]:
    """Return the objects with another content."""
    return {key for key, content in after.items() if before.get(key) != content}
