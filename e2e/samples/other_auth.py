"""The Python portal beside an Auth that does not say in its answers who it is (RFC 9207), and beside one that is away.

Prints what came of it, as JSON.
"""

import json
import time
import urllib.parse

import globus_sdk
import portal

ISSUER = "https://auth.example.org"


class Auth:
    """As much of it as matters here. It knows no code."""

    base_url = f"{ISSUER}/"

    def __init__(self, **configuration):
        self.configuration = configuration

    def get_openid_configuration(self):
        if not self.configuration:
            raise globus_sdk.GlobusError
        return self.configuration

    def oauth2_token(self, form, body_params):
        raise globus_sdk.GlobusError

    def oauth2_revoke_token(self, token):
        raise globus_sdk.GlobusError


def end_of_login(auth, **issuer):
    """The status with which a login ends."""
    portal.auth = auth
    browser = portal.app.test_client()
    begun = urllib.parse.urlsplit(browser.get("/login").location)
    state = dict(urllib.parse.parse_qsl(begun.query))["state"]
    return browser.get("/callback", query_string={"state": state, "code": "code", **issuer}).status_code


def ends_of_logins(auth):
    return {
        "right": end_of_login(auth, iss=ISSUER),
        "missing": end_of_login(auth),
        "wrong": end_of_login(auth, iss="https://elsewhere.example.org"),
    }


def sign_out():
    """The status, and whether the cookie is gone."""
    portal.auth = Auth()
    portal.sessions["key"] = portal.Session(
        person="alice",
        name="Alice",
        username="alice@example.org",
        token="token",
        end=time.time() + 60,
        form_token="mark",
        results=[],
    )
    browser = portal.app.test_client()
    browser.set_cookie(portal.SESSION, "key")
    answer = browser.post("/logout", data={"form_token": "mark"})
    return answer.status_code, browser.get_cookie(portal.SESSION) is None


results = {
    "announced": ends_of_logins(Auth(issuer=ISSUER, authorization_response_iss_parameter_supported=True)),
    "not announced": ends_of_logins(Auth(issuer=ISSUER)),
    "away": end_of_login(Auth(), iss=ISSUER),
    "signed out": sign_out(),
}
print(json.dumps(results))
