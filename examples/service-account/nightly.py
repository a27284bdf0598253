"""The same in Python: `ClientApp` gets tokens when they are needed, and new ones when they run out."""

import os
import pathlib

import globus_sdk
import requests

SERVICE = os.environ["SERVICE_ID"]

app = globus_sdk.ClientApp(
    "nightly",
    client_id=os.environ["CLIENT_ID"],
    client_secret=pathlib.Path(os.environ["CLIENT_SECRET_FILE"]).read_text().strip(),
    scope_requirements={SERVICE: [globus_sdk.Scope(os.environ["SERVICE_SCOPE"])]},
    # The token is good for this run; nothing is left in a file.
    config=globus_sdk.GlobusAppConfig(token_storage="memory"),
)
answer = requests.post(
    f"{os.environ['SERVICE_URL']}/scans",
    json={"sample": "night run"},
    headers={"Authorization": app.get_authorizer(SERVICE).get_authorization_header()},
    allow_redirects=False,
    timeout=30,
)
answer.raise_for_status()
print(answer.text)
app.logout()
