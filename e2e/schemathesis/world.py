"""A person, clients, tokens and one resource of each kind: what calls need to be able to succeed."""

from __future__ import annotations

import json
import urllib.parse

import requests

from browser import Browser, query
from portolan import CALLBACK, GROUPS_VIEW

OWN = "urn:globus:auth:scope:auth.globus.org:"
# What the person's token is for: everything that an operation can ask.
SCOPES = " ".join(
    ["openid", "profile", "email"]
    + [OWN + name for name in ("view_identity_set", "manage_projects", "view_consents", "manage_consents")]
)
# Built in, under the ids that guides name: the template of the command line, and the scope to view one's groups.
TEMPLATE = "95fdeba8-fac2-42bd-a357-e068d82ff78e"
GROUPS_SCOPE_ID = "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f"


class World:
    """Its plain members travel in a file to the process of schemathesis, which goes on with them."""

    def __init__(self, saved: dict) -> None:
        self.__dict__.update(saved)
        self.http = requests.Session()
        self.http.trust_env = False
        self.browser = Browser(self.base_url, self.username, self.password)

    def saved(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if isinstance(value, (str, dict))}

    @classmethod
    def prepare(cls, server, name_server) -> "World":
        person = server.add_user("robin", "Robin Doe", "robin@example.org")
        world = cls(
            {
                "base_url": server.base_url,
                "username": person.username,
                "password": person.password,
                "person": person.id,
                "portal": server.create_client("Portal", "confidential_client", CALLBACK),
                "other_app": server.create_client("Other app", "confidential_client", CALLBACK),
            }
        )
        world.token = world.login(world.portal, SCOPES)["access_token"]
        world.project = world.make("projects", "project", **world.project_body())["id"]
        world.policy = world.make("policies", "policy", **world.policy_body())["id"]
        world.service = world.make_client(client_type="hybrid_confidential_client_resource_server")
        world.service["secret"] = world.make_credential(world.service["id"])["secret"]
        groups = {"scope": GROUPS_SCOPE_ID, "requires_refresh_token": True}
        world.scope = world.make_scope("use", advertised=True, dependent_scopes=[groups])
        # Both proven by the name server; the first is registered, for the look-up by name.
        world.fqdn = "known.example.org"
        name_server.serve(known__example__org=world.service["id"], svc__example__org=world.service["id"])
        world.call("POST", f"clients/{world.service['id']}/fqdns", json={"fqdn": world.fqdn})
        tokens = world.login(world.portal, world.scope["scope_string"], access_type="offline")
        world.service_token, world.refresh_token = tokens["access_token"], tokens["refresh_token"]
        world.template = TEMPLATE
        return world

    # Calls of the person.

    def call(self, method: str, path: str, **more) -> dict:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.http.request(method, f"{self.base_url}v2/api/{path}", headers=headers, timeout=30, **more)
        if not answer.ok:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def make(self, path: str, noun: str, **document) -> dict:
        return self.call("POST", path, json={noun: document})[noun]

    def project_body(self) -> dict:
        return {"display_name": "Project", "contact_email": "p@example.org", "admin_ids": [self.person]}

    def policy_body(self) -> dict:
        return {"project_id": self.project, "display_name": "Policy", "description": "Of a test."}

    def make_client(self, **document) -> dict:
        return self.make("clients", "client", name="Client", project=self.project, **document)

    def make_credential(self, client: str) -> dict:
        return self.make(f"clients/{client}/credentials", "credential", name="tests")

    def make_scope(self, suffix: str, **document) -> dict:
        document = {"name": "Scope", "description": "Of a test.", "scope_suffix": suffix} | document
        return self.make(f"clients/{self.service['id']}/scopes", "scope", **document)

    def make_consent(self) -> int:
        """To another app than the one whose token is used, so that the token lives on."""
        self.login(self.other_app, "openid")
        consents = self.call("GET", f"identities/{self.person}/consents", params={"all": "true"})["consents"]
        return next(consent["id"] for consent in consents if consent["client"] == self.other_app["id"])

    # Flows.

    def code(self, client: dict, scope: str, **more) -> str:
        asked = {"client_id": client["id"], "redirect_uri": CALLBACK, "response_type": "code", "scope": scope, **more}
        where = self.browser.authorize(f"{self.base_url}v2/oauth2/authorize?{urllib.parse.urlencode(asked)}")
        return query(where)["code"]

    def login(self, client: dict, scope: str, **more) -> dict:
        code = self.code(client, scope, **more)
        return self.exchange(client, grant_type="authorization_code", code=code, redirect_uri=CALLBACK)

    def exchange(self, client: dict, **form) -> dict:
        answer = self.http.post(
            f"{self.base_url}v2/oauth2/token", data=form, auth=(client["id"], client["secret"]), timeout=30
        )
        if not answer.ok:
            raise AssertionError(f"{form['grant_type']}: {answer.status_code} {answer.text}")
        return answer.json()

    def service_account_token(self) -> str:
        return self.exchange(self.service, grant_type="client_credentials", scope="openid")["access_token"]


def read(path: str) -> World:
    with open(path, encoding="utf-8") as file:
        return World(json.load(file))


__all__ = ["CALLBACK", "GROUPS_VIEW", "World", "read"]
