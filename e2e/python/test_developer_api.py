"""The developer interface through globus-sdk's AuthClient, each method, and through the curl commands of the guide."""

import inspect
import json
import os
import subprocess
import uuid

import globus_sdk
import pytest
from globus_sdk import DependentScopeSpec, GlobusAppConfig, Scope, UserApp
from globus_sdk.gare import to_gare
from globus_sdk.login_flows import CommandLineLoginFlowManager

from flows import EMAIL, MANAGE_PROJECTS as MANAGE, bearer, confidential, developer, portal_client, portal_login
from portolan import AUTH, CALLBACK, GROUPS, GROUPS_VIEW, GROUPS_VIEW_ID, TRANSFER, TRANSFER_ALL
from test_errors import refused

GLOBUS_ID = "41143743-f3c8-4d60-bbdb-eeecaba85bd9"
# The well-known template of the command line.
CLI_TEMPLATE = "95fdeba8-fac2-42bd-a357-e068d82ff78e"


@pytest.fixture(scope="module")
def dora_browser(server):
    return server.add_user("dora", "Dora D", "d@example.org").browser()


@pytest.fixture
def dora_api(portal, dora_browser):
    """The token of another developer."""
    return developer(portal, dora_browser)


def test_projects(api, alice, dora_api):
    created = api.create_project("Beamline", EMAIL, admin_ids=[uuid.UUID(alice.id)])
    assert created.http_status == 201
    project = created["project"]
    assert project["display_name"] == project["project_name"] == "Beamline"
    assert project["admin_ids"] == [alice.id]
    assert project["admin_group_ids"] is None
    assert project["admins"]["identities"][0]["username"] == alice.username
    assert api.get_project(project["id"])["project"] == project
    assert project in list(api.get_projects())
    assert project not in list(dora_api.get_projects())

    updated = api.update_project(project["id"], display_name="Beamline 7")["project"]
    assert updated == project | {"display_name": "Beamline 7", "project_name": "Beamline 7"}
    assert api.delete_project(project["id"])["project"] == updated

    error = refused(lambda: api.get_project(project["id"]))
    assert (error.http_status, error.code) == (404, "PROJECT_NOT_FOUND")
    error = refused(lambda: api.create_project("P", EMAIL, admin_ids=["nobody"]))
    assert (error.http_status, error.code) == (400, "INVALID_PARAMETERS")
    assert error.message == "Invalid value for 'admin_ids' parameter: ['nobody']. 'admin_ids' must be a list of UUIDs"
    error = refused(lambda: api.create_project("P", EMAIL))
    assert error.message == "Either admin_ids or admin_group_ids has to be defined"


def test_strangers_have_no_say(api, dora_api, project):
    error = refused(lambda: dora_api.update_project(project, display_name="Mine"))
    assert (error.http_status, error.code) == (403, "FORBIDDEN")
    assert not error.info.authorization_parameters


def age_sessions(server):
    """An hour passes for the sessions of all apps: the one thing that cannot be had by waiting."""
    server.sql("UPDATE session_authentications SET authenticated_at = authenticated_at - 3600000000")


def test_a_stale_session_is_told_how_to_go_on(server, portal, alice, api, project):
    age_sessions(server)
    assert api.get_project(project)["project"]["id"] == project

    error = refused(lambda: api.update_project(project, display_name="Later"))

    assert (error.http_status, error.code) == (403, "FORBIDDEN")
    parameters = error.info.authorization_parameters
    assert parameters.session_message == error.message
    assert "within the last 30 minutes" in error.message
    (policy,) = parameters.session_required_policies
    # Exactly these parameters, and a fresh sign-in, open the gate.
    _, tokens = portal_login(
        portal, alice.browser(), f"openid {MANAGE}", query_params={"session_required_policies": policy}
    )
    fresh = bearer(tokens.by_resource_server[AUTH]["access_token"])
    assert fresh.update_project(project, display_name="Later")["project"]["display_name"] == "Later"


def test_an_app_signs_in_again_by_itself_when_the_session_is_stale(server, alice, api, project):
    """The answer says what is missing, the SDK gets it from the person, and the call passes."""
    # In her browser an hour passes as well, so somebody of her own is needed.
    erin = server.add_user("erin", "Erin E", "e@example.org")
    browser = erin.browser()
    api.update_project(project, admin_ids=[alice.id, erin.id])

    def an_hour_passes():
        age_sessions(server)
        server.age_browsers_of(erin)

    console = server.create_client("Project Console", "public_installed_client")
    logins = []

    class Person(CommandLineLoginFlowManager):
        def print_authorize_url(self, authorize_url):
            logins.append(browser.code(authorize_url))

        def prompt_for_code(self):
            return logins[-1]

    # The 3.x line cannot repeat the call by itself.
    redrives = "auto_redrive_gares" in inspect.signature(GlobusAppConfig).parameters
    config = GlobusAppConfig(login_flow_manager=Person, **({"auto_redrive_gares": True} if redrives else {}))
    app = UserApp("Project Console", client_id=console["id"], config=config)
    own = globus_sdk.AuthClient(app=app, app_scopes=[Scope("openid"), Scope(MANAGE)])
    assert own.update_project(project, display_name="Today")["project"]["display_name"] == "Today"
    assert len(logins) == 1
    an_hour_passes()
    if not redrives:
        error = refused(lambda: own.update_project(project, display_name="Tomorrow"))
        app.login(auth_params=to_gare(error).authorization_parameters)

    assert own.update_project(project, display_name="Tomorrow")["project"]["display_name"] == "Tomorrow"

    assert len(logins) == 2
    assert "login" in browser.kinds()

    an_hour_passes()
    make = {"project_id": project, "display_name": "Recent", "description": "A recent sign-in"}
    if not redrives:
        error = refused(lambda: own.create_policy(**make, high_assurance=False))
        app.login(auth_params=to_gare(error).authorization_parameters)
    assert own.create_policy(**make, high_assurance=False)["policy"]["display_name"] == "Recent"
    assert len(logins) == 3


def test_groups_can_be_named_as_admins(api, alice):
    group = str(uuid.uuid4())

    created = api.create_project("Shared", EMAIL, admin_ids=alice.id, admin_group_ids=[group])["project"]

    assert (created["admin_ids"], created["admin_group_ids"]) == ([alice.id], [group])
    assert [one["id"] for one in created["admins"]["groups"]] == [group]
    assert api.update_project(created["id"], admin_group_ids=[])["project"]["admin_group_ids"] is None
    # There is no Groups service here, so a group alone administers nothing.
    error = refused(lambda: api.create_project("Nobody's", EMAIL, admin_group_ids=[group]))
    assert (error.http_status, error.code) == (400, "INVALID_PARAMETERS")


def test_admins_are_equal(api, dora_api, project):
    dora = dora_api.userinfo()["sub"]
    api.update_project(project, admin_ids=[api.userinfo()["sub"], dora])

    client = dora_api.create_client("Dora's", project, public_client=True)["client"]["id"]
    api.update_client(client, name="Alice's now")
    assert dora_api.delete_client(client)["client"]["name"] == "Alice's now"
    assert dora_api.update_project(project, admin_ids=dora)["project"]["admin_ids"] == [dora]
    assert refused(lambda: api.update_project(project, display_name="Mine")).code == "FORBIDDEN"


def test_a_project_that_holds_something_stays(api, project):
    client = api.create_client("C", project, public_client=True)["client"]["id"]
    error = refused(lambda: api.delete_project(project))
    assert (error.http_status, error.code) == (409, "CONFLICT")
    api.delete_client(client)
    assert api.delete_project(project)["project"]["id"] == project


def test_a_policy_moves_between_projects(api, alice, project):
    other = api.create_project("Other", EMAIL, admin_ids=alice.id)["project"]["id"]
    policy = api.create_policy(project_id=project, display_name="p", description="d")["policy"]
    assert (policy["high_assurance"], policy["required_mfa"]) == (False, False)
    assert (policy["authentication_assurance_timeout"], policy["domain_constraints_include"]) == (None, None)

    assert api.update_policy(policy["id"], project_id=other)["policy"] == policy | {"project_id": other}


def test_policies(api, project):
    created = api.create_policy(
        project_id=project,
        display_name="Campus only",
        description="Only campus identities",
        high_assurance=True,
        authentication_assurance_timeout=1800,
        required_mfa=False,
        domain_constraints_include=["example.edu", "*.lab.example.org"],
        domain_constraints_exclude=None,
    )
    assert created.http_status == 201
    policy = created["policy"]
    assert policy == {
        "id": policy["id"],
        "project_id": project,
        "display_name": "Campus only",
        "description": "Only campus identities",
        "high_assurance": True,
        "authentication_assurance_timeout": 1800,
        "required_mfa": False,
        "domain_constraints_include": ["example.edu", "*.lab.example.org"],
        "domain_constraints_exclude": None,
    }
    assert api.get_policy(policy["id"])["policy"] == policy
    assert policy in list(api.get_policies())

    updated = api.update_policy(
        policy["id"], required_mfa=True, domain_constraints_include=None, domain_constraints_exclude=["example.com"]
    )["policy"]
    changes = {"required_mfa": True, "domain_constraints_include": None, "domain_constraints_exclude": ["example.com"]}
    assert updated == policy | changes

    assert api.delete_policy(policy["id"])["policy"] == updated
    assert refused(lambda: api.get_policy(policy["id"])).code == "POLICY_NOT_FOUND"
    weak = {"project_id": project, "display_name": "p", "description": "d", "required_mfa": True}
    assert refused(lambda: api.create_policy(**weak)).message.startswith("required_mfa: ")


CODE = ["authorization_code", "refresh_token"]
OWN = ["authorization_code", "client_credentials", "refresh_token"]
DEPENDENT = "urn:globus:auth:grant_type:dependent_token"


@pytest.mark.parametrize(
    "client_type, public, grant_types",
    [
        ("public_installed_client", True, CODE),
        ("public_webapp_client", True, CODE),
        ("confidential_client", False, OWN),
        ("client_identity", False, OWN),
        ("resource_server", False, ["client_credentials", DEPENDENT]),
        ("globus_connect_server", False, [*OWN, DEPENDENT]),
        ("hybrid_confidential_client_resource_server", False, [*OWN, DEPENDENT]),
    ],
)
def test_clients_of_each_type(api, project, client_type, public, grant_types):
    created = api.create_client(
        "Portal",
        project,
        client_type=client_type,
        visibility="private",
        redirect_uris=[CALLBACK],
        terms_and_conditions="https://example.org/terms",
        privacy_policy="https://example.org/privacy",
        preselect_idp=GLOBUS_ID,
    )
    assert created.http_status == 201
    client = created["client"]
    assert (client["client_type"], client["public_client"]) == (client_type, public)
    assert client["grant_types"] == grant_types
    assert client["project"] == project
    assert client["links"] == {
        "terms_and_conditions": "https://example.org/terms",
        "privacy_policy": "https://example.org/privacy",
    }
    assert client["preselect_idp"] == GLOBUS_ID
    assert api.get_client(client_id=client["id"])["client"] == client
    assert client in list(api.get_clients())

    updated = api.update_client(
        client["id"],
        name="Renamed",
        visibility="public",
        redirect_uris=[],
        terms_and_conditions=None,
        privacy_policy=None,
        required_idp=GLOBUS_ID,
        preselect_idp=None,
    )["client"]
    assert updated == client | {
        "name": "Renamed",
        "visibility": "public",
        "redirect_uris": [],
        "links": {"terms_and_conditions": None, "privacy_policy": None},
        "required_idp": GLOBUS_ID,
        "preselect_idp": None,
    }

    assert api.delete_client(client["id"])["client"] == updated
    assert refused(lambda: api.get_client(client_id=client["id"])).code == "CLIENT_NOT_FOUND"


def test_a_client_by_the_old_member(api, project):
    types = [api.create_client("C", project, public_client=public)["client"]["client_type"] for public in (True, False)]
    assert types == ["public_installed_client", "hybrid_confidential_client_resource_server"]
    error = refused(lambda: api.create_client("two\nlines", project, public_client=True))
    assert (error.code, error.message.split(":")[0]) == ("INVALID_PARAMETERS", "name")


def test_more_members_of_a_client(api, project):
    more = {"prompt_for_named_grant": True, "userinfo_from_effective_identity": False}
    client = api.create_client("C", project, public_client=True, additional_fields=more)["client"]
    assert {name: client[name] for name in more} == more
    error = refused(lambda: api.create_client_credential(client["id"], "none"))
    assert (error.http_status, error.code) == (400, "INVALID_PARAMETERS")


def test_a_public_client_is_shown_to_everybody(api, dora_api, project):
    client = api.create_client("C", project, public_client=True)["client"]["id"]
    error = refused(lambda: dora_api.get_client(client_id=client))
    assert (error.http_status, error.code) == (403, "FORBIDDEN")

    api.update_client(client, visibility="public")

    assert dora_api.get_client(client_id=client)["client"]["name"] == "C"
    assert refused(lambda: dora_api.update_client(client, name="D")).code == "FORBIDDEN"


def test_a_well_known_service_is_found_by_its_domain_name(api):
    assert api.get_client(fqdn="Groups.API.globus.org")["client"]["fqdns"] == [GROUPS]
    assert refused(lambda: api.get_client(fqdn="nowhere.example.org")).code == "CLIENT_NOT_FOUND"


def test_credentials(api, project):
    client, first = confidential(api, project)
    created = api.create_client_credential(client, "second")
    assert created.http_status == 201
    credential = created["credential"]
    assert len(credential["secret"]) == 44
    listed = {one["id"]: one for one in api.get_client_credentials(client)}
    assert len(listed) == 2
    assert listed[credential["id"]] == credential | {"secret": None}
    second = globus_sdk.ConfidentialAppAuthClient(client, credential["secret"])
    token = second.oauth2_client_credentials_tokens("openid").by_resource_server[AUTH]["access_token"]

    assert api.delete_client_credential(client, credential["id"])["credential"]["id"] == credential["id"]

    error = refused(lambda: second.oauth2_client_credentials_tokens("openid"))
    assert (error.http_status, error.code) == (401, "UNAUTHORIZED")
    assert bearer(token).userinfo()["sub"] == client, "what it got lives on"
    assert first.oauth2_client_credentials_tokens("openid").http_status == 200


def test_scopes(api, dora_api, project):
    client, service = confidential(api, project, client_type="resource_server")
    dependency = DependentScopeSpec(GROUPS_VIEW_ID, optional=False, requires_refresh_token=True)
    created = api.create_scope(
        client,
        "Run actions",
        "Everything that the beamline does",
        "action_all",
        required_domains=["example.org"],
        dependent_scopes=[dependency],
        advertised=False,
        allows_refresh_token=True,
    )
    assert created.http_status == 201
    scope = created["scope"]
    assert created["scopes"] == [scope]
    assert scope == {
        "id": scope["id"],
        "client": client,
        "scope_string": f"https://auth.globus.org/scopes/{client}/action_all",
        "name": "Run actions",
        "description": "Everything that the beamline does",
        "advertised": False,
        "allows_refresh_token": True,
        "required_domains": ["example.org"],
        "dependent_scopes": [{"scope": GROUPS_VIEW_ID, "optional": False, "requires_refresh_token": True}],
    }
    assert api.get_scope(scope["id"])["scope"] == scope
    assert scope in list(api.get_scopes())
    assert list(api.get_scopes(ids=[scope["id"]])) == [scope]
    assert list(api.get_scopes(scope_strings=scope["scope_string"])) == [scope]

    # Others see it once it is advertised.
    assert list(dora_api.get_scopes(ids=scope["id"])) == []
    assert refused(lambda: dora_api.get_scope(scope["id"])).code == "SCOPE_NOT_FOUND"
    updated = api.update_scope(
        scope["id"], scope_suffix="all", advertised=True, required_domains=[], dependent_scopes=[]
    )["scope"]
    changes = {"advertised": True, "required_domains": [], "dependent_scopes": []}
    assert updated == scope | changes | {"scope_string": f"https://auth.globus.org/scopes/{client}/all"}
    assert list(dora_api.get_scopes(scope_strings=[updated["scope_string"]])) == [updated]

    error = refused(lambda: api.create_scope(client, "n", "d", "all"))
    assert (error.http_status, error.code) == (409, "CONFLICT")
    error = refused(lambda: api.create_scope(client, "n", "d", "Not-Allowed"))
    assert (error.http_status, error.message.split(":")[0]) == (400, "scope_suffix")

    token = service.oauth2_client_credentials_tokens(updated["scope_string"]).by_resource_server[client]["access_token"]
    assert service.oauth2_token_introspect(token)["active"] is True
    assert api.delete_scope(scope["id"])["scope"] == updated
    assert service.oauth2_token_introspect(token).data == {"active": False}
    assert refused(lambda: api.get_scope(scope["id"])).code == "SCOPE_NOT_FOUND"


def test_a_domain_name_is_proven_by_the_dns(api, project, name_server):
    """The SDK has no method for it; its plain `post` does what tools do."""
    client, service = confidential(api, project, client_type="resource_server")
    scope = api.create_scope(client, "Read", "Reads", "read")["scope"]
    path = f"/v2/api/clients/{client}/fqdns"
    name_server.serve(svc__example__org="something else")

    error = refused(lambda: api.post(path, data={"fqdn": "svc.example.org"}))
    assert (error.http_status, error.code) == (400, "FQDN_VERIFICATION_FAILED")
    error = refused(lambda: api.post(path, data={"fqdn": "missing.example.org"}))
    assert (error.http_status, error.code) == (400, "FQDN_VERIFICATION_FAILED")

    name_server.serve(svc__example__org=client)
    assert api.post(path, data={"fqdn": "svc.example.org"})["client"]["fqdns"] == ["svc.example.org"]
    assert api.get_client(fqdn="svc.example.org")["client"]["id"] == client
    by_name = "https://auth.globus.org/scopes/svc.example.org/read"
    assert [found["id"] for found in api.get_scopes(scope_strings=by_name)] == [scope["id"]]
    tokens = service.oauth2_client_credentials_tokens(by_name).by_resource_server
    assert set(tokens) == {"svc.example.org"}
    records = api.create_scope(client, "Write", "Writes", "write")["scopes"]
    assert [record["scope_string"].split("/")[-2] for record in records] == [client, "svc.example.org"]


def test_a_child_client(api, project):
    parent, parent_client = confidential(api, project)

    child = parent_client.create_child_client(
        "kid",
        client_type="public_installed_client",
        redirect_uris=["https://x.example.org/y"],
        terms_and_conditions="https://t.example.org",
        privacy_policy="https://p.example.org",
    )

    assert child.http_status == 201
    assert child["client"]["parent_client"] == parent
    assert child["client"]["project"] == project
    assert api.get_client(client_id=child["client"]["id"])["client"] == child["client"]


def test_a_native_app_instance(native):
    app = globus_sdk.NativeAppAuthClient(native["id"])

    instance = app.create_native_app_instance(CLI_TEMPLATE, "laptop")

    assert instance.http_status == 201
    assert instance["client"]["parent_client"] == CLI_TEMPLATE
    credential = instance["included"]["client_credential"]
    own = globus_sdk.ConfidentialAppAuthClient(credential["client"], credential["secret"])
    assert own.get(f"/v2/api/clients/{credential['client']}")["client"] == instance["client"]
    assert own.delete(f"/v2/api/clients/{credential['client']}").http_status == 200
    error = refused(lambda: app.create_native_app_instance(native["id"], "laptop"))
    assert (error.http_status, error.code) == (403, "FORBIDDEN")


def test_a_service_account_makes_scopes_below_itself(api, project):
    client, account = confidential(api, project, client_type="hybrid_confidential_client_resource_server")
    token = account.oauth2_client_credentials_tokens(MANAGE).by_resource_server[AUTH]["access_token"]

    scope = bearer(token).create_scope(client, "Own", "Made by itself", "own")["scope"]

    assert scope["client"] == client
    assert [found["id"] for found in bearer(token).get_scopes()] == [scope["id"]]
    error = refused(lambda: bearer(token).update_project(project, display_name="Mine"))
    assert (error.http_status, error.code) == (403, "FORBIDDEN"), "it is in the project, not its admin"
    api.update_project(project, admin_ids=[api.userinfo()["sub"], client])
    assert bearer(token).update_project(project, display_name="Ours")["project"]["display_name"] == "Ours"


def test_identities_and_providers(api, alice, portal):
    by_name = api.get_identities(usernames=alice.username, query_params={"include": "identity_provider"})
    assert [one["id"] for one in by_name] == [alice.id]
    assert by_name["included"]["identity_providers"][0]["short_name"] == "local"
    assert [one["username"] for one in api.get_identities(ids=[uuid.UUID(alice.id)])] == [alice.username]
    unknown = f"new-{uuid.uuid4().hex}@globusid.org"
    assert list(api.get_identities(usernames=unknown)) == []

    (made,) = api.get_identities(usernames=[unknown], provision=True)
    assert (made["status"], made["identity_provider"], made["email"]) == ("unused", GLOBUS_ID, None)
    assert [one["id"] for one in api.get_identities(usernames=unknown)] == [made["id"]]
    lone = portal_client(portal)
    if hasattr(lone, "get_identities"):  # The 4.x line has dropped it.
        assert [one["id"] for one in lone.get_identities(usernames=unknown)] == [made["id"]]

    (provider,) = api.get_identity_providers(domains="globusid.org")
    assert provider["id"] == GLOBUS_ID and provider["domains"] == ["globusid.org"]
    assert list(api.get_identity_providers(ids=[GLOBUS_ID])) == [provider]
    assert refused(lambda: api.get_identities(usernames="no-at-sign")).code == "INVALID_PARAMETERS"
    both = {"ids": alice.id}
    assert refused(lambda: api.get_identities(usernames=alice.username, query_params=both)).http_status == 400
    both = {"scope_strings": "openid"}
    assert refused(lambda: api.get_scopes(ids=GROUPS_VIEW_ID, query_params=both)).http_status == 400


def test_consents_make_a_forest(portal, alice):
    consent_to = f"{TRANSFER_ALL}[*{GROUPS_VIEW}]"
    _, tokens = portal_login(portal, alice.browser(), f"openid {consent_to}")
    api = bearer(tokens.by_resource_server[AUTH]["access_token"])

    forest = api.get_consents(alice.id).to_forest()

    assert forest.meets_scope_requirements(f"{TRANSFER_ALL}[{GROUPS_VIEW}]")
    assert set(tokens.by_resource_server) == {AUTH, TRANSFER}
    error = refused(lambda: api.get_consents(alice.id, all=True))
    assert (error.http_status, error.code) == (403, "FORBIDDEN")


def test_discovery_and_keys(api):
    configuration = api.get_openid_configuration()
    assert configuration["issuer"] + "/" == api.base_url
    assert api.get_jwk()["keys"][0]["kty"] == "RSA"
    assert api.get_jwk(configuration, as_pem=True).key_size >= 2048


def shell(server, client, secret, command):
    environment = os.environ | {"BASE": server.base_url, "CLIENT_ID": client, "CLIENT_SECRET": secret}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SCOPE_DOCUMENT = f"""{{
    "scope": {{
        "name": "Action Provider Operations",
        "description": "All Operations on My Action Provider",
        "scope_suffix": "action_all",
        "dependent_scopes": [
            {{
                "optional": false,
                "requires_refresh_token": true,
                "scope": "{GROUPS_VIEW_ID}"
            }}
        ],
        "advertised": true,
        "allow_refresh_tokens": true
    }}
}}"""


def test_the_commands_of_the_action_provider_guide(server, api, project):
    """Look up the client, look up a scope's id, create the scope, verify: as printed, but for the host."""
    client = api.create_client("My Action Provider", project, public_client=False, redirect_uris=["https://localhost"])
    client = client["client"]["id"]
    secret = api.create_client_credential(client, "command line")["credential"]["secret"]

    def run(command):
        return shell(server, client, secret, command)

    look_up = 'curl -s --user $CLIENT_ID:$CLIENT_SECRET \\\n    "$BASE"v2/api/clients/$CLIENT_ID | jq'
    before = run(look_up)
    # What the guide prints, each member of it.
    assert before["client"] == {
        "scopes": [],
        "redirect_uris": ["https://localhost"],
        "name": "My Action Provider",
        "links": {"privacy_policy": None, "terms_and_conditions": None},
        "grant_types": [*OWN, DEPENDENT],
        "fqdns": [],
        "visibility": "private",
        "project": project,
        "required_idp": None,
        "preselect_idp": None,
        "id": client,
        "public_client": False,
        "parent_client": None,
        # And what has been added since it was written.
        "client_type": "hybrid_confidential_client_resource_server",
        "prompt_for_named_grant": False,
        "userinfo_from_effective_identity": True,
    }

    found = run(
        "# Target FQDN is\n"
        f"export SCOPE_STRING={GROUPS_VIEW}\n"
        'curl -s -u "$CLIENT_ID:$CLIENT_SECRET" \\\n'
        '    "$BASE"v2/api/scopes?scope_strings="$SCOPE_STRING" | jq ".scopes[0].id"'
    )
    assert found == GROUPS_VIEW_ID

    created = run(
        'curl -s --user "$CLIENT_ID:$CLIENT_SECRET" -H \\\n'
        "    'Content-Type: application/json' \\\n"
        '    -XPOST "$BASE"v2/api/clients/$CLIENT_ID/scopes \\\n'
        f"    -d '{SCOPE_DOCUMENT}' | jq"
    )
    (scope,) = created["scopes"]
    assert scope == {
        "dependent_scopes": [{"optional": False, "requires_refresh_token": True, "scope": GROUPS_VIEW_ID}],
        "description": "All Operations on My Action Provider",
        "allows_refresh_token": True,
        "client": client,
        "advertised": True,
        "scope_string": f"https://auth.globus.org/scopes/{client}/action_all",
        "id": scope["id"],
        "name": "Action Provider Operations",
        "required_domains": [],
    }

    assert run(look_up)["client"]["scopes"] == [scope["id"]]
