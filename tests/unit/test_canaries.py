"""A whole life in one data folder: nothing that was said, kept, uploaded or entered can be read in its files."""

from __future__ import annotations

import os
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from pydantic import SecretStr

from optimus.errors import InvalidCredentialsError
from optimus.keys import load_keys
from optimus.models import ConversationId, Role, User, new_id
from optimus.services import wire
from optimus.settings import Settings, load_settings
from optimus.storage.jobs import JobState
from optimus.storage.records import Connection
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.fakes.providers import Fault, FaultKind, running_provider
from tests.unit.privacy.support import bring_in, export, newcomer
from tests.unit.storage.test_sealing import written
from tests.unit.test_documents import pdf
from tests.world import PASSWORD, HandClock, World

MARK = "zorvaquelm"
"""Begins every canary, and is nowhere else."""
CANARIES = 100
BLOCK = 3
"""Bytes that base64 writes as one group."""


class Canaries:
    """Words that begin alike and are each used once."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def new(self) -> str:
        """Return the next word, of letters only and with a capital, so that rules take it for a name."""
        number = len(self.words)
        letters = "".join(chr(ord("a") + number // 26**place % 26) for place in range(3))
        self.words.append(f"{MARK}{letters}x".capitalize())
        return self.words[-1]


def forms(word: str) -> set[bytes]:
    """Return the bytes that a word is found by: in three encodings, as hexadecimal, and inside any base64."""
    found: set[bytes] = set()
    for written_as in (word, word.lower(), word.upper(), word.capitalize()):
        plain = written_as.encode()
        found |= {plain, written_as.encode("utf-16-le"), written_as.encode("utf-16-be"), plain.hex().encode()}
        for offset in range(BLOCK):
            coded = b64encode(b"\0" * offset + plain)
            found.add(coded[4 if offset else 0 : len(coded) // 4 * 4 - 4])
    return found


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a folder, its holes left out, and what is packed inside it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield from unpacked(path.name, written(path))


def unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield bytes, and whatever of them unpacks as an archive or a compressed stream."""
    yield name, content
    if zipfile.is_zipfile(BytesIO(content)):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for inner in archive.namelist():
                yield from unpacked(f"{name}/{inner}", archive.read(inner))
    for magic, bits in ((b"\x1f\x8b\x08", 31), (b"\x78\x9c", 15), (b"\x78\xda", 15), (b"\x78\x01", 15)):
        start = content.find(magic)
        while start >= 0:
            with suppress(zlib.error):
                yield f"{name}+{start}", zlib.decompressobj(bits).decompress(content[start:], 1 << 20)
            start = content.find(magic, start + 1)


def found_in(folder: Path, *words: str) -> list[str]:
    """Return where any of the words can be read, by the names of the files."""
    wanted = {form for word in words for form in forms(word)}
    return sorted({name for name, content in contents(folder) for form in wanted if form in content})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with everything in one data folder, the keys apart."""
    data = tmp_path / "data"
    return load_settings(data_dir=data, key_dir=tmp_path / "keys", backup_dir=data / "backups", max_sessions=50)


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """A whole Optimus on the embedded engine in that folder."""
    clock, keys = HandClock(), load_keys(settings)
    store = open_store(settings, keys, clock=clock)
    services = wire(settings, keys, store, clock=clock, password_cost=4, embedder=HashEmbedder())
    person = newcomer(services, "ada", role=Role.ADMIN)
    yield World(services=services, clock=clock, owner=person.user_id, principal=person)
    services.close()


def talk(world: World, canaries: Canaries) -> None:
    """Say things, name chats, edit, undo and delete; what was deleted lies in files longest."""
    new, services, owner = canaries.new, world.services, world.owner
    talks = []
    for number in range(12):
        said = f"My sister {new()} lives in {new()}"
        conversation, message, _ = world.say(said if number % 2 else f"I keep {new()} in the {new()}")
        talks.append((conversation, message))
    for conversation, _ in talks[:4]:
        services.chat.rename(owner, conversation.id, f"About {new()}")
        services.chat.guide(owner, conversation.id, instructions=f"Call me {new()}", temperature=None)
    turn = services.chat.edit(owner, talks[0][1].id, f"I moved to {new()}", choice=world.offline())
    running = services.chat.generation(owner, turn.conversation.id)
    assert running is None or running.wait(60)
    for _, message in talks:
        if message.saved:
            services.chat.undo(owner, message.id, message.saved[0].memory_id)
            break
    services.chat.delete_message(owner, talks[5][1].id)
    services.chat.delete(owner, ConversationId(talks[6][0].id), forget=True)
    services.memory.recall(owner, f"Where is {new()}?")


def keep(world: World, canaries: Canaries) -> None:
    """Write memories by hand, through Mem0, edit, forget and restore them, and add documents."""
    new, services, owner = canaries.new, world.services, world.owner
    for _ in range(8):
        services.memory.add(owner, f"The key of {new()} is under the mat")
    note = services.memory.add(owner, f"The key of {new()} is here")
    services.memory.edit(owner, note.id, f"The key is with {new()}", expected_version=1)
    services.memory.forget(owner, note.id)
    services.memory.restore(owner, note.id)
    text = "\n\n".join(f"# {new()}\n\n{new()} is the second word of a chapter." for _ in range(5))
    kept = services.documents.add(owner, f"{new()}.md", text.encode())
    services.documents.add(owner, "plan.pdf", pdf(*(f"The oven of {new()} is hot" for _ in range(6))))
    services.documents.add(owner, "plain.txt", f"A line about {new()}".encode())
    services.documents.forget(owner, kept.id)


def connect(world: World, canaries: Canaries) -> None:
    """Connect a model server, let it answer and fail, and leave work for it waiting."""
    new, services, owner = canaries.new, world.services, world.owner
    with running_provider() as fake:
        answer = f"You told me about {new()}."
        fake.answer = lambda _request: answer
        for provider, url in (("openai", f"https://{new()}.example/v1"), ("compatible", f"{fake.url}/v1")):
            connection = Connection(
                id=new_id(),
                user_id=owner,
                provider=provider,
                label=f"{new()} at home",
                base_url=url,
                api_key=SecretStr(f"sk-{new()}"),
                models=("gpt-6-luna",),
                created_at=world.clock(),
            )
            services.store.accounts.save_connection(connection)
        choice = services.connections.newest(owner, "compatible")
        assert choice
        _, message, _ = world.say(f"My brother {new()} is a nurse in {new()}", choice=choice)
        assert services.extraction.looks(owner, [message.id])[message.id].status is JobState.WAITING
        fake.faults.append(Fault(kind=FaultKind.STATUS, status=400, message=f"No {new()} here"))
        world.say(f"Tell me of {new()}", choice=choice)


def sign_in_and_out(world: World, canaries: Canaries) -> list[str]:
    """Choose a profile, a password and settings, fail to sign in; return what only a browser may know."""
    new, services = canaries.new, world.services
    secret = f"{PASSWORD} {new()}"
    services.preferences.choose_profile(world.owner, display_name=f"Ada {new()}", time_zone="Europe/Lisbon")
    other: User = services.auth.create_admin(code=None, username=new().lower(), password=secret)
    tokens = []
    for name, password in ((other.username, secret), (other.username, f"wrong {new()}"), (new().lower(), secret)):
        try:
            ticket = services.auth.sign_in(
                username=name, password=password, network=name, captcha=None, user_agent=f"Mozilla {new()}"
            )
        except InvalidCredentialsError:
            continue
        tokens += [ticket, services.auth.open_session(ticket).token]
    services.system.change(world.principal, tokens_per_day=100_000)
    return tokens


def bring(world: World, canaries: Canaries) -> None:
    """Move the life of somebody else over by a file."""
    new, services = canaries.new, world.services
    leaving = new().lower()
    writer, reader = newcomer(services, leaving), newcomer(services, new().lower())
    for _ in range(4):
        services.memory.add(writer.user_id, f"The boat of {new()} is red")
        there = World(services=services, clock=world.clock, owner=writer.user_id, principal=writer)
        there.say(f"My aunt {new()} sails")
    services.preferences.choose_profile(writer.user_id, display_name=f"L {new()}", time_zone=None)
    bring_in(services, reader, export(services, writer))
    services.privacy.erase_account(writer, PASSWORD, typed_name=leaving, network="test")


def live(world: World, canaries: Canaries) -> list[str]:
    """Do all of it, and more of the same until every canary is used; return the tokens of browsers."""
    talk(world, canaries)
    keep(world, canaries)
    connect(world, canaries)
    tokens = sign_in_and_out(world, canaries)
    bring(world, canaries)
    for _ in range(CANARIES - len(canaries.words)):
        world.services.memory.add(world.owner, f"One more word is {canaries.new()}")
    assert world.services.audit.verify().is_whole
    job = world.services.backups.back_up_now(world.principal)
    assert job.wait(60)
    assert job.error == ""
    return tokens


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="reading gigabytes of holes takes too long")
def test_nothing_of_a_life_can_be_read_in_the_data_folder(world, settings):
    """Of more than a hundred canaries none is in any file or backup, while it runs or afterwards, in any coding."""
    canaries = Canaries()
    tokens = live(world, canaries)
    said = export(world.services, world.principal)
    keys = load_keys(settings)
    assert len(canaries.words) >= CANARIES
    known = b"".join(content for _, content in unpacked("export", said)).decode("utf-8", "ignore")
    assert sum(word in known for word in canaries.words) > CANARIES / 2, "the life was not lived"
    assert list(settings.data_dir.rglob("*.backup"))
    for _ in ("open", "closed"):
        assert found_in(settings.data_dir, world.owner), "the search finds what is there"
        assert found_in(settings.data_dir, MARK, "Europe/Lisbon") == []
        whole = b"".join(content for _, content in contents(settings.data_dir))
        for secret in (*(token.encode() for token in tokens), keys.master, keys.jwt, keys.pepper):
            assert secret not in whole
        world.services.close()
