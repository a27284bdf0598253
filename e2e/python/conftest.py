"""One server, one person and two clients for all tests of this folder."""

import os
import pathlib
import sys

import globus_sdk
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import every_method  # noqa: E402
from dns import NameServer  # noqa: E402
from flows import EMAIL, developer  # noqa: E402
from portolan import CALLBACK, Server  # noqa: E402

# The 4.x line has dropped the calls that the one file is about, and brought what the other one compares with.
collect_ignore = ["test_rust_sdk.py"] if globus_sdk.__version__.startswith("3.") else ["test_validate.py"]


every_method.watch()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """What the whole folder must have done can only be asked at the end, and only of the whole folder."""
    folder = pathlib.Path(__file__).parent
    present = {path for path in folder.glob("test_*.py") if path.name not in collect_ignore}
    last = [item for item in items if item.path.name == every_method.FILE]
    items[:] = [item for item in items if item not in last]
    chosen = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    if not chosen and {item.path for item in items + last} == present:
        items += last
    else:
        config.hook.pytest_deselected(items=last)


@pytest.fixture(scope="session")
def name_server():
    """Where the server looks for proofs of domain names; it runs only in the tests that are about them."""
    name_server = NameServer()
    yield name_server
    name_server.close()


@pytest.fixture(scope="session")
def server(name_server):
    with Server.from_environment("python", settings={"dns_resolver": name_server.address}) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def surroundings(server):
    """The SDK reads the address of the server from the environment, exactly as its users set it."""
    kept = {k: v for k, v in os.environ.items() if k.startswith("GLOBUS_")}
    for name in kept:
        del os.environ[name]
    os.environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = server.base_url
    yield
    del os.environ["GLOBUS_SDK_SERVICE_URL_AUTH"]
    os.environ.update(kept)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Each test has its own home folder, where apps keep their tokens."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def alice(server):
    return server.add_user("alice", "Alice A", "a@example.org")


@pytest.fixture(scope="session")
def browser(alice):
    """Alice's browser; she stays signed in from one test to the next."""
    return alice.browser()


@pytest.fixture(scope="session")
def native(server):
    return server.create_client("Beamline Console", "public_installed_client")


@pytest.fixture(scope="session")
def portal(server):
    return server.create_client("Beamline Portal", "confidential_client", CALLBACK)


@pytest.fixture
def api(portal, browser):
    """Alice's token for her projects."""
    return developer(portal, browser)


@pytest.fixture
def project(api, alice):
    return api.create_project("Beamline", EMAIL, admin_ids=alice.id)["project"]["id"]
