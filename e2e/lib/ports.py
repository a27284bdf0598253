"""Ports for what is started later than its port is chosen."""

import secrets
import socket

# Below the ports that Linux gives to outgoing connections: one of those may take a port that was free a moment ago.
LOWEST, HIGHEST = 20000, 32000


def free_port() -> int:
    """A port of loopback on which nothing listens, neither by TCP nor by UDP."""
    for _ in range(200):
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_INET) as tcp:
            try:
                udp.bind(("127.0.0.1", port))
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port between {LOWEST} and {HIGHEST}")
