"""Gives the generated calls what no generator can guess: credentials, ids of things that exist, unused codes.

Nothing is left to chance: what a call gets depends only on how often its operation was called. Of eight calls of an
operation

* the first is made good: its whole body and query are replaced;
* five keep what was generated, with good credentials and good ids, also inside of the body;
* one has good credentials, and ids as they were generated;
* one has no credentials, or wrong ones.
"""

from __future__ import annotations

import atexit
import base64
import collections
import json
import os
from collections.abc import Callable

import schemathesis
from world import CALLBACK, GROUPS_VIEW, World, read

world: World = read(os.environ["PORTOLAN_E2E_WORLD"])
turns: collections.Counter[str] = collections.Counter()
tally: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)

NOBODY = "00000000-0000-4000-8000-000000000000"
DEPENDENT = "urn:globus:auth:grant_type:dependent_token"


def basic(client: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


BEARER = f"Bearer {world.token}"
SERVICE = basic(world.service["id"], world.service["secret"])
PORTAL = basic(world.portal["id"], world.portal["secret"])
WRONG = [None, basic(world.portal["id"], "not the secret"), "Bearer AgPA.garbage", f"Bearer {world.service_token}"]


class Supply:
    """What one operation needs. Each member may be a function, called only when it is needed."""

    def __init__(self, path=None, query=None, body=None, patch=None, caller: Callable[[int], str | None] | None = None):
        self.path = path or {}
        self.query = query
        self.body = body
        self.patch = patch
        self.caller = caller or (lambda turn: SERVICE if turn % 16 == 9 else BEARER)


def value(of):
    return of() if callable(of) else of


# Good forms for the token endpoint, by grant type, without the client.
GRANTS = {
    "authorization_code": lambda: {"code": world.code(world.portal, "openid email"), "redirect_uri": CALLBACK},
    "refresh_token": lambda: {"refresh_token": world.refresh_token},
    "client_credentials": lambda: {"scope": f"openid {GROUPS_VIEW}"},
    DEPENDENT: lambda: {"token": world.service_token},
}
# Logging in through pages takes longer than everything else here.
MOST_CODES = 12
made: collections.Counter[str] = collections.Counter()


def grant_caller(grant: object) -> str:
    return SERVICE if grant in ("client_credentials", DEPENDENT) else PORTAL


def good_grant() -> dict:
    made["grant"] += 1
    grant = list(GRANTS)[(made["grant"] - 1) % len(GRANTS)]
    return {"grant_type": grant} | GRANTS[grant]()


def patch_grant(form: dict) -> None:
    grant = form.get("grant_type")
    form.pop("client_id", None)
    form.pop("client_secret", None)
    form.pop("code_verifier", None)
    if grant == "authorization_code" and made["code"] >= MOST_CODES:
        return
    made["code"] += grant == "authorization_code"
    if isinstance(grant, str) and grant in GRANTS:
        form |= GRANTS[grant]()
        if grant == "refresh_token":
            form.pop("scope", None)


def patch_form(form: dict, token: str) -> None:
    form.pop("client_id", None)
    form.pop("client_secret", None)
    form["token"] = token


def inside(noun: str, **members):
    """Writes good ids over those that were generated, where there are any."""

    def patch(body: dict) -> None:
        document = body.get(noun)
        if isinstance(document, dict):
            for name, good in members.items():
                if name in document:
                    document[name] = good
            # Two scopes of one client cannot have the same suffix.
            document.get("scope_suffix") and document.update(scope_suffix=f"s{next_number()}")

    return patch


def next_number() -> int:
    made["number"] += 1
    return made["number"]


def one_of_two(first: str, second: str):
    """Two ways to name what is wanted, of which a call can take one."""

    def patch(query: dict) -> None:
        if first in query and second in query:
            query.pop((first, second)[next_number() % 2])

    return patch


CLIENT = {"client_id": world.service["id"]}
PROJECT = {"project_id": world.project}
POLICY = {"policy_id": world.policy}
SCOPE = {"scope_id": world.scope["id"]}
PERSON = {"identity_id": world.person}

client_members = inside(
    "client", project=world.project, template_id=world.template, required_idp=None, preselect_idp=None, scopes=[]
)


def new_client() -> dict:
    bodies = [
        {"name": "New", "project": world.project, "client_type": "confidential_client"},
        {"name": "New", "project": world.project, "public_client": True},
        {"name": "laptop", "template_id": world.template},
    ]
    return {"client": bodies[next_number() % len(bodies)]}


SUPPLIES = {
    "token": Supply(body=good_grant, patch=patch_grant),
    "introspect": Supply(
        query={}, body={"token": world.service_token}, patch=lambda form: patch_form(form, world.service_token),
        caller=lambda turn: SERVICE,
    ),
    "validate": Supply(
        body={"token": world.refresh_token}, patch=lambda form: patch_form(form, world.refresh_token),
        caller=lambda turn: PORTAL,
    ),
    "revoke": Supply(
        body=lambda: {"token": world.service_account_token()}, patch=lambda form: patch_form(form, "AgPA" + "0" * 49),
        caller=lambda turn: SERVICE,
    ),
    "userinfo": Supply(caller=lambda turn: BEARER),
    "userinfo_by_form": Supply(
        body={}, patch=lambda form: form.pop("access_token", None), caller=lambda turn: BEARER
    ),
    "list_clients": Supply(query=lambda: {"fqdn": world.fqdn} if next_number() % 2 else {}),
    "create_client": Supply(body=new_client, patch=client_members, caller=lambda turn: BEARER),
    "get_client": Supply(CLIENT),
    "update_client": Supply(CLIENT, body={"client": {"visibility": "public"}}, patch=client_members),
    "delete_client": Supply(lambda: {"client_id": world.make_client(client_type="confidential_client")["id"]}),
    "list_credentials": Supply(CLIENT),
    "create_credential": Supply(CLIENT, body={"credential": {"name": "new"}}),
    "delete_credential": Supply(lambda: CLIENT | {"credential_id": world.make_credential(world.service["id"])["id"]}),
    "create_fqdn": Supply(CLIENT, body={"fqdn": "svc.example.org"}),
    "create_scope": Supply(
        CLIENT,
        body=lambda: {"scope": {"name": "New", "description": "New.", "scope_suffix": f"s{next_number()}"}},
        patch=inside("scope", dependent_scopes=[]),
    ),
    "get_scope_of_client": Supply(CLIENT | SCOPE),
    "list_scopes": Supply(query={}, patch=one_of_two("ids", "scope_strings")),
    "get_scope": Supply(SCOPE),
    "update_scope": Supply(
        SCOPE, body={"scope": {"advertised": True}}, patch=inside("scope", dependent_scopes=[], required_domains=[])
    ),
    "delete_scope": Supply(lambda: {"scope_id": world.make_scope(f"s{next_number()}")["id"]}),
    "list_projects": Supply(),
    "create_project": Supply(
        body=lambda: {"project": world.project_body()}, patch=inside("project", admin_ids=[world.person])
    ),
    "get_project": Supply(PROJECT),
    "update_project": Supply(
        PROJECT, body={"project": {"display_name": "Renamed"}}, patch=inside("project", admin_ids=[world.person])
    ),
    "delete_project": Supply(
        lambda: {"project_id": world.make("projects", "project", **world.project_body())["id"]}
    ),
    "list_policies": Supply(),
    "create_policy": Supply(
        body=lambda: {"policy": world.policy_body()}, patch=inside("policy", project_id=world.project)
    ),
    "get_policy": Supply(POLICY),
    "update_policy": Supply(
        POLICY,
        body={"policy": {"display_name": "Renamed"}},
        patch=inside("policy", project_id=world.project, high_assurance=False, required_mfa=False),
    ),
    "delete_policy": Supply(lambda: {"policy_id": world.make("policies", "policy", **world.policy_body())["id"]}),
    "list_identity_providers": Supply(query={"domains": "portolan.local"}, patch=one_of_two("domains", "ids")),
    "list_identities": Supply(
        query={"usernames": world.username, "include": "identity_provider"}, patch=one_of_two("ids", "usernames")
    ),
    "get_identity": Supply(PERSON),
    "list_consents": Supply(PERSON, query={"all": "true"}, caller=lambda turn: BEARER),
    "revoke_consent": Supply(
        lambda: PERSON | {"consent_id": world.make_consent() if next_number() % 3 == 0 else 1},
        caller=lambda turn: BEARER,
    ),
    # For everybody, and there is nothing to say.
    "discovery": Supply(),
    "authorization_server": Supply(),
    "jwks": Supply(),
    "openapi": Supply(),
}


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    name = case.operation.definition.raw["operationId"]
    supply = SUPPLIES[name]
    turn = turns[name]
    turns[name] += 1
    place = turn % 8
    if case.method.upper() != case.operation.method.upper():
        return
    if place == 7:
        authorize(case, WRONG[turn // 8 % len(WRONG)])
        return
    if place != 6:
        case.path_parameters = {**(case.path_parameters or {}), **value(supply.path)}
    elif case.method.upper() == "DELETE":
        # Generated ids are also taken from earlier answers; what the other calls need has to stay.
        case.path_parameters = dict.fromkeys(case.path_parameters, NOBODY)
    if place == 0:
        if supply.query is not None:
            case.query = value(supply.query)
        if supply.body is not None:
            case.body = value(supply.body)
    elif supply.patch is not None:
        for part in (case.body, case.query) if name not in ("token", "introspect") else (case.body,):
            if isinstance(part, dict):
                supply.patch(part)
    caller = supply.caller(turn)
    if name == "token":
        caller = grant_caller(case.body.get("grant_type") if isinstance(case.body, dict) else None)
    authorize(case, caller)


def authorize(case, header: str | None) -> None:
    case.headers = dict(case.headers or {})
    for name in [name for name in case.headers if name.lower() == "authorization"]:
        del case.headers[name]
    if header is not None:
        case.headers["Authorization"] = header


@schemathesis.hook
def after_call(context, case, response) -> None:
    if case.method.upper() == case.operation.method.upper():
        tally[case.operation.definition.raw["operationId"]][str(response.status_code)] += 1


@atexit.register
def write_tally() -> None:
    with open(os.environ["PORTOLAN_E2E_TALLY"], "w", encoding="utf-8") as file:
        json.dump(tally, file)
