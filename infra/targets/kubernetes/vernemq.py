"""VerneMQ in the cluster: three nodes that share subscriptions (decision 13). Pure; rights come from the plan alone.

Not run here: docs/decisions/0013-clustered-broker.md says what must be tried before it carries a province.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host import mosquitto
from infra.plan.broker import INGEST, MONITOR, PROVISION, ROLLUP
from infra.targets.kubernetes.broker import around, probes, restarts, workers
from infra.targets.kubernetes.names import BROKER_CONFIG, BROKER_COOKIE, BROKER_TLS, NODES, PEERS, SERVICES_PORT
from infra.targets.kubernetes.objects import (
    claim,
    config,
    environment,
    from_secret,
    mounted_config,
    mounted_secret,
    mounts,
    scratch,
    secret,
)
from infra.targets.kubernetes.pods import Pod, stateful
from telemetry.core.topics import every

if TYPE_CHECKING:
    from infra.targets.kubernetes.objects import Cluster, Manifest

CONFIG, TLS = "/config", "/tls"
ETC, DATA, LOG = "/vernemq/etc", "/vernemq/data", "/vernemq/log"

_LISTENER = """listener.ssl.{name} = 0.0.0.0:{port}
listener.ssl.{name}.cafile = {tls}/ca.pem
listener.ssl.{name}.certfile = {tls}/server.pem
listener.ssl.{name}.keyfile = {tls}/server.key
listener.ssl.{name}.crlfile = {tls}/crl.pem
listener.ssl.{name}.depth = 3
listener.ssl.{name}.require_certificate = on
# The certificate's common name is the user.
listener.ssl.{name}.use_identity_as_username = on
listener.ssl.{name}.tls_version = tlsv1.2,tlsv1.3
# MQTT 5 alone: a 3.1.1 client cannot see that it was refused.
listener.ssl.{name}.allowed_protocol_versions = 5
listener.ssl.{name}.max_connections = {connections}
"""

_CONFIGURATION = """# Node name and cookie are put in when the pod starts.
nodename = VerneMQ@NODE
distributed_cookie = COOKIE
erlang.distribution.port_range.minimum = {distribution}
erlang.distribution.port_range.maximum = {distribution}
listener.vmq.clustering = 0.0.0.0:{messages}

allow_anonymous = off
plugins.vmq_passwd = off
plugins.vmq_acl = on
vmq_acl.acl_file = {config}/acl
# Lua ties the client id to the certificate: nobody can take another's session.
plugins.vmq_diversity = on
vmq_diversity.identity.file = {config}/identity.lua
vmq_diversity.script_dir = /vernemq/share/lua
# Milliseconds; the list takes effect without a restart.
crl_refresh_interval = 60000

# A part of the cluster that is cut off takes nothing it could not hand on: agents keep it and come again.
allow_register_during_netsplit = off
allow_publish_during_netsplit = off
allow_subscribe_during_netsplit = off
allow_unsubscribe_during_netsplit = off
shared_subscription_policy = prefer_local
# A frame that came twice does no harm; one that is lost waits for the agent to send it again.
shared_subscription_timeout_action = requeue

max_message_size = 262144
max_inflight_messages = 200
max_offline_messages = 1000000
max_online_messages = -1
persistent_client_expiration = 14d
receive_max_client = 65535
receive_max_broker = 200
systree_enabled = on

{listeners}
log.console = console
log.console.level = info
"""

_IDENTITY = """-- Who may connect: a device under its own name, a worker under a name of its service.
local services = {{{services}}}

function auth_on_register_m5(reg)
    if reg.username == nil then
        return false
    end
    if reg.client_id == reg.username then
        return true
    end
    local prefix = services[reg.username]
    return prefix ~= nil and string.sub(reg.client_id, 1, #prefix) == prefix
end

hooks = {{
    auth_on_register_m5 = auth_on_register_m5
}}
"""

_START = """#!/bin/sh
# Puts the node's name and the cookie into the configuration, joins the first node, starts the broker.
set -eu
first="VerneMQ@broker-0.$DOMAIN"
umask 077
own="s/^nodename = .*/nodename = VerneMQ@$POD_NAME.$DOMAIN/"
sed "$own; s/^distributed_cookie = .*/distributed_cookie = $COOKIE/" \\
  {config}/vernemq.conf >{etc}/vernemq.conf
unset COOKIE
join() {{
  [ "$POD_NAME" != broker-0 ] || return 0
  until /vernemq/bin/vmq-admin cluster show 2>/dev/null | grep -q "$first"; do
    sleep 5
    /vernemq/bin/vmq-admin cluster join discovery-node="$first" >/dev/null 2>&1 || true
  done
}}
join &
exec /vernemq/bin/vernemq console -noshell -noinput
"""


def broker(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return everything that the clustered broker is made of."""
    workload = cluster.plan.workload("broker")
    files = config(cluster, BROKER_CONFIG, "broker", documents(cluster))
    paths = {"config": CONFIG, "tls": TLS, "etc": ETC, "log": LOG, "data": DATA}
    pod = Pod(
        workload,
        command=("/bin/sh", f"{CONFIG}/start.sh"),
        env=_environment(cluster),
        volumes=(
            mounted_config("config", BROKER_CONFIG),
            mounted_secret("tls", BROKER_TLS),
            scratch("etc", 16),
            scratch("log", 256),
        ),
        mounts=tuple(mounts(paths, writable=("etc", "log", "data"))),
        ports={**workload.ports, "services": SERVICES_PORT, **PEERS},
        probes=probes(),
        annotations=restarts(cluster, files),
        grace_s=120,
        spread=True,
    )
    volumes = {"data": claim(cluster, workload.volume_gb)}
    cookie = secret(cluster, BROKER_COOKIE, "broker", {"cookie": "brokerCookie"})
    # One after another: the first makes the cluster, the others join it; updates begin with the last.
    nodes = stateful(cluster, pod, NODES, volumes, podManagementPolicy="OrderedReady")
    return (*around(cluster, workload), cookie, files, nodes)


def _environment(cluster: Cluster) -> tuple[Manifest, ...]:
    domain = f"{NODES}.{cluster.namespace}.svc.cluster.local"
    return (
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *environment({"DOMAIN": domain, "HOME": "/tmp"}),  # noqa: S108 - an emptyDir
        from_secret("COOKIE", BROKER_COOKIE, "cookie"),
    )


def documents(cluster: Cluster) -> dict[str, str]:
    """Return configuration, access rules, the rule of identities and the start, name → text."""
    port = cluster.plan.workload("broker").ports["mqtts"]
    connections = cluster.plan.broker.connections
    listeners = "\n".join(
        _LISTENER.format(name=name, port=number, tls=TLS, connections=connections)
        for name, number in (("devices", port), ("services", SERVICES_PORT))
    )
    return {
        "vernemq.conf": _CONFIGURATION.format(config=CONFIG, listeners=listeners, **PEERS),
        "acl": access(cluster),
        "identity.lua": _IDENTITY.format(services=_services(cluster)),
        "start.sh": _START.format(config=CONFIG, etc=ETC),
    }


def access(cluster: Cluster) -> str:
    """Return mosquitto's rules, which VerneMQ reads too; it looks at a shared subscription with its group's name."""
    rules = mosquitto.access(workers(cluster))
    own = f"topic read {every('up')}\n"
    return rules.replace(own, f"{own}topic read {every('up', 'ingest')}\n")


def _services(cluster: Cluster) -> str:
    """Return user → beginning of its client ids, as Lua."""
    prefix = INGEST.format("")
    names = {INGEST.format(name): prefix for name in workers(cluster)}
    names |= {name: name for name in (ROLLUP, PROVISION, MONITOR)}
    return ", ".join(f'["{name}"] = "{begins}"' for name, begins in sorted(names.items()))
