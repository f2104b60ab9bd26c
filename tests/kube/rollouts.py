"""A roll-out of rendered objects on the real API server: applied in order, pods tried, applied again, taken away.

It must not accept a warning, a forced field or a second apply that changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.kube.objects import default_account, pods_of
from tests.kube_server import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.kube_server import KubeServer

Json = dict[str, Any]
Key = tuple[str, str, str]
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
        contents, faults = {}, []
        for one in sorted(map(with_secret_values, self.objects), key=lambda one: one["kind"] not in _FIRST):
            try:
                contents[key_of(one)] = content_of(self.server.apply(one))
            except (Refused, AssertionError, KeyError) as fault:
                faults.append(f"{' '.join(key_of(one))}: {type(fault).__name__} {fault}")
        assert not faults, "\n".join(faults)
        return contents

    def try_pods(self) -> int:
        """Send each pod template as a Pod that is not stored; returns how many there were."""
        for space in {one["metadata"]["namespace"] for one in pods_of(self.objects)}:
            self.server.apply(default_account(space))
        count, faults = 0, []
        for count, one in enumerate(pods_of(self.objects), 1):  # noqa: B007 - the number of the last one
            try:
                self.server.apply(one, dry_run=True)
            except (Refused, AssertionError) as fault:
                faults.append(f"{' '.join(key_of(one))}: {fault}")
        assert not faults, "\n".join(faults)
        return count

    def read(self) -> dict[Key, Json]:
        """Return the content of each object as the server has it now."""
        return {key_of(one): content_of(self.server.read(one)) for one in self.objects}

    def delete(self, chosen: Iterable[Json]) -> None:
        """Delete objects, namespaces last."""
        for one in sorted(chosen, key=lambda one: one["kind"] == "Namespace"):
            self.server.delete(one)


def content_of(stored: Json) -> Json:
    """Return an object without its version, but with who manages which field since when.

    The server writes a PersistentVolumeClaim once more at its first update, with the same content.
    """
    meta = {key: value for key, value in stored["metadata"].items() if key != "resourceVersion"}
    return {**stored, "metadata": meta}


def changed(before: Mapping[Key, Json], after: Mapping[Key, Json]) -> set[Key]:
    """Return the objects with another content."""
    return {key for key, content in after.items() if before.get(key) != content}
