"""A person's browser without a screen: cookies, redirects and plain HTML forms, no JavaScript.

It follows an authorization URL as a browser would, fills in the login page, answers the consent page and stops
where the answer leaves the server: at the client's redirect URI, or at the page that displays the code.
"""

from __future__ import annotations

import dataclasses
import html.parser
import urllib.parse

import requests

DISPLAY_PAGE = "/v2/web/auth-code"


class UnexpectedPage(AssertionError):
    """The server showed something other than a page that this flow knows how to answer."""


@dataclasses.dataclass
class Button:
    name: str | None
    value: str
    label: str = ""


@dataclasses.dataclass
class Link:
    target: str
    text: str = ""


@dataclasses.dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    passwords: list[str] = dataclasses.field(default_factory=list)
    buttons: list[Button] = dataclasses.field(default_factory=list)

    def names(self) -> set[str]:
        return {name for name, _ in self.fields}

    def button(self, name: str, value: str) -> Button | None:
        return next((b for b in self.buttons if b.name == name and b.value == value), None)


class PageParser(html.parser.HTMLParser):
    """Collects the forms, the links, the headings and the visible text of one page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[Link] = []
        self.headings: list[str] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._heading = False
        self._button: Button | None = None
        self._link: Link | None = None
        self._silent = 0
        self._textarea: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        attribute = {name: value or "" for name, value in attributes}
        if tag in ("script", "style"):
            self._silent += 1
        elif tag == "form":
            self._form = Form(attribute.get("action", ""), attribute.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "a" and "href" in attribute:
            self._link = Link(attribute["href"])
            self.links.append(self._link)
        elif tag == "h1":
            self._heading = True
            self.headings.append("")
        elif tag == "input" and self._form is not None:
            self._input(self._form, attribute)
        elif tag == "button" and self._form is not None:
            kind = attribute.get("type", "submit").lower()
            if kind == "submit" and "disabled" not in attribute:
                self._button = Button(attribute.get("name") or None, attribute.get("value", ""))
                self._form.buttons.append(self._button)
        elif tag == "textarea" and self._form is not None:
            self._textarea = attribute.get("name")
            if self._textarea:
                self._form.fields.append((self._textarea, ""))
        elif tag == "select" and self._form is not None:
            self._select = attribute.get("name")
        elif tag == "option" and self._select and self._form is not None:
            if self._select not in self._form.names() or "selected" in attribute:
                self._form.fields = [f for f in self._form.fields if f[0] != self._select]
                self._form.fields.append((self._select, attribute.get("value", "")))

    def _input(self, form: Form, attribute: dict[str, str]) -> None:
        kind = attribute.get("type", "text").lower()
        name = attribute.get("name")
        if kind in ("submit", "image"):
            form.buttons.append(Button(name, attribute.get("value", ""), attribute.get("value", "")))
            return
        if not name or "disabled" in attribute or kind in ("button", "reset"):
            return
        if kind in ("checkbox", "radio") and "checked" not in attribute:
            return
        if kind == "password":
            form.passwords.append(name)
        value = attribute.get("value", "on" if kind in ("checkbox", "radio") else "")
        form.fields.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style") and self._silent:
            self._silent -= 1
        elif tag == "form":
            self._form = None
        elif tag == "h1":
            self._heading = False
        elif tag == "button":
            self._button = None
        elif tag == "a":
            self._link = None
        elif tag == "textarea":
            self._textarea = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        self.words.extend(data.split())
        if self._heading:
            self.headings[-1] += data
        if self._button is not None:
            self._button.label += data
        if self._link is not None:
            self._link.text = " ".join([*self._link.text.split(), *data.split()])
        if self._textarea and self._form is not None:
            name, value = self._form.fields[-1]
            self._form.fields[-1] = (name, value + data)


@dataclasses.dataclass
class Page:
    """One page that the browser was shown."""

    url: str
    status: int
    forms: list[Form]
    heading: str
    text: str
    headers: dict[str, str]
    links: list[Link] = dataclasses.field(default_factory=list)

    @classmethod
    def read(cls, answer: requests.Response) -> "Page":
        parser = PageParser()
        parser.feed(answer.text)
        heading = " ".join(parser.headings[0].split()) if parser.headings else ""
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return cls(answer.url, answer.status_code, parser.forms, heading, " ".join(parser.words), headers, parser.links)

    def login_form(self) -> Form | None:
        return next((f for f in self.forms if "username" in f.names() and "password" in f.passwords), None)

    def decision_form(self) -> Form | None:
        return next((f for f in self.forms if f.button("decision", "allow")), None)

    def link(self, text: str) -> Link | None:
        """The link whose text begins so."""
        return next((link for link in self.links if link.text.startswith(text)), None)

    @property
    def kind(self) -> str:
        if self.login_form():
            return "login"
        if self.decision_form():
            return "continue" if self.heading.lower().startswith("continue") else "consent"
        return "other"


class Browser:
    """One person in one browser; cookies live as long as the object."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self.base_url = base_url
        self.username = username
        self.password = password
        # Other accounts of the same person: passwords by username.
        self.others: dict[str, str] = {}
        self.session = requests.Session()
        # Nothing of the surroundings may reach the server: no netrc, no proxy.
        self.session.trust_env = False
        self.session.headers["Accept"] = "text/html,application/xhtml+xml"
        self.pages: list[Page] = []

    @property
    def origin(self) -> str:
        parts = urllib.parse.urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def kinds(self) -> list[str]:
        """The kinds of the pages that the last flow showed, in order."""
        return [page.kind for page in self.pages]

    def get(self, url: str) -> requests.Response:
        return self.session.get(
            url, allow_redirects=False, timeout=30, headers={"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}
        )

    def submit(self, page: Page, form: Form, values: dict[str, str], button: Button | None = None) -> requests.Response:
        """Sends a form with its hidden and prefilled fields, `values` written over them, by pressing `button`."""
        unknown = set(values) - form.names()
        if unknown:
            raise UnexpectedPage(
                f"the form at {page.url} has no field {sorted(unknown)}; it has {sorted(form.names())}"
            )
        fields = [(name, values.get(name, value)) for name, value in form.fields]
        if button is not None and button.name:
            fields.append((button.name, button.value))
        target = urllib.parse.urljoin(page.url, form.action) if form.action else page.url
        if form.method != "post":
            raise UnexpectedPage(f"the form at {page.url} is sent by {form.method}, not by post")
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "Referer": page.url}
        return self.session.post(target, data=fields, allow_redirects=False, timeout=30, headers=headers)

    def follow(self, answer: requests.Response) -> str | Page:
        """Follows redirects inside the server; returns the URL that leaves it, or the page that is shown."""
        for _ in range(15):
            if answer.status_code not in (302, 303):
                page = Page.read(answer)
                self.pages.append(page)
                return page
            target = urllib.parse.urljoin(answer.url, answer.headers["Location"])
            leaves = not (target + "/").startswith(self.origin + "/")
            if leaves:
                return target
            if urllib.parse.urlsplit(target).path == DISPLAY_PAGE:
                shown = Page.read(self.get(target))
                self.pages.append(shown)
                return target
            answer = self.get(target)
        raise UnexpectedPage(f"too many redirects, the last to {target}")

    def open(self, url: str) -> str | Page:
        self.pages = []
        return self.follow(self.get(url))

    def account(self, page: Page, form: Form, used: list[str]) -> tuple[str, str]:
        """The account that the page asks for: the one it prefills, or one at a domain that it names."""
        accounts = {self.username: self.password} | self.others
        prefilled = dict(form.fields).get("username", "")
        named = [name for name in accounts if f"an account at {name.partition('@')[2]}" in page.text]
        for name in [prefilled, *named, self.username]:
            if name in accounts and name not in used:
                return name, accounts[name]
        raise UnexpectedPage(f"the login page came again: {page.text}")

    def authorize(
        self, url: str, decision: str = "allow", label: str | None = None, *, decline_optional: bool = False
    ) -> str:
        """Walks from an authorization URL to the redirect URI, signing in and answering what is asked.

        With `decline_optional` the boxes of what is marked as optional are unticked.
        """
        where = self.open(url)
        used: list[str] = []
        while isinstance(where, Page):
            form = where.login_form()
            if form is not None:
                username, password = self.account(where, form, used)
                used.append(username)
                values = {"username": username, "password": password}
                where = self.follow(self.submit(where, form, values, form.buttons[0] if form.buttons else None))
                continue
            form = where.decision_form()
            if form is None:
                raise UnexpectedPage(f"{where.status} at {where.url}: {where.heading}: {where.text}")
            button = form.button("decision", decision)
            if button is None:
                raise UnexpectedPage(f"{where.url} has no button decision={decision}")
            values = {"label": label} if label is not None and "label" in form.names() else {}
            if decline_optional:
                form.fields = [field for field in form.fields if field[0] != "scope_optional"]
            where = self.follow(self.submit(where, form, values, button))
        return where

    def withdraw(self, consent_id: int) -> Page:
        """Withdraws a permission of a person who is signed in; returns the page that asked for confirmation."""
        where = self.open(f"{self.base_url}v2/web/consents/{consent_id}")
        if not isinstance(where, Page) or where.status != 200 or not where.heading.startswith("Withdraw"):
            raise UnexpectedPage(f"no page that asks before it withdraws: {where}")
        form = next(form for form in where.forms if "shown" in form.names())
        after = self.follow(self.submit(where, form, {}, form.buttons[0]))
        if not isinstance(after, Page) or "Withdrawn" not in after.text:
            raise UnexpectedPage(f"nothing was withdrawn: {after}")
        return where

    def code(self, url: str, **answers: str | bool) -> str:
        """As `authorize`, and returns the code; on the display page the code must be readable for a person."""
        target = self.authorize(url, **answers)
        answer = query(target)
        if "code" not in answer:
            raise UnexpectedPage(f"no code in {target}")
        if urllib.parse.urlsplit(target).path == DISPLAY_PAGE and target.startswith(self.origin):
            shown = self.pages[-1]
            form_values = [value for form in shown.forms for _, value in form.fields]
            if answer["code"] not in shown.text and answer["code"] not in form_values:
                raise UnexpectedPage(f"the display page does not show the code: {shown.text}")
        return answer["code"]


def query(url: str) -> dict[str, str]:
    """The parameters of a URL, each of which may occur once only."""
    pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True)
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise AssertionError(f"a parameter occurs twice in {url}")
    return dict(pairs)
