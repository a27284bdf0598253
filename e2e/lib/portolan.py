"""Starts the real server for a suite, and registers the people and clients that its flows need.

The environment says what to start: PORTOLAN_BIN, PORTOLAN_E2E_ENGINE (sqlite or postgres), PORTOLAN_E2E_DATABASE
(for postgres) and PORTOLAN_E2E_DIR (an empty folder). A store belongs to one issuer, so each server gets a data
folder of its own, and on PostgreSQL a database of its own beside the one that is given.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import queue
import secrets
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.parse

import requests

from browser import Browser

READY = "portolan ready at "

AUTH = "auth.globus.org"
TRANSFER = "transfer.api.globus.org"
GROUPS = "groups.api.globus.org"
TRANSFER_ALL = "urn:globus:auth:scope:transfer.api.globus.org:all"
GROUPS_VIEW_ID = "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f"
GROUPS_VIEW = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"
VIEW_IDENTITY_SET = "urn:globus:auth:scope:auth.globus.org:view_identity_set"

# A registered https address that nothing listens on: the form browser stops before it.
CALLBACK = "https://portal.example.org/callback"


def new_password() -> str:
    """A password nobody else has, so that a search for it in files cannot hit by chance."""
    return f"Compass-{secrets.token_hex(12)} rose"


class Server:
    """One running `portolan serve` and the operator commands on its data folder.

    `settings` are names of the configuration and their values; they travel as `PORTOLAN_*` variables.
    """

    def __init__(
        self, directory: pathlib.Path, *, database: str | None = None, settings: dict[str, str] | None = None
    ) -> None:
        self.binary = os.environ["PORTOLAN_BIN"]
        self.data = directory / "data"
        self.database = database
        self._own_database = False
        self.settings = settings or {}
        self.output: list[str] = []
        self.logs = {"stdout": directory / "server.stdout", "stderr": directory / "server.stderr"}
        self.base_url = ""
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        directory.mkdir(parents=True, exist_ok=True)

    @classmethod
    def from_environment(cls, name: str, **more: object) -> "Server":
        """A server with the engine that the environment names, in a folder of its own below PORTOLAN_E2E_DIR."""
        root = pathlib.Path(os.environ.get("PORTOLAN_E2E_DIR") or tempfile.mkdtemp(prefix="portolan-e2e-"))
        engine = os.environ.get("PORTOLAN_E2E_ENGINE", "sqlite")
        database = None
        if engine == "postgres":
            database = os.environ["PORTOLAN_E2E_DATABASE"]
        elif engine != "sqlite":
            raise SystemExit(f"PORTOLAN_E2E_ENGINE is {engine}, but must be sqlite or postgres")
        root.mkdir(parents=True, exist_ok=True)
        directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
        server = cls(directory, database=database, **more)
        if database:
            server._create_database(name)
        return server

    def _create_database(self, name: str) -> None:
        self._given, own = self.database, f"portolan_{name.replace('-', '_')}_{secrets.token_hex(4)}"
        psql(self._given, f'CREATE DATABASE "{own}"')
        self.database = urllib.parse.urlsplit(self._given)._replace(path=f"/{own}").geturl()
        self._own_database = True
        # Several nodes must be able to open what one has sealed, so on PostgreSQL the operator makes the key file.
        key = self.data / "master.key"
        self.data.mkdir(mode=0o700, parents=True)
        key.touch(mode=0o600)
        key.write_text(f"portolan-master-key-v1 {base64.b64encode(secrets.token_bytes(32)).decode()}\n")

    def close(self) -> None:
        """Stops the server and removes the database that was made for it."""
        try:
            self.stop()
        finally:
            if self._own_database:
                own = urllib.parse.urlsplit(self.database).path.lstrip("/")
                psql(self._given, f'DROP DATABASE IF EXISTS "{own}" WITH (FORCE)')
                self._own_database = False

    def _store(self) -> list[str]:
        return ["--data-dir", str(self.data)] + (["--database", self.database] if self.database else [])

    def _environment(self) -> dict[str, str]:
        # A setting of the person who runs the tests must not reach the server under test.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PORTOLAN_")} | {"NO_COLOR": "1"}
        kept |= {f"PORTOLAN_{name.upper()}": value for name, value in self.settings.items()}
        if self._own_database:
            kept["PORTOLAN_MASTER_KEY_FILE"] = str(self.data / "master.key")
        return kept

    def variables(self) -> dict[str, str]:
        """With these an operator command beside `portolan-data` finds the store also if it is elsewhere."""
        if not self._own_database:
            return {}
        return {"PORTOLAN_DATABASE": self.database, "PORTOLAN_MASTER_KEY_FILE": str(self.data / "master.key")}

    def start(self, *, listen: str = "127.0.0.1:0") -> "Server":
        command = [self.binary, "serve", *self._store(), "--listen", listen]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self._environment(),
        )
        self._process = process
        lines: queue.Queue[str | None] = queue.Queue()
        self._readers = []
        for stream, path in ((process.stdout, self.logs["stdout"]), (process.stderr, self.logs["stderr"])):
            reader = threading.Thread(target=self._read, args=(stream, path, lines), daemon=True)
            reader.start()
            self._readers.append(reader)
        deadline = time.monotonic() + 60
        ended = 0
        while True:
            try:
                line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                self.stop()
                raise AssertionError(f"no line '{READY}URL' within 60 s:\n" + "".join(self.output)) from None
            if line is None:
                ended += 1
                if ended == 2:
                    raise AssertionError(
                        f"the server ended ({process.wait()}) before it was ready:\n" + "".join(self.output)
                    )
            elif line.startswith(READY):
                self.base_url = line.removeprefix(READY).strip().rstrip("/") + "/"
                return self

    def _read(self, stream, path: pathlib.Path, lines: "queue.Queue[str | None]") -> None:
        with path.open("a", encoding="utf-8") as log:
            for line in stream:
                log.write(line)
                log.flush()
                self.output.append(line)
                lines.put(line)
        lines.put(None)

    def stop(self) -> None:
        """Asks the server to end and demands that it does so in good order."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the server did not end within 30 s of SIGTERM") from None
        for reader in self._readers:
            reader.join(timeout=10)
        if status != 0:
            raise AssertionError(f"the server ended with status {status}:\n" + "".join(self.output[-20:]))

    def __enter__(self) -> "Server":
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def command(self, *arguments: str, stdin: str | None = None) -> dict:
        """Runs an operator command on the store of this server and returns the document that it prints."""
        command = [self.binary, *arguments, "--format", "json", *self._store()]
        done = subprocess.run(
            command,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env=self._environment(),
        )
        if done.returncode != 0:
            raise AssertionError(
                f"portolan {' '.join(arguments)} ended with {done.returncode}: {done.stderr}{done.stdout}"
            )
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def add_user(self, username: str, name: str, email: str, password: str | None = None) -> "Person":
        password = password or new_password()
        answer = self.command(
            "user", "add", username, "--name", name, "--email", email, "--password-stdin", stdin=password + "\n"
        )
        return Person(self, answer["id"], username, name, email, password)

    def sql(self, statement: str) -> None:
        """For what only time or a page with a person at another provider brings about."""
        if self.database:
            psql(self.database, statement)
            return
        with sqlite3.connect(self.data / "portolan.db", timeout=10) as store:
            store.execute(statement)

    def link(self, primary: "Person", other: "Person", domain: str) -> None:
        """Makes `other` an account of the same person, under another domain."""
        name = other.username.partition("@")[0]
        self.sql(
            f"UPDATE identities SET username = '{name}@{domain}',"
            f" set_id = (SELECT set_id FROM identities WHERE id = {self._id(primary.id)})"
            f" WHERE id = {self._id(other.id)}"
        )
        other.username = f"{name}@{domain}"

    def age_browsers_of(self, person: "Person") -> None:
        """An hour passes in every browser in which this person has signed in."""
        self.sql(
            "UPDATE browser_authentications SET authenticated_at = authenticated_at - 3600000000"
            f" WHERE identity_id = {self._id(person.id)}"
        )

    def _id(self, text: str) -> str:
        return f"'{text}'" if self.database else f"x'{text.replace('-', '')}'"

    def create_client(self, name: str, kind: str, *redirect_uris: str) -> dict:
        """Registers a client; a confidential one gets a secret, found under `secret` of the answer."""
        uris = [part for uri in redirect_uris for part in ("--redirect-uri", uri)]
        client = self.command("client", "create", "--name", name, "--type", kind, *uris)["client"]
        if not client["public_client"]:
            credential = self.command("client", "secret", "create", client["id"], "--name", "deploy")["credential"]
            client["secret"] = credential["secret"]
        return client

    def create_secret(self, client_id: str) -> str:
        """A secret for a client that is there already, such as a built-in service."""
        return self.command("client", "secret", "create", client_id, "--name", "e2e")["credential"]["secret"]

    def create_scope(self, client: dict, suffix: str, *, needs: tuple[dict, ...] = ()) -> dict:
        """A scope that the client makes for itself, as the guide for action providers does it.

        `needs` are its dependent scopes, see `needs_scope`.
        """
        scope = {
            "name": f"Use {client['name']}",
            "description": f"Everything that {client['name']} does",
            "scope_suffix": suffix,
            "dependent_scopes": list(needs),
            "advertised": True,
            "allow_refresh_tokens": True,
        }
        answer = requests.post(
            f"{self.base_url}v2/api/clients/{client['id']}/scopes",
            json={"scope": scope},
            auth=(client["id"], client["secret"]),
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["scopes"][0]


def needs_scope(scope_id: str, *, optional: bool = False) -> dict:
    return {"scope": scope_id, "optional": optional, "requires_refresh_token": True}


def psql(database: str, statement: str) -> None:
    command = ["psql", database, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", statement]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)


class Person:
    """A local account."""

    def __init__(self, server: Server, id: str, username: str, name: str, email: str, password: str) -> None:
        self.server = server
        self.id = id
        self.username = username if "@" in username else f"{username}@portolan.local"
        self.name = name
        self.email = email
        self.password = password

    def browser(self, *others: "Person") -> Browser:
        """A new browser of this person, who can also sign in with `others`, their linked accounts."""
        browser = Browser(self.server.base_url, self.username, self.password)
        browser.others = {other.username: other.password for other in others}
        return browser
