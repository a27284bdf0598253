"""The code flows of globus-sdk, with the person's part done by the form browser."""

import globus_sdk

from browser import query
from portolan import AUTH, CALLBACK

MANAGE_PROJECTS = "urn:globus:auth:scope:auth.globus.org:manage_projects"
EMAIL = "developers@example.org"


def native_login(native, browser, scopes, **options):
    """PKCE with the display page: what `oauth2_start_flow` of a native app does by default."""
    client = globus_sdk.NativeAppAuthClient(native["id"])
    client.oauth2_start_flow(scopes, refresh_tokens=options.pop("refresh_tokens", False))
    code = browser.code(client.oauth2_get_authorize_url(**options))
    return client, client.oauth2_exchange_code_for_tokens(code)


def portal_client(portal):
    return globus_sdk.ConfidentialAppAuthClient(portal["id"], portal["secret"])


def portal_login(
    portal, browser, scopes, *, refresh_tokens=False, state="_default", decline_optional=False, **options
):
    client = portal_client(portal)
    client.oauth2_start_flow(CALLBACK, scopes, refresh_tokens=refresh_tokens, state=state)
    target = browser.authorize(client.oauth2_get_authorize_url(**options), decline_optional=decline_optional)
    assert target.startswith(CALLBACK + "?"), target
    assert query(target)["state"] == state
    return client, client.oauth2_exchange_code_for_tokens(query(target)["code"])


def bearer(access_token):
    return globus_sdk.AuthClient(authorizer=globus_sdk.AccessTokenAuthorizer(access_token))


def userinfo_status(access_token):
    """200, or the status with which the server refuses the token."""
    try:
        return bearer(access_token).userinfo().http_status
    except globus_sdk.AuthAPIError as error:
        return error.http_status


def developer(portal, browser):
    """The person's token for their projects."""
    _, tokens = portal_login(portal, browser, f"openid profile email {MANAGE_PROJECTS}")
    return bearer(tokens.by_resource_server[AUTH]["access_token"])


def confidential(api, project, **options):
    """A client with a secret, and globus-sdk's object for it."""
    name = options.pop("name", "Service")
    client = api.create_client(name, project, client_type=options.pop("client_type", "confidential_client"), **options)
    assert client.http_status == 201
    identifier = client["client"]["id"]
    secret = api.create_client_credential(identifier, "deploy")["credential"]["secret"]
    return identifier, globus_sdk.ConfidentialAppAuthClient(identifier, secret)
