"""Two hosted systems of a province on Kubernetes: a program for `pulumi up`; correct the networks and digests first."""

from datetime import date

from infra.components.cloud import Province, ProvinceArgs, System, SystemArgs, flow
from infra.config.options import CloudOptions, StackOptions
from infra.targets.kubernetes.cloud.target import KubernetesTarget
from telemetry.core.cloud.values import (
    BackupStore,
    CloudDeclaration,
    Component,
    ComponentSize,
    Ground,
    HostedSystem,
    LockEntry,
    Peer,
    PlatformService,
    Site,
    ZoneNetwork,
)

shared = CloudDeclaration(
    sites={"main": Site("main", "VN", 10.24, 106.38)},
    zone_networks=(ZoneNetwork("dmz", "main", "10.83.64.0/18"), ZoneNetwork("server", "main", "10.83.128.0/18"),
                   ZoneNetwork("database", "main", "10.83.192.0/18"), ZoneNetwork("manage", "main", "10.84.0.0/18")),
    sizes={"S": ComponentSize("S", 500, 1024), "L": ComponentSize("L", 2000, 8192)},
    peers={"internet": Peer("internet", "internet", ("0.0.0.0/0",))},
    platform={"dns": PlatformService("dns", "kube-system", port=53),
              "time": PlatformService("time", address="10.84.0.10", port=123),
              "logs": PlatformService("logs", "platform-logs", port=3100),
              "metrics": PlatformService("metrics", "platform-metrics", port=9090),
              "secrets": PlatformService("secrets", "platform-secrets", port=8200),
              "backup": PlatformService("backup", address="10.84.0.30", port=443)},
    ground=Ground(network_policies_enforced=True, storage_encrypted=True, etcd_encrypted=True, control_planes=3,
                  time_synchronised=True), backups=(BackupStore("objects", "main", "objects", wal=True),),
)  # fmt: skip
DIGESTS = dict.fromkeys(("pages", "gate"), "sha256:" + "0" * 64) | {"postgresql": "17.6@sha256:" + "0" * 64}
AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
cloud = CloudOptions(image_digests=DIGESTS, api_server_networks=("10.84.0.2/32",), internal_authority=AUTHORITY)
target = KubernetesTarget(StackOptions(stage="prod", target="kubernetes", cloud=cloud))
province = Province("vn83", ProvinceArgs("prod", target, shared, date(2026, 11, 30)))
LGSP, PORTAL = "vn83-lgsp", "vn83-portal"
roles = {"owner": "vn83-ubnd", "operator": "vn83-dit", "security": "vn83-police"}
lgsp = HostedSystem(LGSP, **roles, serves="infrastructure", data="private", level=3, site="main")
System(LGSP, SystemArgs(lgsp, (Component(LGSP, "gate", "gateway", "server", "S", 2, 2, port=8443, image="gate"),),
    lock=(LockEntry(LGSP, "server", 1, "vn83-lgsp-server"),),
), province)  # fmt: skip
portal = HostedSystem(PORTAL, **roles, serves="public", data="personal", level=3, site="main", subjects=900_000,
                      procedures=True, exposure="internet", host="portal.example")  # fmt: skip
System(PORTAL, SystemArgs(
    portal,
    (Component(PORTAL, "web", "web", "dmz", "S", 2, 4, port=8080, health="/healthz", health_port=9080, image="pages"),
     Component(PORTAL, "app", "app", "server", "S", 2, 2, port=8081, image="pages"),
     Component(PORTAL, "db", "database", "database", "L", 3, 3, 200, 5432, image="postgresql")),
    (flow("outside:internet", "vn83-portal/web", 8080, "people's pages"),
     flow("vn83-portal/web", "vn83-portal/app", 8081, "requests"),
     flow("vn83-portal/app", "vn83-portal/db", 5432, "data"),
     flow("vn83-portal/app", "vn83-lgsp/gate", 8443, "other agencies' data")),
    tuple(LockEntry(PORTAL, zone, 2, f"vn83-portal-{zone}") for zone in ("dmz", "server", "database")),
), province)  # fmt: skip
