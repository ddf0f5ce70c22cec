"""The route that Prometheus reads: open to this machine, with a token to others, and closed otherwise."""

from __future__ import annotations

import asyncio
import hmac

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from optimus import process
from optimus.errors import StoreUnavailableError
from optimus.web.ops import is_from_this_machine


def monitoring_routes() -> list[BaseRoute]:
    """Return the one route."""
    return [Route("/metrics", read_metrics, methods=["GET"])]


async def read_metrics(request: Request) -> Response:
    """Answer with the metrics.

    Without a token in the settings, others than this machine find no such page. Behind a proxy on the same machine
    every request comes from this machine, so one that was passed on needs the token like any other.
    """
    try:
        services = process.current(0)
    except StoreUnavailableError:
        return PlainTextResponse("Optimus is starting.", 503)
    token = services.settings.metrics_token
    if not is_from_this_machine(request) and token is None:
        return PlainTextResponse("Not Found", 404)
    if not is_from_this_machine(request) and not _has_token(request, token):
        return PlainTextResponse("Unauthorized", 401, {"WWW-Authenticate": "Bearer"})
    text, content_type = await asyncio.to_thread(services.scrape, request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": content_type})


def _has_token(request: Request, token: SecretStr | None) -> bool:
    """Compare in constant time what the request brings with the token."""
    scheme, _, brought = request.headers.get("authorization", "").partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(brought.strip().encode(), token.get_secret_value().encode())
