"""A client acts as itself, through globus-sdk."""

import globus_sdk
import pytest

from flows import bearer, portal_client
from portolan import AUTH, CALLBACK, GROUPS, GROUPS_VIEW, TRANSFER, TRANSFER_ALL


def test_duplicated_scopes_are_one_scope(portal):
    tokens = portal_client(portal).oauth2_client_credentials_tokens("openid openid profile email")

    service = tokens.by_resource_server
    assert set(service) == {AUTH}
    assert sorted(service[AUTH]["scope"].split(" ")) == ["email", "openid", "profile"]
    assert service[AUTH]["refresh_token"] is None


def test_one_call_gives_tokens_for_several_services(portal):
    tokens = portal_client(portal).oauth2_client_credentials_tokens([TRANSFER_ALL, GROUPS_VIEW, TRANSFER_ALL])

    service = tokens.by_resource_server
    assert set(service) == {TRANSFER, GROUPS}
    assert service[TRANSFER]["scope"] == TRANSFER_ALL
    assert service[GROUPS]["scope"] == GROUPS_VIEW


def test_the_client_is_its_own_identity(portal):
    client = portal_client(portal)
    tokens = client.oauth2_client_credentials_tokens("openid profile email")
    access_token = tokens.by_resource_server[AUTH]["access_token"]

    answer = client.oauth2_token_introspect(access_token, include="identity_set,session_info")

    assert tokens.decode_id_token()["sub"] == portal["id"]
    assert answer["active"] is True
    assert answer["sub"] == portal["id"]
    assert answer["username"] == f"{portal['id']}@clients.auth.globus.org"
    assert answer["identity_set"] == [portal["id"]]
    assert answer["session_info"] == {"session_id": None, "authentications": {}}
    assert bearer(access_token).userinfo()["preferred_username"] == f"{portal['id']}@clients.auth.globus.org"


def test_authorizer_renews_after_revocation(portal):
    client = portal_client(portal)
    authorizer = globus_sdk.ClientCredentialsAuthorizer(client, "openid profile email")
    api = globus_sdk.AuthClient(authorizer=authorizer)
    first = authorizer.access_token
    assert api.userinfo()["sub"] == portal["id"]

    client.oauth2_revoke_token(first)
    answer = api.userinfo()

    assert answer["sub"] == portal["id"]
    assert authorizer.access_token != first
    assert client.oauth2_token_introspect(first).data == {"active": False}


def test_each_secret_of_a_client_works(server):
    client = server.create_client("Two Keys", "confidential_client", CALLBACK)
    other = server.command("client", "secret", "create", client["id"], "--name", "spare")["credential"]["secret"]
    assert other != client["secret"]

    for secret in (client["secret"], other):
        tokens = globus_sdk.ConfidentialAppAuthClient(client["id"], secret).oauth2_client_credentials_tokens("openid")
        assert tokens.decode_id_token()["sub"] == client["id"]


def test_public_client_has_no_identity_to_act_as(server, native):
    pretender = globus_sdk.ConfidentialAppAuthClient(native["id"], "no-such-secret")

    with pytest.raises(globus_sdk.AuthAPIError) as refused:
        pretender.oauth2_client_credentials_tokens("openid")

    assert refused.value.http_status == 401
