"""Writes the command that sets up InfluxDB on the machine, with secrets born there. It must not talk to the server.

The command may run any number of times: what is there stays as it is.
"""

from __future__ import annotations

import json
from shlex import quote
from typing import TYPE_CHECKING

from infra.host.units import ETC

if TYPE_CHECKING:
    from infra.plan.values import BucketPermission, BucketPlan, InfluxPlan, TaskPlan, TokenPlan

COMMAND_PATH = "usr/local/sbin/motcua-set-up-influxdb"

_SCRIPT = r"""#!/bin/sh
{head}
#
#   motcua-set-up-influxdb     organisation, buckets, one token a role, tasks; a second run changes nothing
#
# Tokens are made on this machine and stay in {secrets}: ROLE.env for systemd, operator.token and
# admin.password for you. Keep those two elsewhere, then delete them here; only a repair needs them.
set -eu
umask 077
INFLUX="${{MOTCUA_INFLUX:-http://127.0.0.1:8086}}"
SECRETS="${{MOTCUA_SECRETS:-{secrets}}}"
NAME={org}
RAW={raw}
fail() {{ echo "motcua-set-up-influxdb: $*" >&2; exit 1; }}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$SECRETS"

# The token goes to curl in a file: a command line can be read by everybody.
api() {{ # METHOD PATH [JSON]
  if [ $# -gt 2 ]; then
    printf %s "$3" >"$work/body"
    curl -fsS -X "$1" -H @"$work/headers" -d @"$work/body" "$INFLUX/api/v2/$2"
  else
    curl -fsS -X "$1" -H @"$work/headers" "$INFLUX/api/v2/$2"
  fi
}}
field() {{ grep -o "\"$1\": *\"[^\"]*\"" | head -1 | cut -d'"' -f4; }}
once() {{ # FILE COMMAND…: the command's answer in a file of the secrets, unless it is there
  [ -s "$SECRETS/$1" ] && return
  file=$1; shift
  "$@" >"$work/made" || fail "cannot make $file"
  [ -s "$work/made" ] || fail "nothing came for $file"
  mv "$work/made" "$SECRETS/$file"
}}

curl -fsS --retry 60 --retry-delay 1 --retry-connrefused -o /dev/null "$INFLUX/health" || fail "$INFLUX does not answer"
if curl -fsS "$INFLUX/api/v2/setup" | grep -q '"allowed": *true'; then
  once operator.token openssl rand -hex 32
  once admin.password openssl rand -hex 16
  printf '{{"username":"admin","password":"%s","org":"%s","bucket":"%s","token":"%s"}}' \
    "$(cat "$SECRETS/admin.password")" "$NAME" "$RAW" "$(cat "$SECRETS/operator.token")" >"$work/setup"
  curl -fsS -H 'Content-Type: application/json' -d @"$work/setup" -o /dev/null "$INFLUX/api/v2/setup"
fi
if [ ! -s "$SECRETS/operator.token" ]; then
  for role in {roles}; do
    [ -s "$SECRETS/$role.env" ] || fail "it was set up before, and $SECRETS/operator.token is missing: put it" \
      "there, or stop InfluxDB and make one (influxd recovery auth create-operator --org $NAME --username admin)"
  done
  echo "motcua-set-up-influxdb: it was set up before; every role has its token"
  exit 0
fi
{{ printf 'Content-Type: application/json\nAuthorization: Token '; cat "$SECRETS/operator.token"; }} >"$work/headers"
asked() {{ curl -sS -H @"$work/headers" -G --data-urlencode "$2" "$INFLUX/api/v2/$1" | field id; }}
ORG=$(asked orgs "org=$NAME")
[ -n "$ORG" ] || fail "there is no organisation $NAME, or operator.token is not its token"

id_of() {{ asked "buckets?orgID=$ORG" "name=$1"; }}
bucket() {{ # NAME RULES DESCRIPTION: made when missing; the one that set-up made gets its rules once
  id=$(id_of "$1")
  if [ -z "$id" ]; then
    api POST buckets "{{\"orgID\":\"$ORG\",\"name\":\"$1\",\"retentionRules\":$2,\"description\":\"$3\"}}" >/dev/null
  elif ! api GET "buckets/$id" | grep -q '"description"'; then
    api PATCH "buckets/$id" "{{\"retentionRules\":$2,\"description\":\"$3\"}}" >/dev/null
  fi
}}
may() {{ # read|write BUCKET: a permission on one bucket
  id=$(id_of "$2")
  [ -n "$id" ] || fail "bucket $2 is missing"
  printf '{{"action":"%s","resource":{{"type":"buckets","orgID":"%s","id":"%s"}}}}' "$1" "$ORG" "$id"
}}
token() {{ # NAME PERMISSIONS
  api POST authorizations "{{\"orgID\":\"$ORG\",\"description\":\"motcua $1\",\"permissions\":[$2]}}" |
    field token | sed 's/^/MOTCUA_STORE_TOKEN=/'
}}
task() {{ # NAME JSON-TEXT
  api GET "tasks?orgID=$ORG&name=$1" | grep -q '"flux"' ||
    api POST tasks "{{\"orgID\":\"$ORG\",\"flux\":$2}}" >/dev/null
}}

{steps}
echo "motcua-set-up-influxdb: buckets, tokens and tasks are there"
"""


def influx_setup_files(head: str, influx: InfluxPlan) -> dict[str, str]:
    """Return {path: text} of the command; `head` is its comment."""
    current_tokens = [
        planned for planned in influx.tokens if planned.active and planned.generation == _newest_generation(influx)
    ]
    steps = [*map(_bucket_step, influx.buckets), *map(_token_step, current_tokens), *map(_task_step, influx.tasks)]
    text = _SCRIPT.format(
        head=head,
        secrets=f"{ETC}/secrets",
        org=quote(influx.org),
        raw=quote(next(planned.name for planned in influx.buckets if planned.tier == "raw")),
        roles=" ".join(planned.role for planned in current_tokens),
        steps="\n".join(steps),
    )
    return {COMMAND_PATH: text}


def _newest_generation(influx: InfluxPlan) -> int:
    return max(token.generation for token in influx.tokens)


def _bucket_step(bucket: BucketPlan) -> str:
    # Always both together: a rule without the one resets the other.
    rule = {"type": "expire", "everySeconds": bucket.retention_s, "shardGroupDurationSeconds": bucket.shard_s}
    return f"bucket {quote(bucket.name)} '{json.dumps([rule], separators=(',', ':'))}' {quote(bucket.description)}"


def _token_step(token: TokenPlan) -> str:
    permissions = ",".join(map(_permission_call, token.permissions))
    return f'once {token.role}.env token {token.name} "{permissions}"'


def _permission_call(permission: BucketPermission) -> str:
    return f"$(may {permission.action} {quote(permission.bucket)})"


def _task_step(task: TaskPlan) -> str:
    return f"task {quote(task.name)} {quote(json.dumps(task.flux))}"
