"""Asking a provider for real: which models it has, and what exactly is wrong where it does not answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from optimus.errors import (
    OptimusError,
    ProviderBusyError,
    ProviderKeyError,
    ProviderPathError,
    ProviderRateLimitError,
    ProviderRejectedError,
    ProviderResponseError,
    ProviderTimeoutError,
    ProviderUnreachableError,
)
from optimus.llm_handler.addresses import host_of, is_loopback
from optimus.llm_handler.catalogue import Listing, ProviderEntry, is_chat_name
from optimus.llm_handler.refusals import USED_UP, is_used_up, refusal
from optimus.llm_handler.requests import Credentials, LocalServer
from optimus.llm_handler.translate import MOVED, translate
from optimus.llm_handler.wire import HttpClients

LOCAL_PORTS: Mapping[int, str] = {11434: "Ollama", 1234: "LM Studio", 8000: "vLLM", 8080: "llama.cpp"}
LOCAL_TIMEOUT_S = 0.3
LISTING_TIMEOUT_S = 10.0
MAX_LISTED = 500
_MAX_LISTING_BYTES = 4_000_000
_ANTHROPIC_VERSION = "2023-06-01"
_OTHER_TYPES = frozenset({"image", "embedding", "audio", "moderation", "rerank", "video", "transcribe"})
_ODD = "The provider does not list its models to this key, and does not say why. Look at the key in its console."


async def list_models(
    clients: HttpClients, entry: ProviderEntry, base_url: str, credentials: Credentials, *, timeout_s: float
) -> tuple[str, ...]:
    """Return the names of the chat models that the provider offers.

    Raises:
        ProviderError: the leaf that says what is wrong: key, address, path, limit or answer.
    """
    import httpx2  # noqa: PLC0415

    url = base_url.rstrip("/") + entry.listing_path
    request_timeout = httpx2.Timeout(timeout_s)
    try:
        async with (
            asyncio.timeout(timeout_s),
            clients.modern().stream(
                "GET", url, headers=_headers(entry, credentials), timeout=request_timeout
            ) as answer,
        ):
            body = await _read(answer)
            status = answer.status_code
    except Exception as exc:
        raise translate(exc) from exc
    is_own_server = base_url != entry.base_url
    _refuse_status(status, entry.listing, body.decode(errors="replace"), is_own_server=is_own_server)
    return _names(_json(body))


async def find_local(clients: HttpClients, entry: ProviderEntry, ports: Mapping[int, str]) -> list[LocalServer]:
    """Return the model servers that answer on this machine, in the order of `ports`."""
    found = await asyncio.gather(*(_probe(clients, entry, port, name) for port, name in ports.items()))
    return [server for server in found if server is not None]


async def suggest_address(
    clients: HttpClients, entry: ProviderEntry, base_url: str, credentials: Credentials
) -> str | None:
    """Return the address with `/v1` at its end where a model interface answers there."""
    longer = base_url.rstrip("/") + "/v1"
    try:
        await list_models(clients, entry, longer, credentials, timeout_s=LISTING_TIMEOUT_S)
    except ProviderKeyError:
        return longer
    except OptimusError:
        return None
    return longer


async def _probe(clients: HttpClients, entry: ProviderEntry, port: int, name: str) -> LocalServer | None:
    base_url = f"http://127.0.0.1:{port}/v1"
    try:
        models = await list_models(clients, entry, base_url, Credentials(), timeout_s=LOCAL_TIMEOUT_S)
    except OptimusError:
        return None
    return LocalServer(name=name, base_url=base_url, models=models)


def _headers(entry: ProviderEntry, credentials: Credentials) -> dict[str, str]:
    plain = {"Accept-Encoding": "identity"}
    if credentials.api_key is None:
        return plain
    key = credentials.api_key.get_secret_value()
    match entry.listing:
        case Listing.ANTHROPIC:
            return plain | {"x-api-key": key, "anthropic-version": _ANTHROPIC_VERSION}
        case Listing.GOOGLE:
            return plain | {"x-goog-api-key": key}
        case _:
            return plain | {"Authorization": f"Bearer {key}"}


async def _read(answer: Any) -> bytes:
    """Return the body as it was sent: a few compressed kilobytes could unpack to gigabytes."""
    body = b""
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > _MAX_LISTING_BYTES:
            raise ProviderResponseError("listing too long")
    return body


def _refuse_status(status: int, listing: Listing, body: str, *, is_own_server: bool) -> None:
    """Raise what a status means; only of a server that a person named can the path be wrong."""
    if status < 300:  # noqa: PLR2004 - HTTP: success
        return
    detail = f"listing status={status}"
    told = refusal(status, body, detail)
    if told:
        raise told
    if status in {401, 403} or (status == 400 and listing is Listing.GOOGLE):  # noqa: PLR2004 - its answer to a wrong key
        raise ProviderKeyError(detail)
    if status == 408:  # noqa: PLR2004 - HTTP: request timeout
        raise ProviderTimeoutError(detail)
    if status == 429:  # noqa: PLR2004 - HTTP: too many requests
        raise ProviderRateLimitError(detail, user_message=USED_UP if is_used_up(body) else None)
    if status < 400:  # noqa: PLR2004 - HTTP: a redirect
        raise ProviderUnreachableError(detail, user_message=MOVED)
    if status >= 500:  # noqa: PLR2004 - HTTP: the server's fault
        raise ProviderBusyError(detail)
    raise ProviderPathError(detail) if is_own_server else ProviderRejectedError(detail, user_message=_ODD)


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError as exc:
        raise ProviderPathError("listing is not JSON") from exc


def _names(listing: object) -> tuple[str, ...]:
    """Read the names out of any of the three shapes: `data`, Google's `models`, or a bare list."""
    rows = listing.get("data", listing.get("models")) if isinstance(listing, dict) else listing
    if rows is None and isinstance(listing, dict) and "data" in listing:
        rows = []
    if not isinstance(rows, list):
        raise ProviderPathError("listing has another shape")
    names = [name for row in rows[:MAX_LISTED] if (name := _chat_name(row))]
    return tuple(dict.fromkeys(names))


def _chat_name(row: object) -> str | None:
    if not isinstance(row, dict):
        return None
    name = row.get("id") or row.get("name")
    if not isinstance(name, str) or not name.isprintable() or len(name) > 200:  # noqa: PLR2004 - no name is longer
        return None
    return name.removeprefix("models/") if _is_chat(row, name.lower()) else None


def _is_chat(row: dict[str, object], name: str) -> bool:
    """Tell by what the providers say, each in its own field, and by the name where they say nothing."""
    methods = row.get("supportedGenerationMethods")
    capabilities = row.get("capabilities")
    if isinstance(methods, list) and "generateContent" not in methods:
        return False
    if isinstance(capabilities, dict) and capabilities.get("completion_chat") is False:
        return False
    return row.get("type") not in _OTHER_TYPES and is_chat_name(name)


def server_name(base_url: str | None) -> str:
    """Return what to call a server that a person named, so that two can be told apart; nothing without an address.

    It is the program that usually answers at its port on this machine, or the host with the port.
    """
    host, port = host_of(base_url or "")
    usual = LOCAL_PORTS.get(port) if base_url and is_loopback(base_url) else None
    return usual or (f"{host}:{port}" if host else "")


def usable_key(entry: ProviderEntry, credentials: Credentials) -> str | None:
    """Return the key as it is sent.

    Raises:
        ProviderKeyError: it is missing, or holds signs that no key has.
    """
    key = "" if credentials.api_key is None else credentials.api_key.get_secret_value().strip()
    if not key and entry.needs_key:
        raise ProviderKeyError(
            "no key", user_message=f"Paste a key first. {entry.title} gives you one at {entry.key_url}."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ProviderKeyError("odd key", user_message="The key holds signs that no key has. Copy it again.")
    return key or None
