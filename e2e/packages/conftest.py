import os
import pathlib
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
for folder in ("lib", "guides"):
    sys.path.insert(0, str(HERE.parent / folder))

from machine import Machine, leave_the_network, remove_leftovers  # noqa: E402


def pytest_configure(config):
    remove_leftovers()
    leave_the_network()


def boot(kind, tmp_path, **more):
    """A machine; what it writes is large and therefore not in the system's temporary folder."""
    folder = os.environ.get("PORTOLAN_E2E_DIR")
    place = tempfile.mkdtemp(dir=folder) if folder else tmp_path
    return Machine(pathlib.Path(os.environ[kind]), pathlib.Path(place), **more)


@pytest.fixture
def clean_machine(tmp_path):
    """A minimal system, freshly installed."""
    with boot("DEBIAN_CLEAN", tmp_path) as machine:
        yield machine


@pytest.fixture
def machine(tmp_path):
    """The same, with nginx, PostgreSQL and the tools that guides use."""
    with boot("DEBIAN_SERVICES", tmp_path) as machine:
        yield machine


@pytest.fixture
def package():
    return pathlib.Path(os.environ["PORTOLAN_DEB"])


@pytest.fixture
def next_package():
    """The same program under a higher version."""
    return pathlib.Path(os.environ["PORTOLAN_DEB_NEXT"])
