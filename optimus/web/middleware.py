"""Pure-ASGI middleware: security headers, closed paths, session binding, and what the interface's document says."""

from __future__ import annotations

import json
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config

from optimus.ui.browser_sessions import BROWSER_SESSIONS
from optimus.ui.cookie import read_token

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Streamlit's own page starts by an inline script and loads page components from blob addresses.
        "script-src 'self' 'unsafe-inline' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_PARTIAL = {b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"}
"""Headers of a request whose answer could not be read and rewritten."""
_CLOSED = "/_stcore/metrics"
"""Wherever the application is mounted."""
_HSTS = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """Add the browser's walls to every response; `no-store` where a route has not said otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", _HSTS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class ClosedPaths:
    """Hide what Streamlit would show to anybody: its own figures of sessions and memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].rstrip("/").endswith(_CLOSED):
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class Document:
    """Give the interface's document its name from the first moment, and tell it where its server is.

    Otherwise the browser's tab says "Streamlit" until the first run, and at an address such as `/memory` the interface
    first asks `/memory/_stcore/...`, which is not there: two errors on the console and a second of waiting.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _asks_for_document(scope):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def send_rewritten(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_html(message):
                start = message
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                body = _rewritten(body)
                _set_length(start, len(body))
                await send(start)
                await send({"type": "http.response.body", "body": body})

        whole = [(name, value) for name, value in scope["headers"] if name.lower() not in _PARTIAL]
        await self._app({**scope, "headers": whole}, receive, send_rewritten)


def _asks_for_document(scope: Scope) -> bool:
    return (
        scope["type"] == "http" and scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
    )


def _is_html(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return start["status"] == 200 and headers.get("content-type", "").startswith("text/html")  # noqa: PLR2004 - OK


def _rewritten(document: bytes) -> bytes:
    base = config.get_option("server.baseUrlPath").strip("/")
    server = f"<script>window.__streamlit={{BACKEND_BASE_URL:location.origin+{json.dumps(f'/{base}')}}}</script>"
    return document.replace(b"<title>Streamlit</title>", f"<title>Optimus</title>{server}".encode(), 1)


def _set_length(start: Message, length: int) -> None:
    headers = MutableHeaders(raw=start["headers"])
    headers["content-length"] = str(length)
    for name in ("etag", "last-modified"):
        if name in headers:
            del headers[name]


class SessionBinding:
    """Let a connection resume a Streamlit session only with the cookie that the session ran with.

    The id stands third in the websocket's subprotocol header; without it Streamlit starts a fresh session.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if not _is_own_page(Headers(scope=scope)):
                await send({"type": "websocket.close", "code": 1008})
                return
            scope = _without_foreign_session(scope)
        await self._app(scope, receive, send)


def _is_own_page(headers: Headers) -> bool:
    """Tell whether the page that connects is ours: cookies ignore ports, so another local page would bring ours."""
    if not _token(headers):
        return True
    origin, host = headers.get("origin", ""), headers.get("host", "")
    address = origin.partition("://")[2]
    public = config.get_option("browser.serverAddress") if config.is_manually_set("browser.serverAddress") else None
    return bool(address) and (address == host or (public is not None and address.partition(":")[0] == public))


def _without_foreign_session(scope: Scope) -> Scope:
    headers = Headers(scope=scope)
    entries = [entry.strip() for entry in headers.get("sec-websocket-protocol", "").split(",")]
    wanted = entries[2] if len(entries) > 2 else ""  # noqa: PLR2004 - the third entry, as documented above
    if not wanted or BROWSER_SESSIONS.may_resume(wanted, _token(headers)):
        return scope
    kept = ", ".join(entries[:2]).encode("latin-1")
    raw = [(name, kept if name.lower() == b"sec-websocket-protocol" else value) for name, value in scope["headers"]]
    return {**scope, "headers": raw, "subprotocols": entries[:2]}


def _token(headers: Headers) -> str | None:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return read_token({name: morsel.value for name, morsel in cookies.items()})
