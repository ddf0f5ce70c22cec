"""The one place where a library's error becomes one of ours, most specific first.

The new error's text names the kind and the status only: a provider may quote the prompt or the key in its own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import cache

from optimus.errors import (
    InvalidInputError,
    ModelNotFoundError,
    OptimusError,
    ProviderBusyError,
    ProviderError,
    ProviderKeyError,
    ProviderRateLimitError,
    ProviderRejectedError,
    ProviderResponseError,
    ProviderTimeoutError,
    ProviderUnreachableError,
)
from optimus.llm_handler.refusals import USED_UP, refusal, status_in_stream

_Make = Callable[[Exception, str, bool], ProviderError]

_MAX_WAIT_SHOWN_S = 31 * 86400
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))
_TOO_LONG_KINDS = frozenset({"exceed_context_size_error", "context_length_exceeded"})
"""What llama.cpp, and servers that follow OpenAI, call a prompt that does not fit."""
_REDIRECTS = frozenset({300, 301, 302, 303, 307, 308})
_TOO_LONG = "This conversation is too long for the model. Start a new chat, or choose a larger model."
_UNREADABLE = "The provider sent something that cannot be read. Try again."
_FILTERED = "The provider's safety filter stopped this answer. Put the question another way."
_NOT_INSTALLED = "The library of this provider is not installed on the server. Choose another model."
MOVED = "The server points to another address. Enter that address itself."
LONG_ENOUGH = "The answer reached the limit that is set for one answer, and ended there. What arrived is kept."
AT_ITS_LIMIT = "The model ended here because it had no more room. What arrived is kept; ask it to go on."
FILTERED_HERE = "The provider's safety filter ended the answer here. What arrived is kept."
_EMPTY = "The model sent an empty answer. Try again."
_NO_ANSWER = "The model's server ended the connection without an answer. Try again."

_log = logging.getLogger(__name__)


def translate(error: Exception, *, has_text: bool = False) -> OptimusError:
    """Return our error for one of a provider's library, to be raised `from` it.

    `has_text` says that part of the answer had arrived.
    """
    if isinstance(error, OptimusError):
        return error
    detail = _detail(error)
    told = refusal(getattr(error, "status_code", 0), str(getattr(error, "body", "")), detail)
    if told:
        return told
    for kind, make in _rules():
        if isinstance(error, kind):
            made = make(error, detail, has_text)
            made.retry_after_s = getattr(error, "retry_after", None)
            return made
    return _transport_error(error, detail, has_text)


def in_words(seconds: float) -> str:
    """Return a time to wait as a person says it, rounded up: "7 seconds", "3 minutes", "2 hours", "5 days"."""
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= 2 * size), ("second", 1))
    count = max(1, math.ceil(seconds / size))
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


@cache
def _rules() -> tuple[tuple[type[BaseException], _Make], ...]:
    from pydantic_ai import exceptions as agent  # noqa: PLC0415

    return (
        (agent.ModelConnectionError, _connection_error),
        (agent.ModelRequestTimeout, _always(ProviderTimeoutError)),
        (TimeoutError, _always(ProviderTimeoutError)),
        (agent.ModelAuthenticationError, _always(ProviderKeyError)),
        (agent.ModelNotFoundError, _always(ModelNotFoundError)),
        (agent.ModelContextWindowExceededError, _always(ProviderRejectedError, _TOO_LONG)),
        (agent.ModelQuotaExceededError, _always(ProviderRateLimitError, USED_UP)),
        (agent.ModelRateLimitError, _rate_limit_error),
        (agent.ModelUnavailableError, _busy_error),
        (agent.ModelServerError, _busy_error),
        (agent.ModelHTTPError, _status_error),
        (agent.ModelRequestRejectedError, _rejected),
        (agent.ModelAPIError, _unreadable),
        (agent.ContentFilterError, _always(ProviderRejectedError, _FILTERED)),
        (agent.UsageLimitExceeded, _always(ProviderResponseError, LONG_ENOUGH)),
        (agent.UnexpectedModelBehavior, _odd_answer),
        (ImportError, _always(ProviderError, _NOT_INSTALLED)),
    )


def _always(leaf: type[ProviderError], sentence: str | None = None) -> _Make:
    return lambda _error, detail, _has_text: leaf(detail, user_message=sentence)


def _status_error(error: Exception, detail: str, _has_text: bool) -> ProviderError:
    status = getattr(error, "status_code", 0)
    if status in _REDIRECTS:
        return ProviderUnreachableError(detail, user_message=MOVED)
    if status == 408:  # noqa: PLR2004 - HTTP: request timeout
        return ProviderTimeoutError(detail)
    if 400 <= status < 500:  # noqa: PLR2004 - HTTP: the request's fault
        return _rejected(error, detail, _has_text)
    return _busy_error(error, detail, _has_text)


def _rejected(error: Exception, detail: str, _has_text: bool) -> ProviderError:
    kinds = {getattr(error, "provider_error_type", None), getattr(error, "provider_error_code", None)}
    return ProviderRejectedError(detail, user_message=_TOO_LONG if kinds & _TOO_LONG_KINDS else None)


def _connection_error(error: Exception, detail: str, has_text: bool) -> ProviderError:
    phase = getattr(error, "phase", None)
    if phase in {"connect", "pool"} or (phase is None and not has_text):
        return _unreachable(error, detail)
    if "ModelTimeoutError" in _names(error):
        return ProviderTimeoutError(detail)
    return _cut_off(detail, has_text)


def _unreadable(error: Exception, detail: str, has_text: bool) -> ProviderError:
    status = getattr(error.__cause__, "status_code", None)
    if status in _REDIRECTS:
        return ProviderUnreachableError(detail, user_message=MOVED)
    told = status_in_stream(getattr(error, "body", None) or getattr(error.__cause__, "body", None))
    if told is not None:
        return (_rate_limit_error if told == 429 else _busy_error)(error, detail, has_text)  # noqa: PLR2004 - HTTP
    return ProviderResponseError(detail, user_message=None if has_text else _UNREADABLE)


def _rate_limit_error(error: Exception, detail: str, _has_text: bool) -> ProviderError:
    wait = _wait_words(error)
    sentence = wait and f"The provider says: too many requests. Wait {wait}, or choose another model."
    return _passing(ProviderRateLimitError(detail, user_message=sentence))


def _busy_error(error: Exception, detail: str, _has_text: bool) -> ProviderError:
    wait = _wait_words(error)
    sentence = wait and f"The provider has a problem on its side. Wait {wait}, or choose another model."
    return _passing(ProviderBusyError(detail, user_message=sentence))


def _passing(error: ProviderError) -> ProviderError:
    """Return an error that may be over in a moment."""
    error.is_transient = True
    return error


def _transport_error(error: Exception, detail: str, has_text: bool) -> ProviderError:
    """Translate what the HTTP library itself raised; both of its generations use the same names."""
    names = _names(error)
    if names & {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL"}:
        return _unreachable(error, detail)
    if "TimeoutException" in names:
        return ProviderTimeoutError(detail)
    if names & {"TransportError", "StreamError", "DecodingError"}:
        return _cut_off(detail, has_text)
    if names & {"JSONDecodeError", "UnicodeDecodeError", "ValidationError", "APIError"}:
        return ProviderResponseError(detail, user_message=_UNREADABLE)
    _log.error("unexpected error of a provider's library: %s", detail)
    is_misread = isinstance(error, TypeError | ValueError | LookupError | AttributeError)
    return ProviderResponseError(detail, user_message=_UNREADABLE) if is_misread else ProviderError(detail)


def _odd_answer(_error: Exception, detail: str, has_text: bool) -> ProviderError:
    return ProviderResponseError(detail, user_message=None if has_text else _EMPTY)


def _cut_off(detail: str, has_text: bool) -> ProviderError:
    return _passing(ProviderResponseError(detail, user_message=None if has_text else _NO_ANSWER))


def _unreachable(error: Exception, detail: str) -> ProviderError:
    """A server that is not there may be starting; a name or a certificate stays wrong."""
    sentence = _unreachable_sentence(error)
    found = ProviderUnreachableError(detail, user_message=sentence)
    return found if sentence else _passing(found)


def _unreachable_sentence(error: BaseException) -> str | None:
    """Say more where the cause does: a certificate, a name, an address of ours. None keeps the usual sentence."""
    seen: BaseException | None = error
    for _ in range(12):
        if seen is None:
            break
        if isinstance(seen, InvalidInputError):
            return seen.user_message
        kind, text = type(seen).__name__, str(seen)
        if kind.startswith("SSL") or "SSL" in text or "CERTIFICATE" in text:
            return "The server's certificate is not accepted, or it does not speak https. Check the address."
        if kind == "gaierror" or "Name or service not known" in text or "nodename nor servname" in text:
            return "There is no server with this name. Check the address and the internet connection."
        seen = seen.__cause__ or seen.__context__
    return None


def _wait_words(error: Exception) -> str | None:
    retry_after = getattr(error, "retry_after", None)
    return in_words(retry_after) if retry_after is not None and 0 < retry_after <= _MAX_WAIT_SHOWN_S else None


def _detail(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__} status={status}" if status is not None else type(error).__name__


def _names(error: Exception) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__}
