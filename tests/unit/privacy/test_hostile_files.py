"""Files that were not made by Optimus, or not left as they were: a sentence, and nothing stored."""

import hashlib
import io
import json
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from optimus.errors import InvalidInputError
from optimus.models import Principal, new_id
from optimus.privacy.archive import CHANGED, MAX_FILE_BYTES, NEWER, NO_EXPORT, TOO_LARGE, TOO_MUCH
from optimus.services import Services
from tests.unit.privacy.support import bring_in, data_of, export, live, newcomer
from tests.world import World, running_world

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    """The files of a true export, of another Optimus."""
    with running_world(tmp_path_factory.mktemp("elsewhere")) as elsewhere:
        live(elsewhere)
        file = export(elsewhere.services, elsewhere.principal)
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Files, *, infos: dict[str, zipfile.ZipInfo] | None = None) -> bytes:
    """Return an archive of files, as they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr((infos or {}).get(name, name), content)
    return out.getvalue()


def vouched(files: Files, **fields: Any) -> Files:
    """Return the files with a manifest that is right about them."""
    rest = {name: content for name, content in files.items() if name != "manifest.json"}
    told = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)} for name, content in rest.items()
    }
    manifest = json.loads(files["manifest.json"]) | {"files": told} | fields
    return rest | {"manifest.json": json.dumps(manifest).encode()}


def held(services: Services, principal: Principal) -> dict[str, int]:
    """Count what somebody has, what the audit log tells of them aside."""
    counts = services.store.personal.counts(principal.user_id)
    return counts | {"events": len(services.store.events.of(principal.user_id))}


def refused(world: World, file: bytes) -> str:
    """Try to look at a file and to import it; return the sentence, once nothing was stored."""
    services = world.services
    heir = newcomer(services, f"heir-{new_id()[:8]}")
    services.store.keyring.dek(heir.user_id)
    before = held(services, heir)
    with pytest.raises(InvalidInputError) as caught:
        services.privacy.preview(heir, file)
    job = services.privacy.start_import(heir, file, total=1)
    assert job.wait(20)
    assert job.error == caught.value.user_message
    assert held(services, heir) == before
    return caught.value.user_message


def test_every_file_is_guarded_by_its_checksum(world: World, files: Files):
    """One changed byte in any file of an export is noticed."""
    for name, content in files.items():
        if name != "manifest.json":
            changed = files | {name: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]}
            assert refused(world, packed(changed)) == CHANGED, name


def test_files_that_are_missing_added_or_moved(world: World, files: Files):
    """An archive has the files of its manifest and no others, under names that an export uses."""
    without = {name: content for name, content in files.items() if name != "manifest.json"}
    assert refused(world, packed(without)) == NO_EXPORT
    assert refused(world, packed({"manifest.json": files["manifest.json"]})) == NO_EXPORT
    assert refused(world, packed({n: c for n, c in files.items() if n != "usage.csv"})) == CHANGED
    for name in (
        "../evil.md",
        "/etc/evil.md",
        "C:\\evil.md",
        "conversations/../../evil.md",
        "conversations/",
        "notes.zip",
        "é.md",
        "a\x00.md",
        ".hidden.md",
        "x" * 101 + ".md",
    ):
        assert refused(world, packed(vouched(files | {name: b"x"}))) == CHANGED, name


def test_entries_that_are_no_plain_files(world: World, files: Files):
    """Links, encrypted and doubly named entries, and other ways of packing are refused."""
    link = zipfile.ZipInfo("usage.csv")
    link.external_attr = 0o120777 << 16
    assert refused(world, packed(files, infos={"usage.csv": link})) == CHANGED
    squeezed = zipfile.ZipInfo("usage.csv")
    squeezed.compress_type = zipfile.ZIP_LZMA
    assert refused(world, packed(files, infos={"usage.csv": squeezed})) == CHANGED
    out = io.BytesIO(packed(files))
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("usage.csv", b"other")
    assert refused(world, out.getvalue()) == CHANGED
    locked = bytearray(packed(files))
    place = locked.rfind(b"PK\x01\x02")
    locked[place + 8] |= 1
    assert refused(world, bytes(locked)) == CHANGED


@pytest.mark.parametrize(
    "file",
    [b"", b"PK", b"no archive at all", b"PK\x03\x04" + b"\0" * 100, b"PK\x05\x06" + b"\0" * 18, b"\x1f\x8b" * 50],
)
def test_what_is_no_archive(world: World, file: bytes):
    """Anything else than a ZIP file is named as such."""
    assert refused(world, file) == NO_EXPORT


def test_archives_cut_off_or_scrambled(world: World, files: Files):
    """Wherever a file was cut off or overwritten, there is a sentence and no traceback."""
    whole = packed(files)
    for share in range(1, 20):
        cut = len(whole) * share // 20
        assert refused(world, whole[:cut]) in (NO_EXPORT, CHANGED)
        assert refused(world, whole[:cut] + b"\xff" * 40 + whole[cut + 40 :]) in (NO_EXPORT, CHANGED, TOO_MUCH)


def zeros(megabytes: int) -> bytes:
    """Return an archive that unpacks to zeros."""
    return packed({"README.txt": b"\0" * (megabytes * 1024 * 1024)})


def with_size(file: bytes, size: int) -> bytes:
    """Return an archive that lies about the unpacked size of its first entry."""
    lying = bytearray(file)
    place = lying.find(b"PK\x01\x02")
    struct.pack_into("<L", lying, place + 24, size)
    return bytes(lying)


def test_bombs_are_refused_at_once(world: World, files: Files):
    """Flat, nested, lying and crowded archives: under a second each, and without unpacking them."""
    flat = zeros(60)
    many = {f"conversations/{number}.md": b"" for number in range(10_000)}
    bombs = {
        "flat": (flat, TOO_MUCH),
        "says gigabytes": (with_size(flat, 0xFFFFFFF0), TOO_MUCH),
        "says little": (with_size(packed(vouched(files | {"README.txt": b"\0" * 60_000_000})), 10), CHANGED),
        "nested": (packed(vouched(files | {"inner.zip": flat})), CHANGED),
        "ten thousand entries": (packed(files | many), TOO_MUCH),
        "too large": (b"PK\x03\x04" + bytes(MAX_FILE_BYTES), TOO_LARGE),
    }
    services, heir = world.services, newcomer(world.services, "heir")
    for name, (bomb, sentence) in bombs.items():
        tracemalloc.start()
        started = time.thread_time()
        with pytest.raises(InvalidInputError) as caught:
            services.privacy.preview(heir, bomb)
        took, (_, peak) = time.thread_time() - started, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert caught.value.user_message == sentence, name
        assert took < 1, name
        assert peak < 100 * 1024 * 1024, name


def test_a_newer_version_says_so(world: World, files: Files):
    """An export of a later Optimus is not guessed at, whichever of the two files says it."""
    assert refused(world, packed(vouched(files, version=2))) == NEWER
    data = json.loads(files["optimus.json"]) | {"version": 2}
    assert refused(world, packed(vouched(files | {"optimus.json": json.dumps(data).encode()}))) == NEWER
    assert refused(world, packed(vouched(files, format="something"))) == NO_EXPORT


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"format": "optimus-export"}',
        b'{"format": "optimus-export", "version": 1, "version": 1}',
        b'{"format": "optimus-export", "version": NaN}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"9" * 100_000,
    ],
)
def test_json_that_is_none_of_ours(world: World, files: Files, text: bytes):
    """What is no JSON, too deep, doubled or not a number is refused, with a right checksum, too."""
    assert refused(world, packed(vouched(files | {"optimus.json": text}))) == NO_EXPORT


def change(key: str, **fields: Any) -> Callable[[dict[str, Any]], None]:
    """Return what sets fields of the first record of a list, or of the first message."""

    def changing(data: dict[str, Any]) -> None:
        record = data["conversations"][0]["messages"][0] if key == "messages" else data[key]
        (record[0] if isinstance(record, list) else record).update(fields)

    return changing


def doubled(data: dict[str, Any]) -> None:
    """Put a memory in twice."""
    data["memories"].append(data["memories"][0])


CASES = [
    change("memories", user_id=new_id()),
    change("conversations", user_id=new_id()),
    change("messages", user_id=new_id()),
    change("messages", conversation_id=new_id()),
    change("usage", user_id=new_id()),
    change("memories", id="*"),
    change("memories", id="../../etc/passwd"),
    change("memories", id=""),
    change("memories", id=["a"]),
    change("memories", superseded_by="*"),
    change("memories", sources=["x"]),
    change("memories", text=""),
    change("memories", text="x" * 40_000),
    change("memories", text="bell \x07"),
    change("memories", text="lone \ud800"),
    change("memories", text=5),
    change("memories", importance=2),
    change("memories", importance="1"),
    change("memories", importance=float("1e400")),
    change("memories", status="trusted"),
    change("memories", recorded_at="9999-12-31T23:59:59+00:00"),
    change("memories", recorded_at="2026-03-01T12:00:00"),
    change("memories", recorded_at="2027-03-01T12:00:00Z"),
    change("memories", valid_from="0001-01-01T00:00:00Z"),
    change("memories", trust="high"),
    change("memories", entities=[[[]]]),
    change("memories", entities=["e" * 1_000_000]),
    change("conversations", title="t" * 5_000),
    change("conversations", title="null \x00"),
    change("conversations", id="1"),
    change("messages", role="system"),
    change("messages", text="\x1b[2J"),
    change("messages", error="x" * 250_000),
    change("usage", kind="auth.signed_in"),
    change("usage", data={"cost_usd": -5}),
    change("usage", data={"cost_usd": 1e300}),
    change("usage", data={"nested": {}}),
    change("preferences", max_memories=1_000),
    change("preferences", role="admin"),
    change("account", is_admin=True),
    doubled,
]


@pytest.mark.parametrize("changing", CASES)
def test_records_that_cannot_be_taken(world: World, files: Files, changing: Callable[[dict[str, Any]], None]):
    """A foreign owner, another id, a value out of range: the sentence names the record, and nothing is stored."""
    data = json.loads(files["optimus.json"])
    changing(data)
    text = json.dumps(data).encode()
    sentence = refused(world, packed(vouched(files | {"optimus.json": text})))
    assert sentence.startswith("This file cannot be imported: ") or sentence == NO_EXPORT


def test_ids_of_others_are_never_taken(world: World, files: Files):
    """A file that names somebody else's records makes new ones; theirs stay as they are, byte for byte."""
    services = world.services
    live(world)
    before = export(services, world.principal)
    heir = newcomer(services, "heir")
    data = data_of(before)
    for record in data["memories"]:
        record["text"] = "taken over"
    done = bring_in(services, heir, packed(vouched(files | {"optimus.json": json.dumps(data).encode()})))
    assert done.memories.new + done.episodes.new == len(data["memories"])
    mine, theirs = data_of(before), data_of(export(services, heir))
    for name in ("memories", "conversations", "usage"):
        assert not {each["id"] for each in mine[name]} & {each["id"] for each in theirs[name]}
    after = data_of(export(services, world.principal))
    for name in ("memories", "conversations", "usage", "preferences"):
        assert after[name] == mine[name]
    assert services.auth.account(heir).role == "user"


def test_what_a_model_wrote_may_hold_anything(world: World, files: Files):
    """Control characters in an answer do not keep an export from being imported."""
    data = json.loads(files["optimus.json"])
    data["conversations"][0]["messages"][1]["text"] = "\x1b[2J"
    heir = newcomer(world.services, "heir")
    bring_in(world.services, heir, packed(vouched(files | {"optimus.json": json.dumps(data).encode()})))
    assert len(world.services.chat.conversations(heir.user_id)) == len(data["conversations"])
