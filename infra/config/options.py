"""The options of a stack file: types, defaults and checks; all faults are reported at once. It reads no file.

Names in a stack file are camelCase; secrets (`SECRET_NAMES`) are in it too, encrypted, and are never read here.
"""

from __future__ import annotations

import copy
import re
from datetime import date
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from infra.config.option_values import (
    CertificateText,
    DistinctNames,
    DnsLabel,
    HostAddress,
    HttpAddress,
    InfluxName,
    IpNetwork,
    OptionDate,
    SingleLineText,
    StrictInt,
)
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Stage = Literal["dev", "stage", "prod"]
STAGES: Final = get_args(Stage)
DeploymentTarget = Literal["local", "kubernetes", "openstack"]
SECRET_NAMES = ("influxToken", "influxPassword", "nationalToken", "rootKey")
"""Encrypted values of a stack: InfluxDB's operator token and first password, the national InfluxDB's token, the root
authority's key (only while an intermediate is made)."""
_DYNSEC = "belonged to mosquitto's dynamic security, which was removed"
_TAKE_OUT = "take it out, every broker reads the access file"
REMOVED: Mapping[str, tuple[str, str]] = {
    "shards": (_DYNSEC, _TAKE_OUT),
    "broker.form": (_DYNSEC, _TAKE_OUT),
    "broker.url": (_DYNSEC, _TAKE_OUT),
    "broker.username": (_DYNSEC, _TAKE_OUT),
    "broker.ca": (_DYNSEC, _TAKE_OUT),
    "broker.plugin": (_DYNSEC, _TAKE_OUT),
    "brokerPassword": (_DYNSEC, "take it out with `pulumi config rm brokerPassword`"),
}
"""Keys of earlier versions, each with the problem and its remedy."""
INSIDE_AGENTS: Final = "inside-agents"
"""What stands for the agents inside the cloud in `cloud.systems`."""
MIN_RAW_DAYS = 30
STAGES_WITH_OWN_ROOT: frozenset[Stage] = frozenset({"prod"})
"""The stages whose root authority is the operator's; in the others each authority gets a root created for it."""
_SOURCES_OF_A_ROUTE = (
    "is for an ingress controller, and a route of a gateway names no sources; take it out and name a gateway that only "
    "these networks reach (gatewayName), or write exposure: ingress"
)


def is_listed(name: str, listed: Collection[str]) -> bool:
    """Return whether a stack with the list `cloud.systems` deploys a name; an empty list is all."""
    return not listed or name in listed


class _OptionsSection(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class InfluxOptions(_OptionsSection):
    """The province's InfluxDB; days of 0 keep for ever. `adopt` takes over existing resources of the right name."""

    url: HttpAddress = "http://127.0.0.1:8086"
    org: InfluxName = "motcua"
    bucket: InfluxName = "motcua"
    adopt: bool = False
    accept_new: bool = False
    allow_shrink: bool = False
    raw_days: StrictInt = Field(default=400, ge=0)
    five_minute_days: StrictInt = Field(default=800, ge=0)
    hour_days: StrictInt = Field(default=0, ge=0)
    influxql: bool = False
    capacity_task: bool = True


class BrokerOptions(_OptionsSection):
    """The MQTT broker, mosquitto.

    `managed`: its configuration, access file and certificates are written below `local.folder`, and it is restarted
    on a change.
    """

    kind: Literal["mosquitto"] = "mosquitto"
    host: HostAddress = "localhost"
    port: StrictInt = Field(default=8883, ge=1, le=65535)
    bind: SingleLineText = ""
    managed: bool = True


class PkiOptions(_OptionsSection):
    """Certificates: generation 1 begins on `epoch`; each lasts its days and is renewed `overlapDays` before it ends."""

    epoch: OptionDate = date(2026, 1, 1)
    authority_days: StrictInt = Field(default=1095, ge=90, le=3650)
    certificate_days: StrictInt = Field(default=365, ge=14, le=825)
    overlap_days: StrictInt = Field(default=60, ge=1)
    crl_days: StrictInt = Field(default=90, ge=7, le=825)
    root_certificate: str = ""
    hosts: tuple[HostAddress, ...] = ()
    revoked: tuple[str, ...] = ()


class TokenOptions(_OptionsSection):
    """Rotation of tokens: raise `generation`, later set `previous` from `active` to `inactive` to `gone`."""

    generation: StrictInt = Field(default=1, ge=1, le=9999)
    previous: Literal["gone", "inactive", "active"] = "gone"


class NationalOptions(_OptionsSection):
    """The national InfluxDB that totals are replicated to; queue bytes and age limit the unsent data."""

    url: HttpAddress
    org_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    bucket: InfluxName = "motcua"
    queue_bytes: StrictInt = Field(default=2_000_000_000, ge=33_554_430)
    age_days: StrictInt = Field(default=30, ge=1)
    allow_insecure_tls: bool = False


class LocalOptions(_OptionsSection):
    """The machine that `pulumi up -s local` configures: its folder of files, its addresses.

    Hosted systems are only rendered there: into `cloudFolder`, as they would be for each of `cloudForms`.
    """

    folder: SingleLineText = ".local"
    broker_user: str = "mosquitto"
    api_listen: str = Field(default="127.0.0.1:8080", pattern=r"^[0-9A-Za-z.:\[\]-]+:\d+$")
    ingest_metrics: str = Field(default="127.0.0.1:9101", pattern=r"^([0-9A-Za-z.:\[\]-]+:\d+)?$")
    cloud_folder: SingleLineText = ".local/cloud"
    cloud_forms: tuple[Literal["kubernetes", "openstack"], ...] = Field(
        default=("kubernetes", "openstack"), min_length=1
    )


class KubernetesOptions(_OptionsSection):
    """A cluster: its images, its addresses, how far ingest scales.

    `exposure`: people reach the API through a gateway of the Gateway API, or through an ingress controller.
    `calls_per_second`: how fast a run may call the API server; twice that for a moment.
    """

    namespace: DnsLabel = "motcua"
    context: SingleLineText = ""
    calls_per_second: StrictInt = Field(default=500, ge=10, le=10_000)
    api_host: HostAddress = "motcua.example"
    registry: SingleLineText = "registry.example/motcua"
    image_digests: dict[str, str] = Field(default_factory=dict)
    storage_class: SingleLineText = ""
    ingest_least: StrictInt = Field(default=1, ge=1, le=50)
    ingest_most: StrictInt = Field(default=4, ge=1, le=50)
    device_sources: tuple[IpNetwork, ...] = ()
    api_sources: tuple[IpNetwork, ...] = ()
    exposure: Literal["gateway", "ingress"] = "gateway"
    gateway_namespace: DnsLabel = "edge"
    gateway_name: DnsLabel = "internet"
    gateway_section: SingleLineText = ""
    gateway_pods_namespace: DnsLabel = "envoy-gateway-system"
    ingress_namespace: DnsLabel = "ingress-nginx"
    influx_reachable: bool = False


class CloudOptions(_OptionsSection):
    """The hosted systems: the part that the stack deploys, and what a Kubernetes cluster below has by name.

    `part` is Motcua's own stack, the ground, or the hosted systems; each is a stack of its own. `systems` are the ids
    of the hosted systems that this stack deploys, all when it is empty; `INSIDE_AGENTS` among them stands for the
    agents inside the cloud. `own_system` is the id
    of the hosted system that is Motcua itself, empty when none is. `internal_authority` holds the certificates by which
    callers know those that `internal_issuer` gives to components.
    """

    part: Literal["motcua", "ground", "hosted"] = "motcua"
    systems: DistinctNames = ()
    own_system: SingleLineText = ""
    registry: SingleLineText = ""
    image_digests: dict[str, str] = Field(default_factory=dict)
    edge_namespace: DnsLabel = "edge"
    gateway_pod_label: SingleLineText = "gateway.networking.k8s.io/gateway-name"
    cluster_issuer: SingleLineText = "motcua"
    internal_issuer: SingleLineText = "motcua-internal"
    internal_authority: CertificateText = ""
    secret_store: SingleLineText = "motcua"  # noqa: S105 - the name of a ClusterSecretStore
    storage_provisioner: SingleLineText = "cinder.csi.openstack.org"
    storage_parameters: dict[str, str] = Field(default_factory=lambda: {"type": "encrypted"})
    copy_operator_namespace: DnsLabel = "velero"
    api_server_networks: tuple[IpNetwork, ...] = ()
    allow_data_loss: SingleLineText = ""


class OpenstackOptions(_OptionsSection):
    """A cloud: network, flavours, image, volumes; everything is in `region`."""

    region: SingleLineText = "province-1"
    zone: SingleLineText = ""
    external_network: SingleLineText = "public"
    cidr: IpNetwork = "10.83.0.0/24"
    image: SingleLineText = "debian-12"
    flavour: SingleLineText = "m1.large"
    key_pair: SingleLineText = "motcua-ops"
    volume_gb: StrictInt = Field(default=0, ge=0, le=16_384)
    device_sources: tuple[IpNetwork, ...] = ()
    api_sources: tuple[IpNetwork, ...] = ()
    admin_sources: tuple[IpNetwork, ...] = ()
    package: SingleLineText = "motcua[server]"
    agent_package: SingleLineText = "motcua[edge]"
    volume_type: SingleLineText = "encrypted"
    name_zone: SingleLineText = ""
    site_zones: dict[str, str] = Field(default_factory=dict)
    max_routes: StrictInt = Field(default=30, ge=1, le=10_000)


class StackOptions(_OptionsSection):
    """One stack's configuration, without its secrets."""

    stage: Stage
    target: DeploymentTarget
    inventory: SingleLineText = "inventory/bentre-2021"
    owner: DnsLabel = "ops"
    workers: StrictInt = Field(default=1, ge=1, le=50)
    today: OptionDate | None = None
    influx: InfluxOptions = InfluxOptions()
    broker: BrokerOptions = BrokerOptions()
    pki: PkiOptions = PkiOptions()
    tokens: TokenOptions = TokenOptions()
    national: NationalOptions | None = None
    local: LocalOptions = LocalOptions()
    kubernetes: KubernetesOptions = KubernetesOptions()
    openstack: OpenstackOptions = OpenstackOptions()
    cloud: CloudOptions = CloudOptions()


def _cross_field_faults(options: StackOptions) -> list[tuple[str, str]]:
    """Return faults of options that contradict each other: the field, and the problem with its remedy."""
    influx, pki, cluster, cloud = options.influx, options.pki, options.kubernetes, options.openstack
    hosted, own_stack = options.cloud, options.cloud.part == "motcua"
    prod = options.stage == "prod"
    has_authority = own_stack or bool(hosted.own_system)
    rootless = has_authority and options.stage in STAGES_WITH_OWN_ROOT and not pki.root_certificate
    rules = (
        *_minimum_retention_faults(influx),
        (pki.overlap_days * 2 > pki.certificate_days,
         "pki.overlapDays", "is more than half of certificateDays; make it shorter"),
        (pki.authority_days < pki.certificate_days + 2 * pki.overlap_days,
         "pki.authorityDays", "is less than certificateDays and twice overlapDays; make it longer"),
        (cluster.ingest_least > cluster.ingest_most, "kubernetes.ingestLeast", "is above ingestMost; lower it"),
        (rootless, "pki.rootCertificate",
         f"is missing; in stage {options.stage} the root is yours: `motcua ca root`, then keep it offline"),
        (own_stack and options.target == "kubernetes" and prod and not cluster.device_sources,
         "kubernetes.deviceSources", "is empty; name the networks that devices come from"),
        (options.target == "kubernetes" and cluster.exposure == "gateway" and bool(cluster.api_sources),
         "kubernetes.apiSources", _SOURCES_OF_A_ROUTE),
        (own_stack and options.target == "openstack" and not cloud.device_sources,
         "openstack.deviceSources", "is empty; name the networks that devices come from"),
        (bool(hosted.own_system) and (hosted.part != "hosted" or options.target != "kubernetes"),
         "cloud.ownSystem", "is for the hosted systems on Kubernetes; take it out, or write part: hosted"),
        (bool(hosted.systems) and (hosted.part != "hosted" or options.target != "kubernetes"),
         "cloud.systems", "is for the hosted systems on Kubernetes; take it out, or write part: hosted"),
        (bool(hosted.systems) and bool(hosted.own_system) and hosted.own_system not in hosted.systems,
         "cloud.ownSystem", "is not among cloud.systems; add it, or leave ownSystem to the stack that has it"),
        (options.today is not None and options.today < pki.epoch,
         "pki.epoch", "is after today, so no certificate would be valid yet; write an earlier day"),
        *((not _is_revocation(entry),
           "pki.revoked",
           f"{entry!r} is not a serial; write it in hex, or SERIAL@YYYY-MM-DD") for entry in pki.revoked),
    )  # fmt: skip
    return [(name, text) for violated, name, text in rules if violated]


def _is_revocation(entry: str) -> bool:
    """Return whether it is a serial, perhaps with the day of its end."""
    match = re.fullmatch(r"[0-9a-fA-F]{1,40}(?:@(\d{4}-\d\d-\d\d))?", entry)
    try:
        return match is not None and date.fromisoformat(match[1] or "2000-01-01").year >= 2000
    except ValueError:
        return False


def _minimum_retention_faults(influx: InfluxOptions) -> list[tuple[bool, str, str]]:
    """Refuse retentions that are shorter than a device may be offline."""
    text = f"is below {MIN_RAW_DAYS} days, and a device may be offline that long; 0 keeps for ever"
    days = {"rawDays": influx.raw_days, "fiveMinuteDays": influx.five_minute_days, "hourDays": influx.hour_days}
    return [(0 < retention_days < MIN_RAW_DAYS, f"influx.{name}", text) for name, retention_days in days.items()]


def parse_options(values: Mapping[str, object], file: str, lines: Mapping[str, int] | None = None) -> StackOptions:
    """Return the checked options; raises ConfigError with every fault, in `file` at the key's line."""
    plain_values, faults = _without_removed({name: value for name, value in values.items() if name not in SECRET_NAMES})
    parsed, more = _validate_leniently(plain_values)
    faults += more
    faulty_names = {name for name, _ in faults}
    faults += [
        (name, text)
        for name, text in _cross_field_faults(parsed)
        if faulty_names.isdisjoint({name, name.partition(".")[0]})
    ]
    if faults:
        raise ConfigError(sorted(_to_fault(file, lines or {}, *fault) for fault in dict(faults).items()))
    return parsed


def best_effort_options(values: Mapping[str, object]) -> StackOptions:
    """Return the options with defaults for faulty values, to check for further faults."""
    return _validate_leniently({name: value for name, value in values.items() if name not in SECRET_NAMES})[0]


def _without_removed(values: Mapping[str, object]) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """Return the values without the keys of earlier versions, and a fault for each of these keys."""
    rest, faults = dict(values), []
    for name, (problem, remedy) in REMOVED.items():
        section, _, key = name.rpartition(".")
        inner = rest.get(section) if section else rest
        if not isinstance(inner, dict) or key not in inner:
            continue
        faults.append((name, f"{problem}; {remedy}"))
        less = {one: value for one, value in inner.items() if one != key}
        rest = {**rest, section: less} if section else less
    broker = rest.get("broker")
    if isinstance(broker, dict) and broker.get("kind") == "cluster":
        faults.append(("broker.kind", "the clustered broker was removed; write mosquitto, or take the key out"))
        rest["broker"] = {one: value for one, value in broker.items() if one != "kind"}
    return rest, faults


def _validate_leniently(values: dict[str, object]) -> tuple[StackOptions, list[tuple[str, str]]]:
    """Return the options with defaults for faulty values, and all faults at once."""
    try:
        return StackOptions.model_validate(values), []
    except ValidationError as error:
        errors = error.errors()
    faults = [(_dotted_name(detail["loc"]), _error_message(detail["msg"], detail["type"])) for detail in errors]
    remaining = copy.deepcopy(values)
    for detail in errors:
        _drop_value(remaining, detail["loc"])
    parsed, more_faults = _validate_leniently({"stage": "dev", "target": "local", **remaining})
    return parsed, faults + more_faults


def _dotted_name(where: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in where if part != "[key]")


def _drop_value(values: dict[str, object], where: tuple[int | str, ...]) -> None:
    """Remove a faulty value, or the innermost existing structure around it; something is always removed."""
    holder, name = values, _actual_key(values, where[0])
    for part in where[1:]:
        inner = holder.get(name) if name is not None else None
        deeper = _actual_key(inner, part)
        if deeper is None:
            break
        holder, name = cast("dict[str, object]", inner), deeper
    if name is not None:
        del holder[name]


def _actual_key(inner: object, part: int | str) -> str | None:
    """Return the key as the file has it; it may be a number."""
    if not isinstance(inner, dict):
        return None
    return next((key for key in inner if str(key) == str(part)), None)


def _error_message(message: str, kind: str) -> str:
    remedy = {
        "missing": "add it to the stack file",
        "extra_forbidden": "take it out; docs/reference/stacks.md lists what there is",
    }.get(kind, "correct it in the stack file")
    return f"{message.removeprefix('Value error, ')}; {remedy}"


def _to_fault(file: str, lines: Mapping[str, int], name: str, text: str) -> Fault:
    problem, _, remedy = text.rpartition("; ")
    return Fault(file, nearest_line(lines, name), f"motcua:{name}" if name else "motcua", problem, remedy)


def nearest_line(lines: Mapping[str, int], name: str) -> int:
    """Return the line of a key, or of the nearest key around it."""
    while name and name not in lines:
        name = name.rpartition(".")[0]
    return lines.get(name, 0)
