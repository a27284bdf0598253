"""One server, one person and one service account for the command-line suite."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from portolan import CALLBACK, Server  # noqa: E402


@pytest.fixture(scope="session")
def server():
    with Server.from_environment("cli") as server:
        yield server


@pytest.fixture(scope="session")
def alice(server):
    return server.add_user("alice", "Alice A", "a@example.org")


@pytest.fixture(scope="session")
def robot(server):
    return server.create_client("Night Robot", "confidential_client", CALLBACK)
