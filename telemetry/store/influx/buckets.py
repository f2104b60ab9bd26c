"""What must be there before an InfluxDB store can be used: its buckets. It must not change one that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault
from telemetry.store.influx.server import AccessDenied, BucketInfo

if TYPE_CHECKING:
    from telemetry.store.influx.address import InfluxAddress
    from telemetry.store.influx.server import InfluxServer


def ensure_buckets(server: InfluxServer, address: InfluxAddress) -> int | None:
    """Make the buckets that are missing; returns how long the raw one keeps, ms, None for ever.

    Raises:
        ConfigError: wrong organization or token; a bucket is missing that the token may not make; the state's keeps
            for a limited time.
        StoreUnavailable: the server does not answer.

    """
    try:
        buckets = {name: server.find_bucket(name) for name in address.buckets}
    except AccessDenied as error:
        raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", str(error), "then start again")]) from None
    missing = [name for name, bucket in buckets.items() if bucket is None]
    if missing:
        _create_missing(
            server, address, missing, [bucket.org_id for bucket in buckets.values() if bucket and bucket.org_id]
        )
    state_bucket = buckets[address.state_bucket] or BucketInfo()
    if state_bucket.retention_ms is not None:
        problem = (
            f"bucket {address.state_bucket} keeps {state_bucket.retention_ms // 86_400_000} days, but "
            f"live rows and marks lie there"
        )
        raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", problem, "set its retention to infinite")])
    return (buckets[address.bucket] or BucketInfo()).retention_ms


def _create_missing(server: InfluxServer, address: InfluxAddress, missing: list[str], org_ids: list[str]) -> None:
    org_id = org_ids[0] if org_ids else server.find_org_id()
    faults = []
    for name in missing:
        try:
            server.create_bucket(name, org_id)
        except AccessDenied:
            problem = f"bucket {name} of organization {address.org} is missing and the token may not make it"
            remedy = f"make it (influx bucket create --org {address.org} --name {name}), or give a token that may"
            faults.append(Fault("settings", 0, "MOTCUA_STORE", problem, remedy))
    if faults:
        raise ConfigError(faults)
