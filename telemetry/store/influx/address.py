"""The address of an InfluxDB store, parsed from its URL. Pure; it must not contain the token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from telemetry.errors import ConfigError, Fault
from telemetry.http_address import http_base_url

if TYPE_CHECKING:
    from telemetry.core.calendar.windows import BucketWidth

SCHEME = "influxdb+"
_REMEDY = (
    "write influxdb+http://HOST:PORT?org=ORG&bucket=BUCKET[&province=ID], or influxdb+https:// and &ca=FILE; the token "
    "into MOTCUA_STORE_TOKEN"
)
_QUERY_KEYS = frozenset({"org", "bucket", "province", "ca"})
_PROVINCE_ID = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """A server, an organization and the raw bucket's name; totals go to BUCKET-5m, BUCKET-1h and BUCKET-1d.

    `province` selects one province's totals and state where several share the buckets, as in a national copy; it is
    empty in a store of a single province. `ca` is a file of the authorities that sign the server's certificate; empty:
    those of the operating system.
    """

    url: str
    org: str
    bucket: str
    province: str = ""
    ca: str = ""

    def totals_bucket(self, width: BucketWidth) -> str:
        """Return the bucket of the totals of a width."""
        return f"{self.bucket}-{width}"

    @property
    def state_bucket(self) -> str:
        """Return the bucket of live rows, checkpoints and summaries; its retention must be infinite."""
        return self.totals_bucket("1d")

    @property
    def buckets(self) -> tuple[str, ...]:
        """Return all four buckets, the raw one first."""
        return (self.bucket, self.totals_bucket("5m"), self.totals_bucket("1h"), self.totals_bucket("1d"))


def parse(url: str) -> InfluxAddress:
    """Parse a store's URL; raises ConfigError."""
    address = url.removeprefix(SCHEME)
    base_url = http_base_url(address)
    if "@" in address.partition("?")[0]:
        raise ConfigError([_address_fault("contains a user name or password")])
    if not base_url:
        raise ConfigError([_address_fault("not the URL of an InfluxDB store")])
    query = {key: values[-1] for key, values in parse_qs(urlsplit(address).query).items()}
    faults = [_address_fault(f"{key} is missing") for key in ("org", "bucket") if key not in query]
    faults += [_address_fault(f"unknown part {key!r}") for key in sorted(query.keys() - _QUERY_KEYS)]
    if query.get("bucket", "").startswith("_") or '"' in query.get("bucket", ""):
        faults.append(_address_fault(f"InfluxDB accepts no bucket named {query['bucket']!r}"))
    if "province" in query and not _PROVINCE_ID.fullmatch(query["province"]):
        problem = f"province {query['province']!r} is not an id of lower-case letters, digits and dashes"
        faults.append(_address_fault(problem))
    if "ca" in query and not base_url.startswith("https://"):
        faults.append(_address_fault("ca names an authority, and the address has no TLS"))
    if faults:
        raise ConfigError(faults)
    return InfluxAddress(base_url, query["org"], query["bucket"], query.get("province", ""), query.get("ca", ""))


def _address_fault(problem: str) -> Fault:
    return Fault("settings", 0, "MOTCUA_STORE", problem, _REMEDY)
