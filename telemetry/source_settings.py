"""Declares every kind of source with its settings, and checks the settings of a source; it must not read files.

`agent.toml`, its drop-in files and the inventory's `sources.toml` are all checked here, so that the inventory refuses
what an agent would refuse.  `docs/reference/sources.md` is compared with these declarations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

from telemetry.core.protocol.events import MAX_INTERVAL_MS
from telemetry.url_credentials import hide_credentials
from telemetry.web_address import encode_web_address, is_ip_address, parse_host_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PROBE_KINDS = ("http", "tcp", "tls", "dns", "closed")
"""The probes that an agent can run."""
_TARGETS = {
    "http": "an address like https://portal.example/ or http://10.83.0.10:8080/health",
    "tcp": "HOST:PORT, like 10.83.0.10:5432",
    "tls": "HOST or HOST:PORT, like portal.example:443",
    "dns": "a host's name, like portal.example",
    "closed": "HOST:PORT that nobody may reach from here, like 10.83.192.10:5432",
}
MIN_INTERVAL_MS = 1_000
MAX_POLL_MS = 86_400_000
SourceSettingType = Literal["text", "path", "whole number", "flag"]
_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ADDRESS_REMEDY = "write tcp://HOST:9100, serial:///dev/ttyUSB0?baud=9600 or file:///dev/usb/lp0"


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """A device's address: host and port, or a path; `baud` for serial lines."""

    scheme: Literal["tcp", "serial", "file"]
    location: str
    port: int = 0
    baud: int = 9600


def parse_device_address(text: str) -> DeviceAddress:
    """Return the address. Raises ValueError with the remedy."""
    try:
        parts = urlsplit(text)
        if parts.scheme == "tcp":
            place = parse_host_port(text)
            return DeviceAddress("tcp", place.host, place.port or 9100)
        if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
            return DeviceAddress("file", parts.path)
        if parts.scheme == "serial" and parts.path.startswith("/") and not parts.netloc:
            baud = int(parse_qs(parts.query).get("baud", ["9600"])[0])
            return DeviceAddress("serial", parts.path, baud=baud)
    except ValueError:
        pass
    raise ValueError(f"address: not a device's address: {hide_credentials(text)!r}; {_ADDRESS_REMEDY}")


@dataclass(frozen=True, slots=True)
class SettingFault:
    """A fault of one setting: its key, the problem and the remedy; the caller knows file and line."""

    key: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class SourceSetting:
    """One setting: its type and range, the default as a reader needs it, an example as it is written in TOML."""

    key: str
    type: SourceSettingType
    meaning: str
    example: str
    default: str = ""
    """Empty for a setting that is required."""
    minimum: int = 0
    maximum: int = 0
    check: Callable[[str, Mapping[str, object]], SettingFault | None] | None = None
    """Checks a text, given all settings of the source."""

    def find_fault(self, values: Mapping[str, object]) -> SettingFault | None:
        """Return what is wrong with this setting in `values`, where it is present."""
        value = values[self.key]
        if self.type == "flag":
            problem = f"neither true nor false: {value!r}"
            return None if isinstance(value, bool) else SettingFault(self.key, problem, "write true or false")
        if self.type == "whole number":
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if is_number and self.minimum <= int(str(value)) <= self.maximum:
                return None
            if is_number:
                problem = f"{value} is out of range: from {self.minimum} to {self.maximum}"
                return SettingFault(self.key, problem, f"write one like {self.example}")
            problem = f"not a whole number from {self.minimum} to {self.maximum}: {value!r}"
            return SettingFault(self.key, problem, "write one without quotes")
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            return SettingFault(self.key, f"not a text: {value!r}", f"write it in quotes, like {self.example}")
        return self.check(value, values) if self.check else None


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source: what it reports, its settings, and the setting that tells two of the kind apart."""

    kind: str
    reports: str
    settings: tuple[SourceSetting, ...]
    distinguished_by: str = ""
    gives_tickets: bool = False

    def setting_keys(self) -> tuple[str, ...]:
        """Return the names of the settings."""
        return tuple(setting.key for setting in self.settings)

    def required_keys(self) -> tuple[str, ...]:
        """Return the names of the settings without which the source cannot work."""
        return tuple(setting.key for setting in self.settings if not setting.default)


def _check_probe(value: str, values: Mapping[str, object]) -> SettingFault | None:
    del values
    if value in PROBE_KINDS:
        return None
    return SettingFault("probe", f"no such probe: {value!r}", f"use one of {', '.join(PROBE_KINDS)}")


def _check_name(value: str, values: Mapping[str, object]) -> SettingFault | None:
    del values
    if _NAME_PATTERN.fullmatch(value):
        return None
    return SettingFault("name", f"not a source's name: {value!r}", "use the letters a-z, digits and -, at most 63")


def _check_system(value: str, values: Mapping[str, object]) -> SettingFault | None:
    del values
    if re.fullmatch(r"[a-z0-9-]{1,63}", value):
        return None
    return SettingFault("system", f"not a system's id: {value!r}", "write the id that systems.toml declares")


def _check_host_port(value: str, values: Mapping[str, object]) -> SettingFault | None:
    del values
    problem = _target_problem("tcp", value)
    if not problem:
        return None
    remedy = "write HOST:PORT, like db-figures.vn83-onestop-database.svc:9187"
    return SettingFault("target", f"no address of figures: {hide_credentials(value)!r}: {problem}", remedy)


def _check_address(value: str, values: Mapping[str, object]) -> SettingFault | None:
    del values
    try:
        parse_device_address(value)
    except ValueError as error:
        problem, _, remedy = str(error).removeprefix("address: ").partition("; ")
        return SettingFault("address", problem, remedy)
    return None


def _check_url(value: str, values: Mapping[str, object]) -> SettingFault | None:
    del values
    try:
        encode_web_address(value)
    except ValueError as error:
        if "@" in value:  # it may be a password, which must not be shown
            return SettingFault("url", "contains a user name or password", "write the credentials into header_file")
        remedy = "write http://HOST/PATH or https://HOST/PATH"
        return SettingFault("url", f"not an address: {value!r}: {error}", remedy)
    return None


def _check_target(value: str, values: Mapping[str, object]) -> SettingFault | None:
    return probe_target_fault(str(values.get("probe", "")), value)


def probe_target_fault(probe: str, target: str) -> SettingFault | None:
    """Return why a probe of this kind cannot use the target, None when it can or when the kind is unknown."""
    if probe not in PROBE_KINDS:
        return None
    problem = _target_problem(probe, target)
    if not problem:
        return None
    shown = "" if "@" in target else f" {target!r}:"  # it may be a password
    return SettingFault("target", f"no target of the probe {probe}:{shown} {problem}", f"write {_TARGETS[probe]}")


def _target_problem(probe: str, target: str) -> str:
    try:
        if probe == "http":
            encode_web_address(target)
            return ""
        place = parse_host_port(target)
    except ValueError as error:
        return str(error)
    if probe in {"tcp", "closed"} and place.port is None:
        return "it has no port"
    return "an address is not looked up" if probe == "dns" and is_ip_address(place.host) else ""


_ISOLATE = SourceSetting(
    "isolate", "flag", "runs the source in its own process, for drivers that may hang or crash", "true", "`false`"
)


def _name_setting(default: str) -> SourceSetting:
    meaning = "under which it stores its position and other files replace it; unique on the device"
    return SourceSetting("name", "text", meaning, '"hall-queue"', default, check=_check_name)


def _poll_setting(default: str) -> SourceSetting:
    meaning = "interval of the polls, ms; it may be changed remotely"
    return SourceSetting("every_ms", "whole number", meaning, "10000", default, 1, MAX_POLL_MS)


def _report_setting(meaning: str, default: str) -> SourceSetting:
    return SourceSetting("every_ms", "whole number", meaning, "60000", default, MIN_INTERVAL_MS, MAX_INTERVAL_MS)


_HEADER_FILE = SourceSetting(
    "header_file", "path",
    "of a file with request headers, one `NAME: VALUE` a line, read at every poll: the place of a token",
    '"secrets/queue.headers"', "none",
)  # fmt: skip
_DOSSIER_MAPPING = SourceSetting(
    "mapping", "path", "of the mapping from the columns, or a shipped one's name; other columns are not read",
    '"onestop-766"',
)  # fmt: skip
_SALT_FILE = SourceSetting(
    "salt_file", "path", "of the site's secret, from which the ids of dossiers are made; at least 16 signs",
    '"secrets/dossier.salt"',
)  # fmt: skip
_POLL_DEFAULT = "the agent's `every_ms`, at most `10000`"
_KINDS = (
    SourceKind(
        "host", "heartbeats: the device's full state, CPU, memory, disk",
        (_report_setting("interval of the heartbeats, ms", "the agent's `every_ms`, at most `600000`"),),
    ),
    SourceKind(
        "probe", "one digital system, probed from here",
        (
            SourceSetting("system", "text", "id of the system", '"vn83-portal"', check=_check_system),
            SourceSetting(
                "probe", "text", "`http`, `tcp`, `tls`, `dns` or `closed` (a connection that must fail)", '"http"',
                check=_check_probe,
            ),
            SourceSetting(
                "target", "text", "a URL for `http`, HOST:PORT for `tcp`, `tls` and `closed`, a name for `dns`",
                '"https://portal.example/"', check=_check_target,
            ),
            _report_setting("interval of the probes, ms", "the agent's `every_ms`, at most `600000`"),
            _ISOLATE,
        ),
        "system",
    ),
    SourceKind(
        "database", "a hosted database's own figures, read from each of its instances",
        (
            SourceSetting("system", "text", "id of the database", '"vn83-onestop--db"', check=_check_system),
            SourceSetting(
                "target", "text", "HOST:PORT of the Prometheus text `/metrics`; every address of the host is asked",
                '"db-figures.vn83-onestop-database.svc:9187"', check=_check_host_port,
            ),
            _report_setting("interval of the reads, ms", "the agent's `every_ms`, at most `600000`"),
            _ISOLATE,
        ),
        "system",
    ),
    SourceKind(
        "http", "events that local programs POST to `http://127.0.0.1:PORT/events`",
        (
            SourceSetting("port", "whole number", "port on the loopback", "8137", "", 1, 65_535),
            _name_setting("`http`"),
        ),
        "port", gives_tickets=True,
    ),
    SourceKind(
        "file", "events that a program appends to a file, one JSON object a line; rotation is followed",
        (
            SourceSetting(
                "path", "path", "of the file; relative paths start at the folder of `agent.toml`",
                '"/var/lib/kiosk/events.jsonl"',
            ),
            _name_setting("`file:PATH`"),
            _ISOLATE,
        ),
        "path", gives_tickets=True,
    ),
    SourceKind(
        "queue_http", "a queue system's own list of events, polled: `{\"events\": […], \"next\": \"CURSOR\"}`",
        (
            SourceSetting("url", "text", "of the list", '"https://queue.example/events"', check=_check_url),
            SourceSetting(
                "mapping", "path", "of the mapping from its own fields; without it, events have Motcua's fields",
                '"queue-mapping.toml"', "none",
            ),
            _HEADER_FILE,
            _poll_setting(_POLL_DEFAULT),
            _name_setting("`queue_http:URL`"),
            _ISOLATE,
        ),
        "url", gives_tickets=True,
    ),
    SourceKind(
        "dossier_file", "a dossier system's export, CSV or JSON lines, read whenever it has changed",
        (
            SourceSetting(
                "path", "path", "of the file; relative paths start at the folder of `agent.toml`",
                '"/var/lib/one-stop/dossiers.csv"',
            ),
            _DOSSIER_MAPPING,
            _SALT_FILE,
            _poll_setting("`60000`"),
            _name_setting("`dossier_file:PATH`"),
            _ISOLATE,
        ),
        "path",
    ),
    SourceKind(
        "dossier_http", "a dossier system's own list of dossiers, polled: `{\"events\": […], \"next\": \"CURSOR\"}`",
        (
            SourceSetting("url", "text", "of the list", '"https://one-stop.example/dossiers"', check=_check_url),
            _DOSSIER_MAPPING,
            _SALT_FILE,
            _HEADER_FILE,
            _poll_setting("`60000`"),
            _name_setting("`dossier_http:URL`"),
            _ISOLATE,
        ),
        "url",
    ),
    SourceKind(
        "statistics_http", "another system's statistics, polled as a JSON document: counts, connectors, the catalogue",
        (
            SourceSetting("url", "text", "of the document", '"https://lgsp.example/health"', check=_check_url),
            SourceSetting(
                "mapping", "path", "of the mapping from the document's fields", '"lgsp-statistics.toml"',
            ),
            _HEADER_FILE,
            _poll_setting("`60000`"),
            _name_setting("`statistics_http:URL`"),
            _ISOLATE,
        ),
        "url",
    ),
    SourceKind(
        "escpos", "a ticket printer's paper, cover and errors (DLE EOT)",
        (
            SourceSetting(
                "address", "text", "`tcp://HOST:9100`, `serial:///dev/ttyUSB0?baud=9600` or `file:///dev/usb/lp0`",
                '"tcp://192.168.1.50:9100"', check=_check_address,
            ),
            _poll_setting(_POLL_DEFAULT),
            _name_setting("`escpos:ADDRESS`"),
            _ISOLATE,
        ),
        "address",
    ),
)  # fmt: skip
SOURCE_KINDS: Mapping[str, SourceKind] = MappingProxyType({kind.kind: kind for kind in _KINDS})
"""Every kind of source that an agent has."""


def source_name(kind: str, values: Mapping[str, object]) -> str:
    """Return the name under which a source stores its position, is restarted and is replaced.

    >>> source_name("escpos", {"address": "tcp://printer"}), source_name("http", {"port": 8137})
    ('escpos:tcp://printer', 'http')
    """
    if "name" in values:
        return str(values["name"])
    key = SOURCE_KINDS[kind].distinguished_by if kind in SOURCE_KINDS else ""
    return f"{kind}:{values[key]}" if key and kind != "http" else kind


def find_setting_faults(table: Mapping[str, object]) -> list[SettingFault]:
    """Return every fault of one source: `kind` and its settings, as in a `[[source]]` table."""
    kind = SOURCE_KINDS.get(str(table.get("kind")))
    if kind is None:
        problem = f"no such source: {table.get('kind')!r}" if "kind" in table else "a source needs it"
        return [SettingFault("kind", problem, f"write one of {', '.join(SOURCE_KINDS)}")]
    keys = kind.setting_keys()
    unknown = sorted(table.keys() - {"kind", *keys})
    faults = [
        SettingFault(key, f"a {kind.kind} source has no such setting", f"remove it, or use one of {', '.join(keys)}")
        for key in unknown
    ]
    faults += [
        SettingFault(key, f"a {kind.kind} source needs it", f"add {key} = {setting.example}")
        for setting in kind.settings
        if (key := setting.key) in kind.required_keys() and key not in table
    ]
    return faults + [
        fault for setting in kind.settings if setting.key in table and (fault := setting.find_fault(table))
    ]


@dataclass(frozen=True, slots=True)
class SourceConflict:
    """Two sources of one device that cannot both run: their positions, and the fault of the second."""

    first: int
    second: int
    fault: SettingFault


def find_conflicts(tables: Sequence[Mapping[str, object]]) -> list[SourceConflict]:
    """Return each pair of sources of one device with the same name, or with the same port, file or address."""
    conflicts: list[SourceConflict] = []
    names: dict[str, int] = {}
    origins: dict[tuple[str, str], int] = {}
    for position, table in enumerate(tables):
        kind = str(table["kind"])
        name, key = source_name(kind, table), SOURCE_KINDS[kind].distinguished_by
        if names.setdefault(name, position) != position:
            remedy = (
                "remove one, or give it a name of its own"
                if "name" in SOURCE_KINDS[kind].setting_keys()
                else "remove one"
            )
            field = "name" if "name" in table else "kind"
            fault = SettingFault(field, f"another source of the device has the name {name!r}", remedy)
            conflicts.append(SourceConflict(names[name], position, fault))
        elif key and origins.setdefault((kind, str(table[key])), position) != position:
            problem = f"another {kind} source of the device has the same: {table[key]!r}"
            fault = SettingFault(key, problem, "write another value, or remove one of the sources")
            conflicts.append(SourceConflict(origins[kind, str(table[key])], position, fault))
    return conflicts
