"""Schemathesis against the real server, from the description that the server gives of itself.

It starts a server, makes a person, clients and tokens, and lets schemathesis call every operation with examples, with
boundary values and with generated data, good and bad. It fails if an answer has a status or a document that the
description does not list, if anything is a fault of the server, or if an operation never succeeds: then its calls were
all refused, and nothing was looked at. What makes calls succeed stands in `hooks.py`.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import requests

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

from dns import NameServer  # noqa: E402
from portolan import Server  # noqa: E402
from world import World  # noqa: E402

# The same calls in each run, as far as the ids that a server makes allow it.
SEED = "20260301"
EXAMPLES = os.environ.get("PORTOLAN_E2E_EXAMPLES", "50")

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]

# Refusals for frequent failures have tests of their own; here most calls are failures.
SETTINGS = {
    "limits_failed_client_authentications_per_minute": "1000000",
    "limits_template_registrations_per_hour": "1000000",
    "limits_logins_per_minute": "100000",
}


def main() -> None:
    name_server = NameServer()
    try:
        settings = SETTINGS | {"dns_resolver": name_server.address}
        with Server.from_environment("schemathesis", settings=settings) as server:
            directory = server.data.parent
            (directory / "world.json").write_text(json.dumps(World.prepare(server, name_server).saved()))
            # From a file: read from its address, it would not count as an operation itself.
            description = requests.get(f"{server.base_url}v2/openapi.json", timeout=30).json()
            (directory / "openapi.json").write_text(json.dumps(description))
            status = run(server, directory)
            missing = never_succeeded(description, json.loads((directory / "tally.json").read_text()))
    finally:
        name_server.close()
    if missing:
        print(f"no success was seen of: {', '.join(missing)}")
    if status or missing:
        raise SystemExit(1)


def run(server: Server, directory: pathlib.Path) -> int:
    command = [
        str(pathlib.Path(sys.executable).with_name("schemathesis")),
        *("run", "openapi.json", "--url", server.base_url),
        *("--phases", "examples,coverage,fuzzing"),
        *("--checks", ",".join(CHECKS)),
        *("--seed", SEED, "--generation-database", "none"),
        *("--max-examples", EXAMPLES),
        *("--suppress-health-check", "all", "--warnings", "off"),
        *("--workers", "1", "--no-color", "--continue-on-failure"),
        *sys.argv[1:],
    ]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
        "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent / 'lib'}",
        "PORTOLAN_E2E_WORLD": str(directory / "world.json"),
        "PORTOLAN_E2E_TALLY": str(directory / "tally.json"),
    }
    return subprocess.run(command, env=environment, cwd=directory).returncode


def never_succeeded(description: dict, tally: dict[str, dict[str, int]]) -> list[str]:
    """The operations without an answer of 200 to 299; prints what each got."""
    names = [operation["operationId"] for path in description["paths"].values() for operation in path.values()]
    for name in names:
        got = sorted(tally.get(name, {}).items())
        print(f"{name:<26}" + "  ".join(f"{status}: {number}" for status, number in got))
    return [name for name in names if not any(status.startswith("2") for status in tally.get(name, {}))]


if __name__ == "__main__":
    main()
