"""What a provider means by a refusal: several use one status for many things, and only the body says which.

The body is looked through for words of a closed set; nothing of it is shown, logged or kept.
"""

from __future__ import annotations

import json
from typing import Any

from optimus.errors import ProviderError, ProviderKeyError, ProviderRateLimitError, ProviderRejectedError

MAX_CHARS = 4_000
"""So much of a body is looked through."""
USED_UP = "The provider says that the quota or credit is used up. Top it up or choose another model."
_NO_RIGHT = (
    "The provider knows the key, but does not let it do this. Give the key the right at the provider, or make another."
)
_NOT_SERVED = "The provider does not serve the country of this server, or only with billing set up there."
_PAYMENT_REQUIRED = 402
_TOO_MANY = 429
_SERVER_ERROR = 500
_RATE_IN_STREAM = frozenset({"rate_limited", "rate_limit", "rate_limit_error", "rate_limit_exceeded", "1300"})
_BUSY_IN_STREAM = frozenset(
    {"internal_server_error", "internal_error", "server_error", "api_error", "overloaded_error", "service_unavailable"}
    | {"service_tier_capacity_exceeded", "unreachable_backend", "1000", "1100", "3505"}
)
"""Types and codes of errors inside a stream; the numbers are Mistral's."""
_COUNTRY = (
    "unsupported_country",
    "location is not supported",
    "territory not supported",
    "not available in your country",
)
_CREDIT = ("insufficient_quota", "credit balance", "credit limit", "credit_limit", "payment required", "any credits")
_KEY = (
    "api_key_invalid",
    "invalid_api_key",
    "invalid api key",
    "incorrect api key",
    "api key not valid",
    "api key expired",
    "invalid x-api-key",
    "authentication_error",
)
_RIGHTS = (
    "insufficient permissions",
    "missing scopes",
    "permission_error",
    "does not have permission",
    "service_disabled",
    "has not been used in project",
)


def refusal(status: int, body: str, detail: str) -> ProviderError | None:
    """Return what a provider's refusal means; None where its body does not say more than its status.

    Args:
        status: Of the answer; other than 400 to 499 it is no refusal, and too many requests speak for themselves.
        body: The answer's text.
        detail: For the log; it must hold nothing of the body.
    """
    if not 400 <= status < 500 or status == _TOO_MANY:  # noqa: PLR2004 - HTTP: the request's fault
        return None
    told = body[:MAX_CHARS].casefold()
    if any(words in told for words in _COUNTRY):
        return ProviderRejectedError(detail, user_message=_NOT_SERVED)
    if status == _PAYMENT_REQUIRED or is_used_up(told):
        return ProviderRateLimitError(detail, user_message=USED_UP)
    if any(words in told for words in _KEY):
        return ProviderKeyError(detail)
    if any(words in told for words in _RIGHTS):
        return ProviderKeyError(detail, user_message=_NO_RIGHT)
    return None


def is_used_up(body: str) -> bool:
    """Tell whether a refusal says that there is no quota or credit left."""
    return any(words in body[:MAX_CHARS].casefold() for words in _CREDIT)


def status_in_stream(body: object) -> int | None:
    """Return the HTTP status that an error told inside a stream amounts to: 429, 500, or None where it tells none.

    Some libraries know such an error as something unreadable only (mistralai 3.7 fails to parse it).

    Args:
        body: What the library keeps of it: an object, or the text of one, wrapped in "data" or "error" or not.
    """
    told = _object(body)
    told = _object(told.get("data")) or told
    told = _object(told.get("error")) or told
    names = {str(told.get(name)).casefold() for name in ("type", "code")}
    if names & _RATE_IN_STREAM:
        return _TOO_MANY
    return _SERVER_ERROR if names & _BUSY_IN_STREAM else None


def _object(body: object) -> dict[str, Any]:
    if isinstance(body, str):
        try:
            body = json.loads(body[:MAX_CHARS])
        except ValueError:
            return {}
    return body if isinstance(body, dict) else {}
