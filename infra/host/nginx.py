"""Writes nginx's configuration: TLS before the API, limits, streams unbuffered. It must not read files.

For nginx 1.22 (Debian 12) and later; a configuration of its own, so that the package's sites play no part.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.host.units import ETC, UNITS_FOLDER

CONFIG_FOLDER = f"{ETC}/nginx"
CERTIFICATE_PATH, KEY_PATH = f"{ETC}/tls/api.pem", f"{ETC}/tls/api.key"

_CONF = """user {user};
worker_processes auto;
pid {pid};
error_log {log}/error.log warn;

events {{
    worker_connections 4096;
}}

http {{
    server_tokens off;
    # Who looks at which page is nobody's business: the log has no addresses.
    log_format motcua '$time_iso8601 $request_method $uri $status $body_bytes_sent $request_time';
    access_log {log}/access.log motcua;

    # The API takes no uploads and answers quickly.
    client_max_body_size 64k;
    client_header_timeout 10s;
    client_body_timeout 10s;
    send_timeout 30s;
    limit_req_zone $binary_remote_addr zone=requests:10m rate=20r/s;
    limit_conn_zone $binary_remote_addr zone=connections:10m;
    limit_req_status 429;
    limit_conn_status 429;

    gzip on;
    gzip_proxied any;
    gzip_types application/json application/problem+json text/css text/csv application/javascript image/svg+xml;

    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;
    ssl_session_cache shared:tls:10m;
    ssl_session_timeout 1d;
    ssl_session_tickets off;

    upstream api {{
        server {api};
        keepalive 32;
    }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_connect_timeout 5s;
    proxy_read_timeout 30s;

    server {{
        listen {http};
        return 308 https://$host$request_uri;
    }}

    server {{
        listen {https} ssl http2;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        add_header Strict-Transport-Security "max-age=31536000" always;

        location / {{
            limit_req zone=requests burst=100 nodelay;
            limit_conn connections 50;
            proxy_pass http://api;
        }}

        # A stream lasts, and each message goes out at once; the API sends one at least every 15 s.
        location = /api/v1/events {{
            limit_conn connections 50;
            proxy_buffering off;
            proxy_read_timeout 1h;
            gzip off;
            proxy_pass http://api;
        }}

        # Prometheus on this machine asks the API itself; from outside there is nothing to see, here and below.
        location ^~ /metrics {{
            allow 127.0.0.1;
            allow ::1;
            deny all;
            proxy_pass http://api;
        }}
    }}
}}
"""

_DROP_IN = """[Unit]
StartLimitIntervalSec=0

[Service]
ExecStartPre=
ExecStartPre=/usr/sbin/nginx -t -q -c {folder}/nginx.conf
ExecStart=
ExecStart=/usr/sbin/nginx -c {folder}/nginx.conf -g 'daemon on; master_process on;'
ExecReload=
ExecReload=/usr/sbin/nginx -c {folder}/nginx.conf -s reload
Restart=always
RestartSec=5
LimitNOFILE=16384
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=full
RestrictSUIDSGID=yes
"""


@dataclass(frozen=True, slots=True)
class NginxSettings:
    """Where nginx listens and what it stands before; addresses `host:port` or ports, paths on the host."""

    api: str = "127.0.0.1:8080"
    http: str = "80"
    https: str = "443"
    certificate: str = CERTIFICATE_PATH
    key: str = KEY_PATH
    user: str = "www-data"
    pid: str = "/run/nginx.pid"
    log: str = "/var/log/nginx"


def render_configuration(site: NginxSettings) -> str:
    """Return nginx.conf."""
    return _CONF.format(
        api=site.api, http=site.http, https=site.https, certificate=site.certificate, key=site.key,
        user=site.user, pid=site.pid, log=site.log,
    )  # fmt: skip


def nginx_files(site: NginxSettings | None = None) -> dict[str, str]:
    """Return {path: text} of the configuration and the unit's drop-in."""
    return {
        f"{CONFIG_FOLDER.lstrip('/')}/nginx.conf": render_configuration(site or NginxSettings()),
        f"{UNITS_FOLDER}/nginx.service.d/motcua.conf": _DROP_IN.format(folder=CONFIG_FOLDER),
    }
