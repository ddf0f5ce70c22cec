"""What a provider means by a refusal: several use one status for many things, and only the body says which.

The body is looked through for words of a closed set; nothing of it is shown, logged or kept.
"""

from __future__ import annotations

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
