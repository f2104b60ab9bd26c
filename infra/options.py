"""What a stack file may say, typed and checked; every fault is named at once. It must not read files or Pulumi.

Names in a stack file are camelCase; secrets (`SECRETS`) stand beside them, encrypted, and are never read here.
"""

from __future__ import annotations

import copy
import ipaddress
import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

Stage = Literal["dev", "stage", "prod"]
Target = Literal["local", "kubernetes", "openstack"]
SECRETS = ("influxToken", "influxPassword", "brokerPassword", "nationalToken", "rootKey")
"""Encrypted values of a stack: InfluxDB's operator token and first password, the password of dynamic security's
administrator, the national InfluxDB's token, the root authority's key (only while an intermediate is made)."""
LEAST_RAW_DAYS = 30
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def _label(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ValueError("use 1 to 63 of a-z, 0-9 and -, a letter or digit at both ends")
    return value


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if not _HOST.fullmatch(value):
            raise ValueError("write a DNS name or an IP address") from None
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("write a network as 10.20.0.0/16") from None


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", value):
        raise ValueError("write http://HOST:PORT or https://HOST:PORT, without a user or password")
    return value.rstrip("/")


Label = Annotated[str, AfterValidator(_label)]
Host = Annotated[str, AfterValidator(_host)]
Network = Annotated[str, AfterValidator(_network)]
Url = Annotated[str, AfterValidator(_url)]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r'^[^_"][^"]*$')]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Influx(_Section):
    """The province's InfluxDB; days of 0 keep for ever. `adopt` takes over what has the right name already."""

    url: Url = "http://127.0.0.1:8086"
    org: Name = "motcua"
    bucket: Name = "motcua"
    adopt: bool = False
    accept_new: bool = False
    allow_shrink: bool = False
    raw_days: int = Field(default=400, ge=0)
    five_minute_days: int = Field(default=800, ge=0)
    hour_days: int = Field(default=0, ge=0)
    influxql: bool = False
    capacity_task: bool = True


class Broker(_Section):
    """The MQTT broker: `form` says how it learns who may do what, `kind` what it is.

    files: configuration, access rules and certificates below `folder`; dynsec: mosquitto's dynamic security, by
    commands to `url` as `username`.
    """

    kind: Literal["mosquitto", "cluster"] = "mosquitto"
    form: Literal["files", "dynsec"] = "files"
    host: Host = "localhost"
    port: int = Field(default=8883, ge=1, le=65535)
    bind: str = ""
    url: str = Field(default="", pattern=r"^(mqtts?://[^@\s]+)?$")
    ca: str = ""
    username: str = "admin"


class Pki(_Section):
    """Certificates: generation 1 begins on `epoch`; each lasts its days and is renewed `overlapDays` before it ends."""

    epoch: date = date(2026, 1, 1)
    authority_days: int = Field(default=1095, ge=90, le=3650)
    certificate_days: int = Field(default=365, ge=14, le=825)
    overlap_days: int = Field(default=60, ge=1)
    crl_days: int = Field(default=90, ge=7, le=825)
    root_certificate: str = ""
    hosts: tuple[Host, ...] = ()
    revoked: tuple[str, ...] = ()


class Tokens(_Section):
    """Rotation of tokens: raise `generation`, later set `previous` from active to inactive to gone."""

    generation: int = Field(default=1, ge=1, le=9999)
    previous: Literal["gone", "inactive", "active"] = "gone"


class National(_Section):
    """The national InfluxDB that the roll-ups are copied to; queue bytes and age bound what waits while it is away."""

    url: Url
    org_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    bucket: Name = "motcua"
    queue_bytes: int = Field(default=2_000_000_000, ge=33_554_430)
    age_days: int = Field(default=30, ge=0)
    allow_insecure_tls: bool = False


class Local(_Section):
    """The machine that `pulumi up -s local` configures: its folder of files, its addresses."""

    folder: str = ".local"
    api_listen: str = Field(default="127.0.0.1:8080", pattern=r"^[0-9A-Za-z.:\[\]-]+:\d+$")


class Kubernetes(_Section):
    """A cluster: where images come from, what it is reached by, how far ingest scales."""

    namespace: Label = "motcua"
    context: str = ""
    api_host: Host = "motcua.example"
    registry: str = "registry.example/motcua"
    image_digests: dict[str, str] = Field(default_factory=dict)
    storage_class: str = ""
    ingest_least: int = Field(default=1, ge=1, le=50)
    ingest_most: int = Field(default=4, ge=1, le=50)
    device_sources: tuple[Network, ...] = ()
    api_sources: tuple[Network, ...] = ()
    influx_reachable: bool = False


class Openstack(_Section):
    """A cloud: network, flavours, image, volumes; everything stays in `region`."""

    region: str = "province-1"
    zone: str = ""
    external_network: str = "public"
    cidr: Network = "10.83.0.0/24"
    image: str = "debian-12"
    flavour: str = "m1.large"
    key_pair: str = "motcua-ops"
    volume_gb: int = Field(default=0, ge=0, le=16_384)
    device_sources: tuple[Network, ...] = ()
    api_sources: tuple[Network, ...] = ()
    admin_sources: tuple[Network, ...] = ()
    package: str = "motcua[server]"


class Options(_Section):
    """One stack's configuration, without its secrets."""

    stage: Stage
    target: Target
    inventory: str = "inventory/bentre-2021"
    owner: Label = "ops"
    workers: int = Field(default=1, ge=1, le=50)
    shards: int = Field(default=16, ge=1, le=64)
    today: date | None = None
    influx: Influx = Influx()
    broker: Broker = Broker()
    pki: Pki = Pki()
    tokens: Tokens = Tokens()
    national: National | None = None
    local: Local = Local()
    kubernetes: Kubernetes = Kubernetes()
    openstack: Openstack = Openstack()


def _unfit(options: Options) -> list[tuple[str, str]]:
    """Name what does not go together: the field, and the problem with its remedy."""
    influx, pki, cluster, cloud = options.influx, options.pki, options.kubernetes, options.openstack
    prod = options.stage == "prod"
    rules = (
        *_floors(influx),
        (options.broker.form == "dynsec" and not options.broker.url,
         "broker.url", "is missing; write the address under which dynamic security's administrator reaches the broker"),
        (pki.overlap_days * 2 > pki.certificate_days,
         "pki.overlapDays", "is more than half of certificateDays; make it shorter"),
        (pki.authority_days < pki.certificate_days + 2 * pki.overlap_days,
         "pki.authorityDays", "is less than certificateDays and twice overlapDays; make it longer"),
        (cluster.ingest_least > cluster.ingest_most, "kubernetes.ingestLeast", "is above ingestMost; lower it"),
        (options.broker.kind == "cluster" and options.target != "kubernetes",
         "broker.kind", "cluster needs target kubernetes; use mosquitto on one machine"),
        (options.broker.form == "dynsec" and options.target != "local",
         "broker.form", "dynsec is for target local; the other targets carry their files"),
        (prod and not pki.root_certificate,
         "pki.rootCertificate", "is missing; in stage prod the root is yours: `motcua ca root`, then keep it offline"),
        (prod and influx.accept_new,
         "influx.acceptNew", "is for one run after a disaster; take it out again in stage prod"),
        (options.target == "kubernetes" and prod and not cluster.device_sources,
         "kubernetes.deviceSources", "is empty; name the networks that devices come from"),
        (options.target == "openstack" and not cloud.device_sources,
         "openstack.deviceSources", "is empty; name the networks that devices come from"),
        *((not re.fullmatch(r"[0-9a-fA-F]{1,40}(@\d{4}-\d\d-\d\d)?", one),
           "pki.revoked", f"{one!r} is not a serial; write it in hex, or SERIAL@YYYY-MM-DD") for one in pki.revoked),
    )  # fmt: skip
    return [(name, text) for unfit, name, text in rules if unfit]


def _floors(influx: Influx) -> list[tuple[bool, str, str]]:
    """Refuse to forget events sooner than a device may be away."""
    text = f"is below {LEAST_RAW_DAYS} days, and a device may be away that long; 0 keeps for ever"
    days = {"rawDays": influx.raw_days, "fiveMinuteDays": influx.five_minute_days, "hourDays": influx.hour_days}
    return [(0 < kept < LEAST_RAW_DAYS, f"influx.{name}", text) for name, kept in days.items()]


def options(values: Mapping[str, object], file: str, lines: Mapping[str, int] | None = None) -> Options:
    """Return the checked options; raises ConfigError with every fault, in `file` at the key's line."""
    known = {name: value for name, value in values.items() if name not in SECRETS}
    found, faults = _read(known)
    faults += [(name, text) for name, text in _unfit(found) if name not in {said for said, _ in faults}]
    if faults:
        raise ConfigError(sorted(_fault(file, lines or {}, name, text) for name, text in faults))
    return found


def _read(values: dict[str, object]) -> tuple[Options, list[tuple[str, str]]]:
    """Return what can be read, the rest by its default, and what cannot: so that all faults are found at once."""
    try:
        return Options.model_validate(values), []
    except ValidationError as error:
        told = error.errors()
    faults = [(".".join(str(part) for part in one["loc"]), _said(one["msg"], one["type"])) for one in told]
    rest = copy.deepcopy(values)
    for one in told:
        _forget(rest, one["loc"])
    found, more = _read({"stage": "dev", "target": "local", **rest})
    return found, faults + more


def _forget(values: dict[str, object], where: tuple[int | str, ...]) -> None:
    """Take a faulty value out; within a list, the list."""
    inner: object = values
    for part, after in zip(where, (*where[1:], 0), strict=True):
        if not isinstance(inner, dict):
            return
        if isinstance(after, int) or not isinstance(inner.get(str(part)), dict):
            inner.pop(str(part), None)
            return
        inner = inner[str(part)]


def _said(message: str, kind: str) -> str:
    remedy = {
        "missing": "add it to the stack file",
        "extra_forbidden": "take it out; docs/operate.md lists what there is",
    }.get(kind, "correct it in the stack file")
    return f"{message.removeprefix('Value error, ')}; {remedy}"


def _fault(file: str, lines: Mapping[str, int], name: str, text: str) -> Fault:
    problem, _, remedy = text.rpartition("; ")
    line = next((lines[key] for key in (name, name.partition(".")[0]) if key in lines), 0)
    return Fault(file, line, f"motcua:{name}" if name else "motcua", problem, remedy)
