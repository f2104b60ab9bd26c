"""Writes the commands of a new machine's first hour: its disk, programs, keys and requests. It must not run any.

Keys are made on the machine and never leave it; what leaves is a request that the authority signs.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from infra.host.units import ETC

if TYPE_CHECKING:
    from infra.plan.values import StackPlan

REQUEST_COMMAND = "usr/local/sbin/motcua-request-certificates"
FIRST_BOOT_COMMAND = "usr/local/sbin/motcua-first-boot"
STORE_DISK_LABEL = "motcua-store"

_REQUEST_SCRIPT = """#!/bin/sh
{head}
#
#   motcua-request-certificates [FOLDER]   a key and a request for every service of this machine, once
#
# Sign the requests with `motcua ca sign --csr FILE` where the authority's key is, bring the certificates back into
# FOLDER as NAME.pem, then run this again: it puts them where they belong.
set -eu
umask 077
folder="${{1:-{etc}/requests}}"
mkdir -p "$folder"
request() {{ # NAME EXTENSION…
  name=$1; shift
  [ -s "$folder/$name.key" ] && return
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" "$@" \\
    -keyout "$folder/$name.key.part" -out "$folder/$name.csr" 2>"$folder/log" || {{ cat "$folder/log" >&2; exit 1; }}
  mv "$folder/$name.key.part" "$folder/$name.key"
}}
request server -addext {names}
for name in {clients}; do request "$name"; done

missing=
for name in server {clients}; do [ -s "$folder/$name.pem" ] || missing="$missing $name.pem"; done
for name in ca crl; do [ -s "$folder/$name.pem" ] || missing="$missing $name.pem"; done
if [ -n "$missing" ]; then
  echo "motcua-request-certificates: still to come into $folder:$missing"
  exit 0
fi
install -d -m 0755 {etc}/broker {etc}/tls
install -m 0644 "$folder/ca.pem" "$folder/crl.pem" "$folder/server.pem" {etc}/broker/
install -m 0640 -g mosquitto "$folder/server.key" {etc}/broker/
install -m 0644 "$folder/ca.pem" {etc}/tls/
for name in {clients}; do
  install -m 0644 "$folder/$name.pem" {etc}/tls/
  install -m 0600 "$folder/$name.key" {etc}/tls/
done
echo "motcua-request-certificates: installed; systemctl restart mosquitto motcua.target"
"""

_FIRST_BOOT_SCRIPT = """#!/bin/sh
{head}
#
# What cloud-init runs once; it may be run again by hand. The data disk is formatted only when nothing is on it.
set -eu
export DEBIAN_FRONTEND=noninteractive
step() {{ echo "motcua-first-boot: $*"; }}
STORE="${{MOTCUA_STORE_DISK:-{disk}}}"
if [ -n "$STORE" ] && ! blkid -L {label} >/dev/null; then
  step "the store's disk $STORE is new"
  [ -b "$STORE" ] || {{ step "$STORE is missing; attach the volume"; exit 1; }}
  held=$(wipefs --noheadings "$STORE") || {{ step "$STORE cannot be read"; exit 1; }}
  [ -z "$held" ] || {{ step "$STORE holds something else, so it is not formatted: $held"; exit 1; }}
  mkfs.ext4 -q -L {label} "$STORE"
fi
if [ -n "$STORE" ] && ! mountpoint -q /var/lib/influxdb; then
  grep -q LABEL={label} /etc/fstab || echo 'LABEL={label} /var/lib/influxdb ext4 defaults,nofail 0 2' >>/etc/fstab
  mkdir -p /var/lib/influxdb
  mount /var/lib/influxdb
fi
step "InfluxDB 2.7 (package influxdb2, from a source of packages that the image knows)"
command -v influxd >/dev/null || apt-get install -qq -y influxdb2
if [ -n "$STORE" ]; then chown influxdb:influxdb /var/lib/influxdb; fi
step "Motcua"
[ -x /opt/motcua/bin/motcua ] || {{ python3 -m venv /opt/motcua && /opt/motcua/bin/pip install --quiet {package}; }}
systemd-sysusers
systemctl daemon-reload
systemctl enable --quiet influxdb mosquitto nginx prometheus prometheus-alertmanager motcua.target motcua-backup.timer
systemctl restart influxdb
motcua-set-up-influxdb
motcua-request-certificates
[ -s {etc}/tls/api.pem ] || step "bring {etc}/tls/api.pem and api.key for the pages"
[ -d {etc}/inventory ] || step "bring the inventory, with published/, into {etc}/inventory"
# Broker and proxy are tried again until their certificates come.
systemctl restart --no-block prometheus prometheus-alertmanager mosquitto nginx
step "done; docs/operate.md says what to bring, then: systemctl restart mosquitto nginx motcua.target"
"""


def certificate_requests(head: str, plan: StackPlan) -> dict[str, str]:
    """Return {path: text} of the command that makes keys and requests, and installs what was signed."""
    certificates = plan.pki.certificates
    hosts = next(certificate.hosts for certificate in certificates if certificate.use == "server")
    names = ",".join(f"{'IP' if _is_ip_address(certificate) else 'DNS'}:{certificate}" for certificate in hosts)
    clients = " ".join(certificate.name for certificate in certificates if certificate.use == "client")
    return {
        REQUEST_COMMAND: _REQUEST_SCRIPT.format(
            head=head, etc=ETC, names=quote(f"subjectAltName={names}"), clients=clients
        )
    }


def _is_ip_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def first_boot_files(head: str, package: str, disk: str) -> dict[str, str]:
    """Return {path: text} of the first boot's command; `disk` is the store's device, empty for none of its own."""
    return {
        FIRST_BOOT_COMMAND: _FIRST_BOOT_SCRIPT.format(
            head=head, etc=ETC, package=quote(package), disk=disk, label=STORE_DISK_LABEL
        )
    }
