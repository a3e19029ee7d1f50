# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one PostgreSQL a session, one database and one destination a test; nothing is left behind."""
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from freshet_command import BINARY, Freshet  # noqa: E402
from postgres_server import Server  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "long: too long for every check; part of `make real`")


@pytest.fixture(scope="session")
def server():
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not built: run make", returncode=2)
    running = Server(tempfile.mkdtemp(prefix="freshet-real-"))
    running.start()
    yield running
    running.destroy()


@pytest.fixture(scope="session")
def subscriber():
    """A second server, for what native replication makes of the first one's changes."""
    from native_copy import subscribing_server  # the readers that it compares by take their time

    running = subscribing_server()
    yield running
    running.destroy()


@pytest.fixture
def database(server):
    """A fresh database; `.execute` runs SQL, `.url` is what freshet is given."""
    server.ensure_running()
    created = server.create_database()
    yield created
    server.ensure_running()
    created.drop()


@pytest.fixture
def destination():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-to-"))
    yield directory / "lake"
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def freshet(database, destination):
    runner = Freshet(database.url, destination)
    yield runner
    runner.close()


@pytest.fixture
def api():
    """A server of the API over a fresh directory."""
    from freshet_server import ServerProcess  # the SDK takes its time

    directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-api-"))
    running = ServerProcess(directory / "data").start()
    yield running
    running.close()
    shutil.rmtree(directory, ignore_errors=True)
