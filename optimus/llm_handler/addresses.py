"""Which addresses a model server may have.

An address is parsed once, by the parser of the HTTP client that later uses it, and its normalized text is what is
stored and called. A user may name a server on this machine, or an https server elsewhere; whoever runs Optimus may
also name a plain http server in the own network through the settings. Nobody may name link-local, metadata,
multicast or unspecified addresses.

Names are looked up when a connection is made, by `pinning`, which asks `check_resolved` about each address that it
finds and connects to that one. Redirects are off, proxies of the environment are not used, and a key goes only to
the address that it was entered with.
"""

from __future__ import annotations

import ipaddress
import re

from optimus.errors import InvalidInputError

MAX_ADDRESS_CHARS = 500
_MAX_PORT = 65_535

_NUMERIC_HOST = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?")
_METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
_METADATA_ADDRESSES = frozenset(
    map(
        ipaddress.ip_address,
        # AWS and Google over IPv6; Alibaba, Oracle and Azure
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    )
)
_LABELS = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?", re.IGNORECASE)
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
"""All of the public addresses; whatever is outside belongs to networks, or to nobody yet."""
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        # protocol assignments and the retired relay of 6to4 (RFC 6890, 7526); documentation (RFC 9637)
        ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"),
    )
)
_CARRIERS = tuple(
    map(
        ipaddress.IPv6Network,
        # IPv4-compatible (RFC 4291), -translated (RFC 2765), NAT64 (RFC 6052), and NAT64 of a network (RFC 8215)
        ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"),
    )
)
"""IPv6 addresses that end with an IPv4 one."""
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")
"""What stands before the IPv4 address at the end of an address of RFC 5214."""

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_base_url(text: str, *, is_trusted: bool = False) -> str:
    """Return the address in its normal form, without a slash at the end.

    `is_trusted` is for addresses from the settings: they may be plain http and private.

    Raises:
        InvalidInputError: it is no address, or none that may be called; the sentence says which.
    """
    from httpx2 import URL, InvalidURL  # noqa: PLC0415

    entered = text.strip()
    if not entered or len(entered) > MAX_ADDRESS_CHARS or not entered.isprintable() or "\\" in entered:
        raise _refusal("That is not an address. An address looks like http://127.0.0.1:11434/v1.")
    try:
        url = URL(entered)
    except InvalidURL as exc:
        raise _refusal("That is not an address. An address looks like http://127.0.0.1:11434/v1.") from exc
    if url.scheme not in {"http", "https"} or not url.host or "%" in url.host:
        raise _refusal("An address starts with http:// or https:// and names a server.")
    if _address(url.host) is None and not _LABELS.fullmatch(url.raw_host.decode("ascii")):
        raise _refusal("An address starts with http:// or https:// and names a server.")
    if url.port is not None and not 0 < url.port <= _MAX_PORT:
        raise _refusal(f"The port, after the colon, is a number between 1 and {_MAX_PORT}.")
    if url.userinfo or "@" in entered:
        raise _refusal("Put the key into its own field, not into the address.")
    if url.query or url.fragment or "?" in entered or "#" in entered:
        raise _refusal("Leave out everything from ? or # in the address.")
    if is_trusted or _is_permitted(url.scheme, url.host):
        _refuse_forbidden(url.host)
        return str(url).rstrip("/")
    raise _refusal("A server that is not on this machine needs an address with https://.")


def check_resolved(host: str, address: str, *, is_trusted: bool) -> None:
    """Refuse an address that a host's name must not lead to, whoever answers for the name.

    `is_trusted` is for hosts that the settings or the catalogue name: they may be private.

    Raises:
        InvalidInputError: the sentence says what is wrong.
    """
    _refuse_forbidden(address)
    found = _address(address)
    if found is None:
        raise _refusal("That is not an address.")
    is_own = _is_loopback_address(address)
    if _is_loopback_host(host) or (is_trusted and is_own):
        if not is_own:
            raise _refusal("That name must lead to this machine, but it leads elsewhere.")
    elif not is_trusted and not _is_public(found):
        raise _refusal("That name leads into a private network, which only the person who runs this server can allow.")


def is_loopback(base_url: str) -> bool:
    """Tell whether an address is on this machine."""
    from httpx2 import URL, InvalidURL  # noqa: PLC0415

    try:
        return _is_loopback_host(URL(base_url).host)
    except InvalidURL:
        return False


def host_of(base_url: str) -> tuple[str, int]:
    """Return the host and port that an address leads to; nothing where it is none."""
    from httpx2 import URL, InvalidURL  # noqa: PLC0415

    try:
        url = URL(base_url)
    except InvalidURL:
        return "", 0
    return url.host.lower(), url.port or (443 if url.scheme == "https" else 80)


def _is_permitted(scheme: str, host: str) -> bool:
    _refuse_forbidden(host)
    address = _address(host)
    if _is_loopback_host(host):
        return True
    if address is not None and not _is_public(address):
        raise _refusal("An address inside your network can only be set by the person who runs this server.")
    return scheme == "https"


def _refuse_forbidden(host: str) -> None:
    name = host.rstrip(".").lower()
    address = _address(host)
    if address is None and _NUMERIC_HOST.fullmatch(name):
        raise _refusal("Write the number of the server as four parts, like 127.0.0.1.")
    forbidden = name in _METADATA_HOSTS
    if address is not None:
        forbidden = (
            address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA_ADDRESSES
        )
    if forbidden or (isinstance(address, ipaddress.IPv4Address) and address.packed[0] == 0):
        raise _refusal("That address cannot be used for a model server.")


def _is_public(address: IpAddress) -> bool:
    """Tell whether an address is one of the internet, by the library and where that knows too little."""
    is_known = isinstance(address, ipaddress.IPv4Address) or address in _PUBLIC_IPV6
    return is_known and address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _is_loopback_host(host: str) -> bool:
    return host.rstrip(".").lower() == "localhost" or _is_loopback_address(host)


def _is_loopback_address(host: str) -> bool:
    """Tell whether an address is this machine's own as it stands; carried to elsewhere, `127.0.0.1` is another's."""
    address = _written(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address is not None and (mapped or address).is_loopback


def _written(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        return None


def _address(host: str) -> IpAddress | None:
    """Return the host as an address, taken out of any IPv6 form that carries an IPv4 one."""
    address = _written(host)
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    is_carrier = any(address in network for network in _CARRIERS) and int(address) > 1  # not :: and ::1
    if is_carrier or address.packed[8:12] in _ISATAP:
        return ipaddress.IPv4Address(address.packed[12:])
    teredo_client = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo_client or address


def _refusal(sentence: str) -> InvalidInputError:
    return InvalidInputError("base url refused", user_message=sentence)
