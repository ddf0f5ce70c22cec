"""The store's format, and the steps that bring an older store up to it.

A step runs once: the format and the step's checkpoint are one record, so the last write of a step is also what says
that it is done. A step that was interrupted goes on from its checkpoint at the next start; until the last one is done,
the store does not open.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qdrant_client import models

from optimus.errors import ConfigurationError, SealError
from optimus.storage.filters import all_of, has_ids
from optimus.storage.sealing import TAG
from optimus.storage.table import KIND, PAGE
from optimus.storage.work import WorkRepository

if TYPE_CHECKING:
    from optimus.storage.store import Store

FORMAT = 3
"""How records are laid out, counted up whenever an older Optimus could not read or would spoil what this one writes."""
RESTORING = "restoring"
"""The setting that marks a store as half restored."""
EMBEDDING = "embedding"
"""The setting that tells which model made the vectors, as `name` and `dimensions`, and in which `collection` they are.

One record for both: whoever reads it finds the vectors of the model that it names.
"""
_FORMAT_SETTING = "format"
Report = Callable[[str], None]
"""Told in a sentence what is being done before Optimus can be used."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a running migration is given: the store, where it stood, and how to say how far it has come."""

    store: Store
    checkpoint: dict[str, Any]
    """What was saved last, empty at the first run. What came after it may have been done already."""
    save: Callable[[dict[str, Any]], None]
    """Save a checkpoint; returns after a sync to disk."""
    progress: Callable[[int, int], None]
    """Tell how many records are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step from a format to a later one. It may be cut off anywhere and begun again from its checkpoint."""

    before: int
    after: int
    name: str
    """What it does, in words that end a sentence: `sorting the messages by day`."""
    run: Callable[[Step], None] = field(repr=False)


def _seal_accounts(step: Step) -> None:
    """Seal what people are called, and where their models are, which older versions kept in the clear.

    What belongs to an account whose key is destroyed is deleted: its erasure was cut off before it came so far.
    """
    store, accounts = step.store, step.store.names.accounts
    fields = store.names.sealed[accounts].fields
    kinds = models.FieldCondition(key=KIND, match=models.MatchAny(any=["user", "preferences", "connection"]))
    rows, offset = [], None
    while True:
        page, offset = store.raw.scroll(
            collection_name=accounts, scroll_filter=all_of(kinds), limit=PAGE, offset=offset
        )
        rows += page
        if offset is None:
            break
    for done, row in enumerate(rows, 1):
        payload = row.payload or {}
        clear = {name: payload[name] for name in fields if not str(payload.get(name) or TAG).startswith(TAG)}
        clear |= {name: "" for name in fields if payload.get(name) == ""}
        where = models.FilterSelector(filter=all_of(has_ids(str(row.id))))
        try:
            if clear:
                store.client.set_payload(accounts, payload=clear, points=where)
        except SealError:
            store.client.delete(accounts, points_selector=where)
        step.progress(done, len(rows))


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        before=1,
        after=2,
        name="keeping the users' keys beside the master key",
        run=lambda step: step.store.keyring.check_master(),
    ),
    Migration(before=2, after=3, name="sealing names and addresses in accounts", run=_seal_accounts),
)
"""Every step there is, in order; each begins where the one before it ends, the last one ends at `FORMAT`."""


def check_format(work: WorkRepository, *, is_restoring: bool = False) -> None:
    """Leave a store alone that only a later version understands, or that a restore was interrupted in.

    A store from before formats counted is of the first.

    Raises:
        ConfigurationError: the store's format is newer than `FORMAT`, or a backup was not put back to the end.
    """
    version = _stored(work).get("version")
    if not isinstance(version, int) or version > FORMAT:
        raise ConfigurationError(
            f"A newer Optimus made this store (format {version}; this version reads up to {FORMAT}). Start that newer "
            "version, or set OPTIMUS_DATA_DIR (with a Qdrant server: OPTIMUS_COLLECTION_PREFIX) to start another store."
        )
    if not is_restoring and work.setting(RESTORING) is not None:
        raise ConfigurationError(
            "A backup was being put back into this store, and that was interrupted: what is there is not whole. Run "
            "`python -m optimus restore FILE` again, which empties it and begins anew."
        )


def note_format(work: WorkRepository) -> None:
    """Say which format a new store has."""
    if work.setting(_FORMAT_SETTING) is None:
        work.set_setting(_FORMAT_SETTING, {"version": FORMAT})


def migrate(
    store: Store, *, report: Report | None = None, steps: Sequence[Migration] = MIGRATIONS, target: int = FORMAT
) -> int:
    """Run the steps from the store's format up to `target`; return how many were run.

    Raises:
        ConfigurationError: no step leads on from the store's format.
        StoreError: the store does not answer; the next start goes on from the last checkpoint.
    """
    run = 0
    while (version := int(_stored(store.work)["version"])) < target:
        step = next((each for each in steps if each.before == version and each.after <= target), None)
        if step is None or step.after <= version:
            raise ConfigurationError(f"This Optimus cannot read a store of the format {version}: use an older version.")
        _run(store, step, report or _log.info)
        run += 1
    return run


def _run(store: Store, step: Migration, report: Report) -> None:
    def save(checkpoint: dict[str, Any]) -> None:
        begun = {"step": step.name, "checkpoint": checkpoint}
        store.work.set_setting(_FORMAT_SETTING, {"version": step.before, "begun": begun})

    def progress(done: int, total: int) -> None:
        report(f"Optimus is being updated: {step.name}, {done:,} of {total:,} records.")

    begun = _stored(store.work).get("begun") or {}
    checkpoint = begun.get("checkpoint", {}) if begun.get("step") == step.name else {}
    report(f"Optimus is being updated: {step.name}.")
    step.run(Step(store=store, checkpoint=dict(checkpoint), save=save, progress=progress))
    store.sync()
    store.work.set_setting(_FORMAT_SETTING, {"version": step.after})
    _log.info("the store was brought from format %d to %d: %s", step.before, step.after, step.name)


def _stored(work: WorkRepository) -> dict[str, Any]:
    return {"version": 1} | (work.setting(_FORMAT_SETTING) or {})
