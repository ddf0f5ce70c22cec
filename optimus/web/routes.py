"""Routes that a Streamlit script cannot be: the session cookie, health, and old addresses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from optimus import process
from optimus.errors import (
    ConfigurationError,
    NotFoundError,
    OptimusError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
)
from optimus.ui.cookie import PLAIN_NAME, SECURE_NAME, CookiePolicy, cookie_policy, read_token

if TYPE_CHECKING:
    from optimus.models import Principal

MAX_TICKET_BYTES = 200
MAX_LAG_S = 30.0
"""How long a write may wait for the disk before this process is not ready any more; a sync takes milliseconds."""
_log = logging.getLogger(__name__)


def session_routes() -> list[BaseRoute]:
    """Return the routes of the browser's session and of health."""
    return [
        Route("/session/open", open_session, methods=["POST"]),
        Route("/session/check", check_session, methods=["GET"]),
        Route("/session/close", close_session, methods=["POST"]),
        Route("/chat", to_start, methods=["GET"]),
        Route("/download/{ticket}", download, methods=["GET"]),
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]


async def open_session(request: Request) -> Response:
    """Exchange a one-time ticket, sent as the body, for the session cookie."""
    if not is_same_origin(request):
        return _problem("origin", 403)
    try:
        ticket = (await read_body(request, MAX_TICKET_BYTES) or b"").decode("ascii", "ignore")
        policy = await asyncio.to_thread(_policy, request)
        token = await asyncio.to_thread(lambda: process.current().auth.open_session(ticket))
    except ConfigurationError:
        return _problem("http", 400)
    except ClientDisconnect:
        return _problem("request", 400)
    except StoreError:
        return _problem("away", 503)
    except OptimusError:
        return _problem("ticket", 401)
    response = Response(status_code=204)
    response.set_cookie(
        policy.name,
        token.token,
        max_age=token.max_age_s,
        path="/",
        secure=policy.secure,
        httponly=True,
        samesite="strict",
    )
    return response


async def check_session(request: Request) -> Response:
    """Answer 204 if the browser kept a cookie that is good, 401 if not, and 503 where the store cannot be asked."""
    try:
        principal = await asyncio.to_thread(_principal, request)
    except StoreError:
        return _problem("away", 503)
    except OptimusError:
        principal = None
    return Response(status_code=204 if principal else 401)


async def close_session(request: Request) -> Response:
    """End the session of the cookie and let the browser forget it."""
    if not is_same_origin(request):
        return _problem("origin", 403)
    try:
        await asyncio.to_thread(_sign_out, request)
    except OptimusError:
        _log.exception("the session could not be ended")
        return _problem("store", 503)
    response = Response(status_code=204, headers={"Clear-Site-Data": '"cache"'})
    for name, secure in ((SECURE_NAME, True), (PLAIN_NAME, False)):
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")
    return response


async def to_start(request: Request) -> Response:
    """Send `/chat` to `/`, where the chat is, with its query."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/{query}", status_code=307)


async def download(request: Request) -> Response:
    """Give the file that a page offered to the session that it was offered to, once."""
    try:
        name, media_type, chunks = await asyncio.to_thread(_taken, request, request.path_params["ticket"])
    except NotFoundError:
        return PlainTextResponse("This download is no longer there. Please start it again on the page.", 404)
    except OptimusError as error:
        _log.exception("a download could not be made")
        return PlainTextResponse(error.user_message, 503)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(chunks, media_type=media_type, headers=headers)


async def healthz(_request: Request) -> Response:
    """Say that the process lives, whatever it depends on."""
    return JSONResponse({"status": "ok"})


async def readyz(_request: Request) -> Response:
    """Say whether the store answers and keeps what is written, and if not, why in one plain sentence; nothing else.

    On a nearly full disk it still reads: that is ready, and says that writes are refused.
    """
    try:
        short = await asyncio.to_thread(_shortage)
    except OptimusError as error:
        return JSONResponse({"status": "unavailable", "reason": error.user_message}, status_code=503)
    return JSONResponse({"status": "ready", "writes": "refused", "reason": short} if short else {"status": "ready"})


def _shortage() -> str:
    """Return why writes are refused while reads go on; empty where they are not.

    Raises:
        OptimusError: the store is not open, does not answer, or keeps nothing that is written.
    """
    store = process.current(0).store
    store.accounts.count_users()
    if store.commit is not None:
        store.commit.require()
        if store.commit.lag_s() > MAX_LAG_S:
            raise StoreUnavailableError("writes have waited too long for the disk")
    return StoreFullError.user_message if store.space is not None and store.space.is_short else ""


def is_same_origin(request: Request) -> bool:
    """Tell whether the browser says that our own page sent this request; a missing Origin is a no."""
    origin = request.headers.get("origin", "")
    site = request.headers.get("sec-fetch-site", "same-origin")
    return "://" in origin and origin.split("://", 1)[1] == request.headers.get("host") and site == "same-origin"


def _principal(request: Request) -> Principal | None:
    return process.current().auth.principal(read_token(request.cookies))


def _taken(request: Request, ticket: str) -> tuple[str, str, Iterator[bytes]]:
    """Return the name, type and content of a download; its beginning is made here, so that a failure can be said.

    Raises:
        NotFoundError: nobody is signed in, or nothing waits for this session under the ticket.
        OptimusError: the content cannot be made.
    """
    principal = _principal(request)
    if principal is None or principal.must_change_password:
        raise NotFoundError("download")
    taken = process.current().downloads.take(principal, ticket)
    chunks = iter(taken.chunks())
    return taken.filename, taken.media_type, chain(list(islice(chunks, 1)), chunks)


def _sign_out(request: Request) -> None:
    principal = _principal(request)
    if principal:
        process.current().auth.sign_out(principal.session_id)


def _policy(request: Request) -> CookiePolicy:
    allow_http = process.current().settings.allow_http
    return cookie_policy(scheme=request.url.scheme, host=request.url.hostname or "", allow_http=allow_http)


async def read_body(request: Request, limit: int) -> bytes | None:
    """Return the body, or None if it is longer than `limit` bytes; what is beyond them is not read.

    Raises:
        ClientDisconnect: the rest never came.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return body


def _problem(code: str, status: int) -> Response:
    return JSONResponse({"problem": code}, status_code=status)
