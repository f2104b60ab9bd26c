"""A real Kubernetes API server with its etcd on the loopback, and a plain HTTPS client of it; both end with the tests.

Nothing else of a cluster runs: no controllers, no scheduler, no kubelet, no network. What a controller would do at once
(a namespace's default service account, a quota's status) a test does itself, and says so.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

READY_S = 60.0
OPERATOR_TOKEN = "token-of-the-clusters-operator"
OPERATOR_HEADERS = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
FIELD_MANAGER = "motcua"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
Json = dict[str, Any]


class Refused(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status} {body.get('reason', '')}: {body.get('message', body)}")
        self.status = status
        self.reason = str(body.get("reason", ""))
        self.message = str(body.get("message", ""))


class Warned(AssertionError):
    """The API server accepted a request, but warned: nothing that Motcua renders may be answered so."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """How the server calls a kind in its paths."""

    plural: str
    namespaced: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: the object, and the texts of its Warning headers."""

    body: Json
    warnings: tuple[str, ...]


class KubeServer:
    """etcd and kube-apiserver in one folder; `start()` waits until they answer."""

    def __init__(self, etcd: str, built: Path, folder: Path) -> None:
        """`built` is what `make kube` fills: the server, and `crds/` with definitions of foreign kinds."""
        self._programs = {"etcd": etcd, "kube-apiserver": str(built / "kube-apiserver")}
        self._definitions = built / "crds"
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._port = free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self._types: dict[str, dict[str, ResourceType]] = {}
        self._defined: set[tuple[str, str]] = set()
        self._pool: urllib3.HTTPSConnectionPool | None = None

    def start(self) -> KubeServer:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "tokens.csv").write_text(f"{OPERATOR_TOKEN},operator,operator,system:masters\n")
        (self._folder / "accounts.key").write_bytes(_new_private_key())
        store, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        # Nothing needs to survive this process, so the store waits for no disk.
        self._run("etcd", "--data-dir", "etcd", "--unsafe-no-fsync", "--log-level", "error",
                  "--listen-client-urls", store, "--advertise-client-urls", store,
                  "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                  "--initial-cluster", f"default={peers}")  # fmt: skip
        self._run("kube-apiserver", "--etcd-servers", store, "--bind-address", "127.0.0.1",
                  "--secure-port", str(self._port), "--cert-dir", "certs", "--token-auth-file", "tokens.csv",
                  "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16",
                  "--service-account-issuer", "https://motcua.test", "--service-account-key-file", "accounts.key",
                  "--service-account-signing-key-file", "accounts.key", "--profiling=false")  # fmt: skip
        self._wait_ready()
        return self

    def _run(self, name: str, *words: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            command = [self._programs[name], *words]
            self._processes.append(
                subprocess.Popen(command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self._is_ready():
            logs = "\n".join(path.read_text()[-1500:] for path in self._folder.glob("*.log"))
            assert all(process.poll() is None for process in self._processes), logs
            assert time.monotonic() < deadline, f"no API server within {READY_S:g} s\n{logs}"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        # Its own first objects come last: without them a request may be refused as in no namespace.
        paths = ("/readyz", "/api/v1/namespaces/default")
        return self._certificate.exists() and all(self._answers(path) for path in paths)

    def _answers(self, path: str) -> bool:
        try:
            return bool(self.pool.request("GET", path, headers=OPERATOR_HEADERS, retries=False).status == 200)
        except (urllib3.exceptions.HTTPError, OSError):
            return False

    @property
    def _certificate(self) -> Path:
        """Return the certificate that the server makes for itself."""
        return self._folder / "certs" / "apiserver.crt"

    @property
    def pool(self) -> urllib3.HTTPSConnectionPool:
        """Return the connections to the server, whose certificate they trust."""
        if self._pool is None:
            self._pool = urllib3.HTTPSConnectionPool(
                "127.0.0.1", self._port, maxsize=4, block=True, timeout=READY_S, ca_certs=str(self._certificate)
            )
        return self._pool

    def end(self) -> None:
        if self._pool is not None:
            self._pool.close()
        # Nothing of it is needed again; asked to end, it would wait for watches that are still open.
        for process in self._processes:
            process.kill()
            process.wait(60)

    def kubeconfig(self) -> Path:
        """Write the operator's kubeconfig."""
        path = self._folder / "kubeconfig"
        authority = str(self._certificate)
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": authority}}],
            "users": [{"name": "test", "user": {"token": OPERATOR_TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }))  # fmt: skip
        return path

    def send(self, method: str, path: str, content: bytes | Json | None = None, kind: str = "application/json",
             **query: str) -> Answer:  # fmt: skip
        """Send a request; raises Refused on any answer but a good one."""
        text = json.dumps(content).encode() if isinstance(content, dict) else content
        where = f"{path}?{urlencode(query)}" if query else path
        headers = {**OPERATOR_HEADERS, "Content-Type": kind}
        answer = self.pool.request(method, where, body=text, headers=headers, retries=False)
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        body: Json = json.loads(answer.data) if is_json else {}
        if not 200 <= answer.status < 300:
            raise Refused(answer.status, body or {"message": answer.data.decode()})
        return Answer(body, tuple(answer.headers.getlist("Warning")))

    def read_path(self, path: str) -> Json:
        """Return what lies at a path."""
        return self.send("GET", path).body

    def apply(self, manifest: Json, *, dry_run: bool = False, warnings: bool = False) -> Json:
        """Apply an object by server-side apply, never by force; returns it as stored.

        Raises Refused, and Warned on any warning unless `warnings` expects them.
        """
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        answer = self.send("PATCH", self.path_of(manifest), manifest, APPLY, **query)
        if answer.warnings and not warnings:
            raise Warned(f"{manifest['kind']} {manifest['metadata']['name']}: {'; '.join(answer.warnings)}")
        return answer.body

    def read(self, manifest: Json) -> Json:
        """Return an object as the server has it."""
        return self.read_path(self.path_of(manifest))

    def delete(self, manifest: Json) -> None:
        """Delete an object; of a namespace the finalizer, too, which is the absent controller's work."""
        path = self.path_of(manifest)
        self.send("DELETE", path)
        if manifest["kind"] == "Namespace":
            body = {**self.read_path(path), "spec": {"finalizers": []}}
            self.send("PUT", f"{path}/finalize", body)

    def write_status(self, manifest: Json, status: Mapping[str, object]) -> None:
        """Write an object's status, as its absent controller would."""
        self.send("PATCH", f"{self.path_of(manifest)}/status", {"status": dict(status)}, MERGE)

    def path_of(self, manifest: Json) -> str:
        """Return the path of an object; raises KeyError when the server does not know its kind."""
        version, meta = manifest["apiVersion"], manifest["metadata"]
        resource = self._resource_types(version)[manifest["kind"]]
        space = f"/namespaces/{meta['namespace']}" if resource.namespaced else ""
        return f"{_root_of(version)}{space}/{resource.plural}/{meta['name']}"

    def _resource_types(self, version: str) -> dict[str, ResourceType]:
        if version not in self._types:
            found = self.read_path(_root_of(version))["resources"]
            self._types[version] = {
                one["kind"]: ResourceType(one["name"], one["namespaced"]) for one in found if "/" not in one["name"]
            }
        return self._types[version]

    def define_kinds(self, objects: Iterable[Json]) -> None:
        """Apply the published definition of each foreign kind among objects, and wait until the server serves it."""
        wanted = {(one["apiVersion"].partition("/")[0], one["kind"]) for one in objects if "." in one["apiVersion"]}
        files = [
            path
            for group, kind in sorted(wanted - self._defined)
            for path in sorted(self._definitions.glob(f"{group}_*.yaml"))
            if f"\n    kind: {kind}\n" in path.read_text()
        ]
        self._defined |= wanted
        self._define({_definition_name(path): path.read_bytes() for path in files})

    def define(self, *definitions: Json) -> None:
        """Apply definitions of a test's own, and wait until the server serves their kinds."""
        self._define({one["metadata"]["name"]: one for one in definitions})

    def _define(self, contents: Mapping[str, bytes | Json]) -> None:
        for name, content in contents.items():
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            self.send("PATCH", path, content, APPLY, fieldManager=FIELD_MANAGER)
        deadline = time.monotonic() + READY_S
        while waiting := set(contents) - self._served_names():
            assert time.monotonic() < deadline, f"not served within {READY_S:g} s: {waiting}"
            time.sleep(0.1)
        self._types.clear()

    def _served_names(self) -> set[str]:
        """Return `plural.group` of every kind that the server serves."""
        headers = {**OPERATOR_HEADERS, "Accept": f"{DISCOVERY},application/json"}
        answer = self.pool.request("GET", "/apis", headers=headers, retries=False)
        return {
            f"{resource['resource']}.{group['metadata']['name']}"
            for group in json.loads(answer.data)["items"]
            for version in group["versions"]
            for resource in version.get("resources", ())
        }


def _root_of(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _definition_name(path: Path) -> str:
    """Return the name of the definition in a file that is called `GROUP_PLURAL.yaml`."""
    group, _, plural = path.stem.partition("_")
    return f"{plural}.{group}"


def _new_private_key() -> bytes:
    """Return a key in PEM that signs tokens of service accounts."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
