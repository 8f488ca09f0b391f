"""Where the servers that are measured listen."""

import socket
import time

import httpx2


def await_ready(port: int) -> None:
    """Wait until a server answers there that it is ready. Raises `TimeoutError`."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/readyz").is_success:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise TimeoutError("the server did not become ready")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
