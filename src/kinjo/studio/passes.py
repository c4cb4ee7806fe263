"""Passes for phones: a QR code carries one in place of the token, and it opens the page of one phone, nothing else.

A pass is good for minutes. The guard takes it once from the address, as it takes the token, and gives a cookie for it
that is good for hours, for the addresses of that phone alone. Both say until when, signed with the token.
"""

from __future__ import annotations

import hmac
import re
import time

PASS_S, COOKIE_S = 600.0, 12 * 3600.0
"""Seconds that a pass is good for, and the cookie that it is changed for."""
COOKIE = "kinjo-phone"
PAIR = r"[A-Za-z0-9_-]{8,32}"
"""Of the id of a pair: a phone, and the pages that look at it (see ``pairs``)."""
_PATH = re.compile(rf"/phone/({PAIR})(/(?:phone\.js|phone\.css|stream|send))?")


def pair_of(path: str) -> str | None:
    """The pair whose phone a path is for, which is all that a pass opens; None for all other paths."""
    found = _PATH.fullmatch(path)
    return found[1] if found else None


def page_of(path: str) -> str | None:
    """The pair of a path that is its phone's page itself."""
    found = _PATH.fullmatch(path)
    return found[1] if found and not found[2] else None


def made(token: str, pair: str, kind: str = "pass", *, seconds: float = PASS_S, now: float | None = None) -> str:
    """A pass for a pair, or its cookie."""
    until = str(int((time.time() if now is None else now) + seconds))
    return f"{until}.{_signed(token, pair, kind, until)}"


def good(given: str, token: str, pair: str, kind: str = "pass", *, now: float | None = None) -> bool:
    """Whether it was made for this pair and is good yet."""
    until, _, signed = given.partition(".")
    right = hmac.compare_digest(signed.encode("utf-8", "surrogateescape"), _signed(token, pair, kind, until).encode())
    return right and (time.time() if now is None else now) < int(until)


def _signed(token: str, pair: str, kind: str, until: str) -> str:
    said = f"kinjo phone\n{kind}\n{pair}\n{until}".encode("utf-8", "surrogateescape")
    return hmac.new(token.encode(), said, "sha256").hexdigest()
