"""Writes the backup command and its timer: stop, copy, start. It must not copy anything itself.

Roles and store stand still while files are copied; agents and the broker keep what comes meanwhile.
"""

from __future__ import annotations

from infra.host.units import ETC, STATE_FOLDER, UNITS_FOLDER

COMMAND_PATH = "usr/local/sbin/motcua-backup"
BACKUP_FOLDER = "/var/backups/motcua"
KEPT_BACKUPS = 7
"""Nightly backups that are kept."""

_SCRIPT = r"""#!/bin/sh
{head}
#
#   motcua-backup save FOLDER      copy store, state and inventory into FOLDER, which must not exist
#   motcua-backup restore FOLDER   put them back; what was there is moved aside, not deleted
#
# The copy needs the roles and InfluxDB to stand still: they are stopped and started again, also
# when the copy fails. Agents and the broker keep what comes meanwhile; nothing is lost.
set -eu
umask 077
PARTS="${{MOTCUA_BACKUP_PARTS:-{parts}}}"
SYSTEMCTL="${{MOTCUA_BACKUP_SYSTEMCTL:-systemctl}}"
fail() {{ echo "motcua-backup: $*" >&2; exit 1; }}
stop() {{ "$SYSTEMCTL" stop motcua.target influxdb.service; }}
start() {{ "$SYSTEMCTL" start influxdb.service motcua.target; }}

[ $# -eq 2 ] || fail "usage: motcua-backup save|restore FOLDER"
case $2 in /*) folder=$2 ;; *) fail "FOLDER must be an absolute path: $2" ;; esac
case $1 in
save)
  [ ! -e "$folder" ] || fail "$folder exists already; name a new folder"
  trap start EXIT
  stop
  mkdir -p "$folder.part"
  for part in $PARTS; do
    [ -e "$part" ] || continue
    mkdir -p "$folder.part$(dirname "$part")"
    cp -a "$part" "$folder.part$part"
  done
  (cd "$folder.part" && find . -type f ! -name SHA256SUMS -exec sha256sum {{}} + >SHA256SUMS)
  sync
  mv "$folder.part" "$folder"
  echo "motcua-backup: saved to $folder"
  ;;
restore)
  [ -f "$folder/SHA256SUMS" ] || fail "$folder is no finished backup: SHA256SUMS is missing"
  (cd "$folder" && sha256sum --quiet -c SHA256SUMS) || fail "$folder is damaged; take another backup"
  trap start EXIT
  stop
  aside=before-restore-$(date +%Y%m%dT%H%M%S)
  for part in $PARTS; do
    [ -e "$folder$part" ] || continue
    [ ! -e "$part" ] || mv "$part" "$part.$aside"
    mkdir -p "$(dirname "$part")"
    cp -a "$folder$part" "$part"
  done
  echo "motcua-backup: restored from $folder; what was there has the ending .$aside"
  ;;
*) fail "usage: motcua-backup save|restore FOLDER" ;;
esac
"""

_SERVICE = """[Unit]
Description=Motcua: back up store, state and inventory

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'exec /{program} save {folder}/$(date +%%Y%%m%%dT%%H%%M%%S)'
# The disk holds so many; what has a name of your own, and what restore moved aside, stays.
ExecStartPost=/bin/sh -c 'ls -1d {folder}/20??????T?????? | sort | head -n -{kept} | xargs -r rm -r'
"""

_TIMER = """[Unit]
Description=Motcua: back up every night, outside opening hours

[Timer]
OnCalendar=*-*-* 02:30:00
RandomizedDelaySec=15min
Persistent=yes

[Install]
WantedBy=timers.target
"""


def backup_files(head: str, store: str = "/var/lib/influxdb") -> dict[str, str]:
    """Return {path: text} of command, unit and timer; `head` is the script's comment, `store` InfluxDB's folder."""
    parts = " ".join((store, STATE_FOLDER, f"{ETC}/inventory"))
    return {
        COMMAND_PATH: _SCRIPT.format(head=head, parts=parts),
        f"{UNITS_FOLDER}/motcua-backup.service": _SERVICE.format(
            program=COMMAND_PATH, folder=BACKUP_FOLDER, kept=KEPT_BACKUPS
        ),
        f"{UNITS_FOLDER}/motcua-backup.timer": _TIMER,
    }
