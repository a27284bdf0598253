"""globus-action-provider-tools, unmodified: who calls, in which groups they are, and whether they may."""

import json
import os
import pathlib
import subprocess
import sys
import uuid

import globus_sdk
import pytest
from globus_action_provider_tools.authentication import (
    AuthState,
    InactiveTokenError,
    group_principal,
    identity_principal,
)

from browser import query
from conftest import GROUPS_CLIENT
from portolan import AUTH, CALLBACK, GROUPS, GROUPS_VIEW, GROUPS_VIEW_ID, needs_scope

MANAGE_CONSENTS = "urn:globus:auth:scope:auth.globus.org:manage_consents"
MANAGE_PROJECTS = "urn:globus:auth:scope:auth.globus.org:manage_projects"


class Provider:
    """An action provider with one scope for everything it does."""

    def __init__(self, client, scope):
        self.client, self.id = client, client["id"]
        self.scope, self.scope_id = scope["scope_string"], scope["id"]

    @classmethod
    def create(cls, server, *needs):
        """Registered as the set-up guide says."""
        client = server.create_client("Action Provider", "resource_server", "https://localhost")
        return cls(client, server.create_scope(client, "action_all", needs=needs))

    def ask(self, token, **allowed):
        """One request to a provider that has just been started."""
        environment = os.environ | {"CLIENT_ID": self.id, "CLIENT_SECRET": self.client["secret"]}
        done = subprocess.run(
            [sys.executable, str(pathlib.Path(__file__).with_name("provider.py"))],
            input=json.dumps({"token": token, "scope": self.scope, "allowed": allowed}),
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def provider(server):
    """As in the guide: it cannot do without the groups of its callers."""
    return Provider.create(server, needs_scope(GROUPS_VIEW_ID))


@pytest.fixture
def easy_provider(server):
    """It can do without."""
    return Provider.create(server, needs_scope(GROUPS_VIEW_ID, optional=True))


def login(portal, browser, scopes):
    client = globus_sdk.ConfidentialAppAuthClient(portal["id"], portal["secret"])
    client.oauth2_start_flow(CALLBACK, scopes)
    target = browser.authorize(client.oauth2_get_authorize_url())
    return client.oauth2_exchange_code_for_tokens(query(target)["code"]).by_resource_server


def person_token(portal, browser, provider):
    return login(portal, browser, f"openid {provider.scope}")[provider.id]["access_token"]


def bearer(token):
    return globus_sdk.AuthClient(authorizer=globus_sdk.AccessTokenAuthorizer(token))


@pytest.fixture
def night_shift(groups, alice):
    """A group with Alice in it."""
    group = str(uuid.uuid4())
    groups.members = {alice.id: [group]}
    return group


def test_a_person_is_known_with_identities_and_groups(groups, portal, browser, alice, provider, night_shift):
    token = person_token(portal, browser, provider)
    groups.served.clear()

    answer = provider.ask(token)

    assert answer == {
        "effective_identity": identity_principal(alice.id),
        "identities": [identity_principal(alice.id)],
        "groups": [group_principal(night_shift)],
        "allowed": [],
    }
    # Groups was called with a token of its own: made for the provider, about Alice, and for nothing but to look.
    (about,) = groups.served
    assert (about["client_id"], about["sub"], about["scope"]) == (provider.id, alice.id, GROUPS_VIEW)
    assert GROUPS in about["aud"] and GROUPS_CLIENT in about["aud"]
    assert groups.answer("/v2/groups/my_groups", f"Bearer {token}")[0] == 401, "the provider's token is not for Groups"


def test_people_are_allowed_by_identity_and_by_group(groups, portal, browser, alice, provider, night_shift):
    token = person_token(portal, browser, provider)

    answer = provider.ask(
        token,
        her=[identity_principal(alice.id)],
        her_group=[identity_principal(str(uuid.uuid4())), group_principal(night_shift)],
        somebody=[identity_principal(str(uuid.uuid4()))],
        some_group=[group_principal(str(uuid.uuid4()))],
        nobody=[],
    )

    assert answer["allowed"] == ["her", "her_group"]


def test_a_token_for_another_provider_is_refused(groups, portal, browser, provider, easy_provider):
    token = person_token(portal, browser, easy_provider)

    assert provider.ask(token) == {"refused": "InactiveTokenError"}
    assert easy_provider.ask("AgInvented") == {"refused": "InactiveTokenError"}


def test_a_service_account_is_allowed_where_its_creator_is_not(groups, portal, browser, alice, provider, night_shift):
    tokens = login(portal, browser, f"openid {MANAGE_PROJECTS} {provider.scope}")
    api = bearer(tokens[AUTH]["access_token"])
    project = api.create_project("Robots", "robots@example.org", admin_ids=alice.id)["project"]["id"]
    robot = api.create_client("Night Robot", project, client_type="client_identity")["client"]["id"]
    secret = api.create_client_credential(robot, "night")["credential"]["secret"]
    account = globus_sdk.ConfidentialAppAuthClient(robot, secret)
    robots = str(uuid.uuid4())
    groups.members[robot] = [robots]
    allowed = {
        "robot": [identity_principal(robot)],
        "robots": [group_principal(robots)],
        "alice": [identity_principal(alice.id)],
        "night_shift": [group_principal(night_shift)],
    }
    token = account.oauth2_client_credentials_tokens(provider.scope).by_resource_server[provider.id]["access_token"]

    answer = provider.ask(token, **allowed)

    assert answer == {
        "effective_identity": identity_principal(robot),
        "identities": [identity_principal(robot)],
        "groups": [group_principal(robots)],
        "allowed": ["robot", "robots"],
    }
    assert provider.ask(tokens[provider.id]["access_token"], **allowed)["allowed"] == ["alice", "night_shift"]


def groups_consent(portal, browser, alice, provider):
    """Alice's own tool, which may take consents back, and the id of the branch to Groups below the provider."""
    api = bearer(login(portal, browser, f"openid {MANAGE_CONSENTS}")[AUTH]["access_token"])
    consents = {consent["id"]: consent for consent in api.get_consents(alice.id)}
    (branch,) = (
        consent["id"]
        for consent in consents.values()
        if [consents[one]["scope"] for one in consent["dependency_path"]] == [provider.scope_id, GROUPS_VIEW_ID]
    )
    return api, branch


def test_without_an_optional_branch_there_are_no_groups(groups, portal, browser, alice, easy_provider, night_shift):
    token = person_token(portal, browser, easy_provider)
    allowed = {"her": [identity_principal(alice.id)], "her_group": [group_principal(night_shift)]}
    assert easy_provider.ask(token, **allowed)["allowed"] == ["her", "her_group"]
    api, branch = groups_consent(portal, browser, alice, easy_provider)

    api.delete(f"/v2/api/identities/{alice.id}/consents/{branch}")

    answer = easy_provider.ask(token, **allowed)
    assert (answer["groups"], answer["allowed"]) == ([], ["her"])


def test_without_a_required_branch_nothing_is_allowed(groups, portal, browser, alice, provider, night_shift):
    token = person_token(portal, browser, provider)
    assert provider.ask(token, her=[identity_principal(alice.id)])["allowed"] == ["her"]
    _, branch = groups_consent(portal, browser, alice, provider)

    page = browser.withdraw(branch)

    assert "The whole permission ends" in page.text
    assert provider.ask(token, her=[identity_principal(alice.id)]) == {"refused": "InactiveTokenError"}


def test_a_running_provider_knows_as_soon_as_its_caches_forget(
    groups, portal, browser, alice, easy_provider, night_shift
):
    """The toolkit keeps what it was told: introspections for 30 s, dependent tokens for 47 h, groups for 5 min."""
    client = globus_sdk.ConfidentialAppAuthClient(easy_provider.id, easy_provider.client["secret"])
    token = person_token(portal, browser, easy_provider)
    by_group = [group_principal(night_shift)]

    def may():
        return AuthState(client, token, frozenset([easy_provider.scope])).check_authorization(by_group)

    assert may() is True
    api, branch = groups_consent(portal, browser, alice, easy_provider)
    api.delete(f"/v2/api/identities/{alice.id}/consents/{branch}")
    assert may() is True, "it does not ask again; how long is the toolkit's own decision"

    # The memberships are forgotten first. The dependent token is still kept, and Groups refuses it.
    AuthState.group_membership_cache.clear()
    groups.served.clear()
    assert may() is False
    assert groups.served == []

    consents = api.get_consents(alice.id)
    (root,) = (one["id"] for one in consents if one["scope"] == easy_provider.scope_id)
    api.delete(f"/v2/api/identities/{alice.id}/consents/{root}")
    AuthState.introspect_cache.clear()
    with pytest.raises(InactiveTokenError):
        may()
