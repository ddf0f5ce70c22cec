"""Rescue in plain words: what is damaged, what each way to go on keeps and loses, what was done."""

from __future__ import annotations

from datetime import datetime

from optimus.models import Value
from optimus.storage.inspection import Damage, Fault
from optimus.storage.rescue import Repair, RepairNote, repairs_for

HOLDS = {
    "memories": "memories",
    "memories_entities": "names found in memories",
    "relations": "links between people and things",
    "conversations": "chats",
    "accounts": "accounts",
    "events": "usage figures and the audit log",
    "work": "jobs and settings",
}
_FAULTS = {
    Fault.MISSING: "Its files are gone.",
    Fault.UNREADABLE: "The file that describes it cannot be read.",
    Fault.CLOSED: "It cannot be opened.",
    Fault.DIFFERENT: "It opens, but does not hold what it held.",
}
_LOST_WITH = {
    "memories": "Every memory of every user. Chats and accounts stay.",
    "memories_entities": "Names that Mem0 noted beside memories. The memories themselves stay.",
    "relations": "Links between people and things. The memories themselves stay.",
    "conversations": "Every chat with its messages. What was remembered from them stays.",
    "accounts": "Every account with its password, settings and connections. Memories and chats stay where they are, "
    "but nobody can sign in to them, unless the accounts come back. Optimus then starts with its set-up page.",
    "events": "Usage, cost and the audit log; the check of the log will say that it is broken.",
    "work": "Unfinished work and the system's settings, which go back to their defaults.",
}


class Backup(Value):
    """A backup that could take the store's place."""

    name: str
    at: datetime


class Offer(Value):
    """One way to go on, and what it costs."""

    repair: Repair
    title: str
    keeps: str
    loses: str


class DamagedPart(Value):
    """A damaged collection for people, with the ways to go on; what loses least first."""

    collection: str
    holds: str
    """What is in it, in plain words."""
    state: str
    detail: str
    since: datetime | None
    offers: tuple[Offer, ...]

    @property
    def can_be_restored(self) -> bool:
        """Whether there is a backup that could take the store's place."""
        return any(offer.repair is Repair.RESTORE for offer in self.offers)


def part_of(damage: Damage, prefix: str, backup: Backup | None) -> DamagedPart:
    """Return a damage for people; `prefix` is what the collections' names begin with."""
    kind = damage.collection.removeprefix(prefix)
    offers = (_offer(repair, kind, damage, backup) for repair in repairs_for(damage))
    return DamagedPart(
        collection=damage.collection,
        holds=HOLDS.get(kind, damage.collection),
        state=f"{_FAULTS[damage.fault]} {_counted(damage)}".strip(),
        detail=damage.detail,
        since=damage.since,
        offers=tuple(offer for offer in offers if offer is not None),
    )


def sentence_of(note: RepairNote, prefix: str) -> str:
    """Return a note in words: which part, what is missing, since when, where the originals are."""
    kind = note.collection.removeprefix(prefix)
    holds = "the whole store" if kind == "store" else HOLDS.get(kind, kind)
    if note.repair is Repair.NOTICED:
        return f"{note.at:%Y-%m-%d %H:%M} UTC, {holds}: {note.detail}."
    known = None not in (note.before, note.after)
    counts = f"{_records(note.before or 0)} before, {note.after:,} after" if known else _unknown_counts(note)
    last = f"; whole until {note.since:%Y-%m-%d %H:%M} UTC" if note.since else ""
    kept = f"; originals in {note.kept}" if note.kept else ""
    return f"{note.at:%Y-%m-%d %H:%M} UTC, {holds}: {_DONE[note.repair]}; {counts}{last}{kept}."


_DONE = {
    Repair.LOG_ASIDE: "opened without its log of the latest changes",
    Repair.QUARANTINE: "set aside, and begun empty",
    Repair.ACCEPT: "taken as it was found",
    Repair.RESTORE: "replaced by the newest backup",
}


def _unknown_counts(note: RepairNote) -> str:
    return "number of records not known" if note.after is None else f"{note.after:,} records now, before not known"


def _counted(damage: Damage) -> str:
    if damage.expected is None:
        return ""
    if damage.found is None:
        return f"It had {_records(damage.expected)}."
    if damage.found == damage.expected:
        return f"Some of its {_records(damage.expected)} are not what they were."
    return f"It had {_records(damage.expected)}; {damage.found:,} can be read."


def _offer(repair: Repair, kind: str, damage: Damage, backup: Backup | None) -> Offer | None:
    had = f" It had {_records(damage.expected)}." if damage.expected is not None else ""
    if repair is Repair.LOG_ASIDE:
        return Offer(
            repair=repair,
            title="Open it without its latest changes",
            keeps="Everything up to the last time that Optimus was idle for half a minute, or stopped.",
            loses="What was changed after that, and what was deleted then may come back. A copy is kept as it is now.",
        )
    if repair is Repair.ACCEPT:
        return Offer(
            repair=repair,
            title="Go on with what can be read",
            keeps=f"What can be read: {_records(damage.found or 0)}.",
            loses="What is missing stays missing, and what was altered stays altered. A copy is kept as it is now.",
        )
    if repair is Repair.QUARANTINE:
        return Offer(
            repair=repair,
            title="Set it aside and begin it empty",
            keeps="The other parts. The damaged files are moved, never deleted, and can be put back.",
            loses=_LOST_WITH.get(kind, "Everything in it.") + had,
        )
    if backup is None:
        return None
    return Offer(
        repair=repair,
        title=f"Restore the backup of {backup.at:%d %b %Y, %H:%M} UTC",
        keeps=f"Everything that is in {backup.name}. The present store is moved aside whole.",
        loses=f"Everything that was said, remembered or changed since {backup.at:%d %b %Y, %H:%M} UTC, in every part.",
    )


def _records(number: int) -> str:
    return "1 record" if number == 1 else f"{number:,} records"
