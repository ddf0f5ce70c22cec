"""What people and Optimus do with the store: each act, what it needs before, and what must then be there once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from optimus.errors import AlreadyExistsError, ConflictError, NotFoundError, OptimusError, StoreUnavailableError
from optimus.models import (
    ConversationId,
    MemoryStatus,
    Message,
    MessageId,
    MessageRole,
    MessageState,
    UserId,
    new_id,
    stable_id,
)
from optimus.storage.audit_records import AuditAction, AuditFilter
from optimus.storage.jobs import ExtractionJob, job_id
from optimus.storage.records import MemoryFilter
from tests.unit.privacy.support import NETWORK, export, newcomer
from tests.world import PASSWORD, World

CLAIM = timedelta(minutes=3)
"""After so long, a right that somebody held while the store went away is free again."""
State = Any
Counts = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One act. `mark` is a word that nothing else holds."""

    name: str
    act: Callable[[World, str, State], object]
    look: Callable[[World, str, State], Counts]
    """Counts what the act leaves behind; each number is to be 1."""
    prepare: Callable[[World, str], State] = lambda _world, _mark: None
    done_already: tuple[type[OptimusError], ...] = ()
    """What repeating the act may be answered with where it was applied the first time: a true sentence."""
    is_repeated: bool = True
    """Whether somebody whose act failed does it again."""


def texts(world: World, owner: UserId, mark: str, **where: Any) -> int:
    """Return how many of the owner's derived memories hold a word."""
    found = world.services.store.memories.texts(owner, MemoryFilter(**where) if where else None)
    return sum(mark in each.text and each.type != "conversation" for each in found)


def _send(world: World, mark: str, told: State) -> None:
    turn = world.services.chat.send(
        world.owner, f"My sister {mark} lives in Lisbon", conversation_id=None, choice=world.offline(), attempt=mark
    )
    running = world.services.chat.generation(world.owner, turn.conversation.id)
    assert running is None or running.wait(60)
    told["notice"] = turn.notice


def _sent(world: World, mark: str, told: State) -> Counts:
    chat, owner = world.services.chat, world.owner
    chat.catch_up()
    chats = [each for each in chat.conversations(owner, limit=1_000) if mark in each.title]
    said = [message for each in chats for message in world.services.store.conversations.transcript(owner, each.id)]
    answers = [m for m in said if m.role is MessageRole.ASSISTANT and m.state is MessageState.COMPLETE]
    events = world.services.store.events.of(owner)
    answered = {message.id for message in answers}
    remembered = texts(world, owner, mark)
    is_said_not_to_be = bool(told.get("notice")) and not remembered
    return {
        "memories": 1 if is_said_not_to_be else remembered,
        "chats": len(chats),
        "messages": sum(m.role is MessageRole.USER for m in said),
        "answers": len(answers) if len(said) == 2 else -len(said),
        "counted": sum(e.kind == "answer" and e.data["message_id"] in answered for e in events),
    }


def _add(world: World, mark: str, _: State) -> None:
    world.services.memory.add(world.owner, f"The key of {mark} is under the mat")


def _added(world: World, mark: str, _: State) -> Counts:
    return {"memories": texts(world, world.owner, mark, statuses=frozenset(MemoryStatus))}


def _kept(world: World, mark: str) -> State:
    return world.services.memory.add(world.owner, f"The key of {mark} is under the mat")


def _edit(world: World, mark: str, memory: State) -> None:
    world.services.memory.edit(world.owner, memory.id, f"The key of {mark} is with Ana", expected_version=1)


def _edited(world: World, mark: str, memory: State) -> Counts:
    (now,) = world.services.store.memories.get(world.owner, [memory.id])
    return {"memories": texts(world, world.owner, mark), "is new": int("Ana" in now.text), "versions": len(now.history)}


def _forget(world: World, _: str, memory: State) -> None:
    world.services.memory.forget(world.owner, memory.id)


def _forgotten(world: World, _: str, memory: State) -> Counts:
    (now,) = world.services.store.memories.get(world.owner, [memory.id])
    return {"is deleted": int(now.status is MemoryStatus.DELETED), "versions": len(now.history)}


def _said(world: World, mark: str) -> State:
    _, message, _ = world.say(f"My sister {mark} is a nurse")
    return message


def _undo(world: World, _: str, message: State) -> None:
    world.services.chat.undo(world.owner, message.id, message.saved[0].memory_id)


def _undone(world: World, mark: str, message: State) -> Counts:
    (said,) = [
        m for m in world.services.chat.messages(world.owner, message.conversation_id) if m.role is MessageRole.USER
    ]
    left = texts(world, world.owner, mark, statuses=frozenset({MemoryStatus.ACTIVE}))
    return {"is said": int(said.saved[0].undone), "is gone": 1 - left}


def _create_user(world: World, mark: str, _: State) -> None:
    world.services.auth.create_admin(code=None, username=mark, password=PASSWORD)


def _created(world: World, mark: str, _: State) -> Counts:
    return {"accounts": sum(user.username == mark for user in world.services.store.accounts.users())}


def _person(world: World, mark: str) -> State:
    return newcomer(world.services, mark)


def _sign_in(world: World, mark: str, person: State) -> None:
    ticket = world.services.auth.sign_in(
        username=mark, password=PASSWORD, network=NETWORK, captcha=None, user_agent="test"
    )
    token = world.services.auth.open_session(ticket).token
    principal = world.services.auth.principal(token)
    assert principal is not None
    assert principal.user_id == person.user_id


def _signed_in(world: World, _: str, person: State) -> Counts:
    """Count that there is a second session; one whose token was lost on the way may stand beside it, of no use."""
    return {"sessions": min(1, len(world.services.auth.sessions(person.user_id)) - 1)}


def _record(world: World, mark: str, _: State) -> None:
    world.services.store.audit.record(AuditAction.EXPORT, actor=world.owner, item=mark)


def _recorded(world: World, mark: str, _: State) -> Counts:
    entries = world.services.store.audit.page(AuditFilter(actions=frozenset({AuditAction.EXPORT})), limit=256).items
    whole = world.services.store.audit.verify(50).is_whole
    return {"records": sum(entry.item == mark for entry in entries), "is whole": int(whole)}


def _queue(world: World, mark: str, _: State) -> None:
    world.services.store.jobs.add(_job(world, mark))


def _queued(world: World, mark: str, _: State) -> Counts:
    return {"jobs": len(world.services.store.jobs.of(world.owner, [_job(world, mark).message_id]))}


def _job(world: World, mark: str) -> ExtractionJob:
    message = MessageId(stable_id("job", mark))
    now = world.clock()
    return ExtractionJob(
        id=job_id(message),
        user_id=world.owner,
        message_id=message,
        conversation_id=ConversationId(new_id()),
        model="offline:assistant",
        at=now,
        updated_at=now,
    )


def _traveller(world: World, mark: str) -> State:
    """Return somebody new, and a file of somebody else's with one chat and what it said."""
    writer, reader = newcomer(world.services, f"{mark}-a"), newcomer(world.services, f"{mark}-b")
    turn = world.services.chat.send(
        writer.user_id, f"My sister {mark} is a nurse", conversation_id=None, choice=world.offline()
    )
    running = world.services.chat.generation(writer.user_id, turn.conversation.id)
    assert running is None or running.wait(60)
    return reader, export(world.services, writer)


def _import(world: World, _: str, state: State) -> None:
    reader, file = state
    privacy = world.services.privacy
    job = privacy.start_import(reader, file, total=privacy.preview(reader, file).total)
    assert job.wait(60)
    if job.error:
        raise StoreUnavailableError(job.error)


def _imported(world: World, mark: str, state: State) -> Counts:
    reader, _ = state
    chats = world.services.chat.conversations(reader.user_id)
    said: list[Message] = [m for each in chats for m in world.services.chat.messages(reader.user_id, each.id)]
    usage = [e for e in world.services.store.events.of(reader.user_id) if e.kind == "answer"]
    return {
        "chats": len(chats),
        "messages": sum(m.role is MessageRole.USER for m in said),
        "answers": sum(m.role is MessageRole.ASSISTANT for m in said),
        "memories": texts(world, reader.user_id, mark),
        "counted": len(usage),
    }


def _settler(world: World, mark: str) -> State:
    person = newcomer(world.services, mark)
    world.services.memory.add(person.user_id, f"The key of {mark} is under the mat")
    return person


def _erase(world: World, mark: str, person: State) -> None:
    world.services.privacy.erase_account(person, PASSWORD, typed_name=mark, network=NETWORK)


def _erased(world: World, mark: str, person: State) -> Counts:
    """Finish what was begun, as the store's return does, then look for anything left."""
    world.services.catch_up()
    store = world.services.store
    left = sum(store.personal.counts(person.user_id).values()) + (store.accounts.user_by_name(mark) is not None)
    return {"is gone": 1 - left, "is finished": 1 - len(store.work.intended("erase"))}


OPERATIONS = (
    Operation(name="send message", prepare=lambda _world, _mark: {}, act=_send, look=_sent),
    Operation(name="save memory", act=_add, look=_added),
    Operation(name="edit", prepare=_kept, act=_edit, look=_edited, done_already=(ConflictError,)),
    Operation(name="forget", prepare=_kept, act=_forget, look=_forgotten),
    Operation(name="undo", prepare=_said, act=_undo, look=_undone),
    Operation(name="create user", act=_create_user, look=_created, done_already=(AlreadyExistsError,)),
    Operation(name="session", prepare=_person, act=_sign_in, look=_signed_in),
    Operation(name="audit record", act=_record, look=_recorded, is_repeated=False),
    Operation(name="job", act=_queue, look=_queued),
    Operation(name="import", prepare=_traveller, act=_import, look=_imported),
    Operation(name="erase", prepare=_settler, act=_erase, look=_erased, done_already=(NotFoundError,)),
)
