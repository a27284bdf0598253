"""One server, the Groups service, and the people and programs that call an action provider."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from dns import NameServer  # noqa: E402
from groups import Groups  # noqa: E402
from portolan import CALLBACK, Server  # noqa: E402

# The client of Globus Groups, which every server is born with.
GROUPS_CLIENT = "2cedc549-9c13-4a46-b015-5c4e46413069"


@pytest.fixture(scope="session")
def dns():
    dns = NameServer()
    dns.serve()
    yield dns
    dns.close()


@pytest.fixture(scope="session")
def server(dns):
    kept = {k: v for k, v in os.environ.items() if k.startswith("GLOBUS_")}
    for name in kept:
        del os.environ[name]
    with Server.from_environment("action-provider", settings={"dns_resolver": dns.address}) as server:
        os.environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = server.base_url
        yield server
        del os.environ["GLOBUS_SDK_SERVICE_URL_AUTH"]
    os.environ.update(kept)


@pytest.fixture(scope="session")
def groups(server):
    """The toolkit finds it where the SDK looks for Groups."""
    service = Groups(GROUPS_CLIENT, server.create_secret(GROUPS_CLIENT))
    os.environ["GLOBUS_SDK_SERVICE_URL_GROUPS"] = service.base_url
    yield service
    del os.environ["GLOBUS_SDK_SERVICE_URL_GROUPS"]
    service.close()


@pytest.fixture(scope="session")
def alice(server):
    return server.add_user("alice", "Alice A", "a@example.org")


@pytest.fixture
def browser(alice):
    return alice.browser()


@pytest.fixture(scope="session")
def portal(server):
    """The app through which Alice runs actions."""
    return server.create_client("Beamline Portal", "confidential_client", CALLBACK)
