"""Every guide in docs/guides, from its first command to its last, each against a server of its own."""

import os
import pathlib
import re
import sys

import pytest

from guide import Block, Reader, blocks, pattern
from portolan import Server

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "docs" / "guides"
GUIDES = sorted(path.name for path in FOLDER.glob("*.md") if path.name != "README.md")

# Guides start small services on this machine, which the server may call.
SETTINGS = {"outgoing_allow": "127.0.0.1/32"}

# globus-action-provider-tools needs globus-sdk 3, and lives in an environment of its own.
PYTHON = {"action-provider.md": os.environ.get("ACTION_PROVIDER_PYTHON")}


def read(name, server, person, folder):
    """Somebody follows a guide to its end."""
    folder.mkdir()
    reader = Reader(server, person, folder, pathlib.Path(PYTHON.get(name) or sys.executable))
    try:
        found = blocks((FOLDER / name).read_text())
        assert sum(block.kind == "sh" for block in found) >= 3, "a guide is about doing something"
        for block in found:
            reader.follow(block)
    finally:
        reader.close()


def alice(server):
    return server.add_user("alice", "Alice Example", "alice@example.org")


@pytest.mark.parametrize("name", GUIDES)
def test_guide(name, tmp_path):
    with Server.from_environment(f"guide-{name.removesuffix('.md')}", settings=SETTINGS) as server:
        read(name, server, alice(server), tmp_path / "guide")


def test_one_guide_after_the_other(tmp_path):
    """As somebody does it who reads them all, on the server that they have."""
    index = (FOLDER / "README.md").read_text()
    order = sorted(GUIDES, key=lambda name: index.index(f"({name})"))
    with Server.from_environment("guides", settings=SETTINGS) as server:
        person = alice(server)
        for name in order:
            read(name, server, person, tmp_path / name)


def test_every_guide_can_be_found():
    front = (ROOT / "README.md").read_text()
    index = (FOLDER / "README.md").read_text()

    assert "docs/guides/README.md" in front
    assert [name for name in GUIDES if f"({name})" not in index] == []
    assert [name for name in GUIDES if f"(docs/guides/{name})" not in front] == []


def test_links_in_guides_lead_somewhere():
    missing = []
    for path in FOLDER.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                missing.append(f"{path.name}: {target}")

    assert missing == []


def test_a_printed_answer_is_read_as_people_read_it():
    expected = pattern('{\n  "id": "…",\n  …\n  "last": 1\n}\n')

    assert expected.fullmatch('{\n  "id": "abc",\n  "x": [\n    2\n  ],\n  "last": 1\n}\n')
    assert expected.fullmatch('{\n  "id": "abc",\n  "last": 1\n}\n')
    assert not expected.fullmatch('{\n  "id": "abc",\n  "last": 2\n}\n')
    assert not expected.fullmatch('{\n  "id": "abc",\n  "last": 1\n}\nmore\n')


def test_an_answer_belongs_to_the_command_right_before_it():
    found = blocks("```sh\na\n```\n\n```text\nA\n```\n\n```sh\nb\n```\n\nWords.\n\n```text\nB\n```\n")

    assert found == [
        Block("sh", "a\n", 1, "A\n"),
        Block("sh", "b\n", 9),
        Block("text", "B\n", 15),
    ]
