"""Who gets in, how often, with how much, for how long: around all routes, pages that come later too.

A browser is a danger on loopback, where no token is asked for: a page from elsewhere may send requests to it, or point
its own name at 127.0.0.1. So the name that is called has to be this machine's, and the page that calls one of ours.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinjo.studio import passes
from kinjo.studio.hub import Hub
from kinjo.studio.metrics import METHODS, log
from kinjo.studio.problems import Refused, answer
from kinjo.studio.settings import Settings, is_loopback

OPEN = ("/healthz",)
"""Paths that need no token: they tell nothing."""
REMEMBERED = 10_000
"""Clients whose pace is remembered."""
BURST_S = 10.0
COOKIE = "kinjo"


class Guard:
    """ASGI: lets through to ``app``, or refuses; measures and logs both."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self.app, self.hub, self.pace = app, hub, Pace(hub.settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        start, call = time.perf_counter(), Call(scope, receive, send, self.hub.settings)
        try:
            refused = self._refusal(scope)
            if refused is None and (entry := self._entry(scope)) is not None:
                await entry(scope, call.receive, call.send)
            elif refused is None:
                await self.app(scope, call.receive, call.send)
            else:
                await call.refuse(refused)
        except BaseException as error:
            if isinstance(error, Exception):
                call.status = call.status or 500
                log(logging.ERROR, path=scope["path"], fault=f"{type(error).__name__}: {error}"[:500])
            raise
        finally:
            self._account(scope, call.status, time.perf_counter() - start)

    def _refusal(self, scope: Scope) -> Refused | None:
        if scope["path"] in OPEN:
            return None
        settings, headers = self.hub.settings, Headers(scope=scope)
        wait_s = self.pace.wait_s(client_of(scope))
        if wait_s > 0:
            after = {"Retry-After": str(int(wait_s) + 1)}
            return Refused(429, "rate", f"more than {settings.rate:g} requests a second", "Wait.", headers=after)
        if settings.token is None:
            return foreign(headers, settings)
        if any(same(given, settings.token) for given in tokens(scope, headers)):
            return None
        if settings.pages and (by_cookie(headers, settings.token) or by_pass(scope, headers, settings.token)):
            return None
        hint = "Send the header 'Authorization: Bearer TOKEN'; a WebSocket may end its address in ?token=TOKEN."
        return Refused(401, "token", "a token is needed", hint, headers={"WWW-Authenticate": "Bearer"})

    def _entry(self, scope: Scope) -> Response | None:
        """For a browser that comes with ``?token=``: the cookie, and the way on without the token in the address."""
        settings, headers = self.hub.settings, Headers(scope=scope)
        asked = scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        if not (settings.pages and settings.token and asked):
            return None
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), max_num_fields=50)
        rest = [(name, value) for name, value in query if name not in ("token", "pass")]
        if len(rest) == len(query):
            return None
        path = "/" + scope["path"].lstrip("/")  # never another host
        entry = RedirectResponse(path + (f"?{urlencode(rest)}" if rest else ""), 303)
        secure = scope.get("scheme") == "https"
        how: dict[str, Any] = {"httponly": True, "samesite": "strict", "secure": secure}
        if any(same(given, settings.token) for given in tokens(scope, headers)):
            entry.set_cookie(COOKIE, cookie_of(settings.token), **how)
        elif (pair := passes.page_of(scope["path"])) is not None and pass_in(scope, settings.token, pair):
            kept = passes.made(settings.token, pair, "cookie", seconds=passes.COOKIE_S)
            entry.set_cookie(passes.COOKIE, kept, int(passes.COOKIE_S), path=f"/phone/{pair}", **how)
        entry.headers["Referrer-Policy"] = "no-referrer"
        return entry

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope.get("method", "WEBSOCKET")
        route = getattr(scope.get("route"), "path", "other")
        self.hub.metrics.requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        if scope["type"] == "http":
            self.hub.metrics.seconds.labels(route).observe(seconds)
        ms = round(seconds * 1000, 1)
        log(method=method[:20], path=scope["path"][:300], status=status, ms=ms, client=client_of(scope))


class Call:
    """One call: counts the bytes that come in, holds both ways to their time, remembers the status."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: Settings) -> None:
        self.scope, self.settings, self.status = scope, settings, 0
        self._receive, self._send = receive, send
        self._most, self._bytes = int(settings.max_upload_mb * 1e6), 0
        self._until = asyncio.get_running_loop().time() + settings.request_s

    async def receive(self) -> Message:
        """The next message. ``Refused`` where the body is too large or does not come."""
        if self.scope["type"] == "websocket":
            return await self._receive()
        told = Headers(scope=self.scope).get("content-length", "0")
        if told.isdecimal() and int(told[:20]) > self._most:
            raise self._too_large()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            close = {"Connection": "close"}
            raise Refused(408, "timeout", "the body did not come in time", "Send it faster.", headers=close) from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._most:
            raise self._too_large()
        return message

    def _too_large(self) -> Refused:
        detail = f"more than {self.settings.max_upload_mb:g} MB"
        return Refused(413, "too_large", detail, "Cut it into parts.", headers={"Connection": "close"})

    async def send(self, message: Message) -> None:
        """The next message of the answer; a client that does not read it is given up."""
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
        elif kind == "websocket.accept":
            self.status = 101
        if self.scope["type"] == "websocket":
            await self._send(message)
            return
        async with asyncio.timeout(self.settings.request_s):
            await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        """Answer with a refusal; a WebSocket that is not open yet gets one too, where the server can."""
        close = {"Connection": "close"} if self.scope["type"] == "http" else {}  # whatever else it sends is not read
        response = answer(refused.to_dict(), refused.status, {**refused.headers, **close})
        if self.scope["type"] == "http" or "websocket.http.response" in self.scope.get("extensions", {}):
            await response(self.scope, self.receive, self.send)
        else:
            self.status = refused.status
            await self._send({"type": "websocket.close", "code": 1008, "reason": refused.detail})


class Pace:
    """So many requests a second of each client, with bursts of what ``BURST_S`` seconds allow (0: any number)."""

    def __init__(self, rate: float) -> None:
        self.rate, self.most = rate, max(1.0, rate * BURST_S)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """0, and a request is counted; else the seconds until there may be one."""
        if not self.rate:
            return 0.0
        now = time.monotonic()
        left, at = self._left.pop(client, (self.most, now))
        left = min(self.most, left + (now - at) * self.rate)
        self._left[client] = (left - 1.0 if left >= 1.0 else left, now)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return 0.0 if left >= 1.0 else (1.0 - left) / self.rate


def client_of(scope: Scope) -> str:
    """The address that the connection comes from."""
    client: Any = scope.get("client")
    return str(client[0]) if client else "unknown"


def tokens(scope: Scope, headers: Headers) -> list[str]:
    """Those that a request brings: in its header, or in its address (``?token=``)."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    found = [given.strip()] if kind.lower() == "bearer" else []
    return found + _asked(scope, "token")


def _asked(scope: Scope, name: str) -> list[str]:
    """What an address says of something."""
    query = scope.get("query_string", b"").decode("latin-1")
    try:
        return parse_qs(query, max_num_fields=50).get(name, [])
    except ValueError:
        return []


def cookie_of(token: str) -> str:
    """What a browser keeps instead of the token itself."""
    return hmac.new(token.encode(), b"kinjo studio", "sha256").hexdigest()


def by_cookie(headers: Headers, token: str) -> bool:
    """Whether a browser brings the cookie, and no page from elsewhere has it do so (another port is elsewhere)."""
    return _own(headers) and same(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""), cookie_of(token))


def by_pass(scope: Scope, headers: Headers, token: str) -> bool:
    """Whether a phone brings its pass, or the cookie for it, to what these open."""
    pair = passes.pair_of(scope["path"])
    if pair is None or not _own(headers):
        return False
    kept = cookie_parser(headers.get("cookie", "")).get(passes.COOKIE, "")
    return passes.good(kept, token, pair, "cookie") or pass_in(scope, token, pair)


def pass_in(scope: Scope, token: str, pair: str) -> bool:
    """Whether the address of a phone's page brings a pass."""
    if scope["type"] != "http" or scope["method"] != "GET" or passes.page_of(scope["path"]) != pair:
        return False
    return any(passes.good(given, token, pair) for given in _asked(scope, "pass"))


def _own(headers: Headers) -> bool:
    """Whether it is no page from elsewhere that calls."""
    origin = headers.get("origin")
    return origin is None or urlsplit_netloc(origin) == headers.get("host", "").lower()


def same(given: str, token: str) -> bool:
    """Whether they are equal, in a time that does not tell how far."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def foreign(headers: Headers, settings: Settings) -> Refused | None:
    """A call without token under a name that is not ours, or by a page from elsewhere."""
    if not settings.loopback:
        return None
    host = headers.get("host", "")
    name = _name(f"//{host}")
    if name not in (settings.host, *settings.hosts) and not is_loopback(name):
        hint = "Call it as localhost, name it with --allow-host, or serve with a token."
        return Refused(403, "host", "called by a name that is not this machine's", hint)
    origin = headers.get("origin")
    if origin is not None and urlsplit_netloc(origin) != host.lower():
        return Refused(403, "origin", "called by a page from elsewhere", "Serve with a token to allow it.")
    return None


def urlsplit_netloc(address: str) -> str:
    """Host and port of an address; '' where it has none."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
