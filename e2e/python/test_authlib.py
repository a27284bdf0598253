"""An ordinary OpenID Connect client, Authlib, from the discovery document alone."""

import secrets

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from browser import query
from portolan import CALLBACK

SCOPE = "openid profile email offline_access"


@pytest.fixture(scope="module")
def metadata(server):
    answer = requests.get(server.base_url + ".well-known/openid-configuration", timeout=10)
    assert answer.status_code == 200
    return answer.json()


def session(metadata, client, method="client_secret_basic"):
    secret = client.get("secret")
    return OAuth2Session(
        client_id=client["id"],
        client_secret=secret,
        scope=SCOPE,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
        token_endpoint_auth_method=method if secret else "none",
        revocation_endpoint_auth_method=method if secret else "none",
    )


def login(metadata, client, browser, method="client_secret_basic"):
    """Authorization code with PKCE, state, nonce and the issuer check of RFC 9207; returns session, token, nonce."""
    oauth = session(metadata, client, method)
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    url, state = oauth.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    target = browser.authorize(url)
    assert query(target)["iss"] == metadata["issuer"]
    token = oauth.fetch_token(authorization_response=target, state=state, code_verifier=verifier)
    return oauth, token, nonce


def claims_of(metadata, client, token, nonce):
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
    decoded = jwt.decode(token["id_token"], keys, algorithms=metadata["id_token_signing_alg_values_supported"])
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        {"iss": {"values": [metadata["issuer"]]}, "aud": {"value": client["id"]}},
        {"nonce": nonce, "client_id": client["id"], "access_token": token["access_token"]},
    )
    claims.validate(leeway=10)
    return claims


def test_discovery_is_complete_and_consistent(metadata, server):
    AuthorizationServerMetadata(metadata).validate_response_types_supported()

    assert metadata["issuer"] == server.base_url.rstrip("/")
    for endpoint in (
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "jwks_uri",
    ):
        assert metadata[endpoint].startswith(server.base_url), endpoint
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "S256" in metadata["code_challenge_methods_supported"]
    assert "plain" not in metadata["code_challenge_methods_supported"]
    assert metadata["response_types_supported"] == ["code"]
    assert {"client_secret_basic", "client_secret_post", "none"} <= set(
        metadata["token_endpoint_auth_methods_supported"]
    )
    assert {"authorization_code", "refresh_token", "client_credentials"} <= set(metadata["grant_types_supported"])


def test_key_document_has_public_members_only(metadata):
    keys = requests.get(metadata["jwks_uri"], timeout=10).json()["keys"]

    assert keys[0]["kty"] == "RSA"
    assert keys[0]["alg"] == metadata["id_token_signing_alg_values_supported"][0]
    assert len({key["kid"] for key in keys}) == len(keys)
    for key in keys:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_whole_round_with_a_confidential_client(metadata, portal, alice, browser, method):
    oauth, token, nonce = login(metadata, portal, browser, method)

    claims = claims_of(metadata, portal, token, nonce)
    assert claims["sub"] == alice.id
    assert claims["nonce"] == nonce
    assert "at_hash" in claims
    assert "offline_access" not in token["scope"].split(" ")

    person = oauth.get(metadata["userinfo_endpoint"]).json()
    assert (person["sub"], person["email"]) == (alice.id, alice.email)

    # Authlib repeats the scope of the login, offline_access included, when it refreshes.
    renewed = oauth.refresh_token(refresh_token=token["refresh_token"])
    assert renewed["access_token"] != token["access_token"]

    state = oauth.introspect_token(metadata["introspection_endpoint"], token=renewed["access_token"]).json()
    assert (state["active"], state["sub"], state["client_id"]) == (True, alice.id, portal["id"])

    answer = oauth.revoke_token(metadata["revocation_endpoint"], token=renewed["refresh_token"])
    assert answer.status_code == 200
    for old in (token["access_token"], renewed["access_token"]):
        state = oauth.introspect_token(metadata["introspection_endpoint"], token=old).json()
        assert state == {"active": False}
    assert oauth.get(metadata["userinfo_endpoint"]).status_code == 401


def test_public_client_with_pkce(metadata, server, alice, browser):
    client = server.create_client("Pocket Compass", "public_installed_client", CALLBACK)

    oauth, token, nonce = login(metadata, client, browser)

    assert claims_of(metadata, client, token, nonce)["sub"] == alice.id
    renewed = oauth.refresh_token(refresh_token=token["refresh_token"])
    assert renewed["access_token"] != token["access_token"]
    assert oauth.revoke_token(metadata["revocation_endpoint"], token=renewed["refresh_token"]).status_code == 200
    assert oauth.get(metadata["userinfo_endpoint"]).status_code == 401


def test_public_client_without_a_challenge_is_refused(metadata, server, browser):
    client = server.create_client("No Challenge", "public_installed_client", CALLBACK)
    oauth = session(metadata, client)
    url, state = oauth.create_authorization_url(metadata["authorization_endpoint"])

    answer = query(browser.authorize(url))

    assert (answer["error"], answer["state"]) == ("invalid_request", state)
    assert answer["iss"] == metadata["issuer"]


def test_nonce_of_another_login_is_noticed(metadata, portal, browser):
    from joserfc.errors import InvalidClaimError

    _, token, nonce = login(metadata, portal, browser)

    with pytest.raises(InvalidClaimError, match="nonce"):
        claims_of(metadata, portal, token, nonce + "x")


def test_prompt_none_without_a_login_is_an_error_by_redirect(metadata, portal, alice):
    oauth = session(metadata, portal)
    url, state = oauth.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=secrets.token_urlsafe(48), prompt="none"
    )

    answer = query(alice.browser().authorize(url))

    assert (answer["error"], answer["state"]) == ("login_required", state)
