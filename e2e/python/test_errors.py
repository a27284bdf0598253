"""What an error looks like to a program that uses globus-sdk: code, message and request id."""

import re

import globus_sdk
import pytest

from flows import bearer, portal_client, portal_login
from portolan import AUTH

# A UUID, or 32 hexadecimal digits.
ERROR_ID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")


def refused(call):
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        call()
    error = caught.value
    assert ERROR_ID.fullmatch(error.request_id), error.request_id
    assert error.raw_json["errors"][0]["id"] == error.request_id
    assert error.raw_json["errors"][0]["status"] == str(error.http_status)
    assert error.headers["X-Request-Id"]
    assert error.headers["Content-Type"].startswith("application/json")
    return error


def test_wrong_secret(portal):
    client = globus_sdk.ConfidentialAppAuthClient(portal["id"], "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")

    error = refused(lambda: client.oauth2_client_credentials_tokens("openid"))

    assert (error.http_status, error.code, error.message) == (401, "UNAUTHORIZED", "Basic auth failed")
    assert error.raw_json["error"] == "invalid_client"
    assert error.headers["WWW-Authenticate"].startswith("Basic ")


def test_missing_and_invented_bearer_tokens():
    for api in (globus_sdk.AuthClient(authorizer=globus_sdk.NullAuthorizer()), bearer("AgInvented")):
        error = refused(api.userinfo)
        assert (error.http_status, error.code, error.message) == (401, "UNAUTHORIZED", "Call must be authenticated")
        assert error.headers["WWW-Authenticate"].startswith("Bearer")


def test_token_without_openid_may_not_ask_for_userinfo(portal):
    tokens = portal_client(portal).oauth2_client_credentials_tokens("profile email")

    error = refused(bearer(tokens.by_resource_server[AUTH]["access_token"]).userinfo)

    assert (error.http_status, error.code) == (403, "FORBIDDEN")
    assert error.message


def test_unknown_scope(portal):
    error = refused(lambda: portal_client(portal).oauth2_client_credentials_tokens("urn:no:such:scope"))

    assert (error.http_status, error.code) == (400, "UNKNOWN_SCOPE_ERROR")
    assert error.raw_json["error"] == "invalid_scope"
    assert "urn:no:such:scope" in error.message


def test_invented_code_and_refresh_token(portal):
    client = portal_client(portal)
    client.oauth2_start_flow("https://portal.example.org/callback", "openid")

    for call in (
        lambda: client.oauth2_exchange_code_for_tokens("invented"),
        lambda: client.oauth2_refresh_token("invented"),
    ):
        with pytest.raises(globus_sdk.AuthAPIError) as caught:
            call()
        assert caught.value.http_status == 400
        assert caught.value.raw_json["error"] == "invalid_grant"
        assert caught.value.headers["X-Request-Id"]


def test_revoked_token_is_refused_with_the_standard_document(portal, browser):
    client, tokens = portal_login(portal, browser, "openid profile")
    access_token = tokens.by_resource_server[AUTH]["access_token"]
    client.oauth2_revoke_token(access_token)

    error = refused(bearer(access_token).userinfo)

    assert (error.http_status, error.code) == (401, "UNAUTHORIZED")
