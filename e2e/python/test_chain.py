"""Four services that call each other for a person: A needs B, B needs C, C needs D.

An app has a token for A alone. Each service exchanges the token it was called with for one to the next, and what the
person takes back ends with the very next introspection.
"""

import dataclasses
import uuid

import globus_sdk
import pytest
from globus_sdk import DependentScopeSpec, GlobusAppConfig, UserApp
from globus_sdk.gare import to_gare
from globus_sdk.login_flows import CommandLineLoginFlowManager

from flows import bearer, confidential, native_login, portal_login
from portolan import AUTH
from test_errors import refused

MANAGE_CONSENTS = "urn:globus:auth:scope:auth.globus.org:manage_consents"
VIEW_CONSENTS = "urn:globus:auth:scope:auth.globus.org:view_consents"
A, B, C, D = range(4)


@dataclasses.dataclass
class Service:
    """One service: its client, and the scope under which it is called."""

    id: str
    client: globus_sdk.ConfidentialAppAuthClient
    scope: str
    scope_id: str
    name: str

    def is_live(self, access_token):
        """What the service does with each request that reaches it."""
        answer = self.client.oauth2_token_introspect(access_token).data
        assert answer["active"] or answer == {"active": False}
        return answer["active"]


def chain(api, project, optional=None):
    """The services from A to D. `optional` is the one whose caller can do without it."""
    services, dependent = [], []
    for place in (D, C, B, A):
        identifier, client = confidential(api, project, name=f"Service {'ABCD'[place]}", client_type="resource_server")
        scope = api.create_scope(
            identifier,
            f"Use {'ABCD'[place]} {uuid.uuid4().hex[:8]}",
            "Everything",
            "use",
            advertised=True,
            dependent_scopes=dependent,
        )["scope"]
        services.insert(0, Service(identifier, client, scope["scope_string"], scope["id"], scope["name"]))
        dependent = [DependentScopeSpec(scope["id"], optional=place == optional, requires_refresh_token=True)]
    return services


@dataclasses.dataclass
class Held:
    """What came down the chain: the access token that each service was called with, and the refresh tokens.

    The refresh token for a service is held by whoever calls it.
    """

    access: list
    refresh: list


def walk(services, tokens):
    """Passes the app's token down; each service exchanges what it got for a token to the next, and nothing else."""
    first = tokens.by_resource_server[services[A].id]
    held = Held([first["access_token"]], [first["refresh_token"]])
    for place, service in enumerate(services):
        answer = service.client.oauth2_get_dependent_tokens(held.access[-1], refresh_tokens=True).by_resource_server
        if place == len(services) - 1:
            assert answer == {}, "the last one calls nobody"
            break
        following = services[place + 1]
        assert set(answer) == {following.id}
        assert answer[following.id]["scope"] == following.scope
        held.access.append(answer[following.id]["access_token"])
        held.refresh.append(answer[following.id]["refresh_token"])
    return held


def live(services, held):
    """Which of A to D take the token that they were called with, at this moment."""
    return "".join(
        name for name, service, token in zip("ABCD", services, held.access) if service.is_live(token)
    )


def renewable(services, app, held):
    """For which of A to D the holder of the refresh token gets a new access token."""
    names = ""
    for name, holder, token in zip("ABCD", [app, *(service.client for service in services)], held.refresh):
        try:
            holder.oauth2_refresh_token(token)
            names += name
        except globus_sdk.AuthAPIError as error:
            assert (error.http_status, error.raw_json["error"]) == (400, "invalid_grant")
    return names


def scopes_of(services):
    # D is also used directly by the app: a tree of its own beside the one of A.
    return f"openid {services[A].scope} {services[D].scope}"


@pytest.fixture
def manager(portal, alice):
    """Alice's token with which a program of hers may look at her consents and take them back."""
    _, tokens = portal_login(portal, alice.browser(), f"openid {VIEW_CONSENTS} {MANAGE_CONSENTS}")
    return bearer(tokens.by_resource_server[AUTH]["access_token"])


def consent_path(manager, alice, app, *services):
    """The id of Alice's consent at the end of this path below the app."""
    consents = {consent["id"]: consent for consent in manager.get_consents(alice.id, all=True)}
    wanted = [service.scope_id for service in services]
    (found,) = (
        identifier
        for identifier, consent in consents.items()
        if [consents[one]["scope"] for one in consent["dependency_path"]] == wanted
        and consents[consent["dependency_path"][0]]["client"] == app
    )
    return found


def test_each_link_sees_only_its_own_branch(api, project, portal, alice, browser):
    services = chain(api, project)
    _, tokens = portal_login(portal, browser, scopes_of(services), refresh_tokens=True)
    assert set(tokens.by_resource_server) == {AUTH, services[A].id, services[D].id}, "the app gets no token for B or C"

    held = walk(services, tokens)

    assert live(services, held) == "ABCD"
    for place, (service, token) in enumerate(zip(services, held.access)):
        about = service.client.oauth2_token_introspect(token, include="identity_set")
        assert (about["sub"], about["username"], about["scope"]) == (alice.id, alice.username, service.scope)
        assert about["client_id"] == (services[place - 1].id if place else portal["id"])
        assert about["identity_set"] == [alice.id]
        for other_place, other in enumerate(services):
            # A token is known to the service it is for and to the one that holds it.
            assert other.is_live(token) is (other_place in (place, place - 1))
            if other_place != place:
                with pytest.raises(globus_sdk.AuthAPIError) as caught:
                    other.client.oauth2_get_dependent_tokens(token)
                assert (caught.value.http_status, caught.value.raw_json["error"]) == (400, "invalid_grant")
    # What lies deeper than the next service cannot be had by naming it, nor what lies above.
    for place, scope in ((A, services[C].scope), (A, services[D].scope), (C, services[B].scope)):
        with pytest.raises(globus_sdk.AuthAPIError) as caught:
            services[place].client.oauth2_get_dependent_tokens(held.access[place], scope=scope)
        assert caught.value.http_status == 403
        assert caught.value.raw_json["errors"][0]["unapproved_scopes"] == [scope]


def by_program(manager, alice, browser, consent):
    answer = manager.delete(f"/v2/api/identities/{alice.id}/consents/{consent}")
    assert answer["consent"]["id"] == consent
    return None


def by_page(manager, alice, browser, consent):
    return browser.withdraw(consent)


WAYS = pytest.mark.parametrize("withdraw", [by_program, by_page])


@WAYS
def test_an_optional_edge_ends_alone_with_what_is_below(
    withdraw, api, project, portal, native, alice, browser, manager
):
    services = chain(api, project, optional=C)
    app, tokens = portal_login(portal, browser, scopes_of(services), refresh_tokens=True)
    held = walk(services, tokens)
    direct = tokens.by_resource_server[services[D].id]
    _, elsewhere = native_login(native, browser, scopes_of(services), refresh_tokens=True)
    sibling = walk(services, elsewhere)
    consent = consent_path(manager, alice, portal["id"], *services[: C + 1])

    page = withdraw(manager, alice, browser, consent)

    assert live(services, held) == "AB"
    assert live(services, sibling) == "ABCD", "the tree of another app"
    assert services[D].is_live(direct["access_token"]), "another tree of the same app"
    assert renewable(services, app, held) == "AB"
    assert app.oauth2_refresh_token(direct["refresh_token"]).http_status == 200
    if page:
        assert page.heading == "Withdraw this part?"
        assert f"Only {services[C].name} ends" in page.text.replace("“", "").replace("”", "")
        stops, stays = page.text.split("What stays")
        assert services[C].name in stops and services[D].name in stops and services[A].name in stays

    # B is told what is missing, not left to guess; without a name it gets what there is, which is nothing.
    assert services[B].client.oauth2_get_dependent_tokens(held.access[B]).data == []
    error = refused(
        lambda: services[B].client.oauth2_get_dependent_tokens(held.access[B], scope=services[C].scope)
    )
    assert (error.http_status, error.code) == (403, "DEPENDENT_CONSENT_REQUIRED")
    assert error.raw_json["errors"][0]["unapproved_scopes"] == [services[C].scope]

    # The person allows it again: new tokens go all the way down, old ones stay dead.
    app, tokens = portal_login(portal, browser, scopes_of(services), refresh_tokens=True)
    assert "consent" in browser.kinds()
    assert live(services, walk(services, tokens)) == "ABCD"
    assert live(services, held) == "AB"
    assert renewable(services, app, held) == "AB"


@WAYS
def test_a_required_edge_takes_its_whole_tree(withdraw, api, project, portal, native, alice, browser, manager):
    services = chain(api, project)
    app, tokens = portal_login(portal, browser, scopes_of(services), refresh_tokens=True)
    held = walk(services, tokens)
    direct = tokens.by_resource_server[services[D].id]
    _, elsewhere = native_login(native, browser, scopes_of(services), refresh_tokens=True)
    sibling = walk(services, elsewhere)
    consent = consent_path(manager, alice, portal["id"], *services[: C + 1])

    page = withdraw(manager, alice, browser, consent)

    assert live(services, held) == ""
    assert live(services, sibling) == "ABCD", "the tree of another app"
    assert services[D].is_live(direct["access_token"]), "another tree of the same app"
    assert renewable(services, app, held) == ""
    assert app.oauth2_refresh_token(direct["refresh_token"]).http_status == 200
    if page:
        assert page.heading == "Withdraw this permission?"
        assert "The whole permission ends" in page.text
        stops, stays = page.text.split("What stays")
        for service in services:
            assert service.name in stops, "all that will stop is named before it does"
        assert services[D].name in stays and services[A].name not in stays
    for service, token in zip(services, held.access):
        with pytest.raises(globus_sdk.AuthAPIError) as caught:
            service.client.oauth2_get_dependent_tokens(token)
        assert (caught.value.http_status, caught.value.raw_json["error"]) == (400, "invalid_grant")

    app, tokens = portal_login(portal, browser, scopes_of(services), refresh_tokens=True)
    assert "consent" in browser.kinds()
    assert live(services, walk(services, tokens)) == "ABCD"
    assert live(services, held) == ""
    assert renewable(services, app, held) == ""


def test_what_was_unticked_is_not_obtained_further_down(api, project, portal, browser):
    services = chain(api, project, optional=C)

    _, tokens = portal_login(portal, browser, scopes_of(services), decline_optional=True)

    token = tokens.by_resource_server[services[A].id]["access_token"]
    to_b = services[A].client.oauth2_get_dependent_tokens(token).by_resource_server[services[B].id]["access_token"]
    assert services[B].client.oauth2_get_dependent_tokens(to_b).data == []
    assert live(services, Held([token, to_b], [])) == "AB"


def test_an_app_gets_what_a_service_lacks(server, api, project, alice, browser, manager):
    """The service passes on what it was told, in the words that the SDK knows, and the app asks the person."""
    services = chain(api, project, optional=B)
    console = server.create_client("Beam Console", "public_installed_client")
    logins = []

    class Person(CommandLineLoginFlowManager):
        def print_authorize_url(self, authorize_url):
            logins.append(browser.code(authorize_url))

        def prompt_for_code(self):
            return logins[-1]

    app = UserApp(
        "Beam Console",
        client_id=console["id"],
        scope_requirements={services[A].id: [services[A].scope]},
        config=GlobusAppConfig(login_flow_manager=Person),
    )
    token = app.get_authorizer(services[A].id).get_authorization_header().removeprefix("Bearer ")
    by_program(manager, alice, browser, consent_path(manager, alice, console["id"], *services[: B + 1]))
    error = refused(lambda: services[A].client.oauth2_get_dependent_tokens(token, scope=services[B].scope))
    (missing,) = error.raw_json["errors"][0]["unapproved_scopes"]
    passed_on = {
        "code": "ConsentRequired",
        "message": "The confirmation cannot be stored.",
        "authorization_parameters": {"required_scopes": [f"{services[A].scope}[{missing}]"]},
    }

    app.login(auth_params=to_gare(passed_on).authorization_parameters)

    assert len(logins) == 2
    assert "consent" in browser.kinds()
    # Also for the token that the service had all along.
    answer = services[A].client.oauth2_get_dependent_tokens(token, scope=services[B].scope)
    assert set(answer.by_resource_server) == {services[B].id}
