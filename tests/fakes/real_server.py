"""The Qdrant server that the environment names for tests, if it names one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from optimus.errors import StoreUnavailableError
from optimus.settings import Settings, load_settings
from optimus.storage.server import open_server

SERVER_URL, SERVER_KEY = "OPTIMUS_TEST_QDRANT_URL", "OPTIMUS_TEST_QDRANT_API_KEY"
REAL = ("server", "server-grpc") if os.environ.get(SERVER_URL) else ("server",)
"""The engines of a real server: by REST, and by gRPC on the port above; without one, a single engine to skip."""


def real_settings(name: str, **others: Any) -> Settings:
    """Return how to reach the server, or skip the test: there is none, or none by gRPC."""
    url = os.environ.get(SERVER_URL)
    if not url:
        pytest.skip(f"{SERVER_URL} names no server")
    by_grpc = name == "server-grpc"
    settings = load_settings(
        qdrant_url=url,
        qdrant_api_key=os.environ.get(SERVER_KEY),
        qdrant_prefer_grpc=by_grpc,
        qdrant_timeout_s=60,
        **{"data_dir": Path("unused")} | others,
    )
    try:
        open_server(settings).close()
    except StoreUnavailableError as exc:
        if by_grpc:
            pytest.skip(f"{SERVER_URL}: {exc.user_message}")
        raise
    return settings
