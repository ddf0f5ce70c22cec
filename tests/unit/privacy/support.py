"""Lives to export, and what makes two exports say the same."""

import io
import json
import zipfile
from typing import Any

from pydantic import SecretStr

from optimus.models import MemoryId, MemoryType, Principal, Role, User, UserId, new_id, stable_id
from optimus.services import Services
from optimus.storage.records import Connection
from tests.world import PASSWORD, World

NETWORK = "test"
Data = dict[str, Any]


def live(world: World) -> None:
    """Leave something of every kind: chats, memories of each status, versions, settings, a connection, figures."""
    memory, owner = world.services.memory, world.owner
    conversation, message, _ = world.say("I'm allergic to peanuts and live in Lisbon")
    world.say("I moved to Porto", conversation=conversation)
    world.say("Where do I live?", conversation=conversation)
    world.say("My sister Maria is a nurse")
    other, _, _ = world.say("I like =cmd|' /C calc'!A0 in tables <b>bold</b>")
    world.services.chat.rename(owner, other.id, "+Tables, “quotes” and\tmore")
    note = memory.add(owner, "The spare key is under the mat")
    memory.edit(owner, note.id, "The spare key is with Ana", expected_version=1)
    memory.forget(owner, memory.add(owner, "I own a boat").id)
    world.services.preferences.choose_profile(owner, display_name="Ada L.", time_zone="Europe/Lisbon")
    world.services.preferences.choose_memory(
        owner, remembers=True, recalls=True, max_memories=7, never_store={MemoryType.DOCUMENT}
    )
    world.services.store.accounts.save_connection(
        Connection(
            id=new_id(),
            user_id=owner,
            provider="openai",
            label="OpenAI",
            api_key=SecretStr("sk-canary-4711"),
            models=("gpt-x",),
            created_at=world.clock(),
        )
    )
    world.services.chat.undo(owner, message.id, message.saved[0].memory_id)


def export(services: Services, principal: Principal) -> bytes:
    """Return an export as it would be downloaded."""
    return b"".join(services.privacy.export(principal))


def data_of(file: bytes) -> Data:
    """Return `optimus.json` of an export."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        data: Data = json.loads(archive.read("optimus.json"))
    return data


def newcomer(services: Services, username: str, *, role: Role = Role.USER) -> Principal:
    """Make an account that has signed in."""
    user: User = services.auth.create_admin(code=None, username=username, password=PASSWORD)
    if role is Role.USER:
        stored = services.store.accounts.user(user.id)
        assert stored
        services.store.accounts.update_user(stored.model_copy(update={"role": Role.USER}))
    ticket = services.auth.sign_in(
        username=username, password=PASSWORD, network=NETWORK, captcha=None, user_agent="test"
    )
    principal = services.auth.principal(services.auth.open_session(ticket).token)
    assert principal
    return principal


def bring_in(services: Services, principal: Principal, file: bytes) -> Any:
    """Import a file and wait until that is done; return what was done."""
    preview = services.privacy.preview(principal, file)
    job = services.privacy.start_import(principal, file, total=preview.total)
    assert job.wait(60)
    assert not job.error, job.error
    return job.result


def content(file: bytes) -> Data:
    """Return what two exports of one life have in common.

    That is everything but whose it is, when it was exported, what was recorded about the account, the connections
    (whose keys are never exported) and the ids, which are replaced by numbers: the same id by the same number.
    """
    data = data_of(file)
    for name in ("exported_at", "account", "audit", "connections"):
        del data[name]
    data["conversations"].sort(key=lambda each: (each["created_at"], each["title"]))
    data["memories"].sort(key=lambda each: (each["recorded_at"], each["text"], each["type"]))
    data["usage"].sort(key=lambda each: each["at"])
    numbers: dict[str, str] = {}
    plain: Data = _numbered(data, numbers)
    return plain


def _numbered(value: Any, numbers: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _numbered(inner, numbers) for name, inner in value.items()}
    if isinstance(value, list):
        return [_numbered(inner, numbers) for inner in value]
    if isinstance(value, str):
        parts = value.split(",")
        if all(len(part) == 36 and part.count("-") == 4 for part in parts):
            return ",".join(numbers.setdefault(part, f"#{len(numbers)}") for part in parts)
    return value


def episode_of(message_id: str) -> MemoryId:
    """Return the id of a message's own memory."""
    return MemoryId(stable_id("episode", message_id))


def everything_of(services: Services, owner: UserId) -> dict[str, int]:
    """Count what the store still holds of somebody, collection by collection."""
    return services.store.personal.counts(owner)
