"""The session cookie: its two names, and where each may be used.

`__Host-optimus` with Secure over https; `optimus` without Secure over plain http, which is for this machine
only unless `OPTIMUS_ALLOW_HTTP` says otherwise. The value is a signed token; only a route ever sets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from optimus.errors import ConfigurationError

SECURE_NAME = "__Host-optimus"
PLAIN_NAME = "optimus"
PLAIN_HTTP_REFUSED = (
    "This address uses plain http, where others on the network could read your password. "
    "Use https, or open Optimus on the machine it runs on. "
    "Whoever runs it can allow plain http with OPTIMUS_ALLOW_HTTP=1."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CookiePolicy:
    """The name and the Secure flag for one kind of connection."""

    name: str
    secure: bool


def cookie_policy(*, scheme: str, host: str, allow_http: bool) -> CookiePolicy:
    """Return how to set the cookie for a connection.

    Args:
        scheme: `http` or `https`, as the browser sees it.
        host: The Host header's name, without its port.
        allow_http: Whether plain http is allowed from other machines.

    Raises:
        ConfigurationError: plain http from another machine, and it is not allowed.
    """
    if scheme in {"https", "wss"}:
        return CookiePolicy(name=SECURE_NAME, secure=True)
    if allow_http or is_loopback(host):
        return CookiePolicy(name=PLAIN_NAME, secure=False)
    raise ConfigurationError("sign-in over plain http refused", user_message=PLAIN_HTTP_REFUSED)


def read_token(cookies: Mapping[str, str]) -> str | None:
    """Return the token that a request or a connection carries, the secure cookie first."""
    return cookies.get(SECURE_NAME) or cookies.get(PLAIN_NAME) or None


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine's own."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
