"""What an action provider does with one request, in a process of its own: no cache of an earlier one is left.

Reads a JSON document (`token`, `scope`, and under `allowed` lists of principals by any name) and says who the caller
is and which lists they are on; or which error of the toolkit refused them.
"""

import json
import os
import sys

from globus_action_provider_tools.authentication import AuthStateBuilder, InactiveTokenError, InvalidTokenScopesError
from globus_action_provider_tools.client_factory import ClientFactory

request = json.load(sys.stdin)
client = ClientFactory().make_confidential_app_auth_client(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
try:
    state = AuthStateBuilder(client, [request["scope"]]).build(request["token"])
except (InactiveTokenError, InvalidTokenScopesError) as error:
    answer = {"refused": type(error).__name__}
else:
    answer = {
        "effective_identity": state.effective_identity,
        "identities": sorted(state.identities),
        "groups": sorted(state.groups),
        "allowed": sorted(name for name, who in request["allowed"].items() if state.check_authorization(who)),
    }
print(json.dumps(answer))
