"""Take it along, erase it, bring it in elsewhere: the same life."""

import csv
import hashlib
import io
import json
import zipfile

from optimus.models import MemoryStatus, MemoryType, Role, SourceKind, new_id
from optimus.privacy import export as export_module
from tests.unit.privacy.support import NETWORK, bring_in, content, data_of, episode_of, export, live, newcomer
from tests.world import PASSWORD, World


def test_export_erase_import_export_is_equal(world: World):
    """After an erasure a new account takes the export in, and exports the same content again."""
    services = world.services
    newcomer(services, "other-admin", role=Role.ADMIN)
    live(world)
    first = export(services, world.principal)
    services.privacy.erase_account(world.principal, PASSWORD, typed_name="ada", network=NETWORK)
    heir = newcomer(services, "ada")
    assert heir.user_id != world.owner
    bring_in(services, heir, first)
    second = export(services, heir)
    assert content(second) == content(first)
    assert len(data_of(second)["memories"]) > 8


def test_what_was_brought_in_works_as_before(world: World):
    """An imported memory is found, belongs to its message, and is forgotten with it."""
    services = world.services
    live(world)
    heir = newcomer(services, "heir")
    bring_in(services, heir, export(services, world.principal))
    for question in ("Where do I live?", "What is my sister's job?", "Where is the key?"):
        asked = [services.memory.recall(owner, question) for owner in (world.owner, heir.user_id)]
        texts = [[found.memory.text for found in each] for each in asked]
        assert texts[0] == texts[1] != []
    conversation = next(c for c in services.chat.conversations(heir.user_id) if c.title.startswith("I'm allergic"))
    moved = services.chat.messages(heir.user_id, conversation.id)[2]
    assert services.memory.get(heir.user_id, episode_of(moved.id)).text == "I moved to Porto"
    services.chat.undo(heir.user_id, moved.id, moved.saved[0].memory_id)
    assert not any("Porto" in memory.text for memory in services.memory.list(heir.user_id).items)
    services.chat.delete(heir.user_id, conversation.id, forget=True)
    assert not any("Lisbon" in memory.text for memory in services.memory.list(heir.user_id).items)
    assert any("Porto" in memory.text for memory in services.memory.list(world.owner).items)


def test_importing_twice_adds_nothing(world: World):
    """The second time everything is there already, in another account and in the same one."""
    services = world.services
    live(world)
    file = export(services, world.principal)
    heir = newcomer(services, "heir")
    for principal in (heir, world.principal):
        if principal is heir:
            bring_in(services, principal, file)
        before = content(export(services, principal))
        preview = services.privacy.preview(principal, file)
        assert preview.is_empty
        assert preview.memories.differing == 0
        assert preview.settings == "same"
        bring_in(services, principal, file)
        assert content(export(services, principal)) == before


def test_what_is_here_stays_as_it_is(world: World):
    """A changed memory is not overwritten, and another answer to the same question is kept as replaced."""
    services = world.services
    live(world)
    file = export(services, world.principal)
    heir = newcomer(services, "heir")
    services.memory.add(heir.user_id, "I live in Berlin")
    assert services.privacy.preview(heir, file).memories.differing == 1
    bring_in(services, heir, file)
    texts = {memory.text for memory in services.memory.list(heir.user_id).items}
    assert "I live in Berlin" in texts
    assert "I live in Porto" not in texts
    sister = next(m for m in services.memory.list(heir.user_id).items if m.type is MemoryType.RELATIONSHIP)
    services.memory.edit(heir.user_id, sister.id, "My sister Maria is a doctor", expected_version=sister.version)
    bring_in(services, heir, file)
    assert services.memory.get(heir.user_id, sister.id).text == "My sister Maria is a doctor"


def test_preview_changes_nothing(world: World):
    """Looking at a file stores nothing and says how much it would add."""
    services = world.services
    live(world)
    file = export(services, world.principal)
    heir = newcomer(services, "heir")
    before = services.store.personal.counts(heir.user_id)
    preview = services.privacy.preview(heir, file)
    data = data_of(file)
    assert services.store.personal.counts(heir.user_id) == before
    assert (preview.username, preview.settings, preview.connections) == ("ada", "new", 1)
    said = [memory for memory in data["memories"] if memory["type"] == "conversation"]
    assert preview.memories.new == len(data["memories"]) - len(said)
    assert preview.episodes.new == len(said) > 0
    assert preview.conversations.new == len(data["conversations"]) == 3
    assert preview.messages.new == sum(len(each["messages"]) for each in data["conversations"])
    assert preview.answers.new == len(data["usage"]) == 5


def test_an_export_has_every_file_that_its_manifest_names(world: World):
    """Sizes and SHA-256 are right, the order is fixed, tables and JSON agree, and no key is there."""
    live(world)
    file = export(world.services, world.principal)
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        names = archive.namelist()
        files = {name: archive.read(name) for name in names}
    manifest = json.loads(files.pop("manifest.json"))
    assert names[:2] == ["README.txt", "optimus.json"]
    assert names[-1] == "manifest.json"
    assert {name: (entry["sha256"], entry["size"]) for name, entry in manifest["files"].items()} == {
        name: (hashlib.sha256(content).hexdigest(), len(content)) for name, content in files.items()
    }
    data = json.loads(files["optimus.json"])
    assert {memory["status"] for memory in data["memories"]} >= {"active", "superseded", "deleted"}
    table = list(csv.DictReader(io.StringIO(files["memories.csv"].decode("utf-8-sig"), newline="")))
    assert [row["memory"] for row in table] == [memory["text"] for memory in data["memories"]]
    assert not any(b"sk-canary" in content for content in files.values())
    assert "conversations/0003.md" in files
    assert b"\\<b>bold" in files["conversations/0003.md"]
    assert any(
        line.startswith(b"\"'+Tables") or b"'+Tables" in line for line in files["conversations.csv"].splitlines()
    )
    acts = [(act["action"], act["by"]) for act in data["audit"]]
    assert acts[0] == ("data.exported", "you")
    assert ("auth.signed_in", "you") in acts


def test_exports_page_through_everything(world: World, monkeypatch):
    """More records than any page holds are all in the export, in a number of files that is taken back."""
    monkeypatch.setattr(export_module, "MOST_CHAT_FILES", 5)
    services, owner = world.services, world.owner
    memory = services.memory.add(owner, "I like tea")
    more = [memory.model_copy(update={"id": new_id(), "text": f"Tea number {number}"}) for number in range(520)]
    for start in range(0, len(more), 200):
        services.memory.adopt(owner, more[start : start + 200], {})
    conversation, _, _ = world.say("Hello there")
    for number in range(12):
        copy = {"id": new_id(), "title": f"Chat {number}"}
        services.store.conversations.adopt(conversation.model_copy(update=copy), ())
    answer = services.store.events.of(owner)[-1]
    services.store.events.adopt([answer.model_copy(update={"id": new_id()}) for _ in range(300)])
    file = export(services, world.principal)
    data = data_of(file)
    assert len(data["memories"]) == 522
    assert len(data["conversations"]) == 13
    assert len(data["usage"]) == 301
    preview = services.privacy.preview(newcomer(services, "heir"), file)
    assert (preview.memories.new, preview.conversations.new, preview.answers.new) == (521, 13, 301)
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert sum(name.startswith("conversations/") for name in archive.namelist()) == 5


def test_imported_text_keeps_the_mark_of_who_said_it(world: World):
    """What an assistant or a file said stays marked so, and deleted memories come back deleted."""
    services, owner = world.services, world.owner
    memory = services.memory.add(owner, "I like tea")
    origin = memory.provenance.model_copy(update={"source": SourceKind.ASSISTANT})
    services.memory.adopt(owner, [memory.model_copy(update={"provenance": origin})], {})
    services.memory.forget(owner, services.memory.add(owner, "I own a boat").id)
    heir = newcomer(services, "heir")
    bring_in(services, heir, export(services, world.principal))
    found = {m["text"]: m for m in data_of(export(services, heir))["memories"]}
    assert found["I like tea"]["provenance"]["source"] == "assistant"
    assert found["I own a boat"]["status"] == MemoryStatus.DELETED
