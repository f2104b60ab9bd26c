"""Where an InfluxDB store lies: its URL taken apart. Pure; the token is no part of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from telemetry.core.calendar.windows import Width

SCHEME = "influxdb+"
_FORM = "write influxdb+http://HOST:PORT?org=ORG&bucket=BUCKET[&province=ID], the token into MOTCUA_STORE_TOKEN"
_PARTS = frozenset({"org", "bucket", "province"})
_PROVINCE = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """A server, an organization and the raw bucket's name; totals go to BUCKET-5m, BUCKET-1h and BUCKET-1d.

    `province` tells whose totals and state are meant where several provinces share the buckets, as in a national copy;
    empty in a store of one's own.
    """

    url: str
    org: str
    bucket: str
    province: str = ""

    def totals(self, width: Width) -> str:
        """Return the bucket of the totals of a width."""
        return f"{self.bucket}-{width}"

    @property
    def state(self) -> str:
        """Return the bucket of live rows, marks and summaries; it must keep for ever."""
        return self.totals("1d")

    @property
    def buckets(self) -> tuple[str, ...]:
        """Return all four buckets, the raw one first."""
        return (self.bucket, self.totals("5m"), self.totals("1h"), self.totals("1d"))


def parse(url: str) -> InfluxAddress:
    """Take a store's URL apart; raises ConfigError."""
    try:
        parts = urlsplit(url.removeprefix(SCHEME))
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or parts.username is not None:
        raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", "not the URL of an InfluxDB store", _FORM)])
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    faults = [_fault(f"{key} is missing") for key in ("org", "bucket") if key not in asked]
    faults += [_fault(f"unknown part {key!r}") for key in sorted(asked.keys() - _PARTS)]
    if asked.get("bucket", "").startswith("_") or '"' in asked.get("bucket", ""):
        faults.append(_fault(f"InfluxDB takes no bucket named {asked['bucket']!r}"))
    if "province" in asked and not _PROVINCE.fullmatch(asked["province"]):
        faults.append(_fault(f"province {asked['province']!r} is no id of lower-case letters, digits and dashes"))
    if faults:
        raise ConfigError(faults)
    place = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return InfluxAddress(place, asked["org"], asked["bucket"], asked.get("province", ""))


def _fault(problem: str) -> Fault:
    return Fault("settings", 0, "MOTCUA_STORE", problem, _FORM)
