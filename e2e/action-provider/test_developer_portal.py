"""Steps 1 to 3 of the action-provider guide, done in the developer portal by a person with a browser; what comes of them
is then used by globus-sdk and by globus-action-provider-tools, unmodified."""

import json
import pathlib
import subprocess
import uuid

import globus_sdk
import pytest
from globus_action_provider_tools.authentication import group_principal, identity_principal

from portolan import GROUPS_VIEW, GROUPS_VIEW_ID
from test_action_provider import Provider, login

PORTAL = pathlib.Path(__file__).resolve().parent.parent / "browser" / "developer-portal.mjs"


def in_the_portal(server, person, **work):
    """What a developer does in the portal, with or without JavaScript."""
    work |= {
        "url": server.base_url.rstrip("/"),
        "person": {"username": person.username, "password": person.password},
    }
    done = subprocess.run(
        ["node", str(PORTAL)], input=json.dumps(work), capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("script", [True, False], ids=["with-script", "without-script"])
def test_an_action_provider_made_in_the_portal_works(server, dns, groups, portal, browser, alice, script):
    name = f"Beamline Actions {'with' if script else 'without'} script"
    made = in_the_portal(server, alice, step="register", script=script, name=name, search="groups my_groups")

    # Step 2 of the guide: the app looks at its own record.
    app = globus_sdk.ConfidentialAppAuthClient(made["client_id"], made["client_secret"])
    record = app.get(f"/v2/api/clients/{made['client_id']}")["client"]
    assert (record["name"], record["redirect_uris"]) == (name, ["https://localhost"])
    assert record["scopes"] == [made["scope_id"]]
    # Step 3: the scope, as its owner sees it.
    assert made["dependency"] == GROUPS_VIEW_ID
    scope = app.get("/v2/api/scopes", query_params={"scope_strings": made["scope"]})["scopes"][0]
    assert scope["scope_string"] == f"https://auth.globus.org/scopes/{made['client_id']}/action_all"
    assert (scope["advertised"], scope["allows_refresh_token"]) == (True, True)
    assert scope["dependent_scopes"] == [
        {"scope": GROUPS_VIEW_ID, "optional": False, "requires_refresh_token": True}
    ]

    # The toolkit serves a request of somebody who came through another app.
    provider = Provider({"id": made["client_id"], "secret": made["client_secret"]}, scope)
    group = str(uuid.uuid4())
    groups.members = {alice.id: [group]}
    token = login(portal, browser, f"openid {made['scope']}")[made["client_id"]]["access_token"]
    allowed = {"her": [identity_principal(alice.id)], "her_group": [group_principal(group)], "nobody": []}
    groups.served.clear()
    answer = provider.ask(token, **allowed)
    assert answer["allowed"] == ["her", "her_group"]
    (about,) = groups.served
    assert (about["client_id"], about["scope"]) == (made["client_id"], GROUPS_VIEW)

    # A name of its own: the portal says which record to set, looks for it, and believes nothing else.
    fqdn = f"beamline-{'a' if script else 'b'}.example.org"
    step = {"step": "domain", "script": script, "client_id": made["client_id"], "fqdn": fqdn}
    # (What it does not hold, dnsmasq refuses to speak about.)
    dns.serve()
    missing = in_the_portal(server, alice, **step)
    assert not missing["registered"]
    assert missing["record"] == f'{fqdn}. IN TXT "{made["client_id"]}"'
    assert f"asked for the TXT records of {fqdn} just now and gave no answer." in missing["text"]
    dns.serve(**{fqdn.replace(".", "__"): str(uuid.uuid4())})
    other = in_the_portal(server, alice, **step)
    assert not other["registered"] and "None of them is the client ID alone." in other["text"]
    dns.serve(**{fqdn.replace(".", "__"): made["client_id"]})
    assert in_the_portal(server, alice, **step)["registered"]

    # From now on tokens come under the name, and the scope can be spelled with it.
    spelled = f"https://auth.globus.org/scopes/{fqdn}/action_all"
    token = login(portal, browser, f"openid {spelled}")[fqdn]["access_token"]
    assert provider.ask(token, **allowed)["allowed"] == ["her", "her_group"]
