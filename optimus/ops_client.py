"""Send a command to the Optimus that runs on this machine."""

from __future__ import annotations

import json
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from optimus.errors import OptimusError
from optimus.ops_access import own_connection, read_access

TIMEOUT_S = 60.0


def ask_running(data_dir: Path, command: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """Return the running process's answer, or None if none runs on this data folder.

    Raises:
        OptimusError: the process refused, with its sentence.
    """
    access = read_access(data_dir)
    if access is None or access.url is None:
        return None
    address = urlsplit(access.url)
    connection = own_connection(address.scheme, address.hostname or "127.0.0.1", address.port, timeout_s=TIMEOUT_S)
    headers = {"Authorization": f"Bearer {access.token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"/ops/{command}", json.dumps(arguments), headers)
        response = connection.getresponse()
        status, body = response.status, response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return _read(status, body)


def why_not_asked(data_dir: Path) -> str:
    """Return why the process that uses this data folder cannot be asked, and what to do."""
    access = read_access(data_dir)
    if access is not None and access.url is None:
        return (
            "Optimus runs, but takes commands only where it listens at a port of this machine's own address. Stop it "
            "for this command, or start it with --host 127.0.0.1 and --port, not at a Unix socket."
        )
    return (
        f"Another process uses the data folder {data_dir} and takes no commands: Optimus may still be starting, or "
        "another command may be running. Try again in a moment; if that does not help, stop that process."
    )


def _read(status: int, body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    if status >= 400:  # noqa: PLR2004 - HTTP's first error status
        raise OptimusError("the running process refused", user_message=str(answer.get("error", "It was refused.")))
    return answer
