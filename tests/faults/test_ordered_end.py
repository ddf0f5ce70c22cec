"""A process that is told to end while a model answers, or while somebody does not end a request."""

import socket
import sys
import time
from pathlib import Path

from optimus.keys import load_keys
from optimus.models import MessageState, UserId
from optimus.settings import load_settings
from optimus.storage.folder import STORE_FOLDER
from optimus.storage.store import open_store
from tests.e2e.server import START_TIMEOUT_S, AppServer
from tests.fakes.embedding import HashEmbedder
from tests.fakes.providers import running_provider

GRACE_S = 10.0
"""What stops containers waits about so long before it kills."""


def test_an_answer_that_is_cut_off_by_the_end_is_kept_and_marked(tmp_path: Path):
    """After SIGTERM what had arrived is stored as stopped, its message is queued, and the segments hold it all."""
    app = AppServer(tmp_path / "data")
    with running_provider() as provider:
        provider.answer = lambda _: "Rufus is a good name " * 5
        provider.hold_after = 3
        app.environment["PROVIDER"] = provider.url
        served = [sys.executable, "-m", "uvicorn", "tests.faults.sending_app:app", "--port", str(app.port)]
        app.launch(served)
        try:
            assert app.said(r"answering \S+ \S+\n", START_TIMEOUT_S), app.output
        finally:
            began = time.monotonic()
            app.stop()
        assert time.monotonic() - began < GRACE_S
    owner, reply_id = app.output.partition("answering ")[2].split()[:2]
    for log in (app.data_dir / STORE_FOLDER).glob("*/shard/wal"):
        log.rename(log.with_name("wal-aside"))
        log.mkdir()
    settings = load_settings(data_dir=app.data_dir)
    store = open_store(settings, load_keys(settings), vector_size=HashEmbedder().dimensions)
    reply = store.conversations.message(UserId(owner), reply_id)  # type: ignore[arg-type]
    assert reply.state is MessageState.STOPPED
    assert reply.text.startswith("Rufus")
    assert reply.parent
    assert store.conversations.message(UserId(owner), reply.parent).text == "We got a beagle called Rufus"
    assert list(store.jobs.of(UserId(owner), [reply.parent])) == [reply.parent]
    assert store.audit.verify().is_whole
    store.close()


def test_a_request_that_never_ends_holds_no_end_up(tmp_path: Path):
    """A connection that says neither more nor goodbye is closed after a moment, and then the store in order."""
    app = AppServer(tmp_path / "data").start()
    with socket.create_connection(("127.0.0.1", app.port)) as silent:
        head = f"POST /session/open HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\nContent-Type: application/json\r\n"
        silent.sendall(f"{head}Origin: {app.url}\r\nContent-Length: 100\r\n\r\n{{".encode())
        time.sleep(1)
        began = time.monotonic()
        app.stop()
        assert time.monotonic() - began < GRACE_S
