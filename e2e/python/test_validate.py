"""Calls that only the 3.x line of globus-sdk has; `conftest.py` leaves this file out under 4.x."""

import globus_sdk
import pytest

from flows import native_login, portal_login
from portolan import AUTH


@pytest.mark.filterwarnings("ignore")
def test_validate_knows_access_and_refresh_tokens_of_a_native_app(native, browser):
    client, tokens = native_login(native, browser, "openid profile email", refresh_tokens=True)
    service = tokens.by_resource_server[AUTH]
    assert client.oauth2_validate_token(service["access_token"])["active"] is True
    assert client.oauth2_validate_token(service["refresh_token"])["active"] is True

    client.oauth2_revoke_token(service["refresh_token"])

    assert client.oauth2_validate_token(service["refresh_token"])["active"] is False
    assert client.oauth2_validate_token(service["access_token"])["active"] is False


@pytest.mark.filterwarnings("ignore")
def test_validate_judges_for_the_calling_client(server, native, portal, browser):
    owner, tokens = portal_login(portal, browser, "openid", refresh_tokens=True)
    stranger = globus_sdk.NativeAppAuthClient(native["id"])

    for kind in ("access_token", "refresh_token"):
        token = tokens.by_resource_server[AUTH][kind]
        assert owner.oauth2_validate_token(token)["active"] is True
        assert stranger.oauth2_validate_token(token).data == {"active": False}
    assert owner.oauth2_validate_token("invented").data == {"active": False}


@pytest.mark.filterwarnings("ignore")
def test_old_name_of_userinfo_still_answers(portal, alice, browser):
    _, tokens = portal_login(portal, browser, "openid profile email")
    api = globus_sdk.AuthClient(
        authorizer=globus_sdk.AccessTokenAuthorizer(tokens.by_resource_server[AUTH]["access_token"])
    )

    assert api.oauth2_userinfo()["sub"] == alice.id
