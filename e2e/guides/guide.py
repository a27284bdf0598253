"""Reads a guide and does what it tells its reader to do.

What counts, of the fenced blocks of a guide:

| fence | what happens |
| --- | --- |
| `sh` | runs in the one shell that the whole guide shares, as if pasted |
| `python` | its first line is a comment with a file name; it is saved under that name, as the text says |
| `text` right after a `sh` | what the reader sees; `…` in a line stands for anything, alone in a line for any lines |
| anything else | only read by people |

A guide about several machines names them behind `sh`, and the block runs on each of these.

Where a program prints the link of an authorization request and waits, the form browser is the person and types the
code. Where it prints a link to log out, the answer is the address at which the browser ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import queue
import re
import secrets
import signal
import subprocess
import threading
import time
import urllib.parse

from collections.abc import Callable

from browser import Browser, query
from ports import free_port

# The address in the guides, which is the one of a server that was told nothing.
ADDRESS = "http://localhost:8080"
# The port of what a guide itself starts.
OTHER_PORT = "8081"
LIMIT = 120

FENCE = re.compile(r"^```(?P<kind>\w*)(?P<where>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
# What a reader opens in the browser: a login, or a logout.
LINK = re.compile(r"https?://\S+/v2/(?:oauth2/authorize|web/logout)\?\S+(?=\s)")


@dataclasses.dataclass
class Block:
    kind: str
    text: str
    line: int
    # For `sh`: what the reader is shown to see.
    expected: str | None = None
    where: tuple[str, ...] = ()


def blocks(markdown: str) -> list[Block]:
    found: list[Block] = []
    end = 0
    for match in FENCE.finditer(markdown):
        block = Block(match["kind"], match["text"], markdown.count("\n", 0, match.start()) + 1, where=tuple(match["where"].split()))
        between = markdown[end : match.start()]
        end = match.end()
        if block.kind == "text" and found and found[-1].kind == "sh" and not between.strip():
            found[-1].expected = block.text
        else:
            found.append(block)
    return found


def pattern(expected: str) -> re.Pattern[str]:
    """What a reader takes for the same as the printed text."""
    lines = []
    for line in expected.rstrip("\n").split("\n"):
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            parts = [re.escape(part) for part in line.rstrip().split("…")]
            lines.append(".*?".join(parts) + r"[ \t]*\n")
    return re.compile("".join(lines))


class Shell:
    """A shell that is fed block by block, so that variables, folders and functions live on as in a terminal."""

    def __init__(
        self, folder: pathlib.Path, environment: dict[str, str], inside: Callable[..., list[str]] = lambda *words: [*words]
    ) -> None:
        """`inside` makes of a command one that runs it elsewhere, in a place with a folder and variables of its own."""
        reading, writing = os.pipe()
        # The commands come by a pipe of their own: what the programs read is the person's typing.
        self._process = subprocess.Popen(
            inside("bash", "--noprofile", "--norc", "-e", "-u", "-o", "pipefail", f"/dev/fd/{reading}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            pass_fds=[reading],
            start_new_session=True,
        )
        os.close(reading)
        self._commands = os.fdopen(writing, "w", encoding="utf-8")
        self._output: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        # Not by lines: a prompt that waits for an answer has no end of line.
        while piece := os.read(self._process.stdout.fileno(), 65536):
            self._output.put(piece)
        self._output.put(b"")

    def run(self, block: Block, answer) -> str:
        """Runs one block and returns what it printed; `answer` gives what is typed after a link."""
        mark = f"end-{secrets.token_hex(8)}"
        self._commands.write(f"{block.text}\nprintf '%s\\n' {mark}\n")
        self._commands.flush()
        said, answered = b"", 0
        deadline = time.monotonic() + LIMIT
        while not said.endswith(f"{mark}\n".encode()):
            try:
                piece = self._output.get(timeout=1)
            except queue.Empty:
                # What was started with `&` keeps the pipe open after the shell has gone.
                if self._process.poll() is None and time.monotonic() < deadline:
                    continue
                piece = b""
            if not piece:
                # The end of its output comes a moment before its own.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=2)
                status = self._process.poll()
                ended = f"nothing more within {LIMIT} s" if status is None else f"the shell ended with {status}"
                raise AssertionError(f"{ended}; line {block.line}:\n{block.text}\n{said.decode()}")
            said += piece
            links = LINK.findall(said.decode(errors="replace"))
            # A program that waits has printed its prompt, which ends in no new line.
            if len(links) > answered and not said.endswith(b"\n"):
                typed = f"{answer(links[-1])}\n".encode()
                self._process.stdin.write(typed)
                self._process.stdin.flush()
                # A terminal would show it.
                said += typed
                answered = len(links)
        return said.decode().removesuffix(f"{mark}\n")

    def close(self) -> None:
        self._commands.close()
        self._process.stdin.close()
        # With it goes what a guide that failed half-way has left running.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=10)


class Reader:
    """Somebody who follows a guide against this server."""

    def __init__(
        self, server, person, folder: pathlib.Path, python: pathlib.Path, ports: tuple[str, ...] = (OTHER_PORT,)
    ) -> None:
        self.server = server
        self.browser: Browser = person.browser()
        self.folder = folder
        # What the guide itself starts listens elsewhere, so that several can run at once.
        free: set[int] = set()
        while len(free) < len(ports):
            free.add(free_port())
        self.ports = dict(zip(ports, map(str, free)))
        tools = folder / "bin"
        tools.mkdir()
        (tools / "portolan").symlink_to(server.binary)
        (folder / "portolan-data").symlink_to(server.data)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PORTOLAN_", "GLOBUS_"))}
        kept |= {"PATH": f"{tools}:{python.parent}:{kept['PATH']}", "HOME": str(folder), "NO_COLOR": "1"}
        kept |= server.variables()
        self.shell = Shell(folder, kept)

    def follow(self, block: Block) -> None:
        if block.kind == "python":
            self._save(block)
        elif block.kind == "sh":
            said = self.shell.run(dataclasses.replace(block, text=self.here(block.text)), self._answer)
            if block.expected is not None:
                expected = pattern(self.here(block.expected))
                said = said.lstrip("\n").rstrip("\n") + "\n"
                assert expected.fullmatch(said), (
                    f"line {block.line} prints\n{said}\nand not\n{self.here(block.expected)}"
                )

    def here(self, text: str) -> str:
        """The text with the addresses of this server and of what the guide starts."""
        text = text.replace(ADDRESS, self.server.base_url.rstrip("/"))
        for printed, port in self.ports.items():
            text = re.sub(rf"\b{printed}\b", port, text)
        return text

    def _save(self, block: Block) -> None:
        name = re.match(r"# ([\w.-]+\.py)\n", block.text)
        assert name, f"line {block.line}: a python block begins with a comment that names its file"
        (self.folder / name[1]).write_text(self.here(block.text))

    def _answer(self, link: str) -> str:
        if urllib.parse.urlsplit(link).path == "/v2/web/logout":
            where = self.browser.open(link)
            assert isinstance(where, str), f"the browser stays at a page: {where.text}"
            return where
        where = self.browser.authorize(link)
        assert "code" in query(where), where
        assert urllib.parse.urlsplit(where).scheme in ("http", "https")
        return query(where)["code"]

    def close(self) -> None:
        self.shell.close()
