"""The life of the Debian package on a machine with nothing else: installed, used, upgraded, removed, purged."""

import os
import pathlib
import re
import subprocess

import pytest
import requests
from browser import Browser

BASE = "http://localhost:8080/"
PASSWORD = "Compass-on-a-clean-machine rose"
# What `systemd-analyze security` may say at most: 10 is a service without any protection.
EXPOSURE = 1.5


def install(machine, package):
    return machine.run("apt-get", "install", "-qq", "--no-install-recommends", machine.take(package))


def add_administrator(machine):
    machine.run(
        *("portolan-admin", "user", "add", "ada", "--name", "Ada Example", "--email", "ada@example.org"),
        *("--admin", "--password-stdin"),
        stdin=PASSWORD + "\n",
    )


def sign_in():
    """Fills in the login page as a person does, and returns the title of the account's own page."""
    browser = Browser(BASE, "ada@portolan.local", PASSWORD)
    page = browser.open(f"{BASE}p/account/sessions")
    form = page.login_form()
    assert form, page.text
    values = {"username": browser.username, "password": browser.password}
    page = browser.follow(browser.submit(page, form, values, form.buttons[0]))
    return page.status, page.url


def service(machine, *properties):
    said = machine.run("systemctl", "show", "portolan", *(f"--property={name}" for name in properties), "--value")
    return said.split("\n")


def token(secret):
    answer = requests.post(
        f"{BASE}v2/oauth2/token",
        data={"grant_type": "client_credentials", "scope": "openid"},
        auth=secret,
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def is_active(secret, access_token):
    answer = requests.post(
        f"{BASE}v2/oauth2/token/introspect", data={"token": access_token}, auth=secret, timeout=30
    )
    return answer.json()["active"]


def files(machine):
    """What a package may leave behind: everything but logs, caches and what dpkg and systemd note down."""
    listed = machine.run("find", "/etc", "/usr", "/var", "/lib/", "-xdev", "-not", "-type", "d").split("\n")
    notes = re.compile(
        r"/var/(log|cache|lib/(dpkg|apt|systemd))/|/etc/(passwd|group|shadow|gshadow)-?$|/etc/\.pwd\.lock$"
    )
    return {file for file in listed if not notes.match(file)}


def test_it_lives_through_upgrades_and_leaves_nothing_behind(clean_machine, package, next_package):
    machine = clean_machine
    before = files(machine)

    # Installed: it runs, under its own user, and people sign in.
    said = install(machine, package)
    assert "README.Debian" in said
    assert sorted(service(machine, "ActiveState", "User", "UnitFileState")) == ["active", "enabled", "portolan"]
    owner = machine.run("stat", "--format=%U:%G %a", "/var/lib/portolan", "/etc/portolan").split("\n")
    assert owner == ["portolan:portolan 700", "root:portolan 750"]
    assert re.search(r"^Create the first administrator at http://localhost:8080/p/setup/\w+$",
                     machine.journal("portolan"), re.MULTILINE)
    add_administrator(machine)
    assert sign_in() == (200, f"{BASE}p/account/sessions")
    created = machine.run(
        *("portolan-admin", "client", "create", "--name", "Robot", "--type", "client_identity"),
        *("--format", "json"),
    )
    robot = re.search(r'"id": "([0-9a-f-]{36})"', created)[1]
    said = machine.run("portolan-admin", "client", "secret", "create", robot, "--name", "test", "--format", "json")
    secret = (robot, re.search(r'"secret": "([^"]+)"', said)[1])
    old_token = token(secret)
    assert is_active(secret, old_token)

    # Upgraded: the operator's settings and all data are there, and another process serves.
    settings = machine.path("etc/portolan/portolan.toml")
    settings.write_text(settings.read_text() + '\noperator_contact = "help@example.org"\n')
    [process] = service(machine, "MainPID")
    install(machine, next_package)
    assert machine.run("dpkg-query", "--show", "--showformat=${Version}", "portolan").endswith("+next")
    assert service(machine, "MainPID") != [process]
    assert "help@example.org" in settings.read_text()
    assert "help@example.org" in requests.get(f"{BASE}p/login", timeout=30).text
    assert sign_in() == (200, f"{BASE}p/account/sessions")
    assert is_active(secret, old_token)

    # Removed: nothing serves, and the data stay for whoever installs it again.
    said = machine.run("apt-get", "remove", "-qq", "portolan")
    assert "stay in /var/lib/portolan" in said
    with pytest.raises(requests.ConnectionError):
        requests.get(BASE, timeout=5)
    install(machine, package)
    assert is_active(secret, old_token)

    # Purged: it says what it deletes, and nothing is left.
    said = machine.run("apt-get", "purge", "-qq", "portolan")
    assert "deleting /var/lib/portolan" in said
    assert sorted(files(machine) - before) == []


def test_what_is_wrong_is_told_and_does_not_break_the_system(clean_machine, package, next_package):
    machine = clean_machine
    install(machine, package)
    machine.path("etc/portolan/portolan.toml").write_text('data_dir = "/var/lib/portolan"\nlisten = "nowhere"\n')

    said = install(machine, next_package)

    assert "journalctl -u portolan" in said
    assert machine.run("dpkg-query", "--show", "--showformat=${Status}", "portolan") == "install ok installed"
    assert service(machine, "ActiveState") == ["failed"]
    assert "listen" in machine.journal("portolan")
    # A configuration does not mend itself: it is not started again and again.
    assert service(machine, "NRestarts") == ["0"]

    machine.path("etc/portolan/portolan.toml").write_text('data_dir = "/var/lib/portolan"\n')
    machine.run("systemctl", "restart", "portolan")
    assert requests.get(f"{BASE}readyz", timeout=30).text == "ready\n"


def test_its_service_is_shut_in(clean_machine, package):
    machine = clean_machine
    install(machine, package)

    assert machine.run("systemd-analyze", "verify", "portolan.service") == ""
    machine.run("systemd-analyze", "security", f"--threshold={EXPOSURE * 10:.0f}", "--no-pager", "portolan")
    exposure = machine.run("systemd-analyze", "security", "--no-pager", "portolan").split("\n")[-1]
    print(exposure)
    # Only the owner of the service reads its data, and operators do it through portolan-admin.
    refused = machine.run("runuser", "-u", "nobody", "--", "portolan-admin", "doctor", check=False)
    assert refused == "portolan-admin: run it as root: sudo portolan-admin ..."
    assert "agrees with the file system" in machine.run("portolan-admin", "doctor")


def test_manuals_and_completions_come_with_it(clean_machine, package):
    install(clean_machine, package)

    placed = clean_machine.run("dpkg-query", "--listfiles", "portolan").split("\n")
    assert {
        "/usr/share/man/man1/portolan.1.gz",
        "/usr/share/man/man1/portolan-serve.1.gz",
        "/usr/share/man/man8/portolan-admin.8.gz",
        "/usr/share/bash-completion/completions/portolan",
        "/usr/share/fish/vendor_completions.d/portolan.fish",
        "/usr/share/zsh/vendor-completions/_portolan",
    } <= set(placed)
    completed = "source /usr/share/bash-completion/completions/portolan && complete -p portolan"
    assert "portolan" in clean_machine.run("bash", "-c", completed)


def test_lintian_finds_nothing(package):
    done = subprocess.run(
        [os.environ["LINTIAN"], "--fail-on", "error,warning", package],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout


def test_the_unit_and_its_user_say_the_same():
    folder = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "debian"
    unit = (folder / "portolan.service").read_text()

    [user] = re.findall(r"^User=(\w+)$", unit, re.MULTILINE)
    [state] = re.findall(r"^StateDirectory=(\w+)$", unit, re.MULTILINE)

    assert (folder / "portolan.sysusers").read_text().startswith(f"u {user} ")
    assert f"d /var/lib/{state} 0700 {user} {user}" in (folder / "portolan.tmpfiles").read_text()
    assert f'data_dir = "/var/lib/{state}"' in (folder / "portolan.toml").read_text()
