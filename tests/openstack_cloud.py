"""A real Keystone and Neutron on the loopback, and what sends them resources as Pulumi's provider does.

It knows identity and network only: machines, volumes, balancers, containers and names have no server here.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.vantage_points import planned_vantage_points
from infra.targets.openstack.cloud.refusals import explain_refusal
from infra.targets.openstack.cloud.resources import ground_resources, hosted_resources
from infra.targets.openstack.cloud.values import CloudSettings, CreatedReference, ExistingReference, ProgramUser
from tests.cloud_examples import TODAY
from tests.servers import READY_S, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.targets.openstack.cloud.values import CloudResource, ResourceReference
    from telemetry.core.cloud.values import CloudDeclaration
    from telemetry.errors import Fault

SERVE = Path(__file__).resolve().parent.parent / "scripts/openstack/serve.py"
PASSWORD = "only-for-tests"
WITHOUT_SERVER = frozenset({
    "compute-quota", "volume-quota", "balancer-quota", "server-group", "volume", "machine", "balancer", "listener",
    "pool", "member", "monitor", "container", "name-record",
})  # fmt: skip
"""Kinds of nova, cinder, octavia, swift and designate, of which none runs here."""
START_S = 240.0
"""How long both may take to start: eight seconds of a processor, on a busy machine far longer."""
Json = dict[str, Any]


class OpenstackCloud:
    """Keystone and Neutron over SQLite; `end()` ends both. The cloud has one network outside, `public`."""

    def __init__(self, python: str, folder: Path) -> None:
        self._ports = {"keystone": free_port(), "neutron": free_port()}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._python, self._folder = python, folder
        self.identity = f"http://127.0.0.1:{self._ports['keystone']}/v3"
        self.network = f"http://127.0.0.1:{self._ports['neutron']}/v2.0"
        self.client = httpx.Client(timeout=READY_S, trust_env=False)

    def start(self) -> OpenstackCloud:
        """Start both, wait until they answer, and add what a cloud has that nobody has used."""
        ports = [word for name, port in self._ports.items() for word in (f"--{name}", str(port))]
        for name in self._ports:
            with (self._folder / f"{name}.out").open("wb") as log:
                command = [self._python, str(SERVE), name, str(self._folder), *ports, "--password", PASSWORD]
                environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
                self._processes.append(
                    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
                )
        deadline = time.monotonic() + START_S
        for address in (self.identity, self.network):
            self._wait_for(address, deadline)
        self._furnish()
        return self

    def _wait_for(self, address: str, deadline: float) -> None:
        while True:
            try:
                self.client.get(address)
                return
            except httpx.TransportError:
                logs = {path.name: path.read_text(errors="replace")[-2000:] for path in self._folder.glob("*.out")}
                assert all(process.poll() is None for process in self._processes), logs
                assert time.monotonic() < deadline, f"{address} does not answer: {logs}"
                time.sleep(0.05)

    def end(self) -> None:
        """End both processes."""
        self.client.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(READY_S)

    def _furnish(self) -> None:
        """Add the outside network, and the rules that a new group has in a real cloud: migrations would add them."""
        headers = {"X-Auth-Token": self.token()}
        public = self.call("POST", "/networks", headers, {"network": {"name": "public", "router:external": True}})
        subnet = {"network_id": public["network"]["id"], "cidr": "203.0.113.0/24", "ip_version": 4}
        self.call("POST", "/subnets", headers, {"subnet": {**subnet, "enable_dhcp": False}})
        for ethertype in ("IPv4", "IPv6"):
            rule = {"ethertype": ethertype, "used_in_default_sg": True}
            out = {**rule, "direction": "egress", "used_in_non_default_sg": True}
            within = {**rule, "direction": "ingress", "remote_group_id": "PARENT", "used_in_non_default_sg": False}
            for default in (out, within):
                self.call("POST", "/default-security-group-rules", headers, {"default_security_group_rule": default})

    def call(self, method: str, path: str, headers: Mapping[str, str], body: Json | None = None) -> Json:
        """Return what Neutron answers; an answer that is no success fails."""
        answer = self.client.request(method, self.network + path, headers=dict(headers), json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    def token(self, project: str = "") -> str:
        """Return a token of the user `admin`, whose role in the project `project` (an id) is what it was given."""
        return self.sign_in(project).headers["X-Subject-Token"]

    def sign_in(self, project: str = "") -> httpx.Response:
        """Return Keystone's answer to a log-in of the administrator, in its own project or one by id."""
        domain = {"id": "default"}
        user = {"name": "admin", "domain": domain, "password": PASSWORD}
        scope: Json = {"id": project} if project else {"name": "admin", "domain": domain}
        methods = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": methods, "scope": {"project": scope}}}
        answer = self.client.post(f"{self.identity}/auth/tokens", json=body)
        assert answer.is_success, answer.text
        return answer


@dataclass(frozen=True, slots=True)
class SentSystems:
    """Hosted systems that the cloud has accepted: who sent them, what was sent of it, in which stage."""

    sender: ResourceSender
    resources: tuple[CloudResource, ...]
    stage: str

    def one(self, kind: str, name: str) -> CloudResource:
        """Return the resource of a kind whose name, without its project, is `name`."""
        (resource,) = [one for one in self.resources if one.kind == kind and one.name.endswith(name)]
        return resource

    def project(self, system: str) -> str:
        """Return the name of a system's project."""
        return f"{system}-{self.stage}"


class ResourceSender:
    """Sends resources one by one and remembers their ids, as a Pulumi program with its provider would."""

    def __init__(self, cloud: OpenstackCloud) -> None:
        self.cloud = cloud
        signed_in = cloud.sign_in()
        self._user = str(signed_in.json()["token"]["user"]["id"])
        self._tokens = {"": signed_in.headers["X-Subject-Token"]}
        self.ids: dict[tuple[str, str], str] = {}

    def send_all(self, resources: Iterable[CloudResource]) -> list[CloudResource]:
        """Send what has a server here, in order; returns it. A refusal fails."""
        sent = [one for one in resources if one.kind not in WITHOUT_SERVER]
        for one in sent:
            refused = self.send(one)
            assert refused is None, f"{refused}"
        return sent

    def send(self, resource: CloudResource) -> Fault | None:
        """Send one resource; returns our sentence when the cloud refuses it."""
        method, address, body = self._request(resource)
        answer = self.cloud.client.request(method, address, headers=self.headers(resource), json=body)
        if not answer.is_success:
            return explain_refusal(resource, answer.status_code, answer.text)
        inner: Json = next(iter(answer.json().values()), {}) if answer.content and method == "POST" else {}
        if "id" in inner:
            self.ids[resource.kind, resource.name] = str(inner["id"])
        if resource.properties.get("delete_default_rules"):
            self._delete_rules(resource, [str(rule["id"]) for rule in inner["security_group_rules"]])
        return None

    def delete(self, resource: CloudResource) -> Fault | None:
        """Delete a resource of Neutron; returns our sentence when the cloud refuses."""
        address = f"{self.cloud.network}/{resource.kind.replace('-', '_')}s/{self.ids[resource.kind, resource.name]}"
        answer = self.cloud.client.delete(address.replace("security_", "security-"), headers=self.headers(resource))
        return None if answer.is_success else explain_refusal(resource, answer.status_code, answer.text)

    def headers(self, resource: CloudResource) -> dict[str, str]:
        """Return the token: of the administrator, or of the program as a member of the resource's project."""
        project = "" if resource.by_administrator else resource.project
        if project not in self._tokens:
            self._tokens[project] = self.cloud.token(self.ids["project", project])
        return {"X-Auth-Token": self._tokens[project]}

    def listed(self, kind: str, project: str) -> list[Json]:
        """Return everything of a kind (`networks`, …) that a project has."""
        headers = {"X-Auth-Token": self._tokens[""]}
        answer = self.cloud.call("GET", f"/{kind}?project_id={self.ids['project', project]}", headers)
        return list(answer[kind.replace("-", "_")])

    def _delete_rules(self, resource: CloudResource, rules: list[str]) -> None:
        for rule in rules:
            self.cloud.call("DELETE", f"/security-group-rules/{rule}", self.headers(resource))

    def _request(self, resource: CloudResource) -> tuple[str, str, Json | None]:
        """Return method, address and body of the request that creates a resource."""
        properties: Json = {name: self._value(value) for name, value in resource.properties.items()}
        network = self.cloud.network
        if resource.kind in {"project", "agency-group", "role-assignment", "application-credential"}:
            return self._identity_request(resource.kind, properties)
        match resource.kind:
            case "network-quota":
                project = properties.pop("project_id")
                return "PUT", f"{network}/quotas/{project}", {"quota": properties}
            case "router-interface":
                router = properties.pop("router_id")
                return "PUT", f"{network}/routers/{router}/add_router_interface", properties
            case "route":
                routes = [{"destination": properties["destination_cidr"], "nexthop": properties["next_hop"]}]
                address = f"{network}/routers/{properties['router_id']}/add_extraroutes"
                return "PUT", address, {"router": {"routes": routes}}
        path, key, body = self._network_body(resource, properties)
        return "POST", f"{network}/{path}", {key: body}

    def _identity_request(self, kind: str, properties: Json) -> tuple[str, str, Json | None]:
        identity = self.cloud.identity
        match kind:
            case "project":
                return "POST", f"{identity}/projects", {"project": {**properties, "domain_id": "default"}}
            case "agency-group":
                return "POST", f"{identity}/groups", {"group": {**properties, "domain_id": "default"}}
            case "role-assignment":
                party = f"groups/{properties['group_id']}" if "group_id" in properties else f"users/{self._user}"
                project = f"{identity}/projects/{properties['project_id']}"
                return "PUT", f"{project}/{party}/roles/{properties['role_id']}", None
        roles = [{"name": role} for role in properties["roles"]]
        address = f"{identity}/users/{self._user}/application_credentials"
        return "POST", address, {"application_credential": {**properties, "roles": roles}}

    def _network_body(self, resource: CloudResource, properties: Json) -> tuple[str, str, Json]:
        """Return path, key and body of what Neutron creates; names of the SDK become those of the API."""
        match resource.kind:
            case "network":
                external = properties.pop("external", None)
                return "networks", "network", {**properties, **({"router:external": True} if external else {})}
            case "router":
                gateway = {"network_id": properties.pop("external_network_id")}
                for name in ("enable_snat", "external_fixed_ips"):
                    if name in properties:
                        gateway[name] = properties.pop(name)
                return "routers", "router", {**properties, "external_gateway_info": gateway}
            case "security-group":
                properties.pop("delete_default_rules")
                return "security-groups", "security_group", properties
            case "port":
                groups = [] if properties.pop("no_security_groups", None) else properties.pop("security_group_ids")
                return "ports", "port", {**properties, "security_groups": groups}
            case "floating-address":
                pool = self._value(ExistingReference("network", properties.pop("pool")))
                return "floatingips", "floatingip", {**properties, "floating_network_id": pool}
        names = {
            "subnet": ("subnets", "subnet"),
            "security-group-rule": ("security-group-rules", "security_group_rule"),
        }
        return (*names[resource.kind], properties)

    def _value(self, value: object) -> object:
        match value:
            case CreatedReference() | ExistingReference() | ProgramUser():
                return self._id(value)
            case dict():
                return {name: self._value(inner) for name, inner in value.items()}
            case list() | tuple():
                return [self._value(inner) for inner in value]
        return value

    def _id(self, reference: ResourceReference) -> str:
        if isinstance(reference, ProgramUser):
            return self._user
        if (reference.kind, reference.name) in self.ids:
            return self.ids[reference.kind, reference.name]
        assert isinstance(reference, ExistingReference), f"{reference} was not sent"
        base = self.cloud.identity if reference.kind == "role" else self.cloud.network
        address = f"{base}/{reference.kind}s?name={reference.name}"
        answer = self.cloud.client.get(address, headers={"X-Auth-Token": self._tokens[""]})
        return str(answer.json()[f"{reference.kind}s"][0]["id"])


def send_systems(
    cloud: OpenstackCloud, declaration: CloudDeclaration, stage: str, chosen: set[str] | None = None
) -> SentSystems:
    """Send the ground and the hosted systems of a stage, or only the chosen ones; a refusal fails.

    The ground of each stage is a project of its own.
    """
    province = min(declaration.systems).partition("-")[0]
    plan = build_cloud_plan(declaration, province=province, stage=stage, today=TODAY)
    settings, sender = CloudSettings(max_routes=200), ResourceSender(cloud)
    projects = {system.project for system in plan.systems if chosen is None or system.id in chosen}
    hosted = [
        one
        for one in hosted_resources(plan, settings)
        if one.kind == "agency-group" or (one.project or one.name.partition("/")[0]) in projects
    ]
    agents = {one.namespace: f'device = "{one.namespace}"\n' for one in planned_vantage_points(plan)}
    ground = ground_resources(plan, settings, agents)
    return SentSystems(sender, tuple(sender.send_all((*ground, *hosted))), stage)
