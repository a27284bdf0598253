"""No secret that the server issues or is told may be found again in its logs, its metrics or its database.

A whole round runs against the real server (set-up link, log-ins, codes, tokens, refreshes, service accounts,
revocations, a changed password, and the mistakes that people make), first with JSON logs at level debug, then with
human ones. Everything secret is noted on the way. Afterwards the logs, the metrics page, every file of the data
folder but the master key, the rows of the database and a backup are searched for each of them, raw and encoded.

Before that, planted secrets show that the search finds what is there.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import html
import json
import pathlib
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from browser import DISPLAY_PAGE, Browser, Page, UnexpectedPage, query  # noqa: E402
from portolan import CALLBACK, GROUPS_VIEW, TRANSFER_ALL, Server, new_password  # noqa: E402

SCOPE = f"openid profile email offline_access {TRANSFER_ALL} {GROUPS_VIEW}"
TEMPLATE = "95fdeba8-fac2-42bd-a357-e068d82ff78e"

# Shorter values would be found by chance.
SHORTEST = 12


class Failed(AssertionError):
    pass


def demand(condition: bool, sentence: str) -> None:
    if not condition:
        raise Failed(sentence)


# What is searched for


def encoded_inside(value: bytes, alphabet: bytes | None = None) -> set[bytes]:
    """The base64 text of `value` wherever it may begin inside a longer encoded text: one form per alignment."""
    forms = set()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + value, alphabet).rstrip(b"=")
        # The first characters carry bits of what stands before, the last one bits of what follows.
        begin = (0, 2, 3)[before]
        end = len(text) if (before + len(value)) % 3 == 0 else len(text) - 1
        forms.add(text[begin:end])
    return forms


def forms(value: str) -> dict[bytes, str]:
    """Every spelling under which a secret could be written, with its name."""
    raw = value.encode()
    found: dict[bytes, str] = {}
    for name, spellings in (
        ("raw", {raw}),
        ("base64", encoded_inside(raw)),
        ("base64url", encoded_inside(raw, b"-_")),
        ("hex", {raw.hex().encode(), raw.hex().upper().encode()}),
        (
            "URL-encoded",
            {
                quoted
                for text in (urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value, safe=""))
                for quoted in (text.encode(), re.sub("%..", lambda m: m[0].lower(), text).encode())
            },
        ),
        ("JSON", {json.dumps(value)[1:-1].encode()}),
        ("HTML", {html.escape(value).encode()}),
    ):
        for spelling in spellings:
            found.setdefault(spelling, name)
    if re.fullmatch(r"[A-Za-z0-9+/]{43}=", value):
        # A client secret is base64 of random bytes: the bytes are as good as their text.
        bytes_ = base64.b64decode(value)
        found.setdefault(bytes_, "decoded")
        found.setdefault(bytes_.hex().encode(), "decoded, hex")
    return found


@dataclasses.dataclass
class Noted:
    """All secrets of a run, each with what it was."""

    kinds: dict[str, str] = dataclasses.field(default_factory=dict)
    setup_link: str = ""

    def __call__(self, kind: str, value: str) -> str:
        demand(len(value) >= SHORTEST, f"the {kind} is too short to be searched for: {len(value)} characters")
        self.kinds.setdefault(value, kind)
        return value

    def tokens(self, document: dict) -> dict:
        for token in (document, *document.get("other_tokens", [])):
            self("access token", token["access_token"])
            if token.get("refresh_token"):
                self("refresh token", token["refresh_token"])
            if token.get("id_token"):
                self("ID token", token["id_token"])
                self("signature of an ID token", token["id_token"].rsplit(".", 1)[1])
        return document

    def count(self) -> dict[str, int]:
        counted: dict[str, int] = {}
        for kind in self.kinds.values():
            counted[kind] = counted.get(kind, 0) + 1
        return counted


def search(places: dict[str, bytes], wanted: dict[str, str]) -> list[str]:
    """Where which kind of secret was found, in which spelling; the secret itself is not printed."""
    hits = []
    for value, kind in wanted.items():
        for spelling, form in forms(value).items():
            for place, content in places.items():
                if spelling in content:
                    hits.append(f"{kind} ({form}) in {place}")
    return hits


# Where is searched


def rows_of_sqlite(path: pathlib.Path) -> bytes:
    """Every value of every table: what is split over pages in the file is whole here."""
    pieces = []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in store.execute(f'SELECT * FROM "{table}"'):
                pieces.extend(value if isinstance(value, bytes) else str(value).encode() for value in row)
    return b"\n".join(pieces)


def database(server: Server) -> dict[str, bytes]:
    if server.database:
        dumps = {}
        for options in (["--column-inserts"], ["--format=plain"]):
            command = ["pg_dump", *options, server.database]
            done = subprocess.run(command, check=True, capture_output=True, timeout=120)
            dumps[f"pg_dump {options[0]}"] = done.stdout
        # pg_dump writes bytes in hexadecimal; here they are bytes again.
        plain = dumps["pg_dump --column-inserts"]
        dumps["bytes of the dump"] = b"\n".join(
            bytes.fromhex(text.decode()) for text in re.findall(rb"\\x((?:[0-9a-f]{2})+)", plain)
        )
        return dumps
    (path,) = [p for p in server.data.iterdir() if p.read_bytes()[:16] == b"SQLite format 3\0"]
    return {"rows of the database": rows_of_sqlite(path)}


def folder(server: Server) -> dict[str, bytes]:
    files = [path for path in server.data.rglob("*") if path.is_file() and path.name != "master.key"]
    return {f"file {path.relative_to(server.data)}": path.read_bytes() for path in files}


def logs(server: Server) -> dict[str, bytes]:
    return {f"log on {name}": path.read_bytes() for name, path in server.logs.items()}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# The round


def first_administrator(server: Server, noted: Noted) -> None:
    found = next((m for line in server.output if (m := re.search(r"https?://\S+/p/setup/\S+", line))), None)
    demand(found is not None, "the first start printed no set-up link")
    browser = NotingBrowser(server.base_url, "admin", noted("password", new_password()), noted)
    page = browser.open(found[0])
    demand(isinstance(page, Page), "the set-up link shows no page")
    form = next(form for form in page.forms if "password_again" in form.passwords)
    values = {
        "username": "admin",
        "name": "Ada Admin",
        "email": "admin@example.org",
        "password": browser.password,
        "password_again": browser.password,
    }
    done = browser.follow(browser.submit(page, form, values, form.buttons[0]))
    demand(isinstance(done, Page) and done.status == 200, "the first administrator could not be set up")
    # The link is on the terminal on purpose; it is dead now, and belongs nowhere else.
    noted.setup_link = found[0].rsplit("/", 1)[1]


class NotingBrowser(Browser):
    """A browser that notes its cookies and the form tokens of the pages it is shown."""

    def __init__(self, base_url: str, username: str, password: str, noted: Noted) -> None:
        super().__init__(base_url, username, password)
        self.noted = noted

    def follow(self, answer):
        where = super().follow(answer)
        for cookie in self.session.cookies:
            if len(cookie.value or "") >= SHORTEST:
                self.noted("cookie", cookie.value)
        for page in self.pages:
            for form in page.forms:
                for name, value in form.fields:
                    if name == "form_token" and len(value) >= SHORTEST:
                        self.noted("form token", value)
        return where


class Round:
    def __init__(self, server: Server, noted: Noted, name: str) -> None:
        self.server = server
        self.noted = noted
        self.person = server.add_user(
            name, f"{name.title()} Example", f"{name}@example.org", noted("password", new_password())
        )
        self.browser = self.new_browser()
        self.portal = server.create_client(f"Portal of {name}", "confidential_client", CALLBACK)
        noted("client secret", self.portal["secret"])
        self.native = server.create_client(f"Console of {name}", "public_installed_client")

    def new_browser(self) -> NotingBrowser:
        return NotingBrowser(self.server.base_url, self.person.username, self.person.password, self.noted)

    def url(self, path: str) -> str:
        return self.server.base_url + path

    def post(self, path: str, data: dict, client: dict | None = None, **more) -> requests.Response:
        auth = (client["id"], client["secret"]) if client else None
        return requests.post(self.url(path), data=data, auth=auth, timeout=30, **more)

    def ask(self, client: dict, redirect_uri: str, browser: Browser | None = None, **more: str) -> tuple[str, str]:
        verifier = self.noted("code verifier", secrets.token_urlsafe(48))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "client_id": client["id"],
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": SCOPE,
            "state": "here-and-back",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        target = (browser or self.browser).authorize(
            self.url("v2/oauth2/authorize?") + urllib.parse.urlencode(parameters)
        )
        return self.noted("authorization code", query(target)["code"]), verifier

    def opens(self, browser: Browser) -> bool:
        try:
            self.ask(self.portal, CALLBACK, browser=browser)
        except UnexpectedPage:
            return False
        return True

    def exchange(self, client: dict, code: str, verifier: str, redirect_uri: str) -> dict:
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        if "secret" not in client:
            data["client_id"] = client["id"]
        answer = self.post("v2/oauth2/token", data, client if "secret" in client else None)
        demand(answer.status_code == 200, f"the code was refused: {answer.status_code}")
        return self.noted.tokens(answer.json())

    def refresh(self, client: dict, token: str) -> dict:
        data = {"grant_type": "refresh_token", "refresh_token": token}
        if "secret" not in client:
            data["client_id"] = client["id"]
        answer = self.post("v2/oauth2/token", data, client if "secret" in client else None)
        demand(answer.status_code == 200, f"the refresh was refused: {answer.status_code}")
        return self.noted.tokens(answer.json())

    def active(self, token: str) -> bool:
        answer = self.post("v2/oauth2/token/introspect", {"token": token, "include": "session_info"}, self.portal)
        return answer.json()["active"]

    def run(self) -> None:
        self.people()
        self.service_account()
        self.template()
        self.mistakes()
        self.password_change()

    def people(self) -> None:
        tokens = self.exchange(self.portal, *self.ask(self.portal, CALLBACK), CALLBACK)
        demand(len(tokens["other_tokens"]) == 2, "the login brought no tokens for the other services")
        demand(self.active(tokens["access_token"]), "the fresh token is not active")
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        demand(
            requests.get(self.url("v2/oauth2/userinfo"), headers=bearer, timeout=30).status_code == 200, "no userinfo"
        )
        renewed = self.refresh(self.portal, tokens["refresh_token"])
        for token in (renewed["access_token"], tokens["refresh_token"]):
            self.post("v2/oauth2/token/revoke", {"token": token}, self.portal)
        demand(not self.active(renewed["access_token"]), "the revoked token is active")

        display = self.url(DISPLAY_PAGE.lstrip("/"))
        native = self.exchange(self.native, *self.ask(self.native, display), display)
        for _ in range(3):
            native = self.refresh(self.native, native["refresh_token"])
        data = {"token": native["refresh_token"], "client_id": self.native["id"]}
        demand(self.post("v2/oauth2/token/validate", data).json()["active"], "the refresh token is not valid")
        demand(self.post("v2/oauth2/token/revoke", data).json() == {"active": False}, "the token was not revoked")

    def service_account(self) -> None:
        data = {"grant_type": "client_credentials", "scope": f"openid {TRANSFER_ALL}"}
        self.noted.tokens(self.post("v2/oauth2/token", data, self.portal).json())
        data |= {"client_id": self.portal["id"], "client_secret": self.portal["secret"]}
        self.noted.tokens(self.post("v2/oauth2/token", data).json())
        # A second secret of the same client, percent-encoded as RFC 6749 has it.
        credential = self.server.command("client", "secret", "create", self.portal["id"], "--name", "spare")[
            "credential"
        ]
        secret = self.noted("client secret", credential["secret"])
        encoded = dict(self.portal, secret=urllib.parse.quote(secret, safe=""))
        answer = self.post("v2/oauth2/token", {"grant_type": "client_credentials", "scope": "openid"}, encoded)
        self.noted.tokens(answer.json())

    def template(self) -> None:
        body = {"client": {"template_id": TEMPLATE, "name": "Globus CLI"}}
        answer = requests.post(self.url("v2/api/clients"), json=body, timeout=30)
        demand(answer.status_code == 201, f"the template client was refused: {answer.status_code}")
        credential = answer.json()["included"]["client_credential"]
        instance = {"id": credential["client"], "secret": self.noted("client secret", credential["secret"])}
        display = self.url(DISPLAY_PAGE.lstrip("/"))
        tokens = self.exchange(
            instance, *self.ask(instance, display, prompt="login", browser=self.new_browser()), display
        )
        self.post("v2/oauth2/token/revoke", {"token": tokens["refresh_token"], "client_id": TEMPLATE})

    def mistakes(self) -> None:
        """What goes wrong is what gets logged: each of these must be refused, and leave no trace of the secret."""
        code, verifier = self.ask(self.portal, CALLBACK)
        tokens = self.exchange(self.portal, code, verifier, CALLBACK)
        replay = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": CALLBACK}
        demand(self.post("v2/oauth2/token", replay, self.portal).status_code == 400, "a code was redeemed twice")

        code, verifier = self.ask(self.portal, CALLBACK)
        wrong = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier[::-1],
            "redirect_uri": CALLBACK,
        }
        self.noted("code verifier", verifier[::-1])
        demand(self.post("v2/oauth2/token", wrong, self.portal).status_code == 400, "a wrong verifier was accepted")

        typed = self.noted("password typed wrongly", self.person.password[:-1] + "?")
        browser = NotingBrowser(self.server.base_url, self.person.username, typed, self.noted)
        demand(not self.opens(browser), "a wrong password was accepted")
        # The password in the field for the name happens to everybody once.
        swapped = NotingBrowser(self.server.base_url, self.person.password, self.person.username, self.noted)
        demand(not self.opens(swapped), "name and password were accepted the wrong way round")

        bad = dict(
            self.portal,
            secret=self.noted("client secret of nobody", base64.b64encode(secrets.token_bytes(32)).decode()),
        )
        refused = self.post("v2/oauth2/token", {"grant_type": "client_credentials", "scope": "openid"}, bad)
        demand(refused.status_code == 401, "a wrong client secret was accepted")

        # Secrets in the query of a URL, where they do not belong.
        live = self.refresh(self.native, self.exchange_native()["refresh_token"])
        for parameters in (
            {"grant_type": "refresh_token", "refresh_token": live["refresh_token"], "client_id": self.native["id"]},
            {
                "grant_type": "client_credentials",
                "client_id": self.portal["id"],
                "client_secret": self.portal["secret"],
            },
            {"grant_type": "authorization_code", "code": code, "code_verifier": verifier},
        ):
            answer = requests.post(self.url("v2/oauth2/token"), params=parameters, timeout=30)
            demand(400 <= answer.status_code < 500, f"secrets in the query were answered with {answer.status_code}")
        for path in (
            "v2/oauth2/userinfo",
            "v2/oauth2/authorize",
            "v2/no/such/path",
            "v2/web/auth-code",
            "v2/web/logout",
        ):
            requests.get(self.url(path), params={"access_token": live["access_token"], "code": code}, timeout=30)
        requests.get(self.url("v2/api/" + urllib.parse.quote(live["access_token"])), timeout=30)
        for header in (f"Bearer {live['access_token']}x", f"Basic {live['access_token']}", live["access_token"]):
            requests.get(self.url("v2/oauth2/userinfo"), headers={"Authorization": header}, timeout=30)
        requests.post(self.url("v2/oauth2/token/introspect"), json={"token": live["access_token"]}, timeout=30)
        requests.post(self.url("v2/oauth2/token"), data=b"\xff\xfe" + live["refresh_token"].encode(), timeout=30)
        demand(not self.active(tokens["access_token"]), "the replayed code left its token active")

    def exchange_native(self) -> dict:
        display = self.url(DISPLAY_PAGE.lstrip("/"))
        return self.exchange(self.native, *self.ask(self.native, display), display)

    def password_change(self) -> None:
        new = self.noted("password", new_password())
        name = self.person.username.split("@")[0]
        self.server.command("user", "set-password", name, "--password-stdin", stdin=new + "\n")
        demand(not self.opens(self.new_browser()), "the old password still opens the door")
        self.person.password = new
        demand(self.opens(self.new_browser()), "the new password does not open the door")


# Private keys

# DER of a private key: PKCS#8 of RSA and of a P-256 key, PKCS#1, SEC 1. A public key has none of these.
PRIVATE_DER = {
    "PKCS#8 (RSA)": bytes.fromhex("020100300d06092a864886f70d010101"),
    "PKCS#8 (EC)": bytes.fromhex("020100301306072a8648ce3d0201"),
    "PKCS#1": bytes.fromhex("0201000282010100"),
    "SEC 1": bytes.fromhex("0201010420"),
}
PRIVATE_TEXT = re.compile(rb"-----BEGIN|PRIVATE KEY|\"(?:d|p|q|dp|dq|qi)\"\s*:\s*\"[A-Za-z0-9_-]{20,}")


def private_keys(places: dict[str, bytes]) -> list[str]:
    hits = []
    for place, content in places.items():
        if PRIVATE_TEXT.search(content):
            hits.append(f"private key as text in {place}")
        for name, marker in PRIVATE_DER.items():
            spellings = {marker, marker.hex().encode()}
            if len(marker) >= 8:
                spellings |= encoded_inside(marker)
            if any(spelling in content for spelling in spellings):
                hits.append(f"{name} in {place}")
    return hits


def private_key_search_works() -> None:
    rsa_key, ec_key = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    for key in (rsa_key, ec_key):
        for shape in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
            der = key.private_bytes(serialization.Encoding.DER, shape, plain)
            pem = key.private_bytes(serialization.Encoding.PEM, shape, plain)
            for planted in (der, der.hex().encode(), pem):
                demand(private_keys({"here": b"before" + planted + b"after"}) != [], f"a planted {shape} is not found")
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        demand(private_keys({"here": public}) == [], "a public key is taken for a private one")
    jwk = json.dumps({"kty": "EC", "d": base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()})
    demand(private_keys({"here": jwk.encode()}) != [], "a planted private JWK is not found")


def planted_secrets_are_found(server: Server, places: dict[str, bytes]) -> None:
    """In each place, in each spelling; and once through the front door: as a person's name in the database."""
    planted = new_password() + "+/=&"
    for place, content in places.items():
        for spelling, form in forms(planted).items():
            middle = len(content) // 2
            hits = search({place: content[:middle] + spelling + content[middle:]}, {planted: "planted secret"})
            demand(hits != [], f"a planted secret ({form}) is not found in {place}")
    demand(search(places, {planted: "planted secret"}) == [], "the search finds what is not there")

    inside = base64.b64encode(b"client-id:" + planted.encode() + b":and more")
    demand(search({"header": inside}, {planted: "x"}) != [], "a secret inside a longer base64 text is not found")

    name = f"Planted {secrets.token_hex(12)}"
    server.add_user(f"planted{secrets.token_hex(4)}", name, "planted@example.org")
    hits = search(database(server) | folder(server), {name: "planted name"})
    demand(any("in rows" in hit or "in pg_dump" in hit for hit in hits), f"the planted name is not found: {hits}")
    if not server.database:
        demand(any("in file" in hit for hit in hits), f"the planted name is in no file: {hits}")


def starts_without_master_key(server: Server) -> bool:
    """Whether a copy of the store opens without the key that seals it."""
    copy = server.data.with_name("without-master-key")
    shutil.copytree(server.data, copy)
    (copy / "master.key").unlink()
    stranger = Server(copy.parent / "stranger", database=server.database)
    stranger.data = copy
    port = urllib.parse.urlsplit(server.base_url).port
    try:
        stranger.start(listen=f"127.0.0.1:{port}")
    except AssertionError as refused:
        print("without master.key the server refuses to start:", str(refused).strip().splitlines()[-1])
        return False
    stranger.stop()
    return True


def main() -> None:
    private_key_search_works()
    noted = Noted()
    metrics_port = free_port()
    settings = {"log_format": "json", "log_level": "debug", "metrics_listen": f"127.0.0.1:{metrics_port}"}
    server = Server.from_environment("secrets", settings=settings)
    places: dict[str, bytes] = {}

    def gather(when: str) -> None:
        found = logs(server) | database(server) | folder(server)
        places.update({f"{place} ({when})": content for place, content in found.items()})

    def metrics(when: str) -> None:
        answer = requests.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=10)
        demand(answer.status_code == 200 and answer.text.strip() != "", "no metrics")
        places[f"metrics ({when})"] = answer.content

    try:
        server.start()
        first_administrator(server, noted)
        alice = Round(server, noted, "alice")
        alice.run()
        metrics("JSON logs")
        gather("JSON logs, running")
        json_lines = [line for line in server.output if line.startswith("{")]
        demand(len(json_lines) >= 20, f"only {len(json_lines)} lines of JSON were logged at level debug")
        for line in json_lines:
            json.loads(line)

        port = urllib.parse.urlsplit(server.base_url).port
        server.stop()
        gather("JSON logs, stopped")
        demand(not starts_without_master_key(server), "the server starts without its master key")
        server.settings |= {"log_format": "human", "log_level": "info"}
        before = len(server.output)
        server.start(listen=f"127.0.0.1:{port}")
        Round(server, noted, "bob").run()
        metrics("human logs")
        human_lines = [line for line in server.output[before:] if not line.startswith("{")]
        demand(len(human_lines) >= 10, f"only {len(human_lines)} lines were logged for people")
        if not server.database:
            backup = server.data.with_name("backup.db")
            server.command("backup", str(backup))
            places["the backup"] = backup.read_bytes()
        gather("human logs, running")

        # The set-up link is printed once for the person at the terminal, and is a secret everywhere else.
        link = noted.setup_link.encode()
        printed = sum(path.read_bytes().count(link) for path in server.logs.values())
        demand(printed == 1, f"the set-up link was written {printed} times, not once for the person at the terminal")
        beside_terminal = {place: content for place, content in places.items() if not place.startswith("log on")}
        elsewhere = search(beside_terminal, {noted.setup_link: "set-up link"})

        known = search(places, {alice.person.username: "user name"})
        demand(any("rows" in hit or "pg_dump" in hit for hit in known), "the search did not look at the right database")
        planted_secrets_are_found(server, places)
        print("planted secrets are found in", len(places), "places")

        master = (server.data / "master.key").read_text().split()[-1]
        noted("master key", master)
        began = time.monotonic()
        hits = search(places, noted.kinds) + elsewhere + private_keys(places)
        counted = noted.count()
        for kind in (
            "access token",
            "refresh token",
            "authorization code",
            "client secret",
            "password",
            "cookie",
            "form token",
        ):
            demand(counted.get(kind, 0) >= 2, f"the run saw too few of kind {kind}: {counted.get(kind, 0)}")
        size = sum(len(content) for content in places.values())
        print(", ".join(f"{number} × {kind}" for kind, number in sorted(counted.items())))
        print(f"searched {size / 1e6:.1f} MB in {len(places)} places in {time.monotonic() - began:.1f} s")
        demand(hits == [], "secrets were found:\n  " + "\n  ".join(sorted(set(hits))))
        server.stop()
    finally:
        server.close()


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, OSError, subprocess.SubprocessError, KeyError, StopIteration, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        print("0 passed, 1 failed")
        sys.exit(1)
    print("1 passed, 0 failed")
