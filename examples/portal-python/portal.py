"""A data portal in Python: what examples/portal does in Rust, with globus-sdk and Flask.

A login is bound to the browser that began it: what it is about is remembered here under a cookie, and only the
browser with that cookie can end it. Tokens stay in the memory of this program: none is in a page, an address or a log.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import logging
import os
import pathlib
import secrets
import time
import urllib.parse

import flask
import globus_sdk
import jwt
import requests
from globus_sdk.gare import GlobusAuthorizationParameters, to_gare

CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET = pathlib.Path(os.environ["CLIENT_SECRET_FILE"]).read_text().strip()
URL = os.environ["PORTAL_URL"].rstrip("/")
SERVICE_URL = os.environ["SERVICE_URL"]
SERVICE_ID = os.environ["SERVICE_ID"]
SERVICE_SCOPE = os.environ["SERVICE_SCOPE"]
SCOPES = ["openid", "profile", "email", SERVICE_SCOPE]
# The only address that a login may come back to.
REDIRECT_URI = f"{URL}/callback"

HTTPS = URL.startswith("https:")
# Under https the prefix has browsers refuse the cookie from anywhere but this very host.
LOGIN, SESSION = ("__Host-python-login", "__Host-python-session") if HTTPS else ("python-login", "python-session")
LOGIN_SECONDS = 15 * 60
# As many things as are remembered at once; the oldest goes first.
MOST = 10_000

auth = globus_sdk.ConfidentialAppAuthClient(CLIENT_ID, CLIENT_SECRET)
AUTH_ORIGIN = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(auth.base_url))
app = flask.Flask(__name__)
# The line for each request would have the whole address in it, and with it the code of a login.
logging.getLogger("werkzeug").setLevel(logging.WARNING)


@dataclasses.dataclass
class Login:
    """A login that has begun."""

    state: str
    nonce: str
    verifier: str
    # The call that somebody was about to make, and who. It never travels through the browser.
    then: dict | None
    person: str | None
    end: float


@dataclasses.dataclass
class Session:
    """Somebody who is signed in."""

    person: str
    name: str
    username: str
    token: str
    end: float
    # Forms carry it: other sites can make a browser send a form, but do not know this.
    form_token: str
    results: list[str]
    message: str | None = None


logins: dict[str, Login] = {}
sessions: dict[str, Session] = {}


def keep(store: dict, thing: Login | Session) -> str:
    for key in [key for key, known in list(store.items()) if known.end <= time.time()]:
        store.pop(key, None)
    while len(store) >= MOST:
        store.pop(next(iter(store)), None)
    key = secrets.token_urlsafe(32)
    store[key] = thing
    return key


def remember(answer: flask.Response, name: str, value: str, seconds: int) -> None:
    # `Lax` and not `Strict`: the browser comes back from Auth, which is another site, with a GET.
    answer.set_cookie(name, value, max_age=seconds, path="/", httponly=True, samesite="Lax", secure=HTTPS)


def session() -> Session | None:
    found = sessions.get(flask.request.cookies.get(SESSION, ""))
    return found if found and found.end > time.time() else None


def page(message: str | None = None, status: int = 200) -> tuple[str, int]:
    return flask.render_template("home.html", message=message, person=session()), status


def send_to_auth(
    demands: GlobusAuthorizationParameters | None = None, then: dict | None = None, person: str | None = None
) -> flask.Response:
    """Sends the browser to Auth, with whatever a service has demanded."""
    login = Login(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        then=then,
        person=person,
        end=time.time() + LOGIN_SECONDS,
    )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(login.verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "response_type": "code",
        "scope": " ".join([*SCOPES, *((demands and demands.required_scopes) or [])]),
        "state": login.state,
        "nonce": login.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    for name in ("session_message", "session_required_mfa", "prompt"):
        if demands and (value := getattr(demands, name)) is not None:
            query[name] = str(value)
    for name in ("session_required_identities", "session_required_policies", "session_required_single_domain"):
        if demands and (values := getattr(demands, name)):
            query[name] = ",".join(values)
    answer = flask.redirect(f"{auth.base_url}v2/oauth2/authorize?{urllib.parse.urlencode(query)}", 303)
    remember(answer, LOGIN, keep(logins, login), LOGIN_SECONDS)
    return answer


@app.get("/")
def home():
    here = session()
    message = None
    if here:
        message, here.message = here.message, None
    return page(message)


@app.get("/login")
def begin():
    return send_to_auth()


@app.get("/callback")
def end():
    """The browser comes back from Auth."""
    query = flask.request.args
    # What is taken cannot be taken again.
    login = logins.pop(flask.request.cookies.get(LOGIN, ""), None)
    if login is None or login.end <= time.time():
        return page("This sign-in was not begun in this browser, or took too long.", 400)
    if not hmac.compare_digest(query.get("state", "").encode(), login.state.encode()):
        return page("This is not the end of a sign-in that was begun here.", 400)
    try:
        configuration = auth.get_openid_configuration()
        # RFC 9207: the answer must come from the server that was asked. Globus does not say where it comes from.
        named = "iss" in query or configuration.get("authorization_response_iss_parameter_supported")
        if named and query.get("iss") != configuration["issuer"]:
            return page("This is not the end of a sign-in that was begun here.", 400)
        if "code" not in query:
            return page("You did not allow it, so nothing was done.", 403)
        form = {"grant_type": "authorization_code", "code": query["code"], "redirect_uri": REDIRECT_URI}
        tokens = auth.oauth2_token(form, body_params={"code_verifier": login.verifier})
        claims = tokens.decode_id_token()
    except (globus_sdk.GlobusError, jwt.PyJWTError) as error:
        app.logger.warning("login: %s", type(error).__name__)
        return page("Signing in did not work. Please try again later.", 502)
    if not hmac.compare_digest(claims.get("nonce", "").encode(), login.nonce.encode()):
        return page("This is not the end of a sign-in that was begun here.", 400)
    token = tokens.by_resource_server.get(SERVICE_ID)
    if token is None or SERVICE_SCOPE not in token["scope"].split():
        return page("The portal needs all that it asked for, so nothing was done.", 403)

    old = sessions.pop(flask.request.cookies.get(SESSION, ""), None)
    here = Session(
        person=claims["sub"],
        name=claims.get("name") or claims["preferred_username"],
        username=claims["preferred_username"],
        token=token["access_token"],
        end=token["expires_at_seconds"],
        form_token=secrets.token_urlsafe(32),
        results=old.results if old and old.person == claims["sub"] else [],
    )
    if login.then and login.person == here.person:
        call(here, login.then)
    elif login.then:
        # At Auth people can sign in as somebody else, who has not asked for anything.
        here.message = "Somebody else wanted it done, so nothing was done."
    answer = flask.redirect("/", 303)
    # A new key: one that somebody planted in this browser before the login opens nothing.
    remember(answer, SESSION, keep(sessions, here), int(here.end - time.time()))
    answer.delete_cookie(LOGIN, path="/", secure=HTTPS)
    return answer


def call(here: Session, work: dict) -> tuple[int, dict]:
    """Calls the service with the person's token, and writes down how it went."""
    try:
        answer = requests.post(
            f"{SERVICE_URL}/{work['path']}",
            json=work["document"],
            headers={"Authorization": f"Bearer {here.token}"},
            # The token goes where it is for and nowhere else.
            allow_redirects=False,
            timeout=20,
        )
        status, document = answer.status_code, answer.json()
    except requests.RequestException as error:
        app.logger.warning("%s: %s", work["path"], type(error).__name__)
        status, document = 502, {}
    if status == 200:
        here.results.append(f"{work['document'].get('sample', 'Beamline')}: {work['done']}")
    else:
        here.message = f"Beamline did not do it: {document.get('message', 'no answer that can be read')}"
    return status, document


def asked(work: dict):
    here = session()
    if here is None:
        return flask.redirect("/", 303)
    if not hmac.compare_digest(flask.request.form.get("form_token", "").encode(), here.form_token.encode()):
        return page("This form is not of your session.", 403)
    status, document = call(here, work)
    # What the service wants of the person is met by another login, after which the call is made once more.
    gare = to_gare(document) if status == 403 else None
    if gare or status == 401:
        return send_to_auth(gare and gare.authorization_parameters, work, here.person)
    return flask.redirect("/", 303)


@app.post("/scans")
def scan():
    findable = "findable" in flask.request.form
    document = {"sample": flask.request.form.get("sample", ""), "findable": findable}
    done = "scanned, archived and findable" if findable else "scanned and archived"
    return asked({"path": "scans", "document": document, "done": done})


@app.post("/calibrations")
def calibrate():
    return asked({"path": "calibrations", "document": {}, "done": "calibrated"})


@app.post("/logout")
def log_out():
    here = session()
    if here is None:
        return flask.redirect("/", 303)
    if not hmac.compare_digest(flask.request.form.get("form_token", "").encode(), here.form_token.encode()):
        return page("This form is not of your session.", 403)
    sessions.pop(flask.request.cookies.get(SESSION, ""), None)
    try:
        auth.oauth2_revoke_token(here.token)
    except globus_sdk.GlobusError as error:
        # Whether Auth is there or not, the person wants to be signed out.
        app.logger.warning("logout: %s", type(error).__name__)
    # The portal has forgotten the person; the page at Auth offers to end the login there, too.
    query = urllib.parse.urlencode({"client_id": CLIENT_ID, "redirect_uri": URL, "redirect_name": "Python Portal"})
    answer = flask.redirect(f"{auth.base_url}v2/web/logout?{query}", 303)
    answer.delete_cookie(SESSION, path="/", secure=HTTPS)
    return answer


@app.after_request
def policies(answer: flask.Response) -> flask.Response:
    # Forms of this page may lead to Auth, because a call may need another login.
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none';"
        f" form-action 'self' {AUTH_ORIGIN}"
    )
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    if flask.request.endpoint != "static":
        answer.headers["Cache-Control"] = "no-store"
    return answer


if __name__ == "__main__":
    host, port = os.environ["LISTEN"].rsplit(":", 1)
    app.run(host, int(port), threaded=True)
