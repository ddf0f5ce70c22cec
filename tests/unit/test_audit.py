import csv
import io

import pytest

from optimus.audit import ANOTHER, AuditFilter
from optimus.errors import InvalidCredentialsError, PermissionDeniedError, StoreUnavailableError
from optimus.models import ChangeKind, Principal, Role, SessionId, UserId, new_id
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import Connection
from optimus.ui.admin_log import log_csv
from optimus.ui.audit_words import GROUPS, TITLES, details_of, title_of
from tests.world import World, stranger


def acts(world: World) -> list[tuple[str, str | None, object]]:
    """Return the memory acts in the log, the oldest first: action, memory, way."""
    where = AuditFilter(actions=frozenset(action.value for action in AuditAction if action.group == "memory"))
    entries = reversed(world.services.audit.log.page(where, limit=256).items)
    return [(entry.action, entry.item, entry.data["way"]) for entry in entries]


def principal_of(user_id: UserId, username: str) -> Principal:
    """Return a signed-in user."""
    return Principal(user_id=user_id, username=username, role=Role.USER, session_id=SessionId(new_id()))


@pytest.mark.parametrize("name", ["entries", "export", "check"])
def test_only_an_admin_reads_checks_and_exports_the_log(world, name):
    """Everybody else is refused, and the refusal comes before anything is read or recorded."""
    before = world.services.audit.log.page().total
    with pytest.raises(PermissionDeniedError):
        getattr(world.services.audit, name)(stranger())
    assert world.services.audit.log.page().total == before


def test_entries_name_accounts_as_long_as_they_exist(world):
    """Who did it and whom it concerns have names; an unknown name is told by nothing, an erased account by no name."""
    auth, audit = world.services.auth, world.services.audit
    world.say("I'm allergic to zebrawood")
    bob = auth.people.create(world.principal, username="bob", role=Role.USER).user.id
    for name in ("bob", "somebody-else"):
        with pytest.raises(InvalidCredentialsError):
            auth.sign_in(username=name, password="x", network="n", captcha=None, user_agent="")
    audit.record(AuditAction.SIGN_IN_FAILED, actor=None, subject=UserId(new_id()))
    page = audit.entries(world.principal, limit=4)
    assert [(named.entry.action, named.actor, named.subject) for named in page.items] == [
        ("auth.sign_in_failed", None, ""),
        ("auth.sign_in_failed", None, None),
        ("auth.sign_in_failed", None, "bob"),
        ("admin.user_created", "ada", "bob"),
    ]
    assert page.total > 4
    audit.forget(bob)
    assert [named.subject for named in audit.entries(world.principal, limit=4).items] == ["", None, "", ""]
    text = audit.entries(world.principal, limit=256).model_dump_json()
    assert "zebrawood" not in text
    assert "somebody-else" not in text


def test_a_user_sees_the_own_entries_and_not_who_else_acted(world):
    """Own acts with their network and browser; what an admin did without the admin; nothing of anybody else."""
    auth, audit = world.services.auth, world.services.audit
    bob = auth.people.create(world.principal, username="bob", role=Role.USER).user.id
    told = {"network": "ab12", "browser": "Firefox"}
    audit.record(AuditAction.SIGNED_IN, actor=bob, subject=bob, data=told)
    audit.record(AuditAction.EXPORT, actor=world.owner, subject=world.owner, data=told)
    own = audit.own(principal_of(bob, "bob"))
    assert [(entry.action, entry.actor) for entry in own] == [("auth.signed_in", bob), ("admin.user_created", ANOTHER)]
    assert own[0].data == told
    assert world.owner not in "".join(entry.model_dump_json() for entry in own)
    assert audit.own(stranger()) == ()


def test_checking_and_exporting_leave_an_entry(world, monkeypatch):
    """The log tells who looked into it; an export that cannot be recorded is refused."""
    audit = world.services.audit
    assert audit.check(world.principal).is_whole
    exported = audit.export(world.principal, AuditFilter(about=world.owner))
    actions = [named.entry.action for named in audit.entries(world.principal, limit=2).items]
    assert actions == ["audit.exported", "audit.checked"]
    assert len(exported) == audit.entries(world.principal, AuditFilter(about=world.owner)).total

    def failing(*_args: object, **_kwargs: object) -> None:
        raise StoreUnavailableError("down")

    monkeypatch.setattr(audit.log, "_append", failing)
    with pytest.raises(StoreUnavailableError):
        audit.export(world.principal)


def test_an_export_is_whole_beyond_one_page(world):
    """All entries that match, in a table that no spreadsheet takes for formulas."""
    audit = world.services.audit
    for _ in range(300):
        audit.record(AuditAction.MEMORY_EDITED, actor=world.owner, subject=world.owner, item=new_id())
    audit.record(AuditAction.SETTING_CHANGE, actor=world.owner, data={"network": "=1+1", "name": "registration"})
    exported = audit.export(world.principal)
    rows = list(csv.DictReader(io.StringIO(log_csv(exported).removeprefix("\ufeff"))))
    assert len(rows) == len(exported) > 300
    assert [int(row["number"]) for row in rows] == list(range(len(rows), 0, -1))
    setting = next(row for row in rows if row["action"] == "admin.setting_changed")
    assert (setting["network"], setting["by"], setting["details"]) == ("'=1+1", "ada", "name=registration")


def test_what_a_message_changes_is_recorded_once_with_its_memory(world):
    """Said, said again, replaced and undone: which memory and that it came from a chat, never a word of it."""
    conversation, message, _ = world.say("I live in Lisbon")
    home = message.saved[0].memory_id
    _, moved, _ = world.say("I moved to Porto", conversation=conversation)
    change = moved.saved[0]
    assert change.kind is ChangeKind.SUPERSEDE
    expected = [
        ("memory.created", home, "chat"),
        ("memory.created", change.memory_id, "chat"),
        ("memory.replaced", home, "chat"),
    ]
    assert acts(world) == expected
    world.services.memory.remember(world.owner, message)
    assert acts(world) == expected
    for _ in range(2):
        world.services.chat.undo(world.owner, moved.id, change.memory_id)
        world.services.memory.undo(world.owner, change)
    expected.append(("memory.undone", change.memory_id, "chat"))
    assert acts(world) == expected
    world.services.chat.delete(world.owner, conversation.id, forget=True)
    assert acts(world) == [*expected, ("memory.withdrawn", None, "chat")]
    stored = [row.payload for row in world.services.audit.log._records.find()]
    assert "Lisbon" not in str(stored)


def test_what_is_done_by_hand_is_recorded_where_it_changed_something(world):
    """Added, edited, deleted, brought back; a second time changes nothing and leaves no entry."""
    memory = world.services.memory
    added = memory.add(world.owner, "The spare key is under the mat")
    edited = memory.edit(world.owner, added.id, "The spare key is with Maria", expected_version=added.version)
    memory.edit(world.owner, added.id, edited.text, expected_version=edited.version)
    for _ in range(2):
        memory.forget(world.owner, added.id)
    for _ in range(2):
        memory.restore(world.owner, added.id)
    verbs = ("created", "edited", "forgotten", "restored")
    assert acts(world) == [(f"memory.{verb}", added.id, "hand") for verb in verbs]


def test_what_is_done_to_many_memories_is_recorded_for_each(world):
    """A deletion of several and its undo leave an entry for every memory that changed, and for no other."""
    library = world.services.library
    ids = [world.services.memory.add(world.owner, f"I like {what}").id for what in ("tea", "jazz", "Lisbon")]
    assert library.forget(world.owner, [*ids[:2], new_id()]) == 2
    assert library.forget(world.owner, ids[:2]) == 0
    assert library.undo_deletion(world.owner, library.last_deletion(world.owner).at) == 2
    done = [(action, item) for action, item, _ in acts(world)[3:]]
    assert sorted(done) == sorted((f"memory.{verb}", item) for verb in ("forgotten", "restored") for item in ids[:2])


def test_a_log_that_cannot_be_written_keeps_nobody_from_remembering(world, monkeypatch):
    """A memory act that is not recorded happened all the same; the process's log says what was missed."""

    def failing(*_args: object, **_kwargs: object) -> None:
        raise StoreUnavailableError("down")

    monkeypatch.setattr(world.services.audit.log, "_append", failing)
    assert world.services.memory.add(world.owner, "I like tea").text == "I like tea"


def test_settings_and_models_are_recorded(world):
    """A changed preference and a removed connection leave an entry of their owner, without what was chosen."""
    preferences = world.services.preferences
    preferences.choose_memory(world.owner, remembers=False, recalls=True, max_memories=5, never_store=())
    made = {"user_id": world.owner, "provider": "openai", "label": "OpenAI", "created_at": world.clock()}
    world.services.store.accounts.save_connection(Connection(id=new_id(), **made))
    world.services.connections.disconnect(world.owner, world.services.connections.own(world.owner)[0].id)
    newest = world.services.audit.log.page(limit=2).items
    assert [entry.action for entry in newest] == ["settings.model_removed", "settings.changed"]
    assert {(entry.actor, entry.subject, len(entry.data)) for entry in newest} == {(world.owner, world.owner, 0)}


def test_every_action_has_words():
    """No entry is shown by its code: each action has a title, and each group a name."""
    assert set(TITLES) == set(AuditAction)
    assert set(GROUPS) == {action.group for action in AuditAction}
    assert title_of("system.backed_up") == "Backed up"


def test_details_are_words(world):
    """Numbers get their noun, a network is a short mark, and what is not known is spelled out."""
    data = {"network": "0123456789abcdef", "browser": "Firefox on Linux", "count": 2, "way": "hand", "role": "admin"}
    world.services.audit.record(AuditAction.SESSIONS_ENDED, actor=world.owner, data=data)
    entry = world.services.audit.log.page(limit=1).items[0]
    words = details_of(entry).split(", ")
    assert set(words) == {"network 012345", "Firefox on Linux", "2 sessions", "on the memory page", "role admin"}
