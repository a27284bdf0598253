"""UserApp and ClientApp of globus-sdk log in once, keep their tokens, and use them again."""

import re
import stat
import threading
import webbrowser

import globus_sdk
import pytest
import requests
from globus_sdk import ClientApp, GlobusAppConfig, UserApp
from globus_sdk.login_flows import CommandLineLoginFlowManager

from flows import portal_client, userinfo_status
from portolan import AUTH, CALLBACK, TRANSFER, TRANSFER_ALL

try:
    from globus_sdk.token_storage.validating_token_storage import IdentityMismatchError, UnmetScopeRequirementsError
except ModuleNotFoundError:  # The 3.x line keeps it elsewhere.
    from globus_sdk.tokenstorage.v2.validating_token_storage import (
        IdentityMismatchError,
        UnmetScopeRequirementsError,
    )


def command_line(browser, logins):
    """The SDK's own command-line flow; in place of the terminal stands the form browser."""

    class Person(CommandLineLoginFlowManager):
        def print_authorize_url(self, authorize_url):
            logins.append(browser.code(authorize_url))

        def prompt_for_code(self):
            return logins[-1]

    return Person


def token_file(home):
    (path,) = home.glob(".globus/app/**/*tokens.json")
    return path


def test_user_app_logs_in_once_and_again_after_logout(native, portal, alice, browser, home):
    logins = []
    config = GlobusAppConfig(login_flow_manager=command_line(browser, logins), request_refresh_tokens=True)

    def app():
        return UserApp(
            "Chart Room",
            client_id=native["id"],
            scope_requirements={TRANSFER: [TRANSFER_ALL]},
            config=config,
        )

    first = app()
    assert first.login_required() is True
    assert globus_sdk.AuthClient(app=first).userinfo()["sub"] == alice.id
    assert len(logins) == 1
    assert stat.S_IMODE(token_file(home).stat().st_mode) == 0o600

    second = app()
    second_api = globus_sdk.AuthClient(app=second)
    assert second.login_required() is False
    assert second_api.userinfo()["preferred_username"] == alice.username
    assert second.get_authorizer(TRANSFER).get_authorization_header().startswith("Bearer Ag")
    assert len(logins) == 1

    kept = second.token_storage.get_token_data_by_resource_server()
    assert set(kept) == {AUTH, TRANSFER}
    assert kept[AUTH].identity_id == alice.id
    assert kept[AUTH].refresh_token and kept[TRANSFER].refresh_token

    second.logout()
    assert userinfo_status(kept[AUTH].access_token) == 401
    with pytest.raises(globus_sdk.AuthAPIError) as refused:
        globus_sdk.NativeAppAuthClient(native["id"]).oauth2_refresh_token(kept[TRANSFER].refresh_token)
    assert refused.value.raw_json["error"] == "invalid_grant"

    third = app()
    assert third.login_required() is True
    assert globus_sdk.AuthClient(app=third).userinfo()["sub"] == alice.id
    assert len(logins) == 2


@pytest.fixture(scope="module")
def collections(server):
    """Two collections of a storage service, each with the scope under which Transfer reaches its data."""
    made = [server.create_client(name, "globus_connect_server") for name in ("Harbour Store", "Deep Store")]
    return [server.create_scope(collection, "data_access")["scope_string"] for collection in made]


@pytest.mark.parametrize("mark", ["*", ""], ids=["optional", "required"])
def test_user_app_with_dependencies_is_satisfied_by_one_login(mark, server, collections, alice, browser):
    native = server.create_client("Chart Table", "public_installed_client")
    logins = []
    config = GlobusAppConfig(login_flow_manager=command_line(browser, logins), request_refresh_tokens=True)

    def app(*data_access):
        needs = " ".join(mark + scope for scope in data_access)
        return UserApp(
            "Chart Table",
            client_id=native["id"],
            scope_requirements={TRANSFER: [f"{TRANSFER_ALL}[{needs}]"]},
            config=config,
        )

    # The SDK asks for the consents right after the login, and again each time it takes a token out of its store.
    first = app(collections[0])
    assert first.get_authorizer(TRANSFER).get_authorization_header().startswith("Bearer Ag")
    assert len(logins) == 1

    again = app(collections[0])
    assert again.login_required() is False
    assert again.get_authorizer(TRANSFER).get_authorization_header().startswith("Bearer Ag")
    assert len(logins) == 1

    more = app(*collections)
    assert more.get_authorizer(TRANSFER).get_authorization_header().startswith("Bearer Ag")
    assert len(logins) == 2
    assert app(*collections).login_required() is False
    assert set(more.token_storage.get_token_data_by_resource_server()) == {AUTH, TRANSFER}


def test_user_app_notices_that_a_dependency_was_declined(server, collections, alice, browser):
    native = server.create_client("Chart Drawer", "public_installed_client")
    logins = []

    class Declining(CommandLineLoginFlowManager):
        def print_authorize_url(self, authorize_url):
            logins.append(browser.code(authorize_url, decline_optional=True))

        def prompt_for_code(self):
            return logins[-1]

    app = UserApp(
        "Chart Drawer",
        client_id=native["id"],
        scope_requirements={TRANSFER: [f"{TRANSFER_ALL}[*{collections[0]}]"]},
        config=GlobusAppConfig(login_flow_manager=Declining),
    )

    with pytest.raises(UnmetScopeRequirementsError):
        app.get_authorizer(TRANSFER)

    assert len(logins) == 1


def test_user_app_refuses_another_person_for_the_same_tokens(server, native, alice, browser):
    bob = server.add_user("bob", "Bob B", "b@example.org")
    logins = []
    app = UserApp(
        "Shared Desk",
        client_id=native["id"],
        config=GlobusAppConfig(login_flow_manager=command_line(browser, logins), request_refresh_tokens=True),
    )
    app.login()
    assert len(logins) == 1

    intruder = UserApp(
        "Shared Desk",
        client_id=native["id"],
        config=GlobusAppConfig(login_flow_manager=command_line(bob.browser(), logins), request_refresh_tokens=True),
    )

    with pytest.raises(IdentityMismatchError) as refused:
        intruder.login(force=True)

    assert (refused.value.stored_id, refused.value.new_id) == (alice.id, bob.id)
    assert len(logins) == 2


def test_client_app_keeps_its_token(portal, home):
    def app():
        return ClientApp("Night Watch", client_id=portal["id"], client_secret=portal["secret"])

    first = app()
    assert globus_sdk.AuthClient(app=first).userinfo()["sub"] == portal["id"]
    token = first.token_storage.get_token_data(AUTH)
    assert token.identity_id == portal["id"]
    assert token.refresh_token is None

    second = app()
    assert globus_sdk.AuthClient(app=second).userinfo()["sub"] == portal["id"]
    assert second.token_storage.get_token_data(AUTH).access_token == token.access_token

    second.logout()
    assert portal_client(portal).oauth2_token_introspect(token.access_token).data == {"active": False}

    third = app()
    assert globus_sdk.AuthClient(app=third).userinfo()["sub"] == portal["id"]
    assert third.token_storage.get_token_data(AUTH).access_token != token.access_token


def test_confidential_user_app_logs_in_through_its_redirect(portal, alice, browser):
    logins = []
    config = GlobusAppConfig(
        login_flow_manager=command_line(browser, logins), login_redirect_uri=CALLBACK, request_refresh_tokens=True
    )

    app = UserApp("Harbour Office", client_id=portal["id"], client_secret=portal["secret"], config=config)

    assert globus_sdk.AuthClient(app=app).userinfo()["sub"] == alice.id
    assert len(logins) == 1


class LocalBrowser(webbrowser.BaseBrowser):
    """What the SDK opens in place of a real browser: it signs in and follows the redirect to the local server."""

    def __init__(self, browser):
        super().__init__("form-browser")
        self.browser = browser
        self.targets = []

    def open(self, url, new=0, autoraise=True):
        target = self.browser.authorize(url)
        self.targets.append(target)
        # The SDK serves its page only after this call has returned.
        threading.Thread(target=requests.get, args=(target,), kwargs={"timeout": 30}, daemon=True).start()
        return True


def test_local_server_login_comes_back_over_loopback(server, alice, monkeypatch):
    native = server.create_client("Lighthouse", "public_installed_client")
    local = LocalBrowser(alice.browser())
    webbrowser.register("form-browser", None, local, preferred=True)
    for name in ("SSH_TTY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    app = UserApp(
        "Lighthouse",
        client_id=native["id"],
        config=GlobusAppConfig(login_flow_manager="local-server", token_storage="memory"),
    )

    assert globus_sdk.AuthClient(app=app).userinfo()["sub"] == alice.id
    assert re.match(r"http://(127\.0\.0\.1|localhost):\d+/?\?", local.targets[0])
    assert local.browser.kinds() == ["login", "consent"]

    # Signed in and allowed long ago: a program on the device still does not get a code behind the person's back.
    app.login(force=True)
    assert len(local.targets) == 2
    assert local.browser.kinds() == ["continue"]
    assert "Continue as " + alice.username in local.browser.pages[0].text
