"""`python -m optimus rescue`: what is damaged, and repairs, of a running Optimus or with none running."""

from __future__ import annotations

from typing import Any

from optimus.errors import InvalidInputError, StoreUnavailableError
from optimus.rescue import RescueDesk, unsettled
from optimus.settings import Settings
from optimus.storage.rescue import Repair, RepairJournal

COMMAND = "rescue"


def run_damaged(desk: RescueDesk, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run a command while the store is damaged: only `rescue` works.

    Raises:
        StoreUnavailableError: it is another command.
        OptimusError: the repair could not be made.
    """
    if command != COMMAND:
        sentence = "Part of the store is damaged. `python -m optimus rescue` shows what, and how to go on."
        raise StoreUnavailableError("rescue mode", user_message=sentence)
    done = None
    if arguments.get("repair"):
        done = desk.repair(str(arguments.get("collection") or ""), Repair(arguments["repair"]))
    if arguments.get("settle"):
        desk.settle()
    return {
        "damaged": [part.model_dump(mode="json") for part in desk.parts()],
        "notes": [note.model_dump(mode="json") for note in desk.notes()],
        "done": done and done.model_dump(mode="json"),
    }


def run_whole(settings: Settings, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run the command where nothing is damaged: tell what was repaired before, or call it settled.

    Raises:
        InvalidInputError: a repair is asked for.
    """
    if arguments.get("repair"):
        raise InvalidInputError(
            "nothing damaged", user_message="Nothing is damaged at present, so nothing was repaired."
        )
    if arguments.get("settle"):
        RepairJournal(settings.data_dir).change(lambda note: note.model_copy(update={"is_settled": True}))
    notes = [note.model_dump(mode="json") for note in unsettled(settings)]
    return {"damaged": [], "notes": notes, "done": None}
