"""The application as `app.py` makes it, which sends a message as soon as it is open, without a browser.

Served by `uvicorn tests.faults.sending_app:app`; the environment's PROVIDER is where the model is. Once the answer has
begun it prints whose it is, and its id.
"""

import os
from threading import Thread

from pydantic import SecretStr

from app import app
from optimus import process, services
from optimus.models import UserId, new_id
from optimus.storage.records import Connection
from tests.e2e.server import PASSWORD
from tests.fakes.embedding import HashEmbedder

__all__ = ["app"]

vars(services)["MiniLmEmbedder"] = lambda **_: HashEmbedder()


def _send() -> None:
    opened = process.current()
    owner = opened.auth.create_admin(code=None, username="ada", password=PASSWORD).id
    opened.store.accounts.save_connection(_connection(opened, owner))
    choice = opened.connections.newest(owner, "compatible")
    assert choice
    turn = opened.chat.send(owner, "We got a beagle called Rufus", conversation_id=None, choice=choice)
    running = opened.chat.generation(owner, turn.conversation.id)
    assert running
    next(filter(None, running.follow()))
    print(f"answering {owner} {turn.reply.id}", flush=True)  # noqa: T201 - the test waits for it


def _connection(opened: services.Services, owner: UserId) -> Connection:
    return Connection(
        id=new_id(),
        user_id=owner,
        provider="compatible",
        label="compatible",
        base_url=f"{os.environ['PROVIDER']}/v1",
        api_key=SecretStr("k" * 20),
        models=("gpt-6-luna",),
        created_at=opened.clock(),
    )


process.begin_opening()
Thread(target=_send, daemon=True).start()
