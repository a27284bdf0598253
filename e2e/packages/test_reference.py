"""The reference set-up, made on three machines by its own description, and operated by the guide for several nodes."""

import json
import pathlib
import socket
import threading
import urllib.parse

import pytest
import requests
from browser import Browser, query
from conftest import boot
from machine import OUTSIDE
from operators import Operator

ROOT = pathlib.Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "packaging" / "reference"
GUIDES = ROOT / "docs" / "guides" / "operators"

BASE = "https://auth.example.org/"
CALLBACK = "https://portal.example.org/callback"
ADDRESSES = {
    "auth.example.org": "10.20.0.10",
    "node1.internal": "10.20.0.11",
    "node2.internal": "10.20.0.12",
}
NODES = [f"https://{name}:8443/" for name in ADDRESSES if name.startswith("node")]


@pytest.fixture
def names(monkeypatch):
    """The names of the set-up lead to its machines, as their DNS would say."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more: look_up(ADDRESSES.get(host, host), *more))


class NodeAdapter(requests.adapters.HTTPAdapter):
    """Speaks to a node past the proxy; both nodes have the certificate of one name."""

    def init_poolmanager(self, *arguments, **more):
        super().init_poolmanager(*arguments, assert_hostname="nodes.internal", server_hostname="nodes.internal", **more)


class Portal:
    """A web portal that people use: a confidential client with its own introspection."""

    def __init__(self, node, ca):
        created = node.run(
            *("portolan-admin", "client", "create", "--name", "Portal", "--type", "confidential_client"),
            *("--redirect-uri", CALLBACK, "--format", "json"),
        )
        self.id = json.loads(created)["client"]["id"]
        made = node.run("portolan-admin", "client", "secret", "create", self.id, "--name", "test", "--format", "json")
        self.secret = json.loads(made)["credential"]["secret"]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = ca
        for base in NODES:
            self.session.mount(base, NodeAdapter())

    def post(self, base, path, **form):
        return self.session.post(f"{base}v2/oauth2/{path}", data=form, auth=(self.id, self.secret), timeout=30)

    def authorize_url(self):
        form = {"client_id": self.id, "redirect_uri": CALLBACK, "scope": "openid", "response_type": "code", "state": "x"}
        return f"{BASE}v2/oauth2/authorize?{urllib.parse.urlencode(form)}"

    def token(self, base, code):
        answer = self.post(base, "token", grant_type="authorization_code", code=code, redirect_uri=CALLBACK)
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def is_active(self, base, token):
        answer = self.post(base, "token/introspect", token=token)
        assert answer.status_code == 200, answer.text
        return answer.json()["active"]


def test_two_nodes_by_the_book(tmp_path, names, package, next_package):
    with (
        boot("DEBIAN_SERVICES", tmp_path, name="front", address="10.20.0.10") as front,
        boot("DEBIAN_SERVICES", tmp_path, name="node1", address="10.20.0.11") as node1,
        boot("DEBIAN_SERVICES", tmp_path, name="node2", address="10.20.0.12") as node2,
    ):
        for machine in (front, node1, node2):
            machine.take(REFERENCE, "")
        for node in (node1, node2):
            node.take(package)
            node.take(next_package, "new")
        operator = Operator(front, node1, node2)

        operator.follow(REFERENCE / "README.md")

        ca = tmp_path / "ca.pem"
        ca.write_text(front.run("cat", "/root/reference/internal-ca.pem") + "\n")
        portal = Portal(node1, str(ca))
        browser = Browser(BASE, "ada@portolan.local", node1.run("cat", "/root/reference/ada-password"))
        browser.session.verify = str(ca)

        # Signed in through the proxy; the code is used at one node, the token known at the other.
        # A browser says what it likes about where it comes from, and is not believed.
        browser.session.headers["X-Forwarded-For"] = "203.0.113.66"
        token = portal.token(NODES[0], query(browser.authorize(portal.authorize_url()))["code"])
        assert [portal.is_active(base, token) for base in (*NODES, BASE)] == [True, True, True]
        trail = json.loads(node2.run("portolan-admin", "audit", "--action", "login", "--format", "json"))
        assert {event["address"] for event in trail["events"]} == {OUTSIDE}

        # Withdrawn at one node, dead at both with the next request.
        assert portal.post(NODES[1], "token/revoke", token=token).status_code == 200
        assert [portal.is_active(base, token) for base in (*NODES, BASE)] == [False, False, False]

        # A node goes away in the middle of the traffic: nobody is refused, and nothing is lost.
        token = portal.token(BASE, query(browser.authorize(portal.authorize_url()))["code"])
        answers = traffic(portal, token, lambda: node1.run("systemctl", "kill", "--signal=KILL", "portolan"))
        assert answers == {True}
        node1.run("systemctl", "stop", "portolan")
        token2 = portal.token(BASE, query(browser.authorize(portal.authorize_url()))["code"])
        assert browser.kinds() == [], "still signed in, without any page"
        node1.run("systemctl", "start", "portolan")
        assert [portal.is_active(NODES[0], issued) for issued in (token, token2)] == [True, True]

        # Nobody comes in without TLS, and the database is not everybody's.
        plain = requests.get("http://auth.example.org/v2/web/auth-code", allow_redirects=False, timeout=30)
        assert (plain.status_code, plain.headers["Location"]) == (301, f"{BASE}v2/web/auth-code")
        with socket.create_connection(("10.20.0.10", 5432), timeout=10) as stranger:
            # A start-up message without TLS: version 3.0, user and database portolan.
            words = b"user\0portolan\0database\0portolan\0\0"
            stranger.sendall((len(words) + 8).to_bytes(4, "big") + (196608).to_bytes(4, "big") + words)
            assert b"no pg_hba.conf entry" in stranger.recv(1024)

        # A year of operation, by the guide; tokens outlive it.
        operator.follow(GUIDES / "several-nodes.md")

        assert [portal.is_active(base, token2) for base in (*NODES, BASE)] == [True, True, True]
        version = node2.run("dpkg-query", "--show", "--showformat=${Version}", "portolan")
        assert version.endswith("+next")


def traffic(portal, token, disturb):
    """What callers are told about a token while something happens to the nodes."""
    answers, stop = set(), threading.Event()

    def call():
        while not stop.is_set():
            answers.add(portal.is_active(BASE, token))

    caller = threading.Thread(target=call)
    caller.start()
    try:
        disturb()
        for _ in range(20):
            answers.add(portal.is_active(BASE, token))
    finally:
        stop.set()
        caller.join()
    return answers
