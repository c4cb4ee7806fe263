"""What a service is told when it starts."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """``model``: a checkpoint or an exported ``.onnx`` (None: kinjo-base). ``data``: the folder whose files may be
    asked for (None: none). ``profiles``: the database of what was taught (None: kept in memory).

    ``pages``: people look at it too, so a browser may keep the token's cookie. ``certificate``: a PEM file of one and
    its key, to serve over HTTPS (None: over HTTP).

    ``token``: without it nobody is served (None: everybody is, which is for loopback alone). ``hosts``: further names
    under which a loopback service may be called. ``rate``: requests a second of one client, over ten seconds (0: any);
    ``frames``: messages a second on one WebSocket. ``clients``: WebSockets at once. ``held``: samples kept of one.
    """

    model: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    data: Path | None = None
    profiles: Path | None = None
    token: str | None = None
    hosts: tuple[str, ...] = ()
    max_upload_mb: float = 64.0
    rate: float = 20.0
    frames: float = 200.0
    clients: int = 256
    held: int = 200_000
    workers: int = 2
    request_s: float = 60.0
    idle_s: float = 60.0
    send_s: float = 5.0
    batch_s: float = 0.004
    pages: bool = False
    certificate: Path | None = None

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < 8:
            raise ValueError("a token needs 8 characters or more: leave it out, and one is made")
        if self.data is not None and not self.data.is_dir():
            raise ValueError(f"{self.data}: no such folder: name the one whose files may be asked for")
        if self.max_upload_mb <= 0 or self.rate < 0 or self.clients < 1 or self.workers < 1:
            raise ValueError("limits are positive numbers (a rate of 0: no limit)")

    @property
    def scheme(self) -> str:
        """Of its addresses."""
        return "http" if self.certificate is None else "https"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def made_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)
