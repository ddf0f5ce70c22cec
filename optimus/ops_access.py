"""Where the running process listens, and the secret that it takes commands with: a 0600 file in the data folder."""

from __future__ import annotations

import json
import os
import secrets
import ssl
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

OPS_FILE = "ops.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsAccess:
    """What the command line needs in order to ask the running process."""

    token: str
    url: str | None = None
    """None where no loopback address leads to the process."""


def new_access(url: str | None) -> OpsAccess:
    """Return access with a fresh token, good for the life of one process."""
    return OpsAccess(token=secrets.token_urlsafe(32), url=url)


def write_access(data_dir: Path, access: OpsAccess) -> None:
    """Leave the access where the command line finds it, replaced in one step."""
    fresh = data_dir / f"{OPS_FILE}.new"
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(access), file)
    fresh.replace(data_dir / OPS_FILE)


def read_access(data_dir: Path) -> OpsAccess | None:
    """Return what the last process left, or None; whether it still runs is for the caller to find out."""
    try:
        found = json.loads((data_dir / OPS_FILE).read_text(encoding="utf-8"))
        return OpsAccess(token=str(found["token"]), url=found["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_access(data_dir: Path) -> None:
    """Take the access away when the process ends."""
    (data_dir / OPS_FILE).unlink(missing_ok=True)


def own_connection(scheme: str, host: str, port: int | None, *, timeout_s: float) -> HTTPConnection:
    """Return a connection to an Optimus on this machine; over TLS its certificate is for the public name."""
    if scheme != "https":
        return HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return HTTPSConnection(host, port, timeout=timeout_s, context=context)
