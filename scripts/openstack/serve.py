"""Serves Keystone and Neutron on the loopback for tests: SQLite, no message broker, no agent, nothing behind them.

It runs in the environment that `build` makes, never in the project's own, and must not be reachable from elsewhere: its
administrator's password is known to everybody.

Neutron's migrations do not run on SQLite, so its tables are those of its metadata. What the migrations would add is
missing: a new group has no default rules here, which one of a real cloud has.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

REGION = "province-1"
KEYSTONE_CONF = """\
[DEFAULT]
log_file = {folder}/keystone.log
[database]
connection = sqlite:///{folder}/keystone.db
[fernet_tokens]
key_repository = {folder}/fernet-keys
[credential]
key_repository = {folder}/credential-keys
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
"""
NEUTRON_CONF = """\
[DEFAULT]
log_file = {folder}/neutron.log
core_plugin = ml2
service_plugins = router
transport_url = fake://
auth_strategy = keystone
api_paste_config = {paste}
state_path = {folder}
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
dhcp_agent_notification = false
[database]
connection = sqlite:///{folder}/neutron.db
[oslo_concurrency]
lock_path = {folder}/locks
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:{keystone}/v3
auth_url = http://127.0.0.1:{keystone}/v3
auth_type = password
username = admin
password = {password}
project_name = admin
user_domain_id = default
project_domain_id = default
[ml2]
type_drivers = local,vxlan
tenant_network_types = vxlan
mechanism_drivers = logger
extension_drivers = port_security
[ml2_type_vxlan]
vni_ranges = 1:4000
[quotas]
quota_router_route = 200
"""


def keystone_application(folder: Path, address: str, password: str) -> object:
    """Return Keystone over a new database with its administrator, roles and own address."""
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(folder / "keystone.conf")
    from cryptography.fernet import Fernet
    from keystone.cmd.bootstrap import Bootstrapper
    from keystone.common.sql import upgrades
    from keystone.server import backends
    from keystone.server.wsgi import initialize_public_application

    for keys in (folder / "fernet-keys", folder / "credential-keys"):
        keys.mkdir(mode=0o700)
        for number in "01":
            (keys / number).write_bytes(Fernet.generate_key())
            (keys / number).chmod(0o600)
    application = initialize_public_application()
    upgrades.offline_sync_database_to_version()
    backends.load_backends = dict  # the application has them, and they load once per process
    first = Bootstrapper()
    first.admin_password, first.admin_username = password, "admin"
    first.project_name, first.admin_role_name = "admin", "admin"
    first.service_name, first.region_id = "keystone", REGION
    first.public_url = first.internal_url = address
    first.immutable_roles = True
    first.bootstrap()
    return application


def neutron_application(folder: Path) -> object:
    """Return Neutron over a new database with the tables of its metadata."""
    os.environ |= {"OS_NEUTRON_CONFIG_DIR": str(folder), "OS_NEUTRON_CONFIG_FILES": "neutron.conf"}
    import sqlalchemy
    from neutron.db.migration.models import head

    engine = sqlalchemy.create_engine(f"sqlite:///{folder}/neutron.db")
    head.get_metadata().create_all(engine)
    engine.dispose()
    from neutron.wsgi.api import application

    return application


def main() -> None:
    """Serve one of both until this process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service", choices=("keystone", "neutron"))
    parser.add_argument("folder", type=Path, help="an empty one for configuration, database and log")
    parser.add_argument("--keystone", type=int, required=True, help="its port")
    parser.add_argument("--neutron", type=int, required=True, help="its port")
    parser.add_argument("--password", required=True, help="of the user admin")
    given = parser.parse_args()
    del sys.argv[1:]  # both read the arguments of their process
    names = {
        "folder": given.folder, "keystone": given.keystone, "password": given.password,
        "paste": Path(sys.prefix) / "etc/neutron/api-paste.ini",
    }  # fmt: skip
    import waitress

    logging.disable(logging.INFO)  # each request would write what it did with every object
    if given.service == "keystone":
        (given.folder / "keystone.conf").write_text(KEYSTONE_CONF.format(**names), encoding="utf-8")
        address = f"http://127.0.0.1:{given.keystone}/v3"
        application, port = keystone_application(given.folder, address, given.password), given.keystone
    else:
        (given.folder / "neutron.conf").write_text(NEUTRON_CONF.format(**names), encoding="utf-8")
        application, port = neutron_application(given.folder), given.neutron
    waitress.serve(application, host="127.0.0.1", port=port, threads=4, ident=None)


if __name__ == "__main__":
    main()
