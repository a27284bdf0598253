"""globus-cli, unmodified, from the first login to the logout."""

import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import threading
import time
import uuid

import pytest

from portolan import AUTH, GROUPS, TRANSFER, TRANSFER_ALL

SEARCH = "search.api.globus.org"
FLOWS = "flows.globus.org"
TIMERS = "524230d7-ea86-4a52-8312-86065a9e0417"
TEMPLATE = "95fdeba8-fac2-42bd-a357-e068d82ff78e"

GLOBUS = os.environ.get("GLOBUS") or str(pathlib.Path(sys.executable).parent / "globus")


class CommandLine:
    """The `globus` command in a home folder of its own."""

    def __init__(self, server, home, **more):
        self.home = home
        unwanted = ("GLOBUS_", "SSH_", "PORTOLAN_")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
        self.environment |= {"HOME": str(home), "GLOBUS_SDK_SERVICE_URL_AUTH": server.base_url, **more}

    def run(self, *arguments, status=0):
        done = subprocess.run(
            [GLOBUS, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, (
            f"globus {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def login(self, browser, *arguments):
        return self.by_link(browser, "login", "--no-local-server", *arguments)

    def by_link(self, browser, *arguments):
        """A command that needs the person: they open the link that it prints and type in the code."""
        process = subprocess.Popen(
            [GLOBUS, *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        alarm = threading.Timer(120, process.kill)
        alarm.start()
        try:
            said, link = "", None
            while link is None:
                line = process.stdout.readline()
                assert line, f"globus {' '.join(arguments)} ended without a link:\n{said}"
                said += line
                found = re.match(r"https?://\S+/v2/oauth2/authorize\?\S+", line)
                link = found and found.group(0)
            code = browser.code(link)
            rest, _ = process.communicate(code + "\n")
        finally:
            alarm.cancel()
            process.kill()
        assert process.returncode == 0, said + rest
        return said + rest

    def tokens(self):
        """What the command line keeps, by resource server."""
        with sqlite3.connect(self.home / ".globus" / "cli" / "storage.db") as store:
            rows = store.execute("SELECT resource_server, token_data_json FROM token_storage").fetchall()
        return {name: json.loads(text) for name, text in rows}

    def instance(self):
        """The client that the first login registered for this machine."""
        with sqlite3.connect(self.home / ".globus" / "cli" / "storage.db") as store:
            (text,) = store.execute(
                "SELECT config_data_json FROM config_storage WHERE config_name = 'auth_client_data'"
            ).fetchone()
        return json.loads(text)


@pytest.fixture(scope="module")
def cli(server, tmp_path_factory):
    return CommandLine(server, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def logged_in(cli, alice):
    """One login that the tests below share, in the order in which a person would go on."""
    browser = alice.browser()
    said = cli.login(browser)
    assert "You have successfully logged in to the Globus CLI!" in said
    cli.browser_kinds = browser.kinds()
    cli.consent_page = next(page for page in browser.pages if page.kind == "consent")
    return cli


def test_nobody_is_logged_in_at_first(server, tmp_path):
    fresh = CommandLine(server, tmp_path)

    done = subprocess.run([GLOBUS, "whoami"], env=fresh.environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 4
    assert "MissingLoginError" in done.stderr


def test_login_shows_login_consent_and_the_code(logged_in):
    assert logged_in.browser_kinds == ["login", "consent", "other"]
    assert "Globus CLI" in logged_in.consent_page.text


def test_login_registers_an_instance_of_the_template(logged_in):
    instance = logged_in.instance()

    assert str(uuid.UUID(instance["client_id"])) == instance["client_id"] != TEMPLATE
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", instance["client_secret"])


def test_login_brings_tokens_for_six_services(logged_in):
    tokens = logged_in.tokens()

    assert set(tokens) == {AUTH, TRANSFER, GROUPS, SEARCH, FLOWS, TIMERS}
    for service in tokens.values():
        assert service["access_token"] and service["refresh_token"]
        assert "[" not in service["scope"]
        assert time.time() + 170000 < service["expires_at_seconds"] < time.time() + 173000
    assert tokens[TIMERS]["scope"] == f"https://auth.globus.org/scopes/{TIMERS}/timer"
    assert "urn:globus:auth:scope:auth.globus.org:view_identity_set" in tokens[AUTH]["scope"].split(" ")


def test_whoami(logged_in, alice):
    assert logged_in.run("whoami").strip() == alice.username

    whole = json.loads(logged_in.run("whoami", "-F", "json"))
    assert (whole["sub"], whole["name"], whole["email"]) == (alice.id, alice.name, alice.email)


def test_whoami_linked_identities(logged_in, alice):
    assert logged_in.run("whoami", "--linked-identities").split() == [alice.username]


def test_whoami_shows_the_accounts_that_are_linked(server, tmp_path):
    walter = server.add_user("walter", "Walter W", "walter@example.org")
    work = server.add_user("walter-at-work", "Walter Work", "walter@work.example.org")
    server.command("user", "link", walter.username, work.username)
    cli = CommandLine(server, tmp_path)
    cli.login(work.browser())

    assert cli.run("whoami").strip() == walter.username, "the primary"
    linked = cli.run("whoami", "--linked-identities").split()
    assert linked == [walter.username, work.username]
    shown = json.loads(cli.run("whoami", "--linked-identities", "-F", "json"))
    assert {one["sub"] for one in shown} == {walter.id, work.id}
    # Who signed in is the other one, and the session says so.
    assert set(json.loads(cli.run("session", "show", "-F", "json"))["authentications"]) == {work.id}


def test_session_show(logged_in, alice):
    session = json.loads(logged_in.run("session", "show", "-F", "json"))

    assert set(session["authentications"]) == {alice.id}
    assert time.time() - 600 < session["authentications"][alice.id]["auth_time"] <= time.time()
    assert str(uuid.UUID(session["session_id"])) == session["session_id"]
    assert alice.username in logged_in.run("session", "show")


@pytest.fixture(scope="module")
def work(server, alice):
    """Another account of Alice."""
    work = server.add_user("work", "Alice at work", "work@example.org")
    server.link(alice, work, "work.example")
    return work


def session_of(cli):
    """Who authenticated in the session of the command line, and when."""
    session = json.loads(cli.run("session", "show", "-F", "json"))
    return {identity: login["auth_time"] for identity, login in session["authentications"].items()}


def update(cli, browser, *arguments):
    said = cli.by_link(browser, "session", "update", "--no-local-server", *arguments)
    assert "You have successfully updated your CLI session." in said
    return said


@pytest.fixture
def own_cli(server, alice, work, tmp_path):
    """A command line in a home of its own, and the browser of Alice in which she logged it in."""
    cli = CommandLine(server, tmp_path)
    browser = alice.browser(work)
    cli.login(browser)
    assert set(session_of(cli)) == {alice.id}
    return cli, browser


def test_session_update_all_asks_for_every_account(own_cli, alice, work):
    cli, browser = own_cli
    before = session_of(cli)
    time.sleep(1.1)

    update(cli, browser, "--all")

    assert browser.kinds() == ["login", "login", "other"]
    after = session_of(cli)
    assert set(after) == {alice.id, work.id}
    assert after[alice.id] > before[alice.id], "prompt=login renews the account that was there"
    assert cli.run("whoami", "--linked-identities").split() == [alice.username, work.username]


def test_session_update_adds_the_named_identity_to_the_session(own_cli, alice, work):
    cli, browser = own_cli
    before = session_of(cli)

    update(cli, browser, work.username)

    assert browser.kinds() == ["login", "other"]
    after = session_of(cli)
    assert set(after) == {alice.id, work.id}
    assert after[alice.id] == before[alice.id], "it was not demanded"
    assert cli.run("whoami").strip() == alice.username


def test_session_update_in_another_browser_holds_exactly_what_was_demanded(own_cli, alice, work):
    cli, _ = own_cli

    update(cli, work.browser(), work.id)

    assert set(session_of(cli)) == {work.id}


def test_session_update_by_domain(own_cli, alice, work):
    cli, _ = own_cli

    update(cli, alice.browser(work), "work.example")

    assert set(session_of(cli)) == {work.id}


def test_session_update_by_policy(own_cli, server, alice, work):
    cli, _ = own_cli
    contact = ["--contact", "a@example.org", "--admin", alice.username]
    project = server.command("project", "create", "--name", "Policies", *contact)["project"]["id"]
    words = ["--name", "Work", "--description", "A recent login at work", "--high-assurance", "--timeout", "30m"]
    made = server.command("policy", "create", "--project", project, *words, "--include-domain", "work.example")
    policy = made["policy"]["id"]
    browser = alice.browser(work)

    update(cli, browser, "--policy", policy)

    assert set(session_of(cli)) == {work.id}
    page = next(page for page in browser.pages if page.kind == "login")
    assert "a sign-in within the last 30 minutes" in page.text


def test_get_identities(logged_in, alice):
    by_name = logged_in.run("get-identities", alice.username)
    assert by_name.strip() == alice.id

    lines = logged_in.run(
        "get-identities", alice.id, alice.username, "nobody@portolan.local", str(uuid.uuid4())
    ).split()
    assert lines == [alice.username, alice.id, "NO_SUCH_IDENTITY", "NO_SUCH_IDENTITY"]

    (record,) = json.loads(logged_in.run("get-identities", alice.id, "-F", "json"))["identities"]
    assert (record["id"], record["username"], record["status"]) == (alice.id, alice.username, "used")


def test_second_login_finds_everything_in_order(logged_in):
    before = logged_in.tokens()

    said = logged_in.run("login", "--no-local-server")

    assert "You are already logged in!" in said
    assert logged_in.tokens() == before


def test_forced_login_asks_for_the_password_and_not_for_consent(logged_in, alice):
    before = logged_in.tokens()
    browser = alice.browser()

    logged_in.login(browser, "--force")

    assert browser.kinds() == ["login", "other"]
    after = logged_in.tokens()
    assert set(after) == set(before)
    assert all(after[name]["access_token"] != before[name]["access_token"] for name in before)
    assert logged_in.run("whoami").strip() == alice.username


def test_login_as_somebody_else_is_refused_by_the_command_line(logged_in, server):
    bob = server.add_user("bob", "Bob B", "b@example.org")

    with pytest.raises(AssertionError, match="didn't match existing credentials"):
        logged_in.login(bob.browser(), "--force")


def test_expired_access_token_is_renewed(logged_in, alice):
    with sqlite3.connect(logged_in.home / ".globus" / "cli" / "storage.db") as store:
        kept = logged_in.tokens()[AUTH]
        old = kept["access_token"]
        kept["expires_at_seconds"] = int(time.time()) - 5
        store.execute(
            "UPDATE token_storage SET token_data_json = ? WHERE resource_server = ?", (json.dumps(kept), AUTH)
        )

    assert logged_in.run("whoami").strip() == alice.username

    renewed = logged_in.tokens()[AUTH]
    assert renewed["access_token"] != old
    assert renewed["refresh_token"] == kept["refresh_token"]


def test_session_consent_adds_what_a_collection_needs(logged_in, server, alice):
    """What the command line tells its user to type when a transfer needs the data of a collection."""
    import globus_sdk

    collection = server.create_client("Harbour Store", "globus_connect_server")
    data_access = server.create_scope(collection, "data_access")["scope_string"]
    wanted = f"{TRANSFER_ALL}[*{data_access}]"
    browser = alice.browser()

    def forest():
        authorizer = globus_sdk.AccessTokenAuthorizer(logged_in.tokens()[AUTH]["access_token"])
        api = globus_sdk.AuthClient(authorizer=authorizer, base_url=server.base_url)
        return api.get_consents(alice.id).to_forest()

    assert not forest().meets_scope_requirements(wanted)

    said = logged_in.by_link(browser, "session", "consent", "--no-local-server", wanted)

    assert "You have successfully updated your CLI session." in said
    assert "consent" in browser.kinds()
    page = next(page for page in browser.pages if page.kind == "consent")
    assert "Use Harbour Store" in page.text
    assert forest().meets_scope_requirements(wanted)
    assert logged_in.run("whoami").strip() == alice.username
    assert set(logged_in.tokens()) == {AUTH, TRANSFER, GROUPS, SEARCH, FLOWS, TIMERS}


def test_logout_revokes_every_token(logged_in, server):
    import globus_sdk

    tokens, instance = logged_in.tokens(), logged_in.instance()
    client = globus_sdk.ConfidentialAppAuthClient(
        instance["client_id"], instance["client_secret"], base_url=server.base_url
    )
    for service in tokens.values():
        assert client.oauth2_token_introspect(service["access_token"])["active"] is True

    said = logged_in.run("logout", "--yes")

    assert "You are now successfully logged out of the Globus CLI." in said
    assert logged_in.tokens() == {}
    for service in tokens.values():
        assert client.oauth2_token_introspect(service["access_token"]).data == {"active": False}
        with pytest.raises(globus_sdk.AuthAPIError) as refused:
            client.oauth2_refresh_token(service["refresh_token"])
        assert refused.value.raw_json["error"] == "invalid_grant"
    assert (
        "MissingLoginError"
        in subprocess.run(
            [GLOBUS, "whoami"], env=logged_in.environment, capture_output=True, text=True, timeout=60
        ).stderr
    )


def test_login_again_after_logout_keeps_the_consents(logged_in, alice):
    browser = alice.browser()

    logged_in.login(browser)

    assert "consent" not in browser.kinds()
    assert logged_in.run("whoami").strip() == alice.username
    logged_in.run("logout", "--yes")


def test_service_account(server, robot, tmp_path):
    cli = CommandLine(server, tmp_path, GLOBUS_CLI_CLIENT_ID=robot["id"], GLOBUS_CLI_CLIENT_SECRET=robot["secret"])
    name = f"{robot['id']}@clients.auth.globus.org"

    assert cli.run("whoami").strip() == name
    assert cli.run("whoami", "--linked-identities").split() == [name]
    assert json.loads(cli.run("session", "show", "-F", "json")) == {"session_id": None, "authentications": {}}
    (token,) = (service["access_token"] for rs, service in cli.tokens().items() if rs == AUTH)

    said = cli.run("logout", "--yes")

    assert f"Revoking all CLI tokens for {name}" in said
    assert "You have successfully revoked all CLI tokens for this client identity" in said
    import globus_sdk

    client = globus_sdk.ConfidentialAppAuthClient(robot["id"], robot["secret"], base_url=server.base_url)
    # The command line names the template when it revokes, and a client of its own is not the template's:
    # the token lives on until somebody who may revokes it.
    assert client.oauth2_token_introspect(token)["active"] is True
    assert cli.run("whoami").strip() == name


def test_wrong_service_account_secret_is_explained(server, robot, tmp_path):
    wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    cli = CommandLine(server, tmp_path, GLOBUS_CLI_CLIENT_ID=robot["id"], GLOBUS_CLI_CLIENT_SECRET=wrong)

    done = subprocess.run([GLOBUS, "whoami"], env=cli.environment, capture_output=True, text=True, timeout=60)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "GLOBUS_CLI_CLIENT" in done.stderr or "401" in done.stderr or "Unable to get user information" in done.stderr
