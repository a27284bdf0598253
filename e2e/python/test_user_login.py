"""People sign in through globus-sdk: native apps with PKCE and portals with a secret."""

import time
import uuid

import globus_sdk
import pytest

from browser import query
from flows import bearer, native_login, portal_client, portal_login, userinfo_status
from portolan import AUTH, CALLBACK, GROUPS, GROUPS_VIEW, TRANSFER, TRANSFER_ALL, VIEW_IDENTITY_SET

LOGIN = "openid profile email"
SERVICES = f"{LOGIN} {TRANSFER_ALL} {GROUPS_VIEW}"
TWO_DAYS = 172800


def test_native_app_gets_tokens_for_three_services_from_one_login(native, alice, browser):
    started = int(time.time())

    client, tokens = native_login(native, browser, SERVICES, refresh_tokens=True)

    by_service = tokens.by_resource_server
    assert set(by_service) == {AUTH, TRANSFER, GROUPS}
    assert set(by_service[AUTH]["scope"].split(" ")) == {"openid", "profile", "email"}
    assert by_service[TRANSFER]["scope"] == TRANSFER_ALL
    assert by_service[GROUPS]["scope"] == GROUPS_VIEW
    for service in by_service.values():
        assert service["token_type"] == "Bearer"
        assert service["access_token"].startswith("Ag") and service["refresh_token"].startswith("Ag")
        assert started + TWO_DAYS <= service["expires_at_seconds"] <= time.time() + TWO_DAYS
    secrets = [service[kind] for service in by_service.values() for kind in ("access_token", "refresh_token")]
    assert len(set(secrets)) == 6
    assert tokens.data["state"] == "_default"


def test_id_token_describes_the_person_and_is_for_the_client(native, alice, browser, server):
    _, tokens = native_login(native, browser, LOGIN)

    claims = tokens.decode_id_token()

    assert claims["sub"] == alice.id
    assert claims["aud"] == native["id"]
    assert claims["iss"] == server.base_url.rstrip("/")
    assert claims["preferred_username"] == alice.username
    assert claims["name"] == alice.name
    assert claims["email"] == alice.email
    assert abs(claims["iat"] - time.time()) < 60
    assert claims["exp"] - claims["iat"] == TWO_DAYS
    assert [member["sub"] for member in claims["identity_set"]] == [alice.id]
    assert tokens.by_resource_server[AUTH]["refresh_token"] is None


def test_id_token_for_openid_alone_tells_neither_name_nor_email(native, alice, browser):
    _, tokens = native_login(native, browser, "openid")

    claims = tokens.decode_id_token()

    assert claims["sub"] == alice.id
    assert not {"name", "email", "preferred_username", "organization"} & set(claims)


def test_changed_id_token_is_refused_by_the_sdk(native, browser):
    import jwt.exceptions

    _, tokens = native_login(native, browser, LOGIN)
    header, body, signature = tokens.data["id_token"].split(".")
    turned = signature[:-6] + ("A" if signature[-6] != "A" else "B") + signature[-5:]
    tokens.data["id_token"] = ".".join((header, body, turned))

    with pytest.raises(jwt.exceptions.InvalidSignatureError):
        tokens.decode_id_token()


def test_native_refresh_gives_a_new_access_token_and_a_usable_refresh_token(native, alice, browser):
    client, tokens = native_login(native, browser, SERVICES, refresh_tokens=True)
    first = tokens.by_resource_server[AUTH]

    second = client.oauth2_refresh_token(first["refresh_token"]).by_resource_server
    assert set(second) == {AUTH}
    third = client.oauth2_refresh_token(second[AUTH]["refresh_token"]).by_resource_server

    access_tokens = {first["access_token"], second[AUTH]["access_token"], third[AUTH]["access_token"]}
    assert len(access_tokens) == 3
    assert set(third[AUTH]["scope"].split(" ")) == {"openid", "profile", "email"}
    assert bearer(third[AUTH]["access_token"]).userinfo()["sub"] == alice.id


def test_refresh_authorizer_renews_and_keeps_working(native, alice, browser):
    client, tokens = native_login(native, browser, LOGIN, refresh_tokens=True)
    service = tokens.by_resource_server[AUTH]
    renewals = []
    authorizer = globus_sdk.RefreshTokenAuthorizer(
        service["refresh_token"],
        client,
        access_token=service["access_token"],
        expires_at=int(time.time()) - 1,
        on_refresh=renewals.append,
    )

    first = globus_sdk.AuthClient(authorizer=authorizer).userinfo()
    authorizer.expires_at = int(time.time()) - 1
    second = globus_sdk.AuthClient(authorizer=authorizer).userinfo()

    assert len(renewals) == 2
    assert first["sub"] == second["sub"] == alice.id
    assert authorizer.refresh_token is not None


def test_portal_refresh_repeats_the_same_refresh_token(portal, alice, browser):
    client, tokens = portal_login(portal, browser, SERVICES, refresh_tokens=True)

    for service, first in tokens.by_resource_server.items():
        again = client.oauth2_refresh_token(first["refresh_token"]).by_resource_server
        assert set(again) == {service}
        assert again[service]["refresh_token"] == first["refresh_token"]
        assert again[service]["access_token"] != first["access_token"]
        assert set(again[service]["scope"].split(" ")) == set(first["scope"].split(" "))


def test_portal_login_echoes_state_and_names_the_issuer(portal, alice, browser, server):
    client = portal_client(portal)
    client.oauth2_start_flow(CALLBACK, LOGIN, state="sextant 7/+=&")

    answer = query(browser.authorize(client.oauth2_get_authorize_url()))

    assert answer["state"] == "sextant 7/+=&"
    assert answer["iss"] == server.base_url.rstrip("/")
    tokens = client.oauth2_exchange_code_for_tokens(answer["code"])
    assert set(tokens.by_resource_server) == {AUTH}
    assert tokens.by_resource_server[AUTH]["refresh_token"] is None


def test_consent_is_asked_once_and_again_for_more(server, alice):
    portal = server.create_client("Tide Tables", "confidential_client", CALLBACK)
    browser = alice.browser()

    portal_login(portal, browser, LOGIN)
    assert browser.kinds() == ["login", "consent"]
    assert "Tide Tables" in browser.pages[1].text

    portal_login(portal, browser, LOGIN)
    assert browser.kinds() == []

    portal_login(portal, browser, f"{LOGIN} {TRANSFER_ALL}")
    assert browser.kinds() == ["consent"]


def test_prompt_login_asks_for_the_password_again(portal, alice):
    browser = alice.browser()
    portal_login(portal, browser, LOGIN)
    client, before = portal_login(portal, browser, LOGIN)
    assert "login" not in browser.kinds()

    client, after = portal_login(portal, browser, LOGIN, prompt="login", session_message="Prove it is you")

    assert browser.kinds()[0] == "login"
    assert "Prove it is you" in browser.pages[0].text
    assert after.decode_id_token()["sub"] == before.decode_id_token()["sub"] == alice.id


def test_denied_consent_goes_back_to_the_portal_as_an_error(server, alice):
    portal = server.create_client("Reef Map", "confidential_client", CALLBACK)
    client = portal_client(portal)
    client.oauth2_start_flow(CALLBACK, LOGIN, state="reef")

    answer = query(alice.browser().authorize(client.oauth2_get_authorize_url(), decision="deny"))

    assert answer["error"] == "access_denied"
    assert answer["state"] == "reef"
    assert "code" not in answer


def test_introspection_shows_session_and_identity_set(portal, alice, browser, server):
    client, tokens = portal_login(portal, browser, f"{LOGIN} {VIEW_IDENTITY_SET}")
    access_token = tokens.by_resource_server[AUTH]["access_token"]

    answer = client.oauth2_token_introspect(access_token, include="identity_set,session_info")

    assert answer["active"] is True
    assert answer["sub"] == alice.id
    assert answer["username"] == alice.username
    assert answer["email"] == alice.email
    assert answer["client_id"] == portal["id"]
    assert answer["iss"] == server.base_url.rstrip("/")
    assert {AUTH, portal["id"]} <= set(answer["aud"])
    assert set(answer["scope"].split(" ")) == {"openid", "profile", "email", VIEW_IDENTITY_SET}
    assert answer["exp"] - answer["iat"] == TWO_DAYS
    assert answer["identity_set"] == [alice.id]
    assert set(answer["session_info"]["authentications"]) == {alice.id}
    authentication = answer["session_info"]["authentications"][alice.id]
    assert 0 <= time.time() - authentication["auth_time"] < 3600
    assert str(uuid.UUID(authentication["idp"])) == authentication["idp"]
    assert str(uuid.UUID(answer["session_info"]["session_id"])) == answer["session_info"]["session_id"]


def test_introspection_by_a_stranger_says_inactive_and_nothing_else(server, portal, browser):
    _, tokens = portal_login(portal, browser, LOGIN)
    stranger = server.create_client("Stranger", "confidential_client", CALLBACK)

    answer = portal_client(stranger).oauth2_token_introspect(tokens.by_resource_server[AUTH]["access_token"])

    assert answer.data == {"active": False}


def test_revoked_access_token_is_inactive_at_once_and_alone(portal, browser):
    client, tokens = portal_login(portal, browser, SERVICES, refresh_tokens=True)
    service = tokens.by_resource_server
    assert client.oauth2_token_introspect(service[AUTH]["access_token"])["active"] is True

    client.oauth2_revoke_token(service[AUTH]["access_token"])

    assert client.oauth2_token_introspect(service[AUTH]["access_token"]).data == {"active": False}
    assert userinfo_status(service[AUTH]["access_token"]) == 401
    assert client.oauth2_token_introspect(service[TRANSFER]["access_token"])["active"] is True


def test_revoked_refresh_token_ends_the_access_tokens_made_from_it(portal, browser):
    client, tokens = portal_login(portal, browser, SERVICES, refresh_tokens=True)
    service = tokens.by_resource_server
    renewed = client.oauth2_refresh_token(service[AUTH]["refresh_token"]).by_resource_server[AUTH]
    assert client.oauth2_token_introspect(renewed["access_token"])["active"] is True

    answer = client.oauth2_revoke_token(service[AUTH]["refresh_token"])

    assert answer.data == {"active": False}
    assert client.oauth2_token_introspect(renewed["access_token"]).data == {"active": False}
    assert client.oauth2_token_introspect(service[TRANSFER]["access_token"])["active"] is True
    with pytest.raises(globus_sdk.AuthAPIError) as refused:
        client.oauth2_refresh_token(service[AUTH]["refresh_token"])
    assert refused.value.http_status == 400
    assert refused.value.raw_json["error"] == "invalid_grant"


def test_userinfo_describes_the_person(portal, alice, browser):
    _, tokens = portal_login(portal, browser, f"{LOGIN} {VIEW_IDENTITY_SET}")

    answer = bearer(tokens.by_resource_server[AUTH]["access_token"]).userinfo()

    assert answer["sub"] == alice.id
    assert answer["preferred_username"] == alice.username
    assert answer["name"] == alice.name
    assert answer["email"] == alice.email
    (member,) = answer["identity_set"]
    assert member["sub"] == alice.id
    assert member["username"] == alice.username


def test_replayed_code_is_refused_and_ends_what_it_gave(portal, browser):
    client = portal_client(portal)
    client.oauth2_start_flow(CALLBACK, LOGIN)
    code = query(browser.authorize(client.oauth2_get_authorize_url()))["code"]
    access_token = client.oauth2_exchange_code_for_tokens(code).by_resource_server[AUTH]["access_token"]
    assert client.oauth2_token_introspect(access_token)["active"] is True

    with pytest.raises(globus_sdk.AuthAPIError) as refused:
        client.oauth2_exchange_code_for_tokens(code)

    assert refused.value.http_status == 400
    assert refused.value.raw_json["error"] == "invalid_grant"
    assert client.oauth2_token_introspect(access_token).data == {"active": False}


def test_code_needs_the_verifier_of_its_own_flow(native, browser):
    client = globus_sdk.NativeAppAuthClient(native["id"])
    client.oauth2_start_flow(LOGIN)
    code = browser.code(client.oauth2_get_authorize_url())
    client.oauth2_start_flow(LOGIN)

    with pytest.raises(globus_sdk.AuthAPIError) as refused:
        client.oauth2_exchange_code_for_tokens(code)

    assert refused.value.raw_json["error"] == "invalid_grant"


def test_the_general_token_call_does_any_grant(native, portal, browser):
    """`oauth2_token` sends whatever form it is given; the other methods are built on it."""
    app, tokens = native_login(native, browser, "openid", refresh_tokens=True)
    refresh_token = tokens.by_resource_server[AUTH]["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": native["id"]}

    assert userinfo_status(app.oauth2_token(form).by_resource_server[AUTH]["access_token"]) == 200
    form = {"grant_type": "client_credentials", "scope": "openid"}
    assert userinfo_status(portal_client(portal).oauth2_token(form).by_resource_server[AUTH]["access_token"]) == 200


def test_introspection_shows_every_linked_identity(portal, server):
    one = server.add_user("linda", "Linda One", "linda@example.org")
    two = server.add_user("linda-at-work", "Linda Two", "linda@work.example.org")
    server.command("user", "link", one.username, two.username)
    client, tokens = portal_login(portal, two.browser(), "openid profile email")
    access_token = tokens.by_resource_server[AUTH]["access_token"]

    answer = client.oauth2_token_introspect(access_token, include="identity_set,identity_set_detail,session_info")

    assert answer["sub"] == one.id, "apps know the primary"
    assert set(answer["identity_set"]) == {one.id, two.id}
    details = {detail["sub"]: detail for detail in answer["identity_set_detail"]}
    assert details[two.id]["username"] == two.username
    assert details[two.id]["last_authentication"] is not None
    assert details[one.id]["last_authentication"] is None
    assert set(answer["session_info"]["authentications"]) == {two.id}

    claims = tokens.decode_id_token()
    assert [member["sub"] for member in claims["identity_set"]] == [one.id, two.id]
    told = bearer(access_token).userinfo()
    assert [member["username"] for member in told["identity_set"]] == [one.username, two.username]

    server.command("user", "unlink", one.username, two.username)
    # What the unlinked account alone had signed in for has ended with it.
    assert client.oauth2_token_introspect(access_token)["active"] is False
