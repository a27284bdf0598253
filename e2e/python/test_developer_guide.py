"""What the public developer guide and the SDK's outline say, done with nothing but their words and plain HTTP."""

import base64
import hashlib
import secrets
import urllib.parse

import globus_sdk
import pytest
import requests

from browser import query
from flows import bearer, portal_login
from portolan import AUTH, CALLBACK, TRANSFER, TRANSFER_ALL

VIEW_IDENTITIES = "urn:globus:auth:scope:auth.globus.org:view_identities"


def authorize(server, browser, **parameters):
    link = f"{server.base_url}v2/oauth2/authorize?{urllib.parse.urlencode(parameters)}"
    return query(browser.authorize(link))


def basic(client):
    """Section 1.4, word for word."""
    credential = base64.b64encode("{0}:{1}".format(client["id"], client["secret"]).encode()).decode()
    return {"Authorization": "Basic {0}".format(credential)}


@pytest.mark.parametrize("separator", [" ", ","])
@pytest.mark.parametrize("where", ["params", "data"])
def test_a_confidential_client(server, portal, browser, separator, where):
    """Sections 1.2 to 1.4: scopes by space or comma, `offline_access`, the call's parameters in the query or the body."""
    state = secrets.token_hex(12)
    scope = separator.join([TRANSFER_ALL, VIEW_IDENTITIES, "offline_access"])
    request = {
        "client_id": portal["id"],
        "redirect_uri": CALLBACK,
        "scope": scope,
        "state": state,
        "response_type": "code",
    }
    answer = authorize(server, browser, **request)
    assert answer["state"] == state

    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": CALLBACK,
        "client_id": portal["id"],
    }
    url = f"{server.base_url}v2/oauth2/token"
    response = requests.post(url, headers=basic(portal), timeout=30, **{where: form})

    assert response.status_code == 200, response.text
    first = response.json()
    (other,) = first["other_tokens"]
    # The first scope that was asked for is on top, where off-the-shelf libraries look.
    assert (first["scope"], first["resource_server"]) == (TRANSFER_ALL, TRANSFER)
    assert (other["scope"], other["resource_server"]) == (VIEW_IDENTITIES, AUTH)
    for token in (first, other):
        assert (token["expires_in"], token["token_type"], token["state"]) == (172800, "Bearer", state)
        assert token["access_token"] and token["refresh_token"]

    # No second prompt for the same; a refresh without the person; and in the end the tokens are given back.
    authorize(server, browser, **request)
    assert browser.kinds() == []
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    renewed = requests.post(url, headers=basic(portal), data=form, timeout=30).json()
    assert (renewed["scope"], renewed["resource_server"]) == (TRANSFER_ALL, TRANSFER)
    requests.post(f"{url}/revoke", headers=basic(portal), data={"token": first["refresh_token"]}, timeout=30)
    refused = requests.post(url, headers=basic(portal), data=form, timeout=30)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_a_native_client(server, native, browser):
    """Section 1.5, with the method spelled as the guide spells it."""
    verifier = secrets.token_urlsafe(64) + "-._~"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    display = f"{server.base_url}v2/web/auth-code"
    parameters = {"client_id": native["id"], "redirect_uri": display, "scope": "openid", "response_type": "code"}
    answer = authorize(server, browser, **parameters, code_challenge=challenge, code_challenge_method="SHA256")
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": display,
        "client_id": native["id"],
    }
    url = f"{server.base_url}v2/oauth2/token"

    good = requests.post(url, data=form | {"code_verifier": verifier}, timeout=30)
    assert good.json()["scope"] == "openid"
    # It must use PKCE.
    refused = authorize(server, browser, **{**parameters, "redirect_uri": "http://127.0.0.1:41234", "state": "s"})
    assert (refused["error"], refused["state"]) == ("invalid_request", "s")


def test_a_confidential_client_authenticates_every_call(server, portal):
    for path, form in (
        ("v2/oauth2/token", {"grant_type": "client_credentials", "scope": "openid", "client_id": portal["id"]}),
        ("v2/oauth2/token/introspect", {"token": "x", "client_id": portal["id"]}),
    ):
        answer = requests.post(server.base_url + path, data=form, timeout=30)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_people_see_the_documents_of_the_app_that_asks(server, alice):
    """The consent page shows the links that the app was registered with."""
    app = server.command(
        "client", "create", "--name", "Harbour Guide", "--type", "confidential_client", "--redirect-uri", CALLBACK,
        "--terms", "https://harbour.example.org/terms", "--privacy", "https://harbour.example.org/privacy",
    )["client"]  # fmt: skip
    browser = alice.browser()

    authorize(server, browser, client_id=app["id"], redirect_uri=CALLBACK, scope="openid", response_type="code")

    page = next(page for page in browser.pages if page.kind == "consent")
    targets = [link.target for link in page.links]
    assert "https://harbour.example.org/terms" in targets
    assert "https://harbour.example.org/privacy" in targets


def test_a_native_flow_by_its_default_scopes(native, browser):
    """Where the SDK has defaults (the 3.x line), `oauth2_start_flow(refresh_tokens=True)` is enough."""
    client = globus_sdk.NativeAppAuthClient(native["id"])
    scopes = [] if globus_sdk.__version__.startswith("3.") else [f"openid profile email {TRANSFER_ALL}"]
    client.oauth2_start_flow(*scopes, refresh_tokens=True)

    tokens = client.oauth2_exchange_code_for_tokens(browser.code(client.oauth2_get_authorize_url()))

    assert tokens.by_resource_server[TRANSFER]["refresh_token"]
    assert tokens.by_scopes[TRANSFER_ALL] == tokens.by_resource_server[TRANSFER]


def test_an_identity_map_finds_people_by_name_and_by_id(portal, server, alice, browser):
    _, tokens = portal_login(portal, browser, "openid")
    api = bearer(tokens.by_resource_server[AUTH]["access_token"])
    carol = server.add_user("carol", "Carol C", "c@example.org")

    people = globus_sdk.IdentityMap(api, [alice.username, carol.username, alice.id])

    assert people[carol.username]["id"] == carol.id
    assert people[alice.id]["username"] == alice.username
    assert people.get("nobody@portolan.local") is None
