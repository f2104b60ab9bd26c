"""What must be there before an InfluxDB store can be used: its buckets. It must not change one that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault
from telemetry.store.influx.server import Bucket, Denied

if TYPE_CHECKING:
    from telemetry.store.influx.address import InfluxAddress
    from telemetry.store.influx.server import Server


def prepare(server: Server, address: InfluxAddress) -> int | None:
    """Make the buckets that are missing; returns how long the raw one keeps, ms, None for ever.

    Raises:
        ConfigError: wrong organization or token; a bucket is missing that the token may not make; the state's keeps
            for a limited time.
        StoreUnavailable: the server does not answer.

    """
    try:
        found = {name: server.bucket(name) for name in address.buckets}
    except Denied as error:
        raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", str(error), "then start again")]) from None
    missing = [name for name, bucket in found.items() if bucket is None]
    if missing:
        _make(server, address, missing, [bucket.org_id for bucket in found.values() if bucket and bucket.org_id])
    kept = found[address.state] or Bucket()
    if kept.keep_ms is not None:
        problem = f"bucket {address.state} keeps {kept.keep_ms // 86_400_000} days, but live rows and marks lie there"
        raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", problem, "set its retention to infinite")])
    return (found[address.bucket] or Bucket()).keep_ms


def _make(server: Server, address: InfluxAddress, missing: list[str], seen: list[str]) -> None:
    org_id = seen[0] if seen else server.org_id()
    faults = []
    for name in missing:
        try:
            server.make_bucket(name, org_id)
        except Denied:
            problem = f"bucket {name} of organization {address.org} is missing and the token may not make it"
            remedy = f"make it (influx bucket create --org {address.org} --name {name}), or give a token that may"
            faults.append(Fault("settings", 0, "MOTCUA_STORE", problem, remedy))
    if faults:
        raise ConfigError(faults)
