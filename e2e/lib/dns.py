"""A DNS server of our own on loopback: dnsmasq, with the TXT records that a test asks for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time

from ports import free_port


class NameServer:
    """Its address is known before it runs, so that a server under test can be told of it."""

    def __init__(self) -> None:
        found = os.environ.get("DNSMASQ") or shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not found:
            raise SystemExit("dnsmasq is missing; on Debian: apt-get install dnsmasq-base")
        self.binary = found
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def serve(self, **records: str) -> None:
        """Starts it, or starts it again, with these names (`__` stands for a dot) and nothing else."""
        self.close()
        options = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--pid-file=",
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            f"--port={self.port}",
            # What it does not hold does not exist; it asks nobody.
            "--local=//",
        ]
        options += [f"--txt-record={name.replace('__', '.')},{text}" for name, text in records.items()]
        self._process = subprocess.Popen([self.binary, *options], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"dnsmasq does not answer at {self.address}") from None
                time.sleep(0.05)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(timeout=10)
