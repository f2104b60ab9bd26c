"""Fixtures only: the programs, ports and real data that tests may ask for."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.property_sizes import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from tests.kube_server import KubeServer

# Tests share the processor with others, so the time that an example takes says nothing.
settings.register_profile("shared", deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
    "cloud-init": "cloud-init",
    "etcd": "etcd-server",
    "mosquitto": "mosquitto",
    "nginx": "nginx",
    "pdftoppm": "poppler-utils",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes the documentation's pictures (`make screenshot`)."""
    parser.addoption("--pictures", type=Path, help="write the documentation's pictures into this folder")


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the folder that pictures are written into: that of --pictures, else one that is thrown away."""
    folder: Path | None = request.config.getoption("pictures")
    return folder or tmp_path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the flow tests: they take longest, and a file's tests stay in one process (`--dist loadfile`).

    Every property test has a long size.
    """
    items.sort(key=lambda item: 0 if "tests/flow/" in item.nodeid else 1)
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("sized")


@pytest.fixture(autouse=True)
def _reset_logging() -> Iterator[None]:
    """Undo what a command that ran in this process configured: it logs to an output that ends with its test."""
    yield
    structlog.reset_defaults()


def _absent(message: str) -> None:
    """Fail where everything was promised (CI), skip elsewhere; both say how to get it."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """Return a function that gives a program's path, or skips (under CI: fails) when it is missing."""

    def find(program: str) -> str:
        search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
        path = shutil.which(program, path=search)
        if path is None:
            _absent(f"{program} is missing: install Debian package {PACKAGES.get(program, program)}")
        return str(path)

    return find


@pytest.fixture(scope="session")
def nginx_stream_module() -> Path:
    """Return Debian's module of nginx for TCP; the image of the proxies has it built in."""
    path = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    if not path.exists():
        _absent(f"{path} is missing: install Debian package libnginx-mod-stream")
    return path


@pytest.fixture(scope="session")
def influxd_program() -> str:
    """Return the path of an InfluxDB 2.7 server, from PATH or from the cache that `make influxd` fills."""
    asked = subprocess.run([CHECKOUT / "scripts/influxd/build", "--path"], capture_output=True, text=True, check=False)
    if asked.returncode:
        _absent("influxd is missing: put InfluxDB 2.7 on PATH, or run `make influxd` (needs Go 1.24, Rust and clang)")
    return asked.stdout.strip()


@pytest.fixture(scope="session")
def openstack_python() -> str:
    """Return the Python of the environment with Keystone and Neutron, which `make openstack` makes."""
    asked = subprocess.run(
        [CHECKOUT / "scripts/openstack/build", "--path"], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        _absent("Keystone and Neutron are missing: run `make openstack` (a minute, once, 400 MB in ~/.cache/motcua)")
    return asked.stdout.strip()


@pytest.fixture(scope="session")
def kube_folder() -> Path:
    """Return the folder that `make kube` fills: `kube-apiserver`, and `crds/` with definitions of other projects."""
    asked = subprocess.run([CHECKOUT / "scripts/kube/build", "--path"], capture_output=True, text=True, check=False)
    if asked.returncode:
        _absent("no Kubernetes API server: run `make kube` (needs Go 1.26)")
    return Path(asked.stdout.strip())


@pytest.fixture(scope="session")
def kube_server(
    kube_folder: Path, require: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KubeServer]:
    """Return a Kubernetes API server, one for all tests of this process."""
    from tests.kube_server import KubeServer

    server = KubeServer(require("etcd"), kube_folder, tmp_path_factory.mktemp("kubernetes"))
    try:
        yield server.start()
    finally:
        server.end()


@pytest.fixture(scope="session")
def libatomic() -> None:
    """Skip (under CI: fail) where the browser driver's one system library is missing."""
    try:
        ctypes.CDLL("libatomic.so.1")
    except OSError:
        _absent("libatomic.so.1 is missing, which playwright's driver needs: install Debian package libatomic1")


@pytest.fixture(scope="module")
def chromium(require: Callable[[str], str], libatomic: None) -> Iterator[Browser]:
    """Return a headless Chromium that asks nobody but the pages it opens."""
    assert libatomic is None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=require("chromium"), args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pseudo_terminals() -> None:
    """Skip (under CI: fail) where the system has none: they stand for serial lines."""
    try:
        pair = os.openpty()
    except OSError as error:
        _absent(f"no pseudo-terminals here ({error}): mount -t devpts devpts /dev/pts")
    else:
        for end in pair:
            os.close(end)


@pytest.fixture
def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of the real input: $MOTCUA_DATA, else `shared/data` beside the checkout."""
    folder = Path(os.environ.get("MOTCUA_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        _absent(f"real input is missing: {folder} is no folder; set MOTCUA_DATA to where it lies")
    return folder
