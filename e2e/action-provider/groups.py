"""A small Groups service: the built-in resource server groups.api.globus.org, played by the tests.

It does what any service does with a bearer token: asks the authorization server about it, for each request, and looks
at who it belongs to, for whom it is, and what it allows.
"""

from __future__ import annotations

import http.server
import json
import threading

import globus_sdk

from portolan import GROUPS, GROUPS_VIEW


class Groups:
    def __init__(self, client_id: str, secret: str) -> None:
        self.auth = globus_sdk.ConfidentialAppAuthClient(client_id, secret)
        # Identity id to the ids of its groups.
        self.members: dict[str, list[str]] = {}
        # What introspection said about the tokens that were accepted.
        self.served: list[dict] = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, document = service.answer(self.path, self.headers.get("Authorization", ""))
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str, authorization: str) -> tuple[int, dict | list]:
        if path != "/v2/groups/my_groups":
            return 404, {"code": "NOT_FOUND", "message": "no such path"}
        scheme, _, token = authorization.partition(" ")
        about = self.auth.oauth2_token_introspect(token, include="identity_set").data if scheme == "Bearer" else {}
        if not about.get("active") or GROUPS not in about["aud"]:
            return 401, {"code": "AUTHENTICATION_ERROR", "message": "the token is not active, or not for Groups"}
        if GROUPS_VIEW not in about["scope"].split():
            return 403, {"code": "FORBIDDEN", "message": "the token does not allow to view groups"}
        self.served.append(about)
        return 200, [
            {
                "id": group,
                "name": f"Group {group}",
                "group_type": "regular",
                "enforce_session": False,
                "my_memberships": [
                    {"group_id": group, "identity_id": identity, "username": about["username"], "role": "member"}
                ],
            }
            for identity in about["identity_set"]
            for group in self.members.get(identity, [])
        ]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
