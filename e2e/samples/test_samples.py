"""The samples of `examples/`: somebody follows their READMEs in order, in one shell; then they are put to the test.

What they follow is printed there for people; `guides/guide.py` says how it is read.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import uuid

import globus_sdk
import pytest
import requests

from browser import Page, query
from flows import portal_login
from groups import Groups
from guide import Block, Reader, blocks
from portolan import CALLBACK, Server
from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
# In the order of the map, which stands in the first.
READMES = ["README.md"] + [
    f"{name}/README.md"
    for name in ("archive", "service", "portal", "portal-python", "service-account", "action-provider")
]
PORTS = tuple(str(9001 + number) for number in range(6))
PORTALS = {"portal": ("9001", "Data Portal"), "portal-python": ("9006", "Python Portal")}
GROUPS_CLIENT = "2cedc549-9c13-4a46-b015-5c4e46413069"
MANAGE_CONSENTS = "urn:globus:auth:scope:auth.globus.org:manage_consents"


class Samples:
    """The folder in which somebody has followed the READMEs."""

    def __init__(self, server: Server, folder: pathlib.Path) -> None:
        self.server = server
        self.folder = folder
        self.alice = server.add_user("alice", "Alice Example", "alice@example.org")
        # Secrets are written beside the samples, so they are followed in a copy.
        shutil.copytree(EXAMPLES, folder / "examples")
        self.reader = Reader(server, self.alice, folder, pathlib.Path(os.environ["SAMPLES_PYTHON"]), PORTS)
        # Whoever follows them may use the command line for another server, too.
        login = "export PORTOLAN_CLIENT_ID=elsewhere PORTOLAN_CLIENT_SECRET=elsewhere\n"
        self.reader.shell.run(Block("sh", login, 0), lambda link: "")
        # Redirect URIs have ports in them.
        clients = folder / "examples" / "samples.toml"
        clients.write_text(self.reader.here(clients.read_text()))
        for program in pathlib.Path(os.environ["DEBUG_PROGRAMS"]).glob("sample-*"):
            if not program.suffix:
                (folder / "bin" / program.name).symlink_to(program)

    def follow(self, readme: str) -> int:
        found = [block for block in blocks((EXAMPLES / readme).read_text()) if block.kind == "sh"]
        for block in found:
            self.reader.follow(block)
        return len(found)

    def url(self, port: str) -> str:
        return f"http://localhost:{self.reader.ports[port]}"

    def client(self, name: str) -> tuple[str, str]:
        """Id and secret, as the READMEs have made them."""
        identifier = self.server.command("client", "show", name)["client"]["id"]
        return identifier, (self.folder / "examples" / "secrets" / name).read_text().strip()


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    kept = {k: os.environ.pop(k) for k in list(os.environ) if k.startswith("GLOBUS_")}
    with Server.from_environment("samples") as server:
        os.environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = server.base_url
        samples = Samples(server, tmp_path_factory.mktemp("samples"))
        try:
            yield samples
        finally:
            samples.reader.close()
            del os.environ["GLOBUS_SDK_SERVICE_URL_AUTH"]
            os.environ.update(kept)


@pytest.mark.parametrize("readme", READMES)
def test_readme(samples, readme):
    assert samples.follow(readme) >= 1, "a README of a sample is about doing something"


def test_secrets_are_for_their_owner_only(samples):
    secrets = list((samples.folder / "examples" / "secrets").iterdir())

    assert len(secrets) == 7
    assert [path for path in secrets if path.stat().st_mode & 0o077] == []


def chromium(samples, sample, stage):
    """One stage of `browser/samples.mjs`: what it does is told there."""
    port, name = PORTALS[sample]
    work = {
        "stage": stage,
        "auth": samples.server.base_url.rstrip("/"),
        "portal": samples.url(port),
        "name": name,
        "person": {"username": samples.alice.username, "password": samples.alice.password},
        "state": str(samples.folder / f"{sample}.browser.json"),
        "screens": os.environ.get("PORTOLAN_E2E_DIR") or str(samples.folder),
    }
    done = subprocess.run(
        ["node", str(ROOT / "e2e" / "browser" / "samples.mjs")],
        input=json.dumps(work),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


@pytest.mark.parametrize("sample", PORTALS)
def test_people_use_the_portal_in_chromium(samples, sample):
    chromium(samples, sample, "sign-in")
    # So that the service finds the login too old.
    samples.server.age_browsers_of(samples.alice)

    chromium(samples, sample, "portal")


def sign_in(portal, browser):
    """Somebody signs in at a portal; returns what it shows them then."""
    begun = browser.session.get(f"{portal}/login", allow_redirects=False, timeout=30)
    return come_back(portal, browser, browser.authorize(begun.headers["Location"]))


def come_back(portal, browser, callback):
    answer = browser.session.get(callback, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return Page.read(browser.session.get(f"{portal}/", timeout=30))


@pytest.mark.parametrize("sample", PORTALS)
def test_what_somebody_asked_for_is_not_done_as_somebody_else(samples, bob, sample):
    portal = samples.url(PORTALS[sample][0])
    browser = samples.alice.browser()
    sign_in(portal, browser)
    # So that the service finds the login too old.
    samples.server.age_browsers_of(samples.alice)
    page = sign_in(portal, browser)
    (calibrate,) = (form for form in page.forms if form.action == "/calibrations")
    asked = browser.submit(page, calibrate, {}).headers["Location"]
    assert query(asked)["prompt"] == "login"

    # At Auth somebody else signs in.
    page = come_back(portal, browser, bob.browser().authorize(asked))

    assert "Signed in as Bob Example" in page.text
    assert "Somebody else wanted it done, so nothing was done." in page.text
    assert "Nothing yet." in page.text


def test_the_python_portal_at_another_auth_and_without_one(samples):
    identifier, _ = samples.client("Python Portal")
    variables = {
        "CLIENT_ID": identifier,
        "CLIENT_SECRET_FILE": str(samples.folder / "examples" / "secrets" / "Python Portal"),
        "PORTAL_URL": "http://localhost",
        "SERVICE_ID": "service",
        "SERVICE_SCOPE": "scope",
        "SERVICE_URL": "http://localhost:1",
    }
    done = subprocess.run(
        [os.environ["SAMPLES_PYTHON"], str(pathlib.Path(__file__).with_name("other_auth.py"))],
        env=variables | {"PYTHONPATH": str(EXAMPLES / "portal-python"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    # 502: the code was taken to Auth, which knows none there.
    assert json.loads(done.stdout) == {
        "announced": {"right": 502, "missing": 400, "wrong": 400},
        "not announced": {"right": 502, "missing": 502, "wrong": 400},
        "away": 502,
        "signed out": [303, True],
    }


def test_nothing_that_the_samples_print_holds_a_code_or_a_token(samples):
    """Whatever they wrote while all of the above happened."""
    # What the programs in the background have said since comes with the next block.
    said = samples.reader.shell.run(Block("sh", "cat portal-python.log\n", 0), lambda link: "")

    assert "Serving Flask app" in said
    assert re.findall(r"AgP\w+|eyJ\w+", said) == []


@pytest.fixture(scope="module")
def bob(samples):
    return samples.server.add_user("bob", "Bob Example", "bob@example.org")


class Provider:
    """The sample, started once more with lists of its own, and a Groups service beside it."""

    def __init__(self, samples, groups, **lists: str) -> None:
        self.id, _ = samples.client("Wait")
        self.scope = f"https://auth.globus.org/scopes/{self.id}/action_all"
        port = free_port()
        self.url = f"http://localhost:{port}"
        variables = {
            "LISTEN": f"127.0.0.1:{port}",
            "CLIENT_ID": self.id,
            "CLIENT_SECRET_FILE": str(samples.folder / "examples" / "secrets" / "Wait"),
            "SCOPE": self.scope,
            "CONTACT": "actions@example.org",
            "GLOBUS_SDK_SERVICE_URL_AUTH": samples.server.base_url,
            "GLOBUS_SDK_SERVICE_URL_GROUPS": groups.base_url,
        }
        program = samples.folder / "bin" / "sample-action-provider"
        self.process = subprocess.Popen([program], env=variables | lists, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith("ready at")

    def call(self, method, path, token=None, document=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = requests.request(method, f"{self.url}{path}", json=document, headers=headers, timeout=30)
        assert answer.headers["Content-Type"] == "application/json"
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def groups(samples):
    service = Groups(GROUPS_CLIENT, samples.server.create_secret(GROUPS_CLIENT))
    yield service
    service.close()


@pytest.fixture(scope="module")
def night_shift():
    return str(uuid.uuid4())


@pytest.fixture(scope="module")
def provider(samples, groups, night_shift, bob):
    people = " ".join(f"urn:globus:auth:identity:{person.id}" for person in (samples.alice, bob))
    provider = Provider(samples, groups, VISIBLE_TO=people, RUNNABLE_BY=f"urn:globus:groups:id:{night_shift}")
    yield provider
    provider.process.terminate()
    provider.process.wait(timeout=10)


@pytest.fixture(scope="module")
def runner(samples):
    """The app through which people run actions."""
    return samples.server.create_client("Action Runner", "confidential_client", CALLBACK)


def token_of(runner, person, provider, more=""):
    _, tokens = portal_login(runner, person.browser(), f"openid {provider.scope} {more}".strip())
    return tokens


def run(request_id, seconds=3600, **more):
    return {"request_id": request_id, "body": {"seconds": seconds}, **more}


def error(answer):
    status, document = answer
    assert set(document) == {"code", "description"}
    return status, document["code"]


def test_the_action_provider_knows_who_may(samples, provider, groups, night_shift, runner, bob):
    groups.members = {bob.id: [night_shift]}
    alice = token_of(runner, samples.alice, provider).by_resource_server[provider.id]["access_token"]
    bobs = token_of(runner, bob, provider).by_resource_server[provider.id]["access_token"]
    elsewhere = token_of(runner, bob, provider).by_resource_server["auth.globus.org"]["access_token"]
    night = globus_sdk.ConfidentialAppAuthClient(*samples.client("Night Shift"))
    nights = night.oauth2_client_credentials_tokens(provider.scope).by_resource_server[provider.id]["access_token"]

    assert provider.call("GET", "/", bobs)[0] == 200
    assert provider.call("GET", "/", alice)[0] == 200
    assert error(provider.call("GET", "/", nights)) == (403, "UnauthorizedRequest")
    assert error(provider.call("GET", "/")) == (401, "UnauthorizedRequest")
    assert error(provider.call("GET", "/", elsewhere)) == (401, "UnauthorizedRequest")
    assert provider.call("POST", "/run", bobs, run("one"))[0] == 202
    assert error(provider.call("POST", "/run", alice, run("one"))) == (403, "UnauthorizedRequest")
    groups.members = {samples.alice.id: [night_shift]}
    assert provider.call("POST", "/run", alice, run("one"))[0] == 202
    assert error(provider.call("POST", "/run", bobs, run("two"))) == (403, "UnauthorizedRequest")


def test_actions_belong_to_who_began_them(samples, provider, groups, night_shift, runner, bob):
    groups.members = {samples.alice.id: [night_shift], bob.id: [night_shift]}
    alice = token_of(runner, samples.alice, provider).by_resource_server[provider.id]["access_token"]
    bobs = token_of(runner, bob, provider).by_resource_server[provider.id]["access_token"]
    shown = {"monitor_by": [f"urn:globus:auth:identity:{bob.id}"]}
    _, own = provider.call("POST", "/actions", alice, run("own"))
    _, both = provider.call("POST", "/actions", alice, run("both", **shown))

    assert provider.call("POST", "/run", alice, run("own")) == (202, own), "asked again, it is the same action"
    assert error(provider.call("POST", "/run", alice, run("own", 1))) == (409, "ActionConflict")
    assert provider.call("POST", "/run", bobs, run("own"))[1]["action_id"] != own["action_id"]
    assert error(provider.call("GET", f"/{own['action_id']}/status", bobs)) == (404, "ActionNotFound")
    assert error(provider.call("GET", "/actions/none", bobs)) == (404, "ActionNotFound")
    assert provider.call("GET", f"/actions/{both['action_id']}", bobs)[1]["status"] == "ACTIVE"
    assert error(provider.call("POST", f"/{both['action_id']}/cancel", bobs)) == (404, "ActionNotFound")
    assert error(provider.call("DELETE", f"/actions/{both['action_id']}", alice)) == (409, "ActionConflict")
    assert provider.call("POST", f"/actions/{both['action_id']}/cancel", alice)[1]["status"] == "FAILED"
    assert provider.call("DELETE", f"/actions/{both['action_id']}", alice)[0] == 200


def test_actions_keep_their_deadline(samples, provider, groups, night_shift, runner):
    groups.members = {samples.alice.id: [night_shift]}
    token = token_of(runner, samples.alice, provider).by_resource_server[provider.id]["access_token"]
    past, future = "2026-01-01T00:00:00Z", "2126-01-01T00:00:00Z"

    assert error(provider.call("POST", "/run", token, run("never", 0, deadline=past))) == (
        422,
        "RequestValidationError",
    )
    assert provider.call("POST", "/run", token, run("in time", deadline=future))[0] == 202


def test_without_the_branch_to_groups_nobody_is_in_a_group(samples, provider, groups, night_shift, runner):
    groups.members = {samples.alice.id: [night_shift]}
    tokens = token_of(runner, samples.alice, provider, MANAGE_CONSENTS).by_resource_server
    token = tokens[provider.id]["access_token"]
    assert provider.call("POST", "/run", token, run("before"))[0] == 202
    manager = globus_sdk.AuthClient(
        authorizer=globus_sdk.AccessTokenAuthorizer(tokens["auth.globus.org"]["access_token"])
    )
    consents = manager.get_consents(samples.alice.id)["consents"]
    (branch,) = (c["id"] for c in consents if len(c["dependency_path"]) == 2 and c["client"] == provider.id)

    manager.delete(f"/v2/api/identities/{samples.alice.id}/consents/{branch}")

    assert error(provider.call("POST", "/run", token, run("after"))) == (403, "UnauthorizedRequest")
    assert provider.call("GET", "/", token)[0] == 200, "as herself she is known"


def test_the_toolkit_reads_every_document(samples, provider, groups, night_shift, runner):
    """globus-action-provider-tools' own types take what the sample says."""
    groups.members = {samples.alice.id: [night_shift]}
    token = token_of(runner, samples.alice, provider).by_resource_server[provider.id]["access_token"]
    _, begun = provider.call("POST", "/run", token, run("toolkit", label="Read me", release_after="P30D"))
    _, done = provider.call("POST", "/run", token, run("at once", 0))
    documents = {
        "ActionProviderDescription": [provider.call("GET", "/", token)[1]],
        "ActionStatus": [
            begun,
            provider.call("GET", f"/{done['action_id']}/status", token)[1],
            provider.call("POST", f"/{begun['action_id']}/cancel", token)[1],
        ],
        "ActionLogReturn": [provider.call("GET", f"/{done['action_id']}/log", token)[1]],
    }
    assert [one["status"] for one in documents["ActionStatus"]] == ["ACTIVE", "SUCCEEDED", "FAILED"]
    assert {one["release_after"] for one in documents["ActionStatus"]} == {"P1D"}, "the same for all"

    checked = subprocess.run(
        [os.environ["ACTION_PROVIDER_PYTHON"], str(pathlib.Path(__file__).with_name("toolkit.py"))],
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.split() == ["5", "documents"]


def test_the_map_names_every_sample():
    index = (EXAMPLES / "README.md").read_text()
    folders = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))

    assert folders == sorted(readme.split("/")[0] for readme in READMES[1:])
    assert [name for name in folders if f"({name}/README.md)" not in index] == []
    assert "examples/README.md" in (ROOT / "README.md").read_text()
    # What people build is what is there.
    programs = sorted(path.parent.name for path in EXAMPLES.glob("*/Cargo.toml"))
    assert [name for name in programs if f"-p sample-{name}" not in index] == []


def test_links_in_readmes_lead_somewhere():
    missing = []
    for readme in READMES:
        path = EXAMPLES / readme
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                missing.append(f"{readme}: {target}")

    assert missing == []
