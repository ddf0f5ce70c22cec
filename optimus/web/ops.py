"""The ops route: how `python -m optimus` asks the running app, which alone holds the embedded store.

Loopback only, never through a proxy, and with the token of a 0600 file in the data folder.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from optimus import ops_access, process
from optimus.errors import OptimusError
from optimus.ui.cookie import is_loopback
from optimus.web.routes import read_body

MAX_BODY_BYTES = 16_384
_PORT = re.compile(r":\d*$")
_PROXY_HEADERS = ("forwarded", "via", "x-real-ip")


class OpsAccessFile:
    """The file through which the command line finds this process."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._access: ops_access.OpsAccess | None = None

    def open(self, folder: Path, url: str | None) -> None:
        """Make a new token and write the file; `url` is None where no loopback address leads here."""
        self._folder, self._access = folder, ops_access.new_access(url)
        ops_access.write_access(folder, self._access)

    def close(self) -> None:
        """Remove the file; no command is taken any more."""
        if self._folder:
            ops_access.remove_access(self._folder)
        self._folder = self._access = None

    def takes(self, token: str) -> bool:
        """Tell whether `token` is this process's."""
        return self._access is not None and hmac.compare_digest(token.encode(), self._access.token.encode())


ACCESS_FILE = OpsAccessFile()


def ops_routes() -> list[BaseRoute]:
    """Return the one route."""
    return [Route("/ops/{command}", run_command, methods=["POST"])]


async def run_command(request: Request) -> Response:
    """Run one command of `optimus.ops` and answer its JSON result; a refusal looks like a post to a missing page."""
    if not _is_allowed(request):
        return PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
    try:
        body = await read_body(request, MAX_BODY_BYTES)
    except ClientDisconnect:
        return Response(status_code=400)
    if body is None:
        return JSONResponse({"error": "The request is too long."}, status_code=413)
    arguments = _read_arguments(body)
    if arguments is None:
        return JSONResponse({"error": "The request is not readable."}, status_code=400)
    try:
        result = await asyncio.to_thread(_run, request.path_params["command"], arguments)
    except OptimusError as error:
        return JSONResponse({"error": error.user_message}, status_code=409)
    return JSONResponse(result)


def _read_arguments(body: bytes) -> dict[str, Any] | None:
    try:
        arguments = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def _run(command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    from optimus import ops, ops_rescue  # noqa: PLC0415 - they bring everything, which the start does without

    if desk := process.rescue():
        return ops_rescue.run_damaged(desk, command, arguments)
    return ops.run(process.current(), command, arguments)


def is_from_this_machine(request: Request) -> bool:
    """Tell whether a program on this machine asks for itself: no proxy, and no page whose name leads here."""
    peer, asked = request.client.host if request.client else "", _PORT.sub("", request.headers.get("host", ""))
    is_passed_on = any(name.startswith("x-forwarded-") or name in _PROXY_HEADERS for name in request.headers)
    return is_loopback(peer) and is_loopback(asked) and not is_passed_on


def _is_allowed(request: Request) -> bool:
    if not is_from_this_machine(request):
        return False
    return ACCESS_FILE.takes(request.headers.get("authorization", "").removeprefix("Bearer "))
