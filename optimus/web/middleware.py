"""Pure-ASGI middleware: security headers and session binding."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
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
