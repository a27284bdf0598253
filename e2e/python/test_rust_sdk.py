"""The Rust SDK beside the Python one: they read the same scopes, and each other's token files.

`crates/sdk/examples/side_by_side.rs` is driven; only 4.x has the scopes and files that it follows.
"""

import json
import os
import pathlib
import random
import subprocess

import pytest
from globus_sdk import scopes, token_storage

from flows import native_login

PROGRAM = pathlib.Path(os.environ["DEBUG_PROGRAMS"], "examples", "side_by_side")
RECORD = {
    "resource_server": "groups.api.globus.org",
    "identity_id": "9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d",
    "scope": "openid email",
    "access_token": 'Ag "quoted" ünïcode',
    "refresh_token": "Rt",
    "expires_at_seconds": 1790000000,
    "token_type": "Bearer",
}


def rust(*arguments, text=""):
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def generated(count):
    """Well-formed requests, broken ones, and noise, from a fixed seed."""
    chance = random.Random(20261126)
    names = ["a", "b", "c", "d", "urn:x:y", "https://auth.globus.org/scopes/z/w", "a,b", "é", "tab\tname"]

    def tree(depth):
        text = chance.choice(["", "", "*"]) + chance.choice(names)
        if depth and chance.random() < 0.4:
            inner = chance.choice([" ", "  "]).join(tree(depth - 1) for _ in range(chance.randint(1, 3)))
            text += "[" + chance.choice(["", " "]) + inner + chance.choice(["", " "]) + "]"
        return text

    for number in range(count):
        if number % 4 == 0:
            yield "".join(chance.choice("ab *[]\t\n\x1d,") for _ in range(chance.randint(0, 12)))
            continue
        text = chance.choice([" ", "  "]).join(tree(3) for _ in range(chance.randint(0, 4)))
        if number % 4 == 1 and text:
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(["", " ", "*", "[", "]", "]["]) + text[at + chance.randint(0, 1):]
        yield text


def python_scopes(text):
    def plain(read):
        trees = [[scope.scope_string, scope.optional, plain(scope.dependencies)] for scope in read]
        return sorted(trees, key=lambda tree: json.dumps(tree, separators=(",", ":"), ensure_ascii=False))

    try:
        return plain(scopes.ScopeParser.parse(text))
    except scopes.ScopeCycleError:
        return "ScopeCycleError"
    except scopes.ScopeParseError:
        return "ScopeParseError"


def test_both_read_the_same_scopes():
    texts = list(generated(10_000))
    lines = rust("scopes", text="".join(json.dumps(text) + "\n" for text in texts)).splitlines()
    assert len(lines) == len(texts)
    kinds = set()
    for text, line in zip(texts, lines):
        expected = python_scopes(text)
        assert json.loads(line) == expected, text
        kinds.add(expected if isinstance(expected, str) else "trees")
    assert kinds == {"trees", "ScopeParseError", "ScopeCycleError"}


def storage(kind, file, namespace):
    if kind == "json":
        return token_storage.JSONTokenStorage(file, namespace=namespace)
    return token_storage.SQLiteTokenStorage(file, namespace=namespace)


@pytest.mark.parametrize("kind", ["json", "sqlite"])
def test_each_reads_the_files_of_the_other(kind, tmp_path):
    data = token_storage.TokenStorageData(**RECORD)
    bare = token_storage.TokenStorageData(
        **{**RECORD, "identity_id": None, "refresh_token": None, "token_type": None}
    )
    for first, namespace in (("python", "DEFAULT"), ("rust", "DEFAULT"), ("python", "other"), ("rust", "other")):
        file = tmp_path / f"{first}-{namespace}"
        ours = {"a": data.to_dict(), "b": bare.to_dict()}
        if first == "python":
            written = storage(kind, file, namespace)
            written.store_token_data_by_resource_server({"a": data, "b": bare})
            written.close()
            assert json.loads(rust("load", kind, file, namespace)) == ours
        rust("store", kind, file, namespace, text=json.dumps({"a": ours["a"], "b": ours["b"], "c": ours["a"]}))
        assert file.stat().st_mode & 0o777 == 0o600
        read = storage(kind, file, namespace)
        found = {name: stored.to_dict() for name, stored in read.get_token_data_by_resource_server().items()}
        assert found == {**ours, "c": ours["a"]}
        assert read.remove_token_data("c")
        read.close()
        assert json.loads(rust("load", kind, file, namespace)) == ours


@pytest.mark.parametrize("kind", ["json", "sqlite"])
def test_each_renews_what_the_other_stored(kind, native, browser, tmp_path):
    client, response = native_login(native, browser, "openid", refresh_tokens=True)
    file = tmp_path / "tokens"
    written = storage(kind, file, "DEFAULT")
    written.store_token_response(response)
    first = written.get_token_data("auth.globus.org")

    rust("renew", kind, file, "DEFAULT", native["id"], "auth.globus.org")

    second = written.get_token_data("auth.globus.org")
    assert second.access_token != first.access_token
    assert second.identity_id == first.identity_id
    renewed = client.oauth2_refresh_token(second.refresh_token)
    written.store_token_response(renewed)
    loaded = json.loads(rust("load", kind, file, "DEFAULT"))
    assert loaded["auth.globus.org"]["access_token"] == renewed["access_token"]
    written.close()
